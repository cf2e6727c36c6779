import { CodecError, type CodecRule } from "./codec-error.js";
import { decodeText, type TextForm } from "./text.js";

/** What a reader shows after an error. */
const ZEROES = new DataView(new ArrayBuffer(4096));

/**
 * Reads numbers, bytes and text one after the other. The first mistake sticks: from then on every read gives zero or
 * nothing, and `error` tells what was wrong, so that a decoder checks once, at its end.
 *
 * The bytes must be private to the reader's side: copy them out of memory that the peer can write first.
 */
export class ByteReader {
  #bytes: Uint8Array;
  #view: DataView;
  #offset: number;
  #start: number;
  #end: number;
  /** `#end`, or a number below every offset once there is an error. */
  #limit: number;
  #error: CodecError | undefined;

  /** Reads `bytes` from `start` up to, and not including, `end`; both are cut to the bytes there are. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = Math.max(0, Math.min(end, bytes.length));
    this.#start = Math.max(0, Math.min(start, this.#end));
    this.#offset = this.#start;
    this.#limit = this.#end;
    this.#error = undefined;
  }

  /** Starts anew on other bytes, without an error. */
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
  /** Moves to another position; one outside of the reader's bytes is an error. */
  set offset(offset: number) {
    if (this.#error !== undefined) return;
    if (offset >= this.#start && offset <= this.#end) this.#offset = offset;
    else this.fail("truncated");
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

  u8(): number {
    const at = this.#offset;
    if (at + 1 > this.#limit) return this.#truncated();
    this.#offset = at + 1;
    return this.#view.getUint8(at);
  }
  u16(): number {
    const at = this.#offset;
    if (at + 2 > this.#limit) return this.#truncated();
    this.#offset = at + 2;
    return this.#view.getUint16(at, true);
  }
  u32(): number {
    const at = this.#offset;
    if (at + 4 > this.#limit) return this.#truncated();
    this.#offset = at + 4;
    return this.#view.getUint32(at, true);
  }
  u64(): bigint {
    const at = this.#offset;
    if (at + 8 > this.#limit) return BigInt(this.#truncated());
    this.#offset = at + 8;
    return this.#view.getBigUint64(at, true);
  }
  u16be(): number {
    const at = this.#offset;
    if (at + 2 > this.#limit) return this.#truncated();
    this.#offset = at + 2;
    return this.#view.getUint16(at, false);
  }
  u32be(): number {
    const at = this.#offset;
    if (at + 4 > this.#limit) return this.#truncated();
    this.#offset = at + 4;
    return this.#view.getUint32(at, false);
  }
  u64be(): bigint {
    const at = this.#offset;
    if (at + 8 > this.#limit) return BigInt(this.#truncated());
    this.#offset = at + 8;
    return this.#view.getBigUint64(at, false);
  }

  /** A copy of the next `length` bytes; nothing if there are fewer. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return at < 0 ? new Uint8Array(0) : this.#bytes.slice(at, at + length);
  }

  /** The next `length` bytes as text. `padded` and `terminated` end at the first NUL. */
  text(length: number, form: TextForm): string {
    const at = this.#take(length);
    if (at < 0) return "";
    if (form === "exact") return decodeText(this.#bytes.subarray(at, at + length));
    const end = this.#findNul(at, at + length);
    if (end < 0 && form === "terminated") {
      this.fail("text-not-terminated");
      return "";
    }
    return decodeText(this.#bytes.subarray(at, end < 0 ? at + length : end));
  }

  /** The next `length` bytes as texts, each with a NUL at its end. */
  textList(length: number): string[] {
    const texts: string[] = [];
    const start = this.#take(length);
    if (start < 0) return texts;
    const end = start + length;
    let at = start;
    while (at < end) {
      const nul = this.#findNul(at, end);
      if (nul < 0) {
        this.fail("text-not-terminated");
        return [];
      }
      texts.push(decodeText(this.#bytes.subarray(at, nul)));
      at = nul + 1;
    }
    return texts;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /**
   * Steps over the next `length` bytes (4096 at most) and returns where they start in `view`, so that a fixed layout
   * needs one check. If there are fewer, that is an error, and `view` shows zeroes from then on.
   */
  take(length: number): number {
    return Math.max(0, this.#take(length));
  }
  /** See {@link take}. */
  get view(): DataView {
    return this.#error === undefined ? this.#view : ZEROES;
  }

  /** The next `length` bytes as a reader of their own, which has its own error. Empty if there are fewer. */
  window(length: number): ByteReader {
    const at = this.#take(length);
    return at < 0 ? new ByteReader(this.#bytes, 0, 0) : new ByteReader(this.#bytes, at, at + length);
  }

  /**
   * Checks a count that the peer gave: that many elements of at least `minSize` bytes must fit in what remains.
   * Otherwise the count is an error, and 0 is returned.
   */
  count(count: number | bigint, minSize: number): number {
    if (this.#error !== undefined) return 0;
    // An element of no bytes at all would make any count fit.
    const most = Math.floor(this.remaining / Math.max(1, minSize));
    if (count >= 0 && count <= most) return Number(count);
    this.fail("bad-count");
    return 0;
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
      this.fail("truncated");
      return -1;
    }
    this.#offset = at + length;
    return at;
  }

  #truncated(): number {
    this.fail("truncated");
    return 0;
  }

  #findNul(from: number, to: number): number {
    const at = this.#bytes.indexOf(0, from);
    return at >= 0 && at < to ? at : -1;
  }
}
