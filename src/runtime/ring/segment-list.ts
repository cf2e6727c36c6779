import { GuestMemory, type MemoryWindow, type Translation } from "../memory/index.js";
import type { SavedSegment } from "./queue-types.js";
import type { RingRule } from "./ring-errors.js";

const initialCapacity = 8;
const noBytes = new Uint8Array(0);
/** Longer heads are copied through a window: its one call for many bytes is faster than a loop. */
const longestHead = 128;
/** Pieces that a buffer can be cut into by a translation, more than it has descriptors: pages of the most bytes. */
const mostPages = 1 << 20;
/** A buffer may have at most this many bytes in total (VIRTIO 1.4, 2.7.5.2). */
const mostBytes = 2 ** 32;

/**
 * How many segments the chains of one queue may have room for, all slots together. It bounds what a driver can make
 * the device allocate: its numbers cannot ask for more than some 100 MB, on the largest queue there can be.
 */
export class SegmentBudget {
  #left: number;

  constructor(segments = 1 << 22) {
    this.#left = segments;
  }

  /** True when `count` more segments are granted. */
  grant(count: number): boolean {
    if (count > this.#left) return false;
    this.#left -= count;
    return true;
  }

  giveBack(count: number): void {
    this.#left += count;
  }

  /** Less than half is left: slots with much room should let go of it. */
  get scarce(): boolean {
    return this.#left < 1 << 21;
  }
}

/**
 * The checked segments of one descriptor chain: a copy of what the driver wrote, so that editing a descriptor in
 * flight changes nothing. Device-readable segments come first. Every segment has at least one byte and lies in guest
 * memory. Belongs to a slot and is reused.
 */
export class SegmentList {
  /** The region's bytes, one entry a segment. */
  readonly bytes: Uint8Array[] = [];
  /** Where a segment starts in its region's bytes. */
  offsets = new Float64Array(0);
  lengths = new Float64Array(0);
  count = 0;
  readableCount = 0;
  readableLength = 0;
  writableLength = 0;
  /** Changes when the chain ends, so that windows on it become empty. */
  epoch = 0;
  live = false;
  /** End of the furthest byte written, from the start of the writable part. */
  furthestWritten = 0;
  /** Part of a translated chain is not known yet, so that this is not all of it. */
  isMissing = false;

  /** Where the only segment lies, while it is kept aside. */
  #single: MemoryWindow | undefined;
  #singleOffset = 0;
  readonly #memory: GuestMemory;
  readonly #budget: SegmentBudget;
  readonly #longestChain: number;
  /** Where the segments are for the driver, if its addresses are translated. */
  #addresses: Float64Array | undefined;

  /** `longestChain`: descriptors that a chain can have; each boundary between regions can cut one more in two. */
  constructor(memory: GuestMemory, budget: SegmentBudget, longestChain: number) {
    this.#single = undefined;
    this.#memory = memory;
    this.#budget = budget;
    this.#longestChain = longestChain;
    this.#addresses = memory.translation === undefined ? undefined : new Float64Array(0);
  }

  /** Starts over, for the next chain in this slot. */
  begin(): void {
    this.count = 0;
    this.readableCount = 0;
    this.readableLength = 0;
    this.writableLength = 0;
    this.furthestWritten = 0;
    this.#single = undefined;
  }

  /**
   * The whole chain is one segment, found in `window` of the memory: kept aside until somebody looks at its bytes.
   * `offset` and `length` were checked.
   */
  single(window: MemoryWindow, offset: number, length: number, writable: boolean): void {
    this.#single = window;
    this.#singleOffset = offset;
    this.furthestWritten = 0;
    if (writable) {
      this.readableLength = 0;
      this.writableLength = length;
    } else {
      this.readableLength = length;
      this.writableLength = 0;
    }
  }

  /** Puts a single segment among the others. Called before anything but the lengths is looked at. */
  spread(): void {
    const window = this.#single;
    if (window === undefined) return;
    const { readableLength, writableLength } = this;
    const { furthestWritten } = this;
    this.begin();
    this.furthestWritten = furthestWritten;
    this.#push(window.bytes, window.offset + this.#singleOffset, readableLength + writableLength, writableLength !== 0);
  }

  /**
   * Appends the buffer of one descriptor. The numbers are the driver's, read once, as 32-bit integers, signed or not:
   * the address as two halves, and the length. Returns the rule that it breaks, if any.
   * A buffer of no bytes is accepted wherever it points and adds no segment.
   */
  append(addressLow: number, addressHigh: number, signedLength: number, writable: boolean): RingRule | undefined {
    if (!writable && this.count !== this.readableCount) return "readable-after-writable";
    const window = this.#memory.window;
    const offset = (addressLow - window.low) | 0;
    if (
      offset >= 0 &&
      signedLength > 0 &&
      signedLength <= window.size - offset &&
      (addressHigh | 0) === window.high &&
      this.readableLength + this.writableLength <= window.size
    ) {
      return this.#push(window.bytes, window.offset + offset, signedLength, writable)
        ? undefined
        : "chain-too-scattered";
    }
    return this.#appendAnywhere(addressLow >>> 0, addressHigh >>> 0, signedLength >>> 0, writable);
  }

  #appendAnywhere(low: number, high: number, length: number, writable: boolean): RingRule | undefined {
    if (length === 0) return undefined;
    if (this.readableLength + this.writableLength + length > mostBytes) return "chain-too-many-bytes";
    if (high === 0xffff_ffff && low + length > mostBytes) return "address-wraps";
    // No region ends above 2^53 - 1, and above that numbers would round.
    if (high > 0x1f_ffff) return "address-outside-memory";
    const address = high * 2 ** 32 + low;
    const region = this.#memory.locate(address, length);
    if (region === undefined) return this.#appendAcrossRegions(address, length, writable);
    this.#memory.moveWindow(address, region);
    return this.#push(region.bytes, address - region.start, length, writable) ? undefined : "chain-too-scattered";
  }

