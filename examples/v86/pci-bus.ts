import type { VirtioDevice } from "virtio-gen/runtime";
import { PciTransport, type PciTransportOptions } from "virtio-gen/runtime/pci";
import { InterruptLines } from "./interrupt-lines.js";
import { takePorts, type V86Machine } from "./v86-machine.js";
import { V86Memory } from "./v86-memory.js";

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const INTERRUPT_LINE = 0x3c;

/**
 * Puts virtio-pci functions on v86's PCI bus, in slots that v86 does not use itself, such as 20 to 29. To be made when the
 * emulator has been loaded and before it runs.
 */
export class PciBus {
  readonly #machine: V86Machine;
  readonly #memory: V86Memory;
  readonly #lines: InterruptLines;
  readonly #functions = new Map<number, PciTransport>();
  /** What the guest has written to the address register. */
  #address = 0;

  constructor(machine: V86Machine, memory: V86Memory = new V86Memory(machine)) {
    this.#machine = machine;
    this.#memory = memory;
    this.#lines = new InterruptLines(machine);
    takePorts(machine, CONFIG_ADDRESS, 4, {
      read: () => undefined,
      write: (offset, width, value) => {
        const mask = width === 4 ? -1 : ((1 << (8 * width)) - 1) << (8 * offset);
        this.#address = (this.#address & ~mask) | ((value << (8 * offset)) & mask);
        return false;
      },
    });
    takePorts(machine, CONFIG_DATA, 4, {
      read: (offset, width) => this.#selected()?.config.read((this.#address & 0xfc) + offset, width),
      write: (offset, width, value) => {
        const pci = this.#selected();
        pci?.config.write((this.#address & 0xfc) + offset, width, value >>> 0);
        return pci !== undefined;
      },
    });
  }

  /** The registers are in I/O ports, the interrupt is a line. `told` is who listens, if anybody does. */
  plugIn(slot: number, device: VirtioDevice, told: Pick<PciTransportOptions, "trace" | "onError"> = {}): PciTransport {
    const pci = new PciTransport(device, {
      ...told,
      memory: this.#memory.guest,
      memoryWritten: this.#memory.written,
      bar: "io",
      interrupt: (isAsserted) => {
        // The firmware has written down which line it is. One that is up stays the one to be let down.
        if (isAsserted) irq = pci.config.read(INTERRUPT_LINE, 1);
        this.#lines.set(irq, isAsserted);
      },
      barChanged: () => (giveBack = this.#takeBar(pci, giveBack)),
    });
    let irq = 0;
    let giveBack = (): void => undefined;
    this.#functions.set(slot, pci);
    this.#memory.add(device);
    return pci;
  }

  /** The BAR answers where the guest has put it now. */
  #takeBar(pci: PciTransport, giveBack: () => void): () => void {
    giveBack();
    const [bar] = pci.bars;
    const start = bar && pci.barAddress(bar.index);
    if (bar === undefined || start === undefined || start + bar.length > 0x1_0000) return () => undefined;
    const { length, registers } = bar;
    return takePorts(this.#machine, start, length, {
      read: (offset, width) => {
        this.#memory.find();
        return registers.read(offset, width);
      },
      write: (offset, width, value) => {
        this.#memory.find();
        registers.write(offset, width, value >>> 0);
        return true;
      },
    });
  }

  /** The function that the guest's next access to the configuration is for; undefined if v86 has it. */
  #selected(): PciTransport | undefined {
    const isFirstFunction = (this.#address & 0x80ff_0700) >>> 0 === 0x8000_0000;
    return isFirstFunction ? this.#functions.get((this.#address >>> 11) & 31) : undefined;
  }
}
