import type { GuestMemory, MemoryAllocator } from "../../memory/index.js";
import { CommonFeature } from "../../negotiation/common-feature.js";
import { DeviceStatus } from "../../negotiation/device-status.js";
import { Clause, ProtocolError } from "../../negotiation/errors.js";
import { FeatureSet } from "../../negotiation/feature-set.js";
import type { QueueAddresses } from "../../ring/index.js";
import { RegisterWindow, type AccessWidth } from "../bus/address-space.js";
import { unattended } from "../bus/one-after-the-other.js";
import { QueueNotifier } from "../bus/queue-notifier.js";
import type { DriverTransport } from "../driver-transport.js";
import { setUpBars, type BarRoom, type FunctionBars } from "./base-addresses.js";
import { readCapabilityList, type StructurePlace, type VirtioStructures } from "./capability-list.js";
import { CommonConfigAccess } from "./common-config.js";
import { disableMsix, enableMsix } from "./msix.js";
import {
  CommonConfig,
  Isr,
  MODERN_DEVICE_BASE,
  NO_VECTOR,
  PciRegister,
  TRANSITIONAL_DEVICES,
  VIRTIO_VENDOR,
} from "./pci-layout.js";
import { formatPlace, type PciHost, type PciInterrupts } from "./pci-host.js";

export interface PciDriverOptions {
  /** Memory that the function reaches by DMA, at the addresses it uses. */
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  /** Where BARs go that have no address. Without it, firmware has placed them. */
  readonly room?: BarRoom;
  /** Most vectors to use; 0: the interrupt line. 64 if absent. */
  readonly vectors?: number;
  /** Told of accesses that fail and have no caller: notifications and interrupts. */
  readonly onError?: (error: Error) => void;
  /** Told where a queue is before it is enabled. */
  readonly beforeEnable?: (addresses: QueueAddresses) => void;
}

interface Parts {
  readonly deviceId: number;
  readonly structures: VirtioStructures;
  readonly bars: FunctionBars;
  readonly interrupts: PciInterrupts;
}

/**
 * Driver side of virtio over PCI (VIRTIO 1.4, 4.1): modern functions, and transitional ones through their modern
 * structures.
 */
export class PciDriverTransport implements DriverTransport {
  readonly deviceId: number;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  /** What the capability list said. */
  readonly structures: VirtioStructures;
  readonly bars: FunctionBars;
  onQueueUsed: ((index: number) => void) | undefined;
  onConfigChange: (() => void) | undefined;
  readonly #host: PciHost;
  readonly #base: number;
  readonly #interrupts: PciInterrupts;
  readonly #common: CommonConfigAccess;
  readonly #notifyWindow: RegisterWindow;
  readonly #isr: RegisterWindow;
  readonly #config: RegisterWindow | undefined;
  readonly #onError: ((error: Error) => void) | undefined;
  readonly #beforeEnable: ((addresses: QueueAddresses) => void) | undefined;
  readonly #mostVectors: number;
  readonly #queues: QueueNotifier;
  readonly #maxSizes = new Map<number, number>();
  #vectors = 0;
  #isConfigMapped = false;
  #endLine: (() => void) | undefined;
  #features = FeatureSet.none;

