import { DeviceStateError, integers } from "../../device/device-state.js";
import type { VirtioDevice } from "../../device/index.js";
import type { GuestMemory } from "../../memory/index.js";
import { CommonFeature } from "../../negotiation/common-feature.js";
import { Clause, ProtocolError } from "../../negotiation/errors.js";
import type { DeviceTransport } from "../device-transport.js";
import type { Trace } from "../trace.js";
import { tellingQueues, type WrittenMemoryOptions } from "../written-memory.js";
import { ConfigWindow } from "../registers/config-window.js";
import { QueueRegisters } from "../registers/queue-registers.js";
import { type GuestAccessWidth, type RegisterFile } from "../registers/register-file.js";
import {
  parseRegisterState,
  TRANSPORT_STATE_VERSION,
  vector,
  word,
  type RegisterState,
  type RegisterWidths,
} from "../registers/transport-state.js";
import { CommonRegisters } from "./common-registers.js";
import {
  accessCapability, msixCapability, sharedMemoryCapability, structureCapability, vendorCapability,
} from "./capability-bodies.js"; // prettier-ignore
import { DecodedBar } from "./decoded-bar.js";
import { PciConfigSpace, type CapabilityBody, type PciBar, type PciIdentity } from "./config-space.js";
import { MsixTable } from "./msix-table.js";
import {
  COMMON_CONFIG_LENGTH,
  Isr,
  MODERN_DEVICE_BASE,
  NO_VECTOR,
  PciCommand,
  StructureType,
  VIRTIO_VENDOR,
} from "./pci-layout.js";
import { powerOfTwo, structureLayout, type StructureLayout } from "./structure-layout.js";
import { StructureBar } from "./structure-bar.js";

/** A region of shared memory that the device has (VIRTIO 1.4, 2.10). */
export interface SharedMemoryRegion {
  readonly id: number;
  /** In bytes, at least 1. */
  readonly length: number;
  readonly registers: RegisterFile;
}

export interface PciTransportOptions extends WrittenMemoryOptions {
  /** The guest's memory, at the addresses that the guest uses. */
  readonly memory: GuestMemory;
  /** Level of the interrupt line (INTA#). Must not run the guest before it returns. */
  interrupt?(isAsserted: boolean): void;
  /** Writes a message-signalled interrupt to the bus. Without it the function has no MSI-X. */
  message?(address: number, data: number): void;
  /** Number of MSI-X vectors, up to 2048; 0: no MSI-X. One for each queue and one more if absent, at most 64. */
  readonly vectors?: number;
  /** Where the structures are: memory (16 KiB and more) if absent, or I/O ports. */
  readonly bar?: "memory" | "io";
  readonly sharedMemory?: readonly SharedMemoryRegion[];
  readonly vendorData?: readonly { readonly vendor: number; readonly data: Uint8Array }[];
  readonly identity?: Partial<PciIdentity>;
  /** The guest moved a BAR or changed what is decoded: see {@link PciTransport.barAddress}. */
  barChanged?(): void;
  /** Told of accesses that make no sense. */
  onError?(error: ProtocolError): void;
  readonly trace?: Trace;
}

/** The function and its device as plain data, fit for JSON. Guest memory is not part of it. */
export interface PciState extends RegisterState {
  readonly transport: "pci";
  /** A byte a number. */
  readonly configSpace: readonly number[];
  /** The table and the pending bits, a byte a number; none without MSI-X. */
  readonly msix: readonly number[];
  readonly configVector: number;
  readonly isr: number;
}

/**
 * A modern virtio-pci function (VIRTIO 1.4, 4.1) for an emulator to plug in: `config` and `bars` are what the guest's
 * processor reads and writes, `interrupt` or `message` is how the function answers.
 */
