import { copyBytes } from "../memory/index.js";
import { noSegments, type SegmentList } from "./segment-list.js";

/** What a window of a queue covers; "none" for windows that are pointed at parts of others. */
type ChainPart = "readable" | "writable" | "none";

/**
 * A window on the bytes of a descriptor chain that hides how they are cut into segments. It is reused, and empty
 * (length 0) from the moment on at which its chain is completed or its queue is disposed of.
 */
abstract class ChainBytes {
  protected segments: SegmentList;
  /** The window is alive while this is the epoch of the segments. */
  #epoch = -1;
  /** For the window on a whole part of a chain: it follows the chains that come and go in its slot. */
  readonly #part: ChainPart;
  #size = 0;
  /** First segment, and how many of its bytes come before the window. */
  #first = 0;
  #skip = 0;
  /** Where the last access was, so that going on from there does not walk the chain again. */
  #cursor = 0;
  /** Position in the window of the cursor segment's first byte; negative for the first one when part is skipped. */
  #cursorStart = 0;

  /** Without arguments: a window that is empty until it is pointed somewhere. Queues make the windows on chains. */
  constructor(segments: SegmentList = noSegments, part: ChainPart = "none") {
    this.segments = segments;
    this.#part = part;
  }

  /** Bytes in the window. */
  get length(): number {
    return this.#epoch === this.segments.epoch ? this.#size : this.#follow();
  }

