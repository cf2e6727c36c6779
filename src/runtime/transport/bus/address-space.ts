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

  /**
   * Bytes from `offset` on by aligned accesses, 32 bits wide where they fit: what a driver may do that knows where the
   * fields are (they are aligned), and what devices expect of one that does not.
   */
  async readBytes(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const width = widthAt(offset + at, length - at);
      putNumber(bytes, at, width, await this.read(offset + at, width));
      at += width;
    }
    return bytes;
  }
  /** Writes bytes by aligned accesses. See {@link readBytes}. */
  async writeBytes(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const width = widthAt(offset + at, bytes.length - at);
      await this.write(offset + at, width, numberAt(bytes, at, width));
      at += width;
    }
  }

  #check(offset: number, width: number): void {
    if (offset >= 0 && offset + width <= this.length) return;
    throw new RangeError(`an access of ${String(width)} bytes at ${String(offset)} of ${String(this.length)}`);
  }
}

function widthAt(offset: number, left: number): AccessWidth {
  if (offset % 4 === 0 && left >= 4) return 4;
  return offset % 2 === 0 && left >= 2 ? 2 : 1;
}

function putNumber(bytes: Uint8Array, at: number, width: number, value: number): void {
  for (let byte = 0; byte < width; byte++) bytes[at + byte] = (value >>> (8 * byte)) & 0xff;
}

function numberAt(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let byte = width - 1; byte >= 0; byte--) value = value * 256 + (bytes[at + byte] ?? 0);
  return value;
}
