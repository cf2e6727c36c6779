import { GuestMemory, MemoryAllocator } from "../../memory/index.js";
import { RegisterWindow } from "../bus/address-space.js";
import { MmioDriverTransport } from "../mmio/mmio-driver-transport.js";
import { findVirtioFunctions, PciDriverTransport, type PciDriverOptions } from "../pci/pci-driver-transport.js";
import type { QueueAddresses } from "../../ring/index.js";
import { MemoryMirror } from "./memory-mirror.js";
import { QemuError } from "./qemu-error.js";
import { QemuProcess, type QemuOptions } from "./qemu-process.js";
import { QtestPciHost } from "./qtest-pci-host.js";

/** Memory below is full of holes on a PC. */
const FIRST_USABLE = 0x10_0000;

/** How much of the memory drivers may use where it is a copy, which is compared again and again. */
const MIRRORED = 0x40_0000;
/** How often a copy is made the same as QEMU's memory, in milliseconds. */
const MIRROR_INTERVAL = 4;

/** An allocator that knows how far it ever got, which is all of the memory that a copy has to be compared for. */
class HighWaterAllocator extends MemoryAllocator {
  /** End of the highest allocation so far. */
  highest = 0;

  override allocate(size: number, alignment?: number): number {
    const address = super.allocate(size, alignment);
    this.highest = Math.max(this.highest, address + size);
    return address;
  }
}

/**
 * A QEMU whose devices are there for generated drivers, and the guest memory that they share with it: mapped, or a copy
 * that goes through the socket. The copy is slow, and two sides that do not see each other's writes at once can miss a
 * notification: the machine nudges the queues again and again. It is not for packed queues.
 */
abstract class QemuMachine {
  readonly qemu: QemuProcess;
  readonly memory: GuestMemory;
  readonly allocator: HighWaterAllocator;
  readonly #mirror: MemoryMirror | undefined;
  readonly #transports: { nudge(): void }[] = [];
  #timer: NodeJS.Timeout | undefined;

  protected constructor(qemu: QemuProcess) {
    const mapped = qemu.mapped?.bytes.subarray(FIRST_USABLE);
    const mirror = mapped === undefined ? new MemoryMirror(qemu.qtest, FIRST_USABLE, MIRRORED) : undefined;
    const bytes = mapped ?? mirror?.bytes ?? new Uint8Array(0);
    this.qemu = qemu;
    this.memory = new GuestMemory([{ start: FIRST_USABLE, bytes }]);
    this.allocator = new HighWaterAllocator(this.memory, FIRST_USABLE, bytes.length);
    this.#mirror = mirror;
    this.#timer = mirror === undefined ? undefined : setTimeout(() => void this.#refresh(mirror), MIRROR_INTERVAL);
  }

  /** Is guest memory mapped? If not, it is a copy. */
  get isMapped(): boolean {
    return this.#mirror === undefined;
  }

