import { CodecError, type CodecRule } from "./codec-error.js";
import { encodeText, type TextForm } from "./text.js";

const MAX_U64 = 0xffff_ffff_ffff_ffffn;

/**
 * Writes numbers, bytes and text one after the other. The first mistake sticks: from then on nothing is written, and
 * `error` tells what was wrong, so that an encoder checks once, at its end. It never reads what it wrote.
 */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #offset: number;
  #start: number;
  #end: number;
  /** `#end`, or a number below every offset once there is an error. */
  #limit: number;
  #error: CodecError | undefined;

  /** Writes to `bytes` from `start` up to, and not including, `end`; both are cut to the bytes there are. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = Math.max(0, Math.min(end, bytes.length));
    this.#start = Math.max(0, Math.min(start, this.#end));
    this.#offset = this.#start;
    this.#limit = this.#end;
    this.#error = undefined;
  }

  /** Starts anew on other bytes, without an error. Allocates nothing if they are the same ones. */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): this {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#end = Math.max(0, Math.min(end, bytes.length));
    this.#start = Math.max(0, Math.min(start, this.#end));
    this.#offset = this.#start;
    this.#limit = this.#end;
    this.#error = undefined;
    return this;
  }

  /** Position of the next byte in the bytes given to the constructor. */
  get offset(): number {
    return this.#offset;
  }
  /** Moves to another position; one outside of the writer's bytes is an error. */
  set offset(offset: number) {
    if (this.#error !== undefined) return;
    if (offset >= this.#start && offset <= this.#end) this.#offset = offset;
    else this.fail("too-small");
  }
  get end(): number {
    return this.#end;
  }
  /** Bytes left; 0 after an error. */
  get remaining(): number {
    return this.#error === undefined ? this.#end - this.#offset : 0;
  }
  /** What was wrong first. */
  get error(): CodecError | undefined {
    return this.#error;
  }

  u8(value: number): void {
    const at = this.#offset;
    if (at + 1 > this.#limit) {
      this.fail("too-small");
      return;
    }
    if ((value & 0xff) !== value) {
      this.#unfit(value, 8);
      return;
    }
    this.#view.setUint8(at, value);
    this.#offset = at + 1;
  }
  u16(value: number): void {
    const at = this.#offset;
    if (at + 2 > this.#limit) {
      this.fail("too-small");
      return;
    }
    if ((value & 0xffff) !== value) {
      this.#unfit(value, 16);
      return;
    }
    this.#view.setUint16(at, value, true);
    this.#offset = at + 2;
  }
  u32(value: number): void {
    const at = this.#offset;
    if (at + 4 > this.#limit) {
      this.fail("too-small");
      return;
    }
    if (value >>> 0 !== value) {
      this.#unfit(value, 32);
      return;
    }
    this.#view.setUint32(at, value, true);
    this.#offset = at + 4;
  }
  u64(value: bigint): void {
    const at = this.#offset;
    if (at + 8 > this.#limit) {
      this.fail("too-small");
      return;
    }
    if (value < 0n || value > MAX_U64) {
      this.#unfit(value, 64);
      return;
    }
    this.#view.setBigUint64(at, value, true);
    this.#offset = at + 8;
  }
  u16be(value: number): void {
    const at = this.#offset;
    if (at + 2 > this.#limit) {
      this.fail("too-small");
      return;
    }
    if ((value & 0xffff) !== value) {
      this.#unfit(value, 16);
      return;
    }
    this.#view.setUint16(at, value, false);
    this.#offset = at + 2;
  }
  u32be(value: number): void {
    const at = this.#offset;
    if (at + 4 > this.#limit) {
      this.fail("too-small");
      return;
    }
    if (value >>> 0 !== value) {
      this.#unfit(value, 32);
      return;
    }
    this.#view.setUint32(at, value, false);
    this.#offset = at + 4;
  }
  u64be(value: bigint): void {
    const at = this.#offset;
    if (at + 8 > this.#limit) {
      this.fail("too-small");
      return;
    }
    if (value < 0n || value > MAX_U64) {
      this.#unfit(value, 64);
      return;
    }
    this.#view.setBigUint64(at, value, false);
    this.#offset = at + 8;
  }

  bytes(source: Uint8Array): void {
    const at = this.#take(source.length);
    if (at >= 0) this.#bytes.set(source, at);
  }

  /**
   * Text as UTF-8. `padded` fills up to `length` bytes with NULs, `terminated` needs room for one NUL and fills up
   * likewise, `exact` must have `length` bytes. Without a length the text takes what it needs.
   */
  text(value: string, length: number | undefined, form: TextForm): void {
    if (this.#error !== undefined) return;
    const encoded = encodeText(value);
    if (form !== "exact" && encoded.includes(0)) {
      this.fail("text-with-nul");
      return;
    }
    const needed = encoded.length + (form === "terminated" ? 1 : 0);
    const size = length ?? needed;
    if (needed > size) {
      this.fail("text-too-long", `${String(needed)} bytes for a field of ${String(size)}`);
      return;
    }
    if (form === "exact" && needed !== size) {
      this.fail("length-mismatch");
      return;
    }
    const at = this.#take(size);
    if (at < 0) return;
    this.#bytes.set(encoded, at);
    this.#bytes.fill(0, at + encoded.length, at + size);
  }

  /** Texts, each with a NUL at its end; with a length, they must take exactly that many bytes. */
  textList(values: readonly string[], length?: number): void {
    const start = this.#offset;
    for (const value of values) this.text(value, undefined, "terminated");
    if (length !== undefined && this.#offset - start !== length) this.fail("length-mismatch");
  }

  /** Writes `length` zeroes. */
  zero(length: number): void {
    const at = this.#take(length);
    if (at >= 0) this.#bytes.fill(0, at, at + length);
  }

  /** Notes a mistake, unless there is one already. */
  fail(rule: CodecRule, detail?: string): void {
    if (this.#error !== undefined) return;
    this.#error = new CodecError(rule, this.#offset, detail);
    this.#limit = -1;
  }

  /** Steps over `length` bytes and returns where they start, or -1. */
  #take(length: number): number {
    const at = this.#offset;
    if (!(length >= 0) || at + length > this.#limit) {
      this.fail("too-small");
      return -1;
    }
    this.#offset = at + length;
    return at;
  }

  #unfit(value: number | bigint, bits: number): void {
    this.fail("out-of-range", `${String(value)} is not an unsigned number of ${String(bits)} bits`);
  }
}
