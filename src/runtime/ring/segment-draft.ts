import { DescriptorFlag } from "./descriptor-table.js";
import { RingError } from "./ring-errors.js";

/** Words of 32 bits in a descriptor. */
export const descriptorWords = 4;

/**
 * The buffer that a driver is putting together, outside of guest memory. The segment added last is kept in fields, so
 * that a buffer of one segment, the most frequent one, goes straight into the ring.
 */
export class SegmentDraft {
  count = 0;
  /** The last segment: its address as two signed 32-bit halves, its length as a signed 32-bit integer, 0 or WRITE. */
  low = 0;
  high = 0;
  length = 0;
  flags = 0;
  /** Bytes of all segments, and of the device-writable ones. */
  total = 0;
  writable = 0;
  /** The segments before the last, four words each as in a descriptor without id and next. */
  words = new Int32Array(0);

  readonly #queue: number;
  readonly #size: number;
  readonly #packed: boolean;

  constructor(queue: number, size: number, packed: boolean) {
    this.#queue = queue;
    this.#size = size;
    this.#packed = packed;
  }

  begin(): void {
    this.count = 0;
    this.total = 0;
    this.writable = 0;
  }

  /**
   * Appends a segment; `flags` is 0 or WRITE. A segment of no bytes is left out.
   * @throws RingError: the numbers are the local program's, so a mistake is reported where it is made.
   */
  add(address: number, length: number, flags: number): void {
    if (length === 0) return;
    if (!(address >= 0 && address <= Number.MAX_SAFE_INTEGER && length > 0 && length <= 0xffff_ffff)) {
      throw new RingError("segment-range", this.#queue, { address, length }, this.#packed);
    }
    if (this.count !== 0) this.#setAside(length, flags);
    this.count++;
    this.total += length;
    if (flags !== 0) this.writable += length;
    this.low = address | 0;
    this.high = address > 0xffff_ffff ? Math.floor(address / 2 ** 32) | 0 : 0;
    this.length = length | 0;
    this.flags = flags;
  }

  /** Makes room for one more segment. */
  #setAside(length: number, flags: number): void {
    const { count } = this;
    if (count === this.#size) throw new RingError("chain-too-long", this.#queue, { size: this.#size }, this.#packed);
    if (this.total + length > 2 ** 32) {
      throw new RingError("chain-too-many-bytes", this.#queue, { total: this.total + length }, this.#packed);
    }
    if (flags === 0 && this.flags !== 0)
      throw new RingError("readable-after-writable", this.#queue, { segment: count });
    this.spill();
  }

  /** Copies the last segment to the others. */
  spill(): void {
    const word = (this.count - 1) * descriptorWords;
    if (word === this.words.length) {
      const words = new Int32Array(Math.max(32, 2 * word));
      words.set(this.words);
      this.words = words;
    }
    const { words } = this;
    words[word] = this.low;
    words[word + 1] = this.high;
    words[word + 2] = this.length;
    words[word + 3] = this.flags;
  }

  /** @throws RingError when the buffer has no segment. */
  requireSegment(): void {
    if (this.count === 0) throw new RingError("chain-empty", this.#queue, {}, this.#packed);
  }

  /** Bytes that the device may write, as they are kept for a buffer in flight: at most 2^32 - 1, as 32 bits. */
  get writableBits(): number {
    return this.writable > 0xffff_ffff ? -1 : this.writable | 0;
  }
}

/** Which flags a descriptor of an indirect table has besides WRITE, and what fills its last half word. */
export type TableFormat = "split" | "packed";

/** Room for the indirect tables of a driver's queue, one table a token. */
export class IndirectTables {
  readonly #view: DataView;
  readonly #offset: number;
  readonly #address: number;
  readonly #entries: number;
  readonly #split: boolean;

  /** @throws RingError when the room is not in guest memory. */
  constructor(view: DataView, offset: number, address: number, entries: number, format: TableFormat) {
    this.#view = view;
    this.#offset = offset;
    this.#address = address;
    this.#entries = entries;
    this.#split = format === "split";
  }

  /** Whether a buffer of `count` segments goes into a table. */
  take(count: number): boolean {
    return count > 1 && count <= this.#entries;
  }

  addressOf(token: number): number {
    return this.#address + token * this.#entries * 4 * descriptorWords;
  }

  /** Copies a draft, all of it spilled, into the table of a token. */
  fill(token: number, { words, count }: SegmentDraft): void {
    const view = this.#view;
    let at = this.#offset + token * this.#entries * 4 * descriptorWords;
    for (let entry = 0; entry < count; entry++, at += 16) {
      const word = entry * descriptorWords;
      view.setInt32(at, words[word] ?? 0, true);
      view.setInt32(at + 4, words[word + 1] ?? 0, true);
      view.setInt32(at + 8, words[word + 2] ?? 0, true);
      const flags = words[word + 3] ?? 0;
      // A packed table has nothing but WRITE, in the upper half: its order is that of the entries.
      const chained = entry + 1 < count ? flags | DescriptorFlag.NEXT | ((entry + 1) << 16) : flags;
      view.setInt32(at + 12, this.#split ? chained : flags << 16, true);
    }
  }
}
