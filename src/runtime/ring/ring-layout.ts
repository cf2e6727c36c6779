import type { QueueAddresses, RingFeatures } from "./queue-types.js";
import { RingError } from "./ring-errors.js";

/** Sizes and minimum alignments, in bytes, of the three parts of a virtqueue. */
export interface RingLayout {
  readonly descriptorBytes: number;
  readonly descriptorAlignment: number;
  readonly driverBytes: number;
  readonly driverAlignment: number;
  readonly deviceBytes: number;
  readonly deviceAlignment: number;
}

/**
 * What a queue of `size` entries needs (VIRTIO 1.4, 2.7 and 2.8).
 * @throws RingError for a size that the format cannot have.
 */
export function ringLayout(size: number, features: RingFeatures): RingLayout {
  if (features.packed) {
    checkPackedSize(size, 0);
    return packedLayout(size);
  }
  checkSplitSize(size, 0);
  return splitLayout(size);
}

/** What a packed queue of a valid size needs. */
export function packedLayout(size: number): RingLayout {
  return {
    descriptorBytes: 16 * size,
    descriptorAlignment: 16,
    driverBytes: 4,
    driverAlignment: 4,
    deviceBytes: 4,
    deviceAlignment: 4,
  };
}

/** What a split queue of a valid size needs. */
export function splitLayout(size: number): RingLayout {
  return {
    descriptorBytes: 16 * size,
    descriptorAlignment: 16,
    // The event index behind each ring is part of the area whether it is negotiated or not.
    driverBytes: 6 + 2 * size,
    driverAlignment: 2,
    deviceBytes: 6 + 8 * size,
    deviceAlignment: 4,
  };
}

/**
 * The parts of a legacy split queue, which lie in one contiguous area from `address` on: descriptor table and available
 * ring, and then the used ring at the next multiple of `alignment` bytes (4096 with legacy PCI, QueueAlign with legacy
 * MMIO). VIRTIO 1.4, 2.7.2.
 *
 * A legacy ring has the byte order of the guest. This runtime serves little-endian guests alone, as it needs a
 * little-endian host; for those it is the same ring as the modern one.
 * @throws RingError when the size cannot be, or `address` and `alignment` cannot make parts that are aligned.
 */
export function legacyRingAddresses(address: number, size: number, alignment: number): QueueAddresses {
  checkSplitSize(size, 0);
  const isPowerOfTwo = Number.isInteger(Math.log2(alignment)) && alignment >= 4;
  if (!Number.isSafeInteger(address) || address < 0 || address % 16 !== 0 || !isPowerOfTwo) {
    throw new RingError("ring-alignment", 0, { address, alignment });
  }
  const { descriptorBytes, driverBytes } = splitLayout(size);
  const driver = address + descriptorBytes;
  return {
    size,
    descriptor: address,
    driver,
    // Aligned is the distance from the start of the area, which itself starts at a page.
    device: address + roundUp(descriptorBytes + driverBytes, alignment),
  };
}

/** Bytes of the area that {@link legacyRingAddresses} lays out. */
export function legacyRingBytes(size: number, alignment: number): number {
  return legacyRingAddresses(0, size, alignment).device + roundUp(splitLayout(size).deviceBytes, alignment);
}

/** The largest size of a queue that is not above `most`, which is at least 1. */
export function largestQueueSize(most: number, packed: boolean): number {
  const size = Math.min(most, 32768);
  return packed ? size : 2 ** Math.floor(Math.log2(size));
}

function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** @throws RingError unless `size` is a power of two from 1 to 32768. */
export function checkSplitSize(size: number, queue: number): void {
  const isPowerOfTwo = Number.isInteger(size) && size >= 1 && size <= 32768 && (size & (size - 1)) === 0;
  if (!isPowerOfTwo) throw new RingError("queue-size", queue, { size });
}

/** @throws RingError unless `size` is a whole number from 1 to 32768. */
export function checkPackedSize(size: number, queue: number): void {
  if (!(Number.isInteger(size) && size >= 1 && size <= 32768)) throw new RingError("queue-size", queue, { size }, true);
}
