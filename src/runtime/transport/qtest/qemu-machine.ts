import { GuestMemory, MemoryAllocator } from "../../memory/index.js";
import { findVirtioFunctions, PciDriverTransport, type PciDriverOptions } from "../pci/pci-driver-transport.js";
import { QemuError } from "./qemu-error.js";
import { QemuProcess, type QemuOptions } from "./qemu-process.js";
import { QtestPciHost } from "./qtest-pci-host.js";

export interface QemuMachineOptions extends QemuOptions {
  /** How functions interrupt: by their line, which QEMU reports, or by messages, which are polled for. Lines if absent. */
  readonly interrupts?: "lines" | "messages";
}

/** Memory below is full of holes on a PC. */
const FIRST_USABLE = 0x10_0000;

/** QEMU's devices for generated drivers: PCI functions, memory, interrupts. */
export class QemuMachine {
  readonly qemu: QemuProcess;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  readonly pci: QtestPciHost;

  private constructor(qemu: QemuProcess, memory: GuestMemory, allocator: MemoryAllocator, pci: QtestPciHost) {
    this.qemu = qemu;
    this.memory = memory;
    this.allocator = allocator;
    this.pci = pci;
  }

  /**
   * Starts QEMU with the board `pc`.
   * @throws QemuError when it does not start.
   */
  static async start(options: QemuMachineOptions = {}): Promise<QemuMachine> {
    const qemu = await QemuProcess.start({ ...options, machine: "pc" });
    try {
      const bytes = qemu.mapped?.bytes;
      if (bytes === undefined) throw new QemuError("guest memory cannot be mapped: koffi is not installed");
      const memory = new GuestMemory([{ start: FIRST_USABLE, bytes: bytes.subarray(FIRST_USABLE) }]);
      const allocator = new MemoryAllocator(memory, FIRST_USABLE, qemu.memorySize - FIRST_USABLE);
      const messages = options.interrupts === "messages" ? { messages: allocator } : {};
      return new QemuMachine(qemu, memory, allocator, await QtestPciHost.open(qemu.qtest, messages));
    } catch (error) {
      await qemu.close();
      throw error;
    }
  }

  /** The `nth` virtio function of this device type, counted from 0, ready for a driver. */
  async open(deviceId: number, nth = 0, options: Partial<PciDriverOptions> = {}): Promise<PciDriverTransport> {
    const found = (await findVirtioFunctions(this.pci)).filter((fn) => fn.deviceId === deviceId)[nth];
    if (found === undefined) {
      throw new QemuError(`the machine has no virtio device ${String(deviceId)}`, this.qemu.output);
    }
    const { memory, allocator, pci } = this;
    return PciDriverTransport.open(pci, found.place, { memory, allocator, room: pci.room, ...options });
  }

  /** Ends QEMU. Drivers should have stopped before. */
  async close(): Promise<void> {
    this.pci.close();
    await this.qemu.close();
  }
}
