/** Width in bytes of an access by the guest's processor. */
export type GuestAccessWidth = 1 | 2 | 4;

/**
 * Registers as the host of a device offers them to its guest: a BAR, a PCI configuration space, a page of MMIO. Numbers are
 * little-endian and unsigned. Nothing throws, whatever offset and value are: what makes no sense reads 0, is not written,
 * and is reported. 64-bit accesses are the two 32-bit halves, low one first.
 */
export interface RegisterFile {
  /** In bytes. */
  readonly length: number;
  read(offset: number, width: GuestAccessWidth): number;
  write(offset: number, width: GuestAccessWidth, value: number): void;
  /** A read of 8 bytes. */
  read64(offset: number): bigint;
  /** A write of 8 bytes. */
  write64(offset: number, value: bigint): void;
}

/** What 64-bit accesses are made of; the rest is up to the registers. */
export abstract class Registers implements RegisterFile {
  abstract readonly length: number;
  abstract read(offset: number, width: GuestAccessWidth): number;
  abstract write(offset: number, width: GuestAccessWidth, value: number): void;

  read64(offset: number): bigint {
    const low = this.read(offset, 4);
    return BigInt(low) | (BigInt(this.read(offset + 4, 4)) << 32n);
  }
  write64(offset: number, value: bigint): void {
    this.write(offset, 4, Number(value & 0xffff_ffffn));
    this.write(offset + 4, 4, Number((value >> 32n) & 0xffff_ffffn));
  }
}

/** One field of a structure of registers. A 64-bit field is two of 32 bits. */
export interface Field {
  readonly offset: number;
  readonly width: GuestAccessWidth;
  read(): number;
  /** Absent: read-only for the driver. */
  write?(value: number): void;
}

/**
 * A structure of registers. A read of any width gives the bytes that are there, so that a guest may read several fields at
 * once. A write reaches the fields that it covers whole: a part of a field, or what is read-only, is reported.
 */
export class FieldRegisters extends Registers {
  readonly length: number;
  /** The field at each byte of the structure. */
  readonly #fieldAt: readonly (Field | undefined)[];
  readonly #refuse: (text: string) => void;

  constructor(length: number, fields: readonly Field[], refuse: (text: string) => void) {
    super();
    this.length = length;
    const fieldAt = new Array<Field | undefined>(length).fill(undefined);
    for (const field of fields) fieldAt.fill(field, field.offset, field.offset + field.width);
    this.#fieldAt = fieldAt;
    this.#refuse = refuse;
  }

  read(offset: number, width: GuestAccessWidth): number {
    const whole = this.#fieldAt[offset];
    if (whole?.offset === offset && whole.width === width) return whole.read() >>> 0;
    let value = 0;
    for (let at = offset; at < offset + width;) {
      const field = this.#fieldAt[at];
      if (field === undefined) {
        at++;
        continue;
      }
      const bytes = Math.min(field.offset + field.width, offset + width) - at;
      const part = (field.read() >>> (8 * (at - field.offset))) >>> 0;
      value += (bytes < 4 ? part & (2 ** (8 * bytes) - 1) : part) * 2 ** (8 * (at - offset));
      at += bytes;
    }
    return value;
  }

  write(offset: number, width: GuestAccessWidth, written: number): void {
    // Emulators have signed numbers of 32 bits at hand, and may leave more than `width` bytes in them.
    const value = width === 4 ? written >>> 0 : written & (0xff_ffff >>> (8 * (3 - width)));
    const whole = this.#fieldAt[offset];
    if (whole?.offset === offset && whole.width === width) {
      this.#writeField(whole, value);
      return;
    }
    for (let at = offset; at < offset + width;) {
      const field = this.#fieldAt[at];
      if (field?.offset !== at || at + field.width > offset + width) {
        this.#refuse(`a write of ${String(width)} bytes at 0x${offset.toString(16)} covers no whole field`);
        return;
      }
      const part = Math.floor(value / 2 ** (8 * (at - offset)));
      this.#writeField(field, part % 2 ** (8 * field.width));
      at += field.width;
    }
  }

  #writeField(field: Field, value: number): void {
    if (field.write === undefined) this.#refuse(`the field at 0x${field.offset.toString(16)} is read-only`);
    else field.write(value);
  }
}

/** Bytes without a meaning of their own: nothing is written. */
export class ReadOnlyBytes extends Registers {
  readonly length: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = bytes;
    this.length = bytes.length;
  }
  read(offset: number, width: GuestAccessWidth): number {
    return numberAt(this.#bytes, offset, width);
  }
  write(): void {
    // Read-only.
  }
}

/** A number of `width` bytes; what is behind the end is 0. */
export function numberAt(bytes: Uint8Array, offset: number, width: number): number {
  let value = 0;
  for (let byte = width - 1; byte >= 0; byte--) value = value * 256 + (bytes[offset + byte] ?? 0);
  return value;
}

/** Stores a number of `width` bytes; what would be behind the end is left out. */
export function putNumber(bytes: Uint8Array, offset: number, width: number, value: number): void {
  for (let byte = 0; byte < width; byte++) bytes[offset + byte] = Math.floor(value / 2 ** (8 * byte)) & 0xff;
}