export class PciTransport {
  readonly device: VirtioDevice;
  /** The configuration space: 256 bytes. */
  readonly config: PciConfigSpace;
  readonly bars: readonly PciBar[];
  readonly #options: PciTransportOptions;
  readonly #queues: QueueRegisters;
  readonly #deviceConfig: ConfigWindow;
  readonly #common: CommonRegisters;
  readonly #msix: MsixTable | undefined;
  #configVector = NO_VECTOR;
  #isr = 0;
  #isAsserted = false;
  #interruptDisabled = false;
  /** Interrupts that wait for the end of a restore: what caused them, and for a queue its index. */
  #held: [cause: number, index: number][] | undefined;

  /** @throws RangeError when the options ask for more than a function has room for. */
  constructor(device: VirtioDevice, options: PciTransportOptions) {
    this.device = device;
    this.#held = undefined;
    this.#options = options;
    this.#queues = new QueueRegisters(device, (text) => this.#refuse(text), NO_VECTOR);
    this.#deviceConfig = new ConfigWindow(device);
    const queues = (device.queues().at(-1)?.index ?? -1) + 1;
    const vectors = options.message === undefined ? 0 : (options.vectors ?? Math.min(64, queues + 1));
    if (!Number.isInteger(vectors) || vectors < 0 || vectors > 2048) {
      throw new RangeError(`a function has 1 to 2048 vectors, not ${String(vectors)}`);
    }
    this.#msix =
      vectors === 0 ? undefined : new MsixTable(vectors, (address, data) => options.message?.(address, data));
    this.#common = new CommonRegisters(this.#commonOwner(vectors));
    const layout = structureLayout(options.bar ?? "memory", device.definition.configSize, queues);
    const bars = this.#makeBars(layout);
    const hasLine = options.interrupt !== undefined;
    this.config = new PciConfigSpace(this.#identity(), hasLine, bars, this.#capabilities(layout), {
      commandChanged: (command) => {
        this.#interruptDisabled = (command & PciCommand.interruptDisable) !== 0;
        this.#updateLine();
        const isBusMaster = (command & PciCommand.busMaster) !== 0;
        this.#msix?.setBusMaster(isBusMaster);
        device.setMemoryAccess(isBusMaster);
      },
      msixChanged: (enabled, masked) => {
        this.#msix?.setControl(enabled, masked);
        this.#updateLine();
      },
      barChanged: () => options.barChanged?.(),
      refuse: (text) => this.#refuse(text),
    });
    // The window in the configuration space reaches them whether they decode or not: that is what it is for.
    this.bars = bars.map((bar) => ({ ...bar, registers: new DecodedBar(bar, this.config) }));
    device.attach(this.#deviceSide());
    device.setMemoryAccess(false);
  }

  /** Where the guest has put a BAR, or undefined while it does not decode. */
  barAddress(index: number): number | undefined {
    return this.config.barAddress(index);
  }

  /**
   * Saves the device together with its registers, and ends it here, as `device.save()` does. The guest must stand still
   * until the promise resolves. Rejects with a DeviceStateError `busy`.
   */
  async save(): Promise<PciState> {
    const { device, registers } = await this.device.saveWith(() => ({
      generation: this.#deviceConfig.generation,
      ...this.#common.save(),
      configSpace: this.config.save(),
      msix: this.#msix?.save() ?? [],
      configVector: this.#configVector,
      isr: this.#isr,
      queues: this.#queues.save(),
    }));
    this.#resetRegisters();
    return { version: TRANSPORT_STATE_VERSION, transport: "pci", device, ...registers };
  }

