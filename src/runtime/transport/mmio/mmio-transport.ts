import { DeviceStateError } from "../../device/device-state.js";
import type { VirtioDevice } from "../../device/index.js";
import type { GuestMemory } from "../../memory/index.js";
import { CommonFeature } from "../../negotiation/common-feature.js";
import { Clause, ProtocolError } from "../../negotiation/errors.js";
import type { DeviceTransport } from "../device-transport.js";
import { ConfigWindow } from "../registers/config-window.js";
import { featureWord } from "../registers/feature-word.js";
import { QueueRegisters, type StagedQueue } from "../registers/queue-registers.js";
import { FieldRegisters, Registers, type Field, type GuestAccessWidth } from "../registers/register-file.js";
import {
  parseRegisterState,
  TRANSPORT_STATE_VERSION,
  word,
  type RegisterState,
  type RegisterWidths,
} from "../registers/transport-state.js";
import type { Trace } from "../trace.js";
import { tellingQueues, type WrittenMemoryOptions } from "../written-memory.js";
import { LegacyQueues, parseLegacyQueues, type LegacyQueueState } from "./legacy-queues.js";
import {
  MMIO_LEGACY_VERSION,
  MMIO_MAGIC,
  MMIO_UNSUPPORTED,
  MMIO_VERSION,
  MmioInterrupt,
  MmioRegister,
} from "./mmio-layout.js";

/** Where a region of shared memory is in the guest's address space (VIRTIO 1.4, 2.10). */
export interface MmioSharedMemory {
  readonly id: number;
  readonly address: number;
  /** In bytes. */
  readonly length: number;
}

export interface MmioTransportOptions extends WrittenMemoryOptions {
  /** The guest's memory, at the addresses that the guest uses. */
  readonly memory: GuestMemory;
  /** Level of the interrupt line. Must not run the guest before it returns. */
  interrupt(isAsserted: boolean): void;
  /** Version 1 of the registers, the legacy interface, for little-endian guests. */
  readonly legacy?: boolean;
  /** Not on the legacy interface. */
  readonly sharedMemory?: readonly MmioSharedMemory[];
  /** "Virtio Subsystem Vendor ID"; "vgen" if absent. */
  readonly vendorId?: number;
  /** Told of accesses that make no sense. */
  onError?(error: ProtocolError): void;
  readonly trace?: Trace;
}

/** The registers and the device as plain data, fit for JSON. Guest memory is not part of it. */
export interface MmioState extends RegisterState {
  readonly transport: "mmio";
  readonly shmSel: number;
  readonly interruptStatus: number;
  /** On the legacy interface. */
  readonly legacy: LegacyQueueState | null;
}

const WIDTHS: RegisterWidths = { select: 0xffff_ffff, queueSize: 0xffff_ffff, vectors: 0, noVector: 0 };

const VENDOR_ID = 0x6e65_6776;
const CONFIG = MmioRegister.config;
/** Length and address that a region reads that does not exist. */
const NOWHERE = 0xffff_ffff;

/**
 * A device behind virtio-mmio registers, version 2 (VIRTIO 1.4, 4.2) or the legacy one (4.2.4), for an emulator to map into
 * its guest: `read` and `write` are what the guest's processor does, `interrupt` is how the device answers.
 */
export class MmioTransport extends Registers {
  readonly device: VirtioDevice;
  readonly length: number;
  readonly #options: MmioTransportOptions;
  readonly #queues: QueueRegisters;
  readonly #config: ConfigWindow;
  readonly #control: FieldRegisters;
  /** On the legacy interface. */
  readonly #legacy: LegacyQueues | undefined;
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #shmSel = 0;
  #interruptStatus = 0;