  /** The buffer is not in one region: cut it where regions touch, or say what is wrong. */
  #appendAcrossRegions(address: number, length: number, writable: boolean): RingRule | undefined {
    let at = address;
    let left = length;
    while (left > 0) {
      const region = this.#memory.regionAt(at);
      if (region === undefined) {
        const { translation } = this.#memory;
        if (translation !== undefined) return this.#appendTranslated(translation, at, left, writable);
        return at === address ? "address-outside-memory" : "buffer-across-hole";
      }
      const offset = at - region.start;
      const part = Math.min(left, region.size - offset);
      if (!this.#push(region.bytes, offset, part, writable)) return "chain-too-scattered";
      at += part;
      left -= part;
    }
    return undefined;
  }

  /** What is not known is asked for, and so is what comes after it: the chain is taken when all of it is there. */
  #appendTranslated(
    translation: Translation,
    address: number,
    length: number,
    writable: boolean,
  ): RingRule | undefined {
    let at = address;
    let left = length;
    while (left > 0) {
      const part = translation.find(at, left, writable);
      if (part < 0) return "address-not-allowed";
      if (part === 0) {
        translation.want(at, left, writable);
        this.isMissing = true;
        return undefined;
      }
      if (!this.#push(translation.region.bytes, translation.offset, part, writable)) return "chain-too-scattered";
      if (this.#addresses !== undefined) this.#addresses[this.count - 1] = at;
      at += part;
      left -= part;
    }
    return undefined;
  }

  #push(bytes: Uint8Array, offset: number, length: number, writable: boolean): boolean {
    const index = this.count;
    if (index === this.offsets.length && !this.#grow()) return false;
    // Storing a reference costs more than looking: mostly it is the same region again.
    if (this.bytes[index] !== bytes) this.bytes[index] = bytes;
    this.offsets[index] = offset;
    this.lengths[index] = length;
    this.count = index + 1;
    if (writable) {
      this.writableLength += length;
    } else {
      this.readableCount = index + 1;
      this.readableLength += length;
    }
    return true;
  }

  #grow(): boolean {
    const old = this.offsets.length;
    const cuts = this.#addresses === undefined ? Math.max(0, this.#memory.regions.length - 1) : mostPages;
    const capacity = Math.min(Math.max(initialCapacity, old * 2), this.#longestChain + cuts);
    if (capacity <= old || !this.#budget.grant(capacity - old)) return false;
    const offsets = new Float64Array(capacity);
    const lengths = new Float64Array(capacity);
    offsets.set(this.offsets);
    lengths.set(this.lengths);
    this.offsets = offsets;
    this.lengths = lengths;
    if (this.#addresses !== undefined) {
      const addresses = new Float64Array(capacity);
      addresses.set(this.#addresses);
      this.#addresses = addresses;
    }
    while (this.bytes.length < capacity) this.bytes.push(noBytes);
    return true;
  }

  /**
   * Copies the first device-readable bytes, if they are few and lie in one piece: as many as there are, at most
   * `target.length`. -1: nothing was copied. The way for short heads, as they mostly are, without a window.
   */
  copyHead(target: Uint8Array): number {
    this.spread();
    const length = this.readableLength < target.length ? this.readableLength : target.length;
    if (length === 0) return 0;
    const bytes = this.bytes[0];
    if (bytes === undefined || length > longestHead || (this.lengths[0] ?? 0) < length) return -1;
    const offset = this.offsets[0] ?? 0;
    // Not copyBytes: a head has a few bytes, and the call, which V8 does not inline here, costs more than they do.
    for (let index = 0; index < length; index++) target[index] = bytes[offset + index] ?? 0;
    return length;
  }

  /** Writes the last device-writable byte, if there is one. */
  setLastByte(value: number): void {
    const length = this.writableLength;
    if (length === 0) return;
    this.spread();
    const last = this.count - 1;
    const bytes = this.bytes[last];
    if (bytes === undefined) return;
    bytes[(this.offsets[last] ?? 0) + (this.lengths[last] ?? 0) - 1] = value;
    this.furthestWritten = length;
  }

  /** The segments as plain data. */
  save(): SavedSegment[] {
    const addresses = this.#addresses;
    const segments = this.locations();
    if (addresses === undefined) return segments;
    return segments.map((segment, index) => ({ ...segment, address: addresses[index] ?? 0 }));
  }

  /** Where the segments are in guest-physical memory. */
  locations(): SavedSegment[] {
    this.spread();
    const physical = this.#memory.translation?.physical ?? this.#memory;
    return Array.from({ length: this.count }, (_, index) => ({
      address: physical.startOf(this.bytes[index] ?? noBytes) + (this.offsets[index] ?? 0),
      length: this.lengths[index] ?? 0,
      writable: index >= this.readableCount,
    }));
  }

  /** The chain ends: its windows become empty. A list that grew large lets go of its room when room is scarce. */
  end(): void {
    this.live = false;
    this.readableLength = 0;
    this.writableLength = 0;
    this.epoch = (this.epoch + 1) | 0;
    if (this.offsets.length > initialCapacity && this.#budget.scarce) {
      this.#budget.giveBack(this.offsets.length);
      this.offsets = new Float64Array(0);
      this.lengths = new Float64Array(0);
      this.bytes.length = 0;
      if (this.#addresses !== undefined) this.#addresses = new Float64Array(0);
    }
  }
}

/** What windows point at before they are pointed at a chain. Never live. */
export const noSegments = new SegmentList(new GuestMemory([]), new SegmentBudget(0), 0);
