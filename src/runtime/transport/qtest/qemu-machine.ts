import { GuestMemory, MemoryAllocator } from "../../memory/index.js";
import { RegisterWindow } from "../bus/address-space.js";
import { MmioDriverTransport } from "../mmio/mmio-driver-transport.js";
import { findVirtioFunctions, PciDriverTransport, type PciDriverOptions } from "../pci/pci-driver-transport.js";
import { QemuError } from "./qemu-error.js";
import { QemuProcess, type QemuOptions } from "./qemu-process.js";
import { QtestPciHost } from "./qtest-pci-host.js";

/** Memory below is full of holes on a PC. */
const FIRST_USABLE = 0x10_0000;

/** A QEMU whose devices are there for generated drivers, and the guest memory that they share with it. */
abstract class QemuMachine {
  readonly qemu: QemuProcess;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;

  protected constructor(qemu: QemuProcess) {
    const bytes = qemu.mapped?.bytes;
    if (bytes === undefined) throw new QemuError("guest memory cannot be mapped: koffi is not installed");
    this.qemu = qemu;
    this.memory = new GuestMemory([{ start: FIRST_USABLE, bytes: bytes.subarray(FIRST_USABLE) }]);
    this.allocator = new MemoryAllocator(this.memory, FIRST_USABLE, qemu.memorySize - FIRST_USABLE);
  }

  /** Ends QEMU. Drivers should have stopped before. */
  async close(): Promise<void> {
    await this.qemu.close();
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
      const messages = options.interrupts === "messages" ? { messages: machine.allocator } : {};
      machine.#pci = await QtestPciHost.open(qemu.qtest, messages);
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
    return PciDriverTransport.open(pci, found.place, { memory, allocator, room: pci.room, ...options });
  }

  override async close(): Promise<void> {
    this.#pci?.close();
    await super.close();
  }
}

/** Where the board `microvm` has its virtio registers, how long each device's are, and the line of the first. */
const MICROVM = { base: 0xfeb0_0000, stride: 0x200, devices: 8, line: 5 } as const;

/** QEMU's board `microvm`: virtio over MMIO, version 2. */
export class QemuMicrovm extends QemuMachine {
  /**
   * Starts QEMU.
   * @throws QemuError when it does not start.
   */
  static async start(options: Omit<QemuOptions, "machine"> = {}): Promise<QemuMicrovm> {
    const qemu = await QemuProcess.start({
      ...options,
      machine: "microvm,ioapic2=off,acpi=off",
      arguments: ["-global", "virtio-mmio.force-legacy=false", ...(options.arguments ?? [])],
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
      write: (address: number, width: 1 | 2 | 4, value: number) => qtest.writeMemory(address, width, value),
    };
    let found = 0;
    for (let slot = 0; slot < MICROVM.devices; slot++) {
      const window = new RegisterWindow(space, MICROVM.base + slot * MICROVM.stride, MICROVM.stride);
      if ((await window.read(8, 4)) !== deviceId || found++ !== nth) continue;
      const transport = await MmioDriverTransport.open(window, {
        memory: this.memory,
        allocator: this.allocator,
        onInterrupt: (listener) =>
          qtest.onInterrupt((line, isRaised) => {
            if (isRaised && line === MICROVM.line + slot) listener();
          }),
      });
      if (transport !== undefined) return transport;
    }
    throw this.missing(deviceId);
  }
}
