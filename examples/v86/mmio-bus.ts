import type { VirtioDevice } from "virtio-gen/runtime";
import { MmioTransport, type MmioTransportOptions } from "virtio-gen/runtime/mmio";
import { acpiTable, type MmioPlace } from "./acpi-table.js";
import { InterruptLines } from "./interrupt-lines.js";
import type { FirmwareFile, V86Machine } from "./v86-machine.js";
import { V86Memory } from "./v86-memory.js";

/** v86 gives addresses away in such pieces, and puts nothing of its own here. */
const START = 0xd000_0000;
const LENGTH = 0x2_0000;
/** From one device to the next; there is room for 16. */
const SPACING = 0x2000;

/**
 * Puts devices behind virtio-mmio registers into v86's address space. An ACPI table tells the guest where they are, so v86
 * must have been made with `acpi: true`. To be made when the emulator has been loaded and before it runs.
 */
export class MmioBus {
  readonly #memory: V86Memory;
  readonly #transports: MmioTransport[] = [];
  readonly #places: MmioPlace[] = [];
  readonly #table: FirmwareFile = { name: "acpi/virtio-mmio", data: acpiTable([]) };
  readonly #lines: InterruptLines;

  constructor(machine: V86Machine, memory: V86Memory = new V86Memory(machine)) {
    this.#memory = memory;
    machine.option_roms.push(this.#table);
    this.#lines = new InterruptLines(machine);
    machine.io.mmap_register(
      START,
      LENGTH,
      (address) => this.#read(address, 1),
      (address, value) => this.#write(address, 1, value),
      (address) => this.#read(address, 4) | 0,
      (address, value) => this.#write(address, 4, value),
    );
  }

  /**
   * @param irq The interrupt line: 5, 10 or 11, which v86 has for PCI. Devices may share it; the guest is told so.
   * @throws RangeError when there is no room for the registers.
   */
  plugIn(irq: number, device: VirtioDevice, options?: Pick<MmioTransportOptions, "legacy" | "onError">): MmioTransport {
    const mmio = new MmioTransport(device, {
      ...options,
      memory: this.#memory.guest,
      memoryWritten: this.#memory.written,
      interrupt: (isAsserted) => this.#lines.set(irq, isAsserted),
    });
    const offset = this.#transports.length * SPACING;
    if (mmio.length > SPACING || offset >= LENGTH) throw new RangeError("there is no room for the registers");
    this.#transports.push(mmio);
    this.#memory.add(device);
    this.#places.push({ start: START + offset, length: mmio.length, irq });
    this.#table.data = acpiTable(this.#places);
    return mmio;
  }

  #read(address: number, width: 1 | 4): number {
    return this.#access(address, (transport, offset) => transport.read(offset, width)) ?? 0;
  }
  #write(address: number, width: 1 | 4, value: number): void {
    this.#access(address, (transport, offset) => transport.write(offset, width, value >>> 0));
  }
  #access<Result>(address: number, run: (transport: MmioTransport, offset: number) => Result): Result | undefined {
    this.#memory.find();
    const offset = (address >>> 0) - START;
    const transport = this.#transports[Math.floor(offset / SPACING)];
    return transport && run(transport, offset % SPACING);
  }
}