  /** @throws DeviceOptionsError when the device is in use, or has no legacy interface and shall have one. */
  constructor(device: VirtioDevice, options: MmioTransportOptions) {
    super();
    this.device = device;
    this.#options = options;
    const refuse = (text: string): void => this.#refuse(text);
    this.#queues = new QueueRegisters(device, refuse);
    this.#config = new ConfigWindow(device);
    this.#legacy = options.legacy === true ? new LegacyQueues(device, this.#queues, refuse) : undefined;
    const own = this.#legacy?.fields() ?? [...this.#modernFields(), ...this.#modernQueueFields()];
    this.#control = new FieldRegisters(CONFIG, [...this.#deviceFields(), ...this.#queueFields(), ...own], refuse);
    this.length = Math.max(0x200, CONFIG + 2 ** Math.ceil(Math.log2(Math.max(1, this.#config.length))));
    device.attach(this.#deviceSide());
  }

  read(offset: number, width: GuestAccessWidth): number {
    if (offset >= CONFIG) return this.#config.read(offset - CONFIG, width);
    if (!this.#isControlAccess(offset, width)) return 0;
    return this.#control.read(offset, width);
  }
  write(offset: number, width: GuestAccessWidth, value: number): void {
    if (offset >= CONFIG) this.#config.write(offset - CONFIG, width, value);
    else if (this.#isControlAccess(offset, width)) this.#control.write(offset, width, value);
  }

  /**
   * Saves the device together with its registers, and ends it here, as `device.save()` does. The guest must stand still
   * until the promise resolves. Rejects with a DeviceStateError `busy`.
   */
  async save(): Promise<MmioState> {
    const { device, registers } = await this.device.saveWith(() => ({
      generation: this.#config.generation,
      deviceFeatureSelect: this.#deviceFeaturesSel,
      driverFeatureSelect: this.#driverFeaturesSel,
      shmSel: this.#shmSel,
      interruptStatus: this.#interruptStatus,
      queues: this.#queues.save(),
      legacy: this.#legacy?.save() ?? null,
    }));
    this.#resetRegisters();
    return { version: TRANSPORT_STATE_VERSION, transport: "mmio", device, ...registers };
  }

  /**
   * Goes on where a saved transport stopped, over the same guest memory. The device must be reset. Throws a
   * DeviceStateError, with all registers as they were and the device reset, if the state is malformed or does not fit.
   */
  restore(value: unknown): void {
    const { fields, common, device } = parseRegisterState(value, "mmio", WIDTHS);
    const shmSel = word(fields, "shmSel");
    const interruptStatus = word(fields, "interruptStatus", MmioInterrupt.used | MmioInterrupt.config);
    const legacy = fields["legacy"] === null ? null : parseLegacyQueues(fields["legacy"]);
    if ((legacy === null) !== (this.#legacy === undefined)) {
      throw new DeviceStateError("transport", "it is of the other version of the registers");
    }
    // Raises interrupts for what may have been lost: they come on top of those that were pending.
    this.device.restore(device);
    this.#queues.restore(common.queues);
    if (legacy !== null) this.#legacy?.restore(legacy);
    this.#config.restore(common.generation);
    this.#deviceFeaturesSel = common.deviceFeatureSelect;
    this.#driverFeaturesSel = common.driverFeatureSelect;
    this.#shmSel = shmSel;
    this.#setInterruptStatus(this.#interruptStatus | interruptStatus);
  }

  /** Resets the device and lets it go. */
  disconnect(): void {
    this.device.detach();
    this.#resetRegisters();
  }

  #deviceSide(): DeviceTransport {
    return {
      memory: this.#options.memory,
      unsupported: MMIO_UNSUPPORTED,
      legacy: this.#legacy !== undefined,
      notifyDriver: (index) => {
        this.device.trace?.({ kind: "interrupt", queue: index });
        this.#interrupt(MmioInterrupt.used);
      },
      notifyConfig: () => this.#interrupt(MmioInterrupt.config),
      queueReset: (index) => {
        this.#queues.resetQueue(index);
        this.#legacy?.resetQueue(index);
      },
      // A reset that took its time: what the driver wrote meanwhile is gone, too.
      statusChanged: (status) => {
        if (status === 0) this.#resetRegisters();
      },
      ...tellingQueues(this.#options, this.device),
      trace: this.#options.trace,
    };
  }

  #interrupt(cause: number): void {
    this.#setInterruptStatus(this.#interruptStatus | cause);
  }
  #setInterruptStatus(status: number): void {
    const was = this.#interruptStatus !== 0;
    this.#interruptStatus = status;
    if (was !== (status !== 0)) this.#options.interrupt(status !== 0);
  }

  #resetRegisters(): void {
    this.#queues.reset();
    this.#legacy?.reset();
    this.#deviceFeaturesSel = 0;
    this.#driverFeaturesSel = 0;
    this.#shmSel = 0;
    this.#setInterruptStatus(0);
  }

  /** "The driver MUST only use 32 bit wide and aligned reads and writes to access the control registers" (4.2.2.2). */
  #isControlAccess(offset: number, width: GuestAccessWidth): boolean {
    if (width === 4 && offset % 4 === 0) return true;
    this.#refuse(`an access of ${String(width)} bytes at 0x${offset.toString(16)}, not of 4 aligned ones`);
    return false;
  }

  #deviceFields(): Field[] {
    const { device } = this;
    const R = MmioRegister;
    return [
      register(R.magicValue, () => MMIO_MAGIC),
      register(R.version, () => (this.#legacy === undefined ? MMIO_VERSION : MMIO_LEGACY_VERSION)),
      register(R.deviceId, () => device.definition.id),
      register(R.vendorId, () => this.#options.vendorId ?? VENDOR_ID),
      register(R.deviceFeatures, () => featureWord(device.offered, this.#deviceFeaturesSel)),
      register(R.deviceFeaturesSel, nothing, (value) => (this.#deviceFeaturesSel = value)),
      register(R.driverFeatures, nothing, (value) => void device.setDriverFeaturesWord(this.#driverFeaturesSel, value)),
      register(R.driverFeaturesSel, nothing, (value) => (this.#driverFeaturesSel = value)),
      register(R.interruptStatus, () => this.#interruptStatus),
      register(R.interruptAck, nothing, (value) => this.#setInterruptStatus(this.#interruptStatus & ~value)),
      register(
        R.status,
        () => device.status,
        (value) => {
          device.writeStatus(value);
          if (value === 0) this.#resetRegisters();
        },
      ),
    ];
  }

  /** What version 2 has besides. */
  #modernFields(): Field[] {
    const R = MmioRegister;
    const shm = (pick: (region: MmioSharedMemory) => number, high: boolean) => () => {
      const region = this.#options.sharedMemory?.find(({ id }) => id === this.#shmSel);
      if (region === undefined) return NOWHERE;
      return high ? Math.floor(pick(region) / 2 ** 32) : pick(region) % 2 ** 32;
    };
    return [
      register(R.shmSel, nothing, (value) => (this.#shmSel = value)),
      register(
        R.shmLenLow,
        shm(({ length }) => length, false),
      ),
      register(
        R.shmLenHigh,
        shm(({ length }) => length, true),
      ),
      register(
        R.shmBaseLow,
        shm(({ address }) => address, false),
      ),
      register(
        R.shmBaseHigh,
        shm(({ address }) => address, true),
      ),
      register(R.configGeneration, () => this.#config.generation),
    ];
  }

  #queueFields(): Field[] {
    const { device } = this;
    const queues = this.#queues;
    const R = MmioRegister;
    return [
      register(R.queueSel, nothing, (value) => (queues.selected = value)),
      register(R.queueSizeMax, () => queues.queue?.maxSize ?? 0),
      this.#staged(R.queueSize, "size"),
      register(R.queueNotify, nothing, (value) => {
        const index = device.negotiated.has(CommonFeature.NOTIFICATION_DATA) ? value & 0xffff : value;
        const queue = device.queue(index);
        if (queue === undefined) this.#refuse(`queue ${String(index)} is notified, which does not exist`);
        else {
          device.trace?.({ kind: "driver-notify", queue: index });
          queue.notify();
        }
      }),
    ];
  }

  /** A part of what the driver writes for a queue before it is enabled. */
  #staged(offset: number, name: Exclude<keyof StagedQueue, "vector">): Field {
    return register(offset, nothing, (value) => this.#queues.stage(name, value));
  }

  /** What version 2 has besides. */
  #modernQueueFields(): Field[] {
    const queues = this.#queues;
    const R = MmioRegister;
    return [
      register(
        R.queueReady,
        () => queues.enabled,
        (value) => this.#setReady(value),
      ),
      this.#staged(R.queueDescLow, "descriptorLow"),
      this.#staged(R.queueDescHigh, "descriptorHigh"),
      this.#staged(R.queueDriverLow, "driverLow"),
      this.#staged(R.queueDriverHigh, "driverHigh"),
      this.#staged(R.queueDeviceLow, "deviceLow"),
      this.#staged(R.queueDeviceHigh, "deviceHigh"),
      register(
        R.queueReset,
        () => queues.resetting,
        (value) => queues.writeReset(value),
      ),
    ];
  }

  /** QueueReady, unlike queue_enable, also takes a queue out of use. */
  #setReady(value: number): void {
    if (value === 1) this.#queues.enable();
    else if (value !== 0) this.#refuse(`QueueReady is set to 0 or 1, not to ${String(value)}`);
    else this.#queues.disable();
  }

  #refuse(text: string): void {
    this.#options.onError?.(new ProtocolError("transport-access", Clause.mmioRegisters, text));
  }
}

/** A write-only register reads 0. */
const nothing = (): number => 0;

function register(offset: number, read: () => number, write?: (value: number) => void): Field {
  return { offset, width: 4, read, ...(write === undefined ? {} : { write }) };
}
