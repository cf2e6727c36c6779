import { Registers, type GuestAccessWidth, type RegisterFile } from "../registers/register-file.js";
import { COMMON_CONFIG_LENGTH } from "./pci-layout.js";
import type { StructureLayout } from "./structure-layout.js";

/** What the structures of a function do. */
export interface StructureHandlers {
  readonly common: RegisterFile;
  readonly config: RegisterFile;
  readIsr(): number;
  notify(offset: number, width: GuestAccessWidth, value: number): void;
  refuse(text: string): void;
}

/** The BAR that holds the virtio structures. */
export class StructureBar extends Registers {
  readonly length: number;
  readonly #layout: StructureLayout;
  readonly #handlers: StructureHandlers;

  constructor(layout: StructureLayout, handlers: StructureHandlers) {
    super();
    this.length = layout.length;
    this.#layout = layout;
    this.#handlers = handlers;
  }

  read(offset: number, width: GuestAccessWidth): number {
    const { common, isr, config } = this.#layout;
    const handlers = this.#handlers;
    if (inside(offset, width, common, COMMON_CONFIG_LENGTH)) return handlers.common.read(offset - common, width);
    if (offset === isr) return handlers.readIsr();
    if (inside(offset, width, config, handlers.config.length)) return handlers.config.read(offset - config, width);
    return 0;
  }

  write(offset: number, width: GuestAccessWidth, value: number): void {
    const { common, config, notify, notifyLength } = this.#layout;
    const handlers = this.#handlers;
    if (inside(offset, width, notify, notifyLength)) handlers.notify(offset - notify, width, value);
    else if (inside(offset, width, common, COMMON_CONFIG_LENGTH)) handlers.common.write(offset - common, width, value);
    else if (inside(offset, width, config, handlers.config.length))
      handlers.config.write(offset - config, width, value);
    else handlers.refuse(`a write of ${String(width)} bytes at 0x${offset.toString(16)}, where nothing is`);
  }
}

function inside(offset: number, width: number, start: number, length: number): boolean {
  return offset >= start && offset + width <= start + length;
}
