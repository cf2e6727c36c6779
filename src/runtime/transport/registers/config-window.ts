import type { VirtioDevice } from "../../device/index.js";
import { numberAt, putNumber, Registers, type GuestAccessWidth } from "./register-file.js";

/**
 * The device-specific configuration as registers (VIRTIO 1.4, 2.5), with the generation that goes with it: all changes
 * between two looks of the driver count as one, so that counting in few bits does not come round to where it was.
 */
export class ConfigWindow extends Registers {
  readonly length: number;
  readonly #device: VirtioDevice;
  readonly #bytes = [new Uint8Array(0), new Uint8Array(1), new Uint8Array(2), new Uint8Array(3), new Uint8Array(4)];
  #seen: number;
  /** Kept within 32 bits, of which a transport may show fewer. */
  #generation = 0;

  constructor(device: VirtioDevice) {
    super();
    this.#device = device;
    this.length = device.definition.configSize;
    this.#seen = device.configGeneration;
  }

  get generation(): number {
    this.#look();
    return this.#generation;
  }

  /** Goes on counting where a saved transport was; the device has its configuration already. */
  restore(generation: number): void {
    this.#seen = this.#device.configGeneration;
    this.#generation = generation;
  }

  read(offset: number, width: GuestAccessWidth): number {
    this.#look();
    const bytes = this.#scratch(width);
    this.#device.readConfig(offset, bytes);
    return numberAt(bytes, 0, width);
  }

  write(offset: number, width: GuestAccessWidth, value: number): void {
    const bytes = this.#scratch(width);
    putNumber(bytes, 0, width, value);
    this.#device.writeConfig(offset, bytes);
  }

  #look(): void {
    const seen = this.#device.configGeneration;
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#generation = (this.#generation + 1) >>> 0;
  }

  #scratch(width: GuestAccessWidth): Uint8Array {
    return this.#bytes[width] ?? new Uint8Array(width);
  }
}