  /**
   * Goes on where a saved function stopped, over the same guest memory. The device must be reset, and the function have
   * been made with the same options. Throws a DeviceStateError, with all registers as they were and the device reset, if
   * the state is malformed or does not fit.
   */
  restore(value: unknown): void {
    const widths: RegisterWidths = {
      select: 0xffff,
      queueSize: 0xffff,
      vectors: this.#msix?.vectors ?? 0,
      noVector: NO_VECTOR,
    };
    const { fields, common, device } = parseRegisterState(value, "pci", widths);
    const configSpace = integers(fields["configSpace"], "configSpace", 255);
    const msix = integers(fields["msix"], "msix", 255);
    const configVector = vector(fields, "configVector", widths);
    const isr = word(fields, "isr", Isr.queue | Isr.config);
    if (!(this.#msix?.isLike(msix) ?? msix.length === 0) || !this.config.isLike(configSpace)) {
      throw new DeviceStateError("transport", "it is of a function with other structures");
    }
    const held: [cause: number, index: number][] = [];
    this.#held = held;
    try {
      this.device.restore(device);
    } finally {
      this.#held = undefined;
    }
    this.#queues.restore(common.queues);
    this.#common.restore(common);
    this.#deviceConfig.restore(common.generation);
    this.#configVector = configVector;
    this.#isr = isr;
    this.#msix?.restore(msix);
    this.config.restore(configSpace);
    // Now that vectors and masks are there, the interrupts for what may have been lost.
    for (const [cause, index] of held) this.#interrupt(cause, index);
    this.#updateLine();
  }

  /** Resets the device and lets it go. */
  disconnect(): void {
    this.device.detach();
    this.#resetRegisters();
  }

  #deviceSide(): DeviceTransport {
    return {
      memory: this.#options.memory,
      notifyDriver: (index) => {
        this.device.trace?.({ kind: "interrupt", queue: index });
        this.#interrupt(Isr.queue, index);
      },
      notifyConfig: () => this.#interrupt(Isr.config, 0),
      queueReset: (index) => this.#queues.resetQueue(index),
      // A reset that took its time: what the driver wrote meanwhile is gone, too.
      statusChanged: (status) => {
        if (status === 0) this.#resetRegisters();
      },
      ...tellingQueues(this.#options, this.device),
      trace: this.#options.trace,
    };
  }

  #commonOwner(vectors: number) {
    const configVector = {
      get: () => this.#configVector,
      set: (vector: number) => void (this.#configVector = vector),
    };
    return {
      device: this.device,
      queues: this.#queues,
      config: this.#deviceConfig,
      vectors,
      get configVector() {
        return configVector.get();
      },
      set configVector(vector: number) {
        configVector.set(vector);
      },
      writeStatus: (status: number) => {
        this.device.writeStatus(status);
        if (status === 0) this.#resetRegisters();
      },
      refuse: (text: string) => this.#refuse(text),
    };
  }

  /** What a reset of the device does to the function. MSI-X and the configuration space stay as they are. */
  #resetRegisters(): void {
    this.#queues.reset();
    this.#common.reset();
    this.#configVector = NO_VECTOR;
    this.#isr = 0;
    this.#updateLine();
  }

