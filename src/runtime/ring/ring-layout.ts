import type { RingFeatures } from "./queue-types.js";
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
 * @throws RingError for a size that the format cannot have, or a format that is not supported yet.
 */
export function ringLayout(size: number, features: RingFeatures): RingLayout {
  checkSupported(features, 0);
  checkSplitSize(size, 0);
  return splitLayout(size);
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

/** @throws RingError for features whose ring format or discipline is not there yet. */
export function checkSupported(features: RingFeatures, queue: number): void {
  if (features.packed) throw new RingError("packed-not-supported", queue);
  if (features.inOrder) throw new RingError("in-order-not-supported", queue);
}

/** @throws RingError unless `size` is a power of two from 1 to 32768. */
export function checkSplitSize(size: number, queue: number): void {
  const isPowerOfTwo = Number.isInteger(size) && size >= 1 && size <= 32768 && (size & (size - 1)) === 0;
  if (!isPowerOfTwo) throw new RingError("queue-size", queue, { size });
}