  /** Ends QEMU. Drivers should have stopped before. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.qemu.close();
  }

  /** What a transport needs so that memory is the same on both sides when it matters. */
  protected memoryOptions(): { beforeEnable?: (addresses: QueueAddresses) => void } {
    const mirror = this.#mirror;
    return mirror === undefined ? {} : { beforeEnable: (addresses) => mirror.addQueue(addresses) };
  }
  protected keep<T extends { nudge(): void }>(transport: T): T {
    if (this.#mirror !== undefined) this.#transports.push(transport);
    return transport;
  }
  /** Before a register is written, QEMU has to know what was written to memory before. */
  protected async beforeWrite(): Promise<void> {
    await this.#mirror?.push();
  }

  async #refresh(mirror: MemoryMirror): Promise<void> {
    try {
      await mirror.synchronize(this.allocator.highest);
    } catch {
      // QEMU is gone: whoever waits for an access is told.
      return;
    }
    for (const transport of this.#transports) transport.nudge();
    if (this.#timer !== undefined) this.#timer = setTimeout(() => void this.#refresh(mirror), MIRROR_INTERVAL);
  }

  protected missing(deviceId: number): QemuError {
    return new QemuError(`the machine has no virtio device ${String(deviceId)}`, this.qemu.output);
  }
}

export interface QemuPcOptions extends Omit<QemuOptions, "machine"> {
  /** How functions interrupt: by their line, which QEMU reports, or by messages, which are polled for. Lines if absent. */
  readonly interrupts?: "lines" | "messages";
}

/** QEMU's board `pc`: virtio over PCI. */
export class QemuPc extends QemuMachine {
  #pci: QtestPciHost | undefined;

  /**
   * Starts QEMU.
   * @throws QemuError when it does not start.
   */
  static async start(options: QemuPcOptions = {}): Promise<QemuPc> {
    const qemu = await QemuProcess.start({ ...options, machine: "pc" });
    try {
      const machine = new QemuPc(qemu);
      const messages = options.interrupts === "messages" && machine.isMapped ? { messages: machine.allocator } : {};
      machine.#pci = await QtestPciHost.open(qemu.qtest, { ...messages, beforeWrite: () => machine.beforeWrite() });
      return machine;
    } catch (error) {
      await qemu.close();
      throw error;
    }
  }

  get pci(): QtestPciHost {
    if (this.#pci === undefined) throw new QemuError("the machine is not started");
    return this.#pci;
  }

  /** Device numbers of all virtio functions, in the order of their places. */
  async deviceIds(): Promise<number[]> {
    return (await findVirtioFunctions(this.pci)).map(({ deviceId }) => deviceId);
  }

  /** The `nth` virtio function of this device type, counted from 0, ready for a driver. */
  async open(deviceId: number, nth = 0, options: Partial<PciDriverOptions> = {}): Promise<PciDriverTransport> {
    const found = (await findVirtioFunctions(this.pci)).filter((fn) => fn.deviceId === deviceId)[nth];
    if (found === undefined) throw this.missing(deviceId);
    const { memory, allocator, pci } = this;
    const own = { memory, allocator, room: pci.room, ...this.memoryOptions() };
    return this.keep(await PciDriverTransport.open(pci, found.place, { ...own, ...options }));
  }

  override async close(): Promise<void> {
    this.#pci?.close();
    await super.close();
  }
}

/** Where the board `microvm` has its virtio registers, how long each device's are, and the line of the first. */
const MICROVM = { base: 0xfeb0_0000, stride: 0x200, devices: 8, line: 5 } as const;

export interface QemuMicrovmOptions extends Omit<QemuOptions, "machine"> {
  /** Whether the devices have version 1 of the registers, the legacy interface; version 2 if absent. */
  readonly legacy?: boolean;
}

/** QEMU's board `microvm`: virtio over MMIO. */
export class QemuMicrovm extends QemuMachine {
  /**
   * Starts QEMU.
   * @throws QemuError when it does not start.
   */
  static async start(options: QemuMicrovmOptions = {}): Promise<QemuMicrovm> {
    const qemu = await QemuProcess.start({
      ...options,
      machine: "microvm,ioapic2=off,acpi=off",
      arguments: [
        "-global",
        `virtio-mmio.force-legacy=${options.legacy === true ? "true" : "false"}`,
        ...(options.arguments ?? []),
      ],
    });
    try {
      await qemu.qtest.interceptInterrupts("ioapic");
      return new QemuMicrovm(qemu);
    } catch (error) {
      await qemu.close();
      throw error;
    }
  }

  /** Device numbers of all devices, in the order of their registers. */
  async deviceIds(): Promise<number[]> {
    const ids: number[] = [];
    for (let slot = 0; slot < MICROVM.devices; slot++) {
      const id = await this.qemu.qtest.readMemory(MICROVM.base + slot * MICROVM.stride + 8, 4);
      if (id !== 0) ids.push(id);
    }
    return ids;
  }

  /** The `nth` device of this type, counted from 0, ready for a driver. */
  async open(deviceId: number, nth = 0): Promise<MmioDriverTransport> {
    const { qtest } = this.qemu;
    const space = {
      read: (address: number, width: 1 | 2 | 4) => qtest.readMemory(address, width),
      write: async (address: number, width: 1 | 2 | 4, value: number) => {
        await this.beforeWrite();
        await qtest.writeMemory(address, width, value);
      },
    };
    let found = 0;
    for (let slot = 0; slot < MICROVM.devices; slot++) {
      const window = new RegisterWindow(space, MICROVM.base + slot * MICROVM.stride, MICROVM.stride);
      if ((await window.read(8, 4)) !== deviceId || found++ !== nth) continue;
      const transport = await MmioDriverTransport.open(window, {
        memory: this.memory,
        allocator: this.allocator,
        ...this.memoryOptions(),
        onInterrupt: (listener) =>
          qtest.onInterrupt((line, isRaised) => {
            if (isRaised && line === MICROVM.line + slot) listener();
          }),
      });
      if (transport !== undefined) return this.keep(transport);
    }
    throw this.missing(deviceId);
  }
}