  /** @param index the queue, if one is the cause */
  #interrupt(cause: number, index: number): void {
    if (this.#held !== undefined) {
      this.#held.push([cause, index]);
      return;
    }
    const number = cause === Isr.config ? this.#configVector : this.#queues.vector(index);
    const msix = this.#msix;
    if (msix?.enabled === true) {
      if (cause === Isr.config) this.#isr |= cause;
      if (number !== NO_VECTOR) msix.raise(number);
      return;
    }
    this.#isr |= cause;
    this.#updateLine();
  }

  #updateLine(): void {
    const usesLine = this.#msix?.enabled !== true;
    this.config.setInterruptStatus(usesLine && this.#isr !== 0);
    const asserted = usesLine && this.#isr !== 0 && !this.#interruptDisabled;
    if (asserted === this.#isAsserted) return;
    this.#isAsserted = asserted;
    this.#options.interrupt?.(asserted);
  }

  #readIsr(): number {
    const isr = this.#isr;
    this.#isr = 0;
    this.#updateLine();
    return isr;
  }

  #notify(offset: number, width: GuestAccessWidth, value: number, multiplier: number): void {
    const { device } = this;
    const expected = device.negotiated.has(CommonFeature.NOTIFICATION_DATA) ? 4 : 2;
    const index = multiplier === 0 ? value & 0xffff : offset / multiplier;
    const queue = width === expected || width === 4 ? device.queue(index) : undefined;
    if (queue === undefined) {
      this.#refuse(`a notification of ${String(width)} bytes at ${String(offset)}: 0x${value.toString(16)}`);
      return;
    }
    this.device.trace?.({ kind: "driver-notify", queue: index });
    queue.notify();
  }

  #makeBars(layout: StructureLayout): PciBar[] {
    const structures = new StructureBar(layout, {
      common: this.#common.fields,
      config: this.#deviceConfig,
      readIsr: () => this.#readIsr(),
      notify: (offset, width, value) => this.#notify(offset, width, value, layout.multiplier),
      refuse: (text) => this.#refuse(text),
    });
    const kind = this.#options.bar === "io" ? "io" : "memory";
    const bars: PciBar[] = [{ index: 0, kind, length: layout.length, registers: structures }];
    if (this.#msix !== undefined) {
      bars.push({ index: 1, kind: "memory", length: this.#msix.length, registers: this.#msix });
    }
    const regions = this.#options.sharedMemory ?? [];
    if (regions.length > 2) throw new RangeError("a function has room for two regions of shared memory");
    for (const { id, length } of regions) {
      const isUsable = Number.isInteger(id) && id >= 0 && id <= 255 && length >= 1;
      if (!isUsable || regions.filter((other) => other.id === id).length > 1) {
        throw new RangeError(
          `shared memory ${String(id)}: ids are different ones from 0 to 255, and no region is empty`,
        );
      }
    }
    for (const [position, { length, registers }] of regions.entries()) {
      const whole = Math.max(4096, powerOfTwo(length));
      bars.push({ index: 2 + 2 * position, kind: "memory64", length: whole, registers });
    }
    return bars;
  }

  #capabilities(layout: StructureLayout): CapabilityBody[] {
    const { common, notify, isr, device } = StructureType;
    const capabilities: CapabilityBody[] = [];
    if (this.#msix !== undefined) capabilities.push(msixCapability(this.#msix.vectors, 1, this.#msix.pendingOffset));
    capabilities.push(
      structureCapability(common, 0, layout.common, COMMON_CONFIG_LENGTH),
      structureCapability(notify, 0, layout.notify, layout.notifyLength, { extra: [layout.multiplier] }),
      structureCapability(isr, 0, layout.isr, 1),
    );
    const { configSize } = this.device.definition;
    if (configSize > 0) capabilities.push(structureCapability(device, 0, layout.config, configSize));
    capabilities.push(accessCapability());
    for (const [position, { id, length }] of (this.#options.sharedMemory ?? []).entries()) {
      capabilities.push(sharedMemoryCapability(id, 2 + 2 * position, 0, length));
    }
    for (const { vendor, data } of this.#options.vendorData ?? []) capabilities.push(vendorCapability(vendor, data));
    return capabilities;
  }

  #identity(): PciIdentity {
    const { id } = this.device.definition;
    return {
      vendor: VIRTIO_VENDOR,
      device: MODERN_DEVICE_BASE + id,
      revision: 1,
      classCode: CLASS_CODES[id] ?? 0xff_0000,
      subsystemVendor: VIRTIO_VENDOR,
      subsystem: MODERN_DEVICE_BASE + id,
      ...this.#options.identity,
    };
  }

  #refuse(text: string): void {
    this.#options.onError?.(new ProtocolError("transport-access", Clause.pciLayout, text));
  }
}

/** PCI's class, subclass and interface for virtio devices; those without one are "unassigned". */
const CLASS_CODES: Readonly<Record<number, number>> = {
  1: 0x02_0000, 2: 0x01_0000, 3: 0x07_8000, 8: 0x01_0000, 16: 0x03_8000, 18: 0x09_8000, 25: 0x04_0100,
}; // prettier-ignore
