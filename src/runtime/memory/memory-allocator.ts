import type { GuestMemory } from "./guest-memory.js";
import { MemoryError, OutOfGuestMemory } from "./memory-error.js";

/** Virtqueue parts need at most 16; it also keeps neighbouring buffers apart a little. */
const defaultAlignment = 16;

interface FreeRange {
  start: number;
  size: number;
}

/** First-fit allocator for the driver side, over one range of guest memory. Neighbouring free ranges are merged. */
export class MemoryAllocator {
  readonly memory: GuestMemory;
  /** Sorted by start; two of them never touch. */
  readonly #free: FreeRange[];
  readonly #sizes = new Map<number, number>();
  #bytesFree: number;

  /** @throws MemoryError unless [start, start + size) lies inside one region. */
  constructor(memory: GuestMemory, start: number, size: number) {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(size) || memory.locate(start, size) === undefined) {
      throw new MemoryError("allocator-range", `start ${start}, ${size} bytes`);
    }
    this.memory = memory;
    this.#free = size === 0 ? [] : [{ start, size }];
    this.#bytesFree = size;
  }

  /** Bytes that are not allocated; one allocation can be smaller than this when they are scattered. */
  get bytesFree(): number {
    return this.#bytesFree;
  }

  /**
   * Reserves `size` bytes and returns their guest-physical address. The bytes are not cleared.
   * @throws OutOfGuestMemory when no free range fits; MemoryError for a size or an alignment that makes no sense.
   */
  allocate(size: number, alignment: number = defaultAlignment): number {
    if (!Number.isSafeInteger(size) || size <= 0) throw new MemoryError("allocation-size", `${size}`);
    if (!Number.isSafeInteger(alignment) || alignment <= 0 || !Number.isInteger(Math.log2(alignment))) {
      throw new MemoryError("allocation-alignment", `${alignment}`);
    }
    for (let index = 0; index < this.#free.length; index++) {
      const range = this.#free[index];
      if (range === undefined) break;
      // Arithmetic, not bit operations: addresses go up to 2^53 - 1.
      const padding = (alignment - (range.start % alignment)) % alignment;
      if (range.size - padding < size) continue;
      const address = range.start + padding;
      const after = range.size - padding - size;
      if (padding === 0) {
        if (after === 0) {
          this.#free.splice(index, 1);
        } else {
          range.start = address + size;
          range.size = after;
        }
      } else {
        range.size = padding;
        if (after > 0) this.#free.splice(index + 1, 0, { start: address + size, size: after });
      }
      this.#sizes.set(address, size);
      this.#bytesFree -= size;
      return address;
    }
    throw new OutOfGuestMemory(size, this.#bytesFree);
  }

  /**
   * Gives an allocation back.
   * @throws MemoryError when `address` is not one that {@link allocate} returned, or was freed already.
   */
  free(address: number): void {
    const size = this.#sizes.get(address);
    if (size === undefined) throw new MemoryError("not-allocated", `address ${address}`);
    this.#sizes.delete(address);
    this.#bytesFree += size;

    const index = this.#firstAfter(address);
    const before = this.#free[index - 1];
    const after = this.#free[index];
    const joinsBefore = before !== undefined && before.start + before.size === address;
    const joinsAfter = after?.start === address + size;
    if (joinsBefore && joinsAfter) {
      before.size += size + after.size;
      this.#free.splice(index, 1);
    } else if (joinsBefore) {
      before.size += size;
    } else if (joinsAfter) {
      after.start = address;
      after.size += size;
    } else {
      this.#free.splice(index, 0, { start: address, size });
    }
  }

  /** Index of the first free range behind `address`. */
  #firstAfter(address: number): number {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#free[middle];
      if ((range?.start ?? Infinity) < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
