import { Registers, type GuestAccessWidth, type RegisterFile } from "../registers/register-file.js";
import type { PciBar, PciConfigSpace } from "./config-space.js";

/**
 * The registers of a BAR as the bus reaches them: while the guest lets the function not decode them (memory or I/O space
 * enable of the command register), nobody answers, so that ones are read and nothing is written.
 */
export class DecodedBar extends Registers {
  readonly length: number;
  readonly #registers: RegisterFile;
  readonly #kind: PciBar["kind"];
  readonly #config: PciConfigSpace;

  constructor(bar: PciBar, config: PciConfigSpace) {
    super();
    this.length = bar.length;
    this.#registers = bar.registers;
    this.#kind = bar.kind;
    this.#config = config;
  }

  read(offset: number, width: GuestAccessWidth): number {
    return this.#config.decodes(this.#kind) ? this.#registers.read(offset, width) : 2 ** (8 * width) - 1;
  }
  write(offset: number, width: GuestAccessWidth, value: number): void {
    if (this.#config.decodes(this.#kind)) this.#registers.write(offset, width, value);
  }
}