  private constructor(host: PciHost, place: number, parts: Parts, options: PciDriverOptions) {
    this.deviceId = parts.deviceId;
    this.memory = options.memory;
    this.allocator = options.allocator;
    this.structures = parts.structures;
    this.bars = parts.bars;
    this.onQueueUsed = undefined;
    this.onConfigChange = undefined;
    this.#host = host;
    this.#base = configBase(place);
    this.#interrupts = parts.interrupts;
    this.#common = new CommonConfigAccess(windowOf(parts.bars, parts.structures.common));
    this.#notifyWindow = windowOf(parts.bars, parts.structures.notify);
    this.#isr = windowOf(parts.bars, parts.structures.isr);
    const { device } = parts.structures;
    this.#config = device === undefined ? undefined : windowOf(parts.bars, device);
    this.#onError = options.onError;
    this.#queues = new QueueNotifier(
      (offset, value) => this.#notifyWindow.write(offset, this.#notifyWidth, value),
      options.onError,
    );
    this.#beforeEnable = options.beforeEnable;
    this.#mostVectors = options.vectors ?? 64;
    this.#endLine = undefined;
  }

  /**
   * Finds the virtio structures of the function at `place` and makes it usable.
   * @throws ProtocolError `device-id` when it is no virtio device, `transport-layout` when it cannot be driven.
   */
  static async open(host: PciHost, place: number, options: PciDriverOptions): Promise<PciDriverTransport> {
    const base = configBase(place);
    const deviceId = await virtioDeviceAt(host, place);
    if (deviceId === undefined) {
      throw new ProtocolError("device-id", Clause.pciDiscovery, `${formatPlace(place)} is no virtio device`);
    }
    const bars = await setUpBars(host, base, options.room);
    const structures = await readCapabilityList(host.config, base, ({ bar, offset }, length) => {
      const window = bars.get(bar);
      return window !== undefined && offset + length <= window.length;
    });
    const interrupts = await host.interrupts(place);
    const transport = new PciDriverTransport(host, place, { deviceId, structures, bars, interrupts }, options);
    await transport.#setUpInterrupts();
    return transport;
  }

  /** Ends interrupts. The driver must have reset the device before. */
  async close(): Promise<void> {
    this.#endLine?.();
    this.#endLine = undefined;
    if (this.#vectors > 0 && this.structures.msix !== undefined) {
      await disableMsix(this.#host.config, this.#base, this.structures.msix);
    }
  }

  async getStatus(): Promise<number> {
    return await this.#common.read(CommonConfig.deviceStatus, 1);
  }
  async setStatus(status: number): Promise<void> {
    if (status === 0) {
      this.#queues.clear();
      this.#isConfigMapped = false;
    }
    await this.#common.write(CommonConfig.deviceStatus, 1, status);
    // A reset takes all vectors away; those of queues are set with the queues.
    if ((status & DeviceStatus.FEATURES_OK) === 0 || this.#vectors === 0 || this.#isConfigMapped) return;
    this.#isConfigMapped = true;
    await this.#common.setConfigVector(0);
  }
  /** What is offered, without features whose registers the common configuration is too short for. */
  async getFeatures(): Promise<FeatureSet> {
    const unusable: number[] = [];
    if (!this.#common.has(CommonConfig.queueNotifConfigData, 2)) unusable.push(CommonFeature.NOTIF_CONFIG_DATA);
    if (!this.#common.has(CommonConfig.queueReset, 2)) unusable.push(CommonFeature.RING_RESET);
    if (!this.#common.has(CommonConfig.adminQueueNum, 2)) unusable.push(CommonFeature.ADMIN_VQ);
    return (await this.#common.features()).without(FeatureSet.of(unusable));
  }
  async setFeatures(features: FeatureSet): Promise<void> {
    this.#features = features;
    this.#queues.hasData = features.has(CommonFeature.NOTIFICATION_DATA);
    await this.#common.setFeatures(features);
  }

  async readConfig(offset: number, length: number, width: AccessWidth): Promise<Uint8Array> {
    return (await this.#config?.readBytes(offset, length, width)) ?? new Uint8Array(0);
  }
  async writeConfig(offset: number, bytes: Uint8Array, width: AccessWidth): Promise<void> {
    if (this.#config === undefined) {
      throw new ProtocolError("config-out-of-range", Clause.config, "the device has no configuration");
    }
    await this.#config.writeBytes(offset, bytes, width);
  }
  async configGeneration(): Promise<number> {
    return await this.#common.read(CommonConfig.configGeneration, 1);
  }

  /** What `queue_size` reads: the size that is in force for a queue in use, the largest one for another. */
  queueSize(index: number): Promise<number> {
    return this.#common.queueSize(index);
  }
  /** Interrupts come as messages (MSI-X), not by a line. */
  get usesMessages(): boolean {
    return this.#vectors > 0;
  }
  /** What `queue_msix_vector` reads; 0xffff: none. */
  queueVector(index: number): Promise<number> {
    return this.#common.queueVector(index);
  }
  async queueMaxSize(index: number): Promise<number> {
    // Of a queue in use the register has the size that it was given.
    const known = this.#queues.has(index) ? this.#maxSizes.get(index) : undefined;
    if (known !== undefined) return known;
    const size = await this.#common.queueSize(index);
    this.#maxSizes.set(index, size);
    return size;
  }
  async enableQueue(index: number, addresses: QueueAddresses): Promise<void> {
    const offset = (await this.#common.queueNotifyOffset(index)) * this.structures.notify.multiplier;
    if (offset + this.#notifyWidth > this.#notifyWindow.length) {
      const text = `queue ${String(index)} is notified at ${String(offset)}, outside of the notification structure`;
      throw new ProtocolError("transport-layout", Clause.pciLayout, text);
    }
    const value = this.#features.has(CommonFeature.NOTIF_CONFIG_DATA)
      ? await this.#common.queueNotifyConfigData(index)
      : index;
    this.#beforeEnable?.(addresses);
    await this.#common.enableQueue(index, addresses, this.#vectorOf(index));
    this.#queues.add(index, offset, value);
  }
  queueEnabled(index: number): Promise<boolean> {
    return this.#common.queueEnabled(index);
  }
  async resetQueue(index: number): Promise<void> {
    this.#queues.delete(index);
    await this.#common.resetQueue(index);
  }
  queueResetting(index: number): Promise<boolean> {
    return this.#common.queueResetting(index);
  }

  notify(index: number, next: number): void {
    this.#queues.notify(index, next);
  }

  /** As if both sides had notified each other about every queue: for hosts that may lose a notification. */
  nudge(): void {
    this.#queues.nudge((index) => this.onQueueUsed?.(index));
  }

  /** Width of a notification (2.9). */
  get #notifyWidth(): 2 | 4 {
    return this.#queues.hasData ? 4 : 2;
  }

  /** Vector 0 is for configuration changes; with only one vector everything shares it. */
  #vectorOf(index: number): number {
    if (this.#vectors === 0) return NO_VECTOR;
    return this.#vectors === 1 ? 0 : 1 + (index % (this.#vectors - 1));
  }

  async #setUpInterrupts(): Promise<void> {
    const { msix } = this.structures;
    if (msix !== undefined && this.#mostVectors > 0) {
      this.#vectors = await enableMsix(
        this.#host.config,
        this.#base,
        msix,
        this.bars,
        this.#interrupts,
        this.#mostVectors,
        (vector) => this.#message(vector),
      );
    }
    if (this.#vectors > 0) return;
    this.#endLine = this.#interrupts.onLine?.(() => unattended(() => this.#line(), this.#onError));
  }

  #message(vector: number): void {
    if (vector === 0) this.onConfigChange?.();
    for (const index of this.#queues.indexes()) if (this.#vectorOf(index) === vector) this.onQueueUsed?.(index);
  }

  async #line(): Promise<void> {
    const isr = await this.#isr.read(0, 1);
    if ((isr & Isr.config) !== 0) this.onConfigChange?.();
    if ((isr & Isr.queue) === 0) return;
    for (const index of this.#queues.indexes()) this.onQueueUsed?.(index);
  }
}

/** The virtio device number of the function at `place`, or undefined if it is none. */
export async function virtioDeviceAt(host: PciHost, place: number): Promise<number | undefined> {
  const base = configBase(place);
  if ((await host.config.read(base + PciRegister.vendor, 2)) !== VIRTIO_VENDOR) return undefined;
  const device = await host.config.read(base + PciRegister.device, 2);
  if (device > MODERN_DEVICE_BASE && device <= MODERN_DEVICE_BASE + 0x3f) return device - MODERN_DEVICE_BASE;
  return TRANSITIONAL_DEVICES[device];
}

/** Places of all virtio functions on bus 0, with their device numbers. */
export async function findVirtioFunctions(host: PciHost): Promise<{ place: number; deviceId: number }[]> {
  const found: { place: number; deviceId: number }[] = [];
  for (let device = 0; device < 32; device++) {
    const first = device << 3;
    const type = await host.config.read(configBase(first) + PciRegister.headerType, 1);
    const functions = type === 0xff ? 0 : (type & 0x80) === 0 ? 1 : 8;
    for (let fn = 0; fn < functions; fn++) {
      const deviceId = await virtioDeviceAt(host, first + fn);
      if (deviceId !== undefined) found.push({ place: first + fn, deviceId });
    }
  }
  return found;
}

function configBase(place: number): number {
  return place * 4096;
}

/** The part of a BAR that a structure lies in; cut where the BAR ends. */
function windowOf(bars: FunctionBars, place: StructurePlace): RegisterWindow {
  const bar = bars.get(place.bar);
  if (bar === undefined || place.offset >= bar.length) {
    const text = `a structure is at ${String(place.offset)} of BAR ${String(place.bar)}, which is not there`;
    throw new ProtocolError("transport-layout", Clause.pciLayout, text);
  }
  const length = Math.min(place.length, bar.length - place.offset);
  return new RegisterWindow(bar.space, bar.base + place.offset, length);
}
