import type { GuestMemory, MemoryAllocator } from "../../memory/index.js";
import { CommonFeature } from "../../negotiation/common-feature.js";
import { Clause, ProtocolError } from "../../negotiation/errors.js";
import { FeatureSet } from "../../negotiation/feature-set.js";
import type { QueueAddresses } from "../../ring/index.js";
import type { AccessWidth, RegisterWindow } from "../bus/address-space.js";
import { OneAfterTheOther, unattended } from "../bus/one-after-the-other.js";
import { QueueNotifier } from "../bus/queue-notifier.js";
import type { DriverTransport } from "../driver-transport.js";
import {
  LEGACY_PAGE,
  MMIO_LEGACY_VERSION,
  MMIO_MAGIC,
  MMIO_VERSION,
  MMIO_UNSUPPORTED,
  MmioInterrupt,
  MmioRegister,
} from "./mmio-layout.js";

export interface MmioDriverOptions {
  /** Memory that the device reaches, at the addresses it uses. */
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  /** Calls the listener whenever the device's interrupt is raised. Returns how to end that. */
  onInterrupt(listener: () => void): () => void;
  /** Told of accesses that fail and have no caller: notifications and interrupts. */
  readonly onError?: (error: Error) => void;
  /** Told where a queue is before it is enabled. */
  readonly beforeEnable?: (addresses: QueueAddresses) => void;
}

/** Driver side of virtio over MMIO, version 2 (VIRTIO 1.4, 4.2) and version 1, the legacy interface (4.2.4). */
export class MmioDriverTransport implements DriverTransport {
  readonly deviceId: number;
  readonly legacy: DriverTransport["legacy"];
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  onQueueUsed: ((index: number) => void) | undefined;
  onConfigChange: (() => void) | undefined;
  readonly #window: RegisterWindow;
  readonly #beforeEnable: ((addresses: QueueAddresses) => void) | undefined;
  readonly #queues: QueueNotifier;
  readonly #endInterrupts: () => void;
  readonly #selected = new OneAfterTheOther();

  private constructor(window: RegisterWindow, deviceId: number, version: number, options: MmioDriverOptions) {
    this.#window = window;
    this.legacy = version === MMIO_LEGACY_VERSION ? { pageSize: LEGACY_PAGE, ringAlignment: LEGACY_PAGE } : undefined;
    this.deviceId = deviceId;
    this.memory = options.memory;
    this.allocator = options.allocator;
    this.onQueueUsed = undefined;
    this.onConfigChange = undefined;
    this.#queues = new QueueNotifier((register, value) => this.#write(register, value), options.onError);
    this.#beforeEnable = options.beforeEnable;
    this.#endInterrupts = options.onInterrupt(() => unattended(() => this.#interrupt(), options.onError));
  }

  /**
   * Looks at the registers. Undefined: there is no device (device number 0), which is not an error.
   * @throws ProtocolError `transport-layout` when these are no registers of virtio over MMIO.
   */
  static async open(window: RegisterWindow, options: MmioDriverOptions): Promise<MmioDriverTransport | undefined> {
    const magic = await window.read(MmioRegister.magicValue, 4);
    if (magic !== MMIO_MAGIC) throw layoutError(`MagicValue is 0x${magic.toString(16)}`);
    const version = await window.read(MmioRegister.version, 4);
    if (version !== MMIO_VERSION && version !== MMIO_LEGACY_VERSION) {
      throw layoutError(
        `version ${String(version)}, neither ${String(MMIO_VERSION)} nor ${String(MMIO_LEGACY_VERSION)}`,
      );
    }
    const deviceId = await window.read(MmioRegister.deviceId, 4);
    return deviceId === 0 ? undefined : new MmioDriverTransport(window, deviceId, version, options);
  }

  /** Ends interrupts. The driver must have reset the device before. */
  close(): void {
    this.#endInterrupts();
  }

