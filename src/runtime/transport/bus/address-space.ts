import { numberAt, putNumber } from "../registers/register-file.js";
import type { MaybePromise } from "../driver-transport.js";

/** Width of one access in bytes. A driver accesses 64-bit fields as two of 32 bits (VIRTIO 1.4, 4.1.3.1 and 4.2.2.2). */
export type AccessWidth = 1 | 2 | 4;

/** Addresses as a driver reaches them: memory-mapped registers, I/O ports, PCI configuration. Little-endian numbers. */
export interface AddressSpace {
  read(address: number, width: AccessWidth): MaybePromise<number>;
  write(address: number, width: AccessWidth, value: number): MaybePromise<void>;
}

/** A part of an address space that holds registers. */
export class RegisterWindow {
  readonly space: AddressSpace;
  readonly base: number;
  /** In bytes. */
  readonly length: number;

  constructor(space: AddressSpace, base: number, length: number) {
    this.space = space;
    this.base = base;
    this.length = length;
  }

  /** @throws RangeError when the access does not lie in the window. */
  read(offset: number, width: AccessWidth): MaybePromise<number> {
    this.#check(offset, width);
    return this.space.read(this.base + offset, width);
  }
  /** @throws RangeError when the access does not lie in the window. */
  write(offset: number, width: AccessWidth, value: number): MaybePromise<void> {
    this.#check(offset, width);
    return this.space.write(this.base + offset, width, value);
  }
  /** A 64-bit field, low half first. `value` is a whole number from 0 to 2^53 - 1. */
  async write64(offset: number, value: number): Promise<void> {
    await this.write(offset, 4, value % 2 ** 32);
    await this.write(offset + 4, 4, Math.floor(value / 2 ** 32));
  }

  /** Bytes from `offset` on, by accesses of `width` bytes; those that do not fit into the window are left out. */
  async readBytes(offset: number, length: number, width: AccessWidth): Promise<Uint8Array> {
    const most = Math.min(length, this.length - offset);
    const bytes = new Uint8Array(Math.max(0, most - (most % width)));
    for (let at = 0; at < bytes.length; at += width) {
      putNumber(bytes, at, width, await this.read(offset + at, width));
    }
    return bytes;
  }
  /** Writes bytes by accesses of `width` bytes, which their number is a multiple of. */
  async writeBytes(offset: number, bytes: Uint8Array, width: AccessWidth): Promise<void> {
    for (let at = 0; at < bytes.length; at += width) await this.write(offset + at, width, numberAt(bytes, at, width));
  }

  #check(offset: number, width: number): void {
    if (offset >= 0 && offset + width <= this.length) return;
    throw new RangeError(`an access of ${String(width)} bytes at ${String(offset)} of ${String(this.length)}`);
  }
}
