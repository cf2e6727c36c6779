import { MemoryError } from "./memory-error.js";

/** Contiguous guest-physical range, backed by bytes of an ArrayBuffer or a SharedArrayBuffer. */
export interface MemoryRegion {
  /** First guest-physical address. */
  readonly start: number;
  /** Length in bytes, the same as `bytes.length`. */
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** What a region is made from. */
export interface MemoryRegionInit {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Holds nothing: no length from 0 on fits into it. */
const emptyBytes = new Uint8Array(0);
const nowhere: MemoryRegion = { start: 0, size: -1, bytes: emptyBytes, view: new DataView(emptyBytes.buffer) };

/**
 * Guest-physical memory: sorted regions that do not overlap. Addresses are plain numbers, whole and at most
 * 2^53 - 1, which the constructor guarantees for everything that {@link locate} can answer.
 */
export class GuestMemory {
  readonly regions: readonly MemoryRegion[];
  /** The region that answered last: rings and buffers mostly live together. */
  #recent: MemoryRegion;

  /** @throws MemoryError when a region is out of range, or when regions are unsorted or overlap. */
  constructor(regions: readonly MemoryRegionInit[]) {
    let end = 0;
    this.regions = regions.map(({ start, bytes }) => {
      if (!Number.isSafeInteger(start) || start < 0 || !Number.isSafeInteger(start + bytes.length)) {
        throw new MemoryError("region-range", `start ${start}, ${bytes.length} bytes`);
      }
      if (start < end) throw new MemoryError("region-overlap", `start ${start}, the region before ends at ${end}`);
      end = start + bytes.length;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return { start, size: bytes.length, bytes, view };
    });
    this.#recent = this.regions[0] ?? nowhere;
  }

  /** One zeroed region of `size` bytes from `start` (0 unless told) on. */
  static flat(size: number, start = 0): GuestMemory {
    return new GuestMemory([{ start, bytes: new Uint8Array(size) }]);
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

  /** The region that holds the byte at `address`, or undefined. Binary search. */
  regionAt(address: number): MemoryRegion | undefined {
    let low = 0;
    let high = this.regions.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const region = this.regions[middle];
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