  async getStatus(): Promise<number> {
    return await this.#window.read(MmioRegister.status, 4);
  }
  async setStatus(status: number): Promise<void> {
    if (status === 0) this.#queues.clear();
    await this.#window.write(MmioRegister.status, 4, status);
  }
  /** What is offered, without what this transport cannot do (6.1). */
  getFeatures(): Promise<FeatureSet> {
    return this.#selected.run(async () => {
      const words: number[] = [];
      for (let word = 0; word < this.#featureWords; word++) {
        await this.#write(MmioRegister.deviceFeaturesSel, word);
        words.push(await this.#read(MmioRegister.deviceFeatures));
      }
      return FeatureSet.fromWords(words).without(MMIO_UNSUPPORTED);
    });
  }
  setFeatures(features: FeatureSet): Promise<void> {
    this.#queues.hasData = features.has(CommonFeature.NOTIFICATION_DATA);
    return this.#selected.run(async () => {
      // A reset takes it away, and queues need it.
      if (this.legacy !== undefined) await this.#write(MmioRegister.guestPageSize, this.legacy.pageSize);
      for (const word of [0, 1, 2, 3] as const) {
        if (word >= this.#featureWords || (word > 1 && features.word(word) === 0)) continue;
        await this.#write(MmioRegister.driverFeaturesSel, word);
        await this.#write(MmioRegister.driverFeatures, features.word(word));
      }
    });
  }

  async readConfig(offset: number, length: number, width: AccessWidth): Promise<Uint8Array> {
    return await this.#window.readBytes(MmioRegister.config + offset, length, width);
  }
  async writeConfig(offset: number, bytes: Uint8Array, width: AccessWidth): Promise<void> {
    await this.#window.writeBytes(MmioRegister.config + offset, bytes, width);
  }
  async configGeneration(): Promise<number> {
    return this.legacy === undefined ? await this.#read(MmioRegister.configGeneration) : 0;
  }

  queueMaxSize(index: number): Promise<number> {
    return this.#queue(index, async () => await this.#read(MmioRegister.queueSizeMax));
  }
  enableQueue(index: number, addresses: QueueAddresses): Promise<void> {
    return this.#queue(index, async () => {
      if ((await this.#read(this.#inUse)) !== 0) {
        throw new ProtocolError("queue-already-enabled", Clause.mmioRegisters, `queue ${String(index)} is in use`);
      }
      await this.#write(MmioRegister.queueSize, addresses.size);
      if (this.legacy !== undefined) {
        const { pageSize, ringAlignment } = this.legacy;
        await this.#write(MmioRegister.queueAlign, ringAlignment);
        await this.#enable(index, addresses, addresses.descriptor / pageSize);
        return;
      }
      await this.#window.write64(MmioRegister.queueDescLow, addresses.descriptor);
      await this.#window.write64(MmioRegister.queueDriverLow, addresses.driver);
      await this.#window.write64(MmioRegister.queueDeviceLow, addresses.device);
      await this.#enable(index, addresses, 1);
    });
  }
  queueEnabled(index: number): Promise<boolean> {
    return this.#queue(index, async () => (await this.#read(this.#inUse)) !== 0);
  }
  /** On the legacy interface, where there is no reset of a queue, the driver stops using it. */
  async resetQueue(index: number): Promise<void> {
    this.#queues.delete(index);
    const [register, value] =
      this.legacy === undefined ? [MmioRegister.queueReset, 1] : ([MmioRegister.queuePfn, 0] as const);
    await this.#queue(index, async () => await this.#write(register, value));
  }
  async queueResetting(index: number): Promise<boolean> {
    if (this.legacy !== undefined) return false;
    return await this.#queue(index, async () => (await this.#read(MmioRegister.queueReset)) !== 0);
  }

  notify(index: number, next: number): void {
    this.#queues.notify(index, next);
  }

  /** As if both sides had notified each other about every queue: for hosts that may lose a notification. */
  nudge(): void {
    this.#queues.nudge((index) => this.onQueueUsed?.(index));
  }

  async #interrupt(): Promise<void> {
    const status = (await this.#read(MmioRegister.interruptStatus)) & (MmioInterrupt.used | MmioInterrupt.config);
    if (status === 0) return;
    // Acknowledged before the work: what comes from now on interrupts anew.
    await this.#write(MmioRegister.interruptAck, status);
    if ((status & MmioInterrupt.config) !== 0) this.onConfigChange?.();
    if ((status & MmioInterrupt.used) === 0) return;
    for (const index of this.#queues.indexes()) this.onQueueUsed?.(index);
  }

  /** QueuePFN or QueueReady: 0 while a queue is not in use. */
  get #inUse(): number {
    return this.legacy === undefined ? MmioRegister.queueReady : MmioRegister.queuePfn;
  }
  get #featureWords(): number {
    return this.legacy === undefined ? 4 : 1;
  }
  /** The last step: writes what puts the selected queue into use, and reads it back. */
  async #enable(index: number, addresses: QueueAddresses, value: number): Promise<void> {
    this.#beforeEnable?.(addresses);
    await this.#write(this.#inUse, value);
    if ((await this.#read(this.#inUse)) !== value) {
      const text = `the device does not enable queue ${String(index)}`;
      throw new ProtocolError("queue-enable-refused", Clause.queues, text);
    }
    this.#queues.add(index, MmioRegister.queueNotify, index);
  }

  #read(register: number): number | Promise<number> {
    return this.#window.read(register, 4);
  }
  #write(register: number, value: number): void | Promise<void> {
    return this.#window.write(register, 4, value);
  }
  #queue<T>(index: number, work: () => Promise<T>): Promise<T> {
    return this.#selected.run(async () => {
      await this.#write(MmioRegister.queueSel, index);
      return await work();
    });
  }
}

function layoutError(text: string): ProtocolError {
  return new ProtocolError("transport-layout", Clause.mmioRegisters, text);
}
