import { MemoryError } from "./memory-error.js";
import type { Translation } from "./translation.js";

/** Contiguous guest-physical range, backed by bytes of an ArrayBuffer or a SharedArrayBuffer. */
export interface MemoryRegion {
  /** First guest-physical address. */
  readonly start: number;
  /** Length in bytes, the same as `bytes.length`. */
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * A part of a region whose addresses differ in their lower 31 bits alone, so that a bounds check in it is three
 * operations on 32-bit integers: with an address as two halves, `offset = (lowHalf - window.low) | 0`, the upper half
 * must be `window.high`, and 0 <= offset and length <= window.size - offset.
 */
export interface MemoryWindow {
  /** Upper half of its addresses, and the lower half of the first one; both as signed 32-bit integers. */
  readonly high: number;
  readonly low: number;
  /** Bytes; at most 2^31 - 1. Negative: it holds nothing, not even zero bytes. */
  readonly size: number;
  /** The bytes of the region, and where the window starts in them. */
  readonly bytes: Uint8Array;
  readonly offset: number;
}

export interface GuestMemoryOptions {
  /**
   * Nobody outside of this thread reads or writes the memory: no other process, no Worker. Then the rings need no
   * atomic accesses. False if absent.
   */
  readonly oneThread?: boolean;
  /** Addresses are not guest-physical: those that lie in no region are translated. */
  readonly translation?: Translation;
}

/** Some bytes of guest memory: a region, and where they start in it. */
export interface MemoryPlace {
  readonly region: MemoryRegion;
  readonly offset: number;
}

/** What a region is made from. */
export interface MemoryRegionInit {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Holds nothing: no length from 0 on fits into it. */
const emptyBytes = new Uint8Array(0);
const nowhere: MemoryRegion = { start: 0, size: -1, bytes: emptyBytes, view: new DataView(emptyBytes.buffer) };
const noWindow: MemoryWindow = { high: 0, low: 0, size: -1, bytes: emptyBytes, offset: 0 };
const windowBytes = 2 ** 31;

/**
 * Guest-physical memory: sorted regions that do not overlap. Addresses are plain numbers, whole and at most
 * 2^53 - 1, which the constructor guarantees for everything that {@link locate} can answer.
 */
export class GuestMemory {
  #regions: readonly MemoryRegion[];
  /** See {@link GuestMemoryOptions.oneThread}. */
  readonly oneThread: boolean;
  /** See {@link GuestMemoryOptions.translation}. */
  readonly translation: Translation | undefined;
  /** Where a buffer was found last; a first guess for the next one. */
  window: MemoryWindow = noWindow;
  /** Windows by the addresses that they start at or before, cut at multiples of 2^31. Made when first used. */
  readonly #windows = new Map<number, MemoryWindow>();
  /** Of all regions that there are and were: buffers that were found before a change of the memory are still told of. */
  readonly #starts = new WeakMap<Uint8Array, number>();
  /** The region that answered last: rings and buffers mostly live together. */
  #recent: MemoryRegion;

  /** @throws MemoryError when a region is out of range, or when regions are unsorted or overlap. */
  constructor(regions: readonly MemoryRegionInit[], options: GuestMemoryOptions = {}) {
    this.oneThread = options.oneThread ?? false;
    this.translation = options.translation;
    this.#regions = checkedRegions(regions);
    this.#recent = this.#regions[0] ?? nowhere;
    this.#noteStarts();
  }

  get regions(): readonly MemoryRegion[] {
    return this.#regions;
  }

  /**
   * Other regions from now on, for a machine whose memory comes and goes while its devices run. Rings and buffers that were
   * found before keep the bytes that they have.
   * @throws MemoryError as the constructor does; nothing has changed then.
   */
  replace(regions: readonly MemoryRegionInit[]): void {
    this.#regions = checkedRegions(regions);
    this.#recent = this.#regions[0] ?? nowhere;
    this.#windows.clear();
    this.window = noWindow;
    this.#noteStarts();
  }

  /**
   * First address of the region whose bytes these are, or were before {@link replace}.
   * @throws MemoryError for any other bytes.
   */
  startOf(bytes: Uint8Array): number {
    const start = this.#starts.get(bytes);
    if (start === undefined) throw new MemoryError("region-unknown", `${bytes.length} bytes`);
    return start;
  }

  #noteStarts(): void {
    for (const { bytes, start } of this.#regions) this.#starts.set(bytes, start);
  }

  /** One zeroed region of `size` bytes from `start` (0 unless told) on, for both sides in one thread. */
  static flat(size: number, start = 0): GuestMemory {
    return new GuestMemory([{ start, bytes: new Uint8Array(size) }], { oneThread: true });
  }

  /** Makes `window` the one that holds `address`, which lies in `region`. */
  moveWindow(address: number, region: MemoryRegion): void {
    const lower = Math.floor(address / windowBytes) * windowBytes;
    const start = Math.max(lower, region.start);
    let window = this.#windows.get(start);
    if (window === undefined) {
      const size = Math.min(lower + windowBytes, region.start + region.size) - start;
      window = {
        high: Math.floor(start / 2 ** 32) | 0,
        low: start | 0,
        size: Math.min(size, windowBytes - 1),
        bytes: region.bytes,
        offset: start - region.start,
      };
      this.#windows.set(start, window);
    }
    this.window = window;
  }

  /**
   * THE bounds check: the region that holds all of [address, address + length), or undefined. Allocates nothing.
   * A range that runs over the end of one region into the next is not in one region: see {@link regionAt}.
   */
  locate(address: number, length: number): MemoryRegion | undefined {
    const recent = this.#recent;
    const offset = address - recent.start;
    // Written so that NaN and negative numbers fail; no sum of address and length, so nothing can round.
    if (offset >= 0 && length >= 0 && length <= recent.size - offset) return recent;
    const region = this.regionAt(address);
    if (region === undefined) return undefined;
    return length >= 0 && length <= region.size - (address - region.start) ? region : undefined;
  }

  /**
   * Where all of [address, address + length) lies in one piece, translated if need be, or undefined; what is not known is
   * asked for then. For parts of rings: allocates. `length` is from 1 on.
   */
  place(address: number, length: number): MemoryPlace | undefined {
    const region = this.locate(address, length);
    if (region !== undefined) return { region, offset: address - region.start };
    const { translation } = this;
    if (translation === undefined) return undefined;
    const found = translation.find(address, length, false);
    if (found === length) return { region: translation.region, offset: translation.offset };
    if (found >= 0) translation.want(address, length, false);
    return undefined;
  }

  /** The region that holds the byte at `address`, or undefined. Binary search. */
  regionAt(address: number): MemoryRegion | undefined {
    let low = 0;
    let high = this.#regions.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const region = this.#regions[middle];
      if (region === undefined) return undefined;
      const offset = address - region.start;
      if (offset < 0) {
        high = middle - 1;
      } else if (offset < region.size) {
        this.#recent = region;
        return region;
      } else {
        low = middle + 1;
      }
    }
    return undefined;
  }
}

function checkedRegions(regions: readonly MemoryRegionInit[]): MemoryRegion[] {
  let end = 0;
  return regions.map(({ start, bytes }) => {
    if (!Number.isSafeInteger(start) || start < 0 || !Number.isSafeInteger(start + bytes.length)) {
      throw new MemoryError("region-range", `start ${start}, ${bytes.length} bytes`);
    }
    if (start < end) throw new MemoryError("region-overlap", `start ${start}, the region before ends at ${end}`);
    end = start + bytes.length;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { start, size: bytes.length, bytes, view };
  });
}