  /** The chain is another one than at the last look. Returns the length. */
  #follow(): number {
    const { segments } = this;
    const part = this.#part;
    if (part === "none" || !segments.live) return 0;
    segments.spread();
    this.#epoch = segments.epoch;
    this.#first = part === "readable" ? 0 : segments.readableCount;
    this.#size = part === "readable" ? segments.readableLength : segments.writableLength;
    this.#cursor = this.#first;
    this.#cursorStart = 0;
    return this.#size;
  }

  /** Pieces of the window that lie contiguous in memory. */
  get segmentCount(): number {
    if (this.length === 0) return 0;
    return this.seek(this.length - 1) - this.#first + 1;
  }

  /** The bytes of one piece, without copying them. Empty when there is no such piece. Allocates the view. */
  segment(index: number): Uint8Array {
    const offset = this.segmentOffset(index);
    return this.segmentBytes(index).subarray(offset, offset + this.segmentLength(index));
  }

  /** The whole region in which a piece lies: its bytes are those from `segmentOffset` on, `segmentLength` many. */
  segmentBytes(index: number): Uint8Array {
    return (this.#seekSegment(index) ? this.segments.bytes[this.#cursor] : undefined) ?? emptyBytes;
  }

  /** Where a piece starts in `segmentBytes`. 0 when there is no such piece. */
  segmentOffset(index: number): number {
    if (!this.#seekSegment(index)) return 0;
    return (this.segments.offsets[this.#cursor] ?? 0) + (index === 0 ? this.#skip : 0);
  }

  /** Bytes of one piece. 0 when there is no such piece. */
  segmentLength(index: number): number {
    if (!this.#seekSegment(index)) return 0;
    const start = Math.max(0, this.#cursorStart);
    return Math.min(this.#size, this.#cursorStart + (this.segments.lengths[this.#cursor] ?? 0)) - start;
  }

  /** Makes this the window on [from, from + length) of `other`, cut to what is there. */
  protected pointAtPart(other: ChainBytes, from: number, length: number): void {
    const start = from > 0 ? Math.min(from, other.length) : 0;
    const size = length > 0 ? Math.min(length, other.length - start) : 0;
    const first = size > 0 ? other.seek(start) : 0;
    const skip = size > 0 ? start - other.#cursorStart : 0;
    this.segments = other.segments;
    this.#epoch = other.#epoch;
    this.#first = first;
    this.#skip = skip;
    this.#size = size;
    this.#cursor = first;
    this.#cursorStart = -skip;
  }

  /** The window covers all readable or all writable bytes of its chain. */
  protected get isWhole(): boolean {
    return this.#part !== "none";
  }

  /** Copies bytes out of the window; see {@link ReadableBytes.read}. */
  protected copyOut(target: Uint8Array, targetOffset: number, from: number, length: number): number {
    const count = this.clampCount(target.length - targetOffset, from, length, targetOffset);
    if (count === 0) return 0;
    const { bytes, offsets, lengths } = this.segments;
    let segment = this.seek(from);
    let within = from - this.#cursorStart;
    let done = 0;
    for (;;) {
      const part = Math.min(count - done, (lengths[segment] ?? 0) - within);
      const source = bytes[segment];
      if (source === undefined) return done;
      copyBytes(target, targetOffset + done, source, (offsets[segment] ?? 0) + within, part);
      done += part;
      if (done === count) return done;
      segment++;
      within = 0;
    }
  }

  protected byteOut(offset: number): number {
    if (!(offset >= 0 && offset < this.length)) return 0;
    const segment = this.seek(offset);
    return this.segments.bytes[segment]?.[(this.segments.offsets[segment] ?? 0) + offset - this.#cursorStart] ?? 0;
  }

  /** How many bytes an access touches; 0 when a number makes no sense. */
  protected clampCount(room: number, from: number, length: number, otherOffset: number): number {
    const count = Math.min(length, room, this.length - from);
    return from >= 0 && otherOffset >= 0 && count > 0 ? count : 0;
  }

  /** Moves the cursor to the segment that holds `position` (within the window) and returns its index. */
  protected seek(position: number): number {
    if (position < this.#cursorStart) this.#rewind();
    const { lengths } = this.segments;
    for (;;) {
      const end = this.#cursorStart + (lengths[this.#cursor] ?? Infinity);
      if (position < end) return this.#cursor;
      this.#cursor++;
      this.#cursorStart = end;
    }
  }

  /** Position in the window at which the segment of the last `seek` starts. */
  protected get seekStart(): number {
    return this.#cursorStart;
  }

  #rewind(): void {
    this.#cursor = this.#first;
    this.#cursorStart = -this.#skip;
  }

  /** Moves the cursor to a piece by number; false when there is no such piece. */
  #seekSegment(index: number): boolean {
    if (!(index >= 0) || this.length === 0) return false;
    const wanted = this.#first + index;
    if (wanted < this.#cursor) this.#rewind();
    while (this.#cursor < wanted) {
      const end = this.#cursorStart + (this.segments.lengths[this.#cursor] ?? 0);
      if (end >= this.#size) return false;
      this.#cursor++;
      this.#cursorStart = end;
    }
    return this.#cursor === wanted;
  }
}

const emptyBytes = new Uint8Array(0);

/** Device-readable bytes of a chain, or a window on them. */
export class ReadableBytes extends ChainBytes {
  /**
   * Copies min(length, this.length - from, target.length - targetOffset) bytes into `target`; returns how many.
   * Allocates nothing when the pieces are short.
   */
  read(target: Uint8Array, targetOffset = 0, from = 0, length = this.length): number {
    return this.copyOut(target, targetOffset, from, length);
  }

  /** The byte at `offset`, or 0 outside of the window. */
  byteAt(offset: number): number {
    return this.byteOut(offset);
  }

  /** A copy of all bytes. */
  toUint8Array(): Uint8Array {
    const copy = new Uint8Array(this.length);
    this.copyOut(copy, 0, 0, copy.length);
    return copy;
  }

  /** Points this window at [from, from + length) of another one, cut to what is there. Allocates nothing. */
  window(of: ReadableBytes, from: number, length: number): this {
    this.pointAtPart(of, from, length);
    return this;
  }
}

/**
 * Device-writable bytes of a chain, or a window on them. A device does not read them (VIRTIO 1.4, 2.7.5.1 and 2.8.15):
 * the driver may change them at any time, and what it left there is not meant for the device.
 */
export class WritableBytes extends ChainBytes {
  /** Bytes written through this window; unused for the window on the whole writable part. */
  #written = 0;
  /** Where the window starts in the writable part of the chain. */
  #start = 0;

  /**
   * End of the furthest byte written, from the start of this window: written through this window since it was
   * pointed, or, for the `writable` of a chain, through any window on it since the chain was taken.
   */
  get written(): number {
    if (this.length === 0) return 0;
    return this.isWhole ? this.segments.furthestWritten : this.#written;
  }

  /** Points this window at [from, from + length) of another one, cut to what is there. Allocates nothing. */
  window(of: WritableBytes, from: number, length: number): this {
    this.pointAtPart(of, from, length);
    this.#start = of.#start + Math.min(Math.max(0, from), of.length);
    this.#written = 0;
    return this;
  }

  /**
   * Copies min(length, this.length - at, source.length - sourceOffset) bytes of `source` to `at`; returns how many.
   * Allocates nothing when the pieces are short.
   */
  write(source: Uint8Array, sourceOffset = 0, at = 0, length = this.length): number {
    const count = this.clampCount(source.length - sourceOffset, at, length, sourceOffset);
    if (count === 0) return 0;
    const { bytes, offsets, lengths } = this.segments;
    let segment = this.seek(at);
    let within = at - this.seekStart;
    let done = 0;
    for (;;) {
      const part = Math.min(count - done, (lengths[segment] ?? 0) - within);
      const target = bytes[segment];
      if (target === undefined) break;
      copyBytes(target, (offsets[segment] ?? 0) + within, source, sourceOffset + done, part);
      done += part;
      if (done === count) break;
      segment++;
      within = 0;
    }
    this.#wroteTo(at + done);
    return done;
  }

  /** For traces and diagnostics alone: what stands in the bytes now. Copies like {@link ReadableBytes.read}. */
  peek(target: Uint8Array, targetOffset = 0, from = 0): number {
    return this.copyOut(target, targetOffset, from, this.length);
  }

  /** Like {@link peek}: the byte at `offset`, or 0 outside of the window. */
  peekByte(offset: number): number {
    return this.byteOut(offset);
  }

  /** Writes one byte; outside of the window it does nothing. */
  setByte(offset: number, value: number): void {
    if (!(offset >= 0 && offset < this.length)) return;
    const segment = this.seek(offset);
    const bytes = this.segments.bytes[segment];
    if (bytes === undefined) return;
    bytes[(this.segments.offsets[segment] ?? 0) + offset - this.seekStart] = value;
    this.#wroteTo(offset + 1);
  }

  /** Sets min(length, this.length - at) bytes from `at` on to `value`; returns how many. */
  fill(value: number, at = 0, length = this.length): number {
    const count = this.clampCount(Infinity, at, length, 0);
    if (count === 0) return 0;
    const { bytes, offsets, lengths } = this.segments;
    let segment = this.seek(at);
    let within = at - this.seekStart;
    let done = 0;
    for (;;) {
      const part = Math.min(count - done, (lengths[segment] ?? 0) - within);
      const offset = (offsets[segment] ?? 0) + within;
      bytes[segment]?.fill(value, offset, offset + part);
      done += part;
      if (done === count) break;
      segment++;
      within = 0;
    }
    this.#wroteTo(at + done);
    return done;
  }

  /**
   * Says that the first `length` bytes of the window were written by way of {@link segmentBytes}, as DMA would. Kept within
   * the window.
   */
  wrote(length: number): void {
    const end = Math.min(length, this.length);
    if (end > 0) this.#wroteTo(end);
  }

  #wroteTo(end: number): void {
    if (end > this.#written) this.#written = end;
    const endInChain = this.#start + end;
    if (endInChain > this.segments.furthestWritten) this.segments.furthestWritten = endInChain;
  }
}
