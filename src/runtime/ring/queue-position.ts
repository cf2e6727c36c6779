import type { QueuePosition } from "./queue-types.js";
import { RingError } from "./ring-errors.js";

/** Where every queue starts. */
export const beginning: QueuePosition = { available: 0, used: 0, availableWrap: 1, usedWrap: 1 };

/** Buffers, or in a packed ring descriptors, that lie between used and available. */
export function distance({ available, used, availableWrap, usedWrap }: QueuePosition, limit: number): number {
  return availableWrap === usedWrap ? available - used : available - used + limit;
}

/**
 * A position that a split queue of `size` entries can be at.
 * @throws RingError for any other.
 */
export function checkSplitPosition(position: QueuePosition, size: number, queue: number): QueuePosition {
  const { available, used, availableWrap, usedWrap } = position;
  const valid =
    isIndex(available, 0x1_0000) &&
    isIndex(used, 0x1_0000) &&
    availableWrap === 1 &&
    usedWrap === 1 &&
    ((available - used) & 0xffff) <= size;
  if (!valid) throw new RingError("position", queue, { available, used, size });
  return position;
}

/**
 * A position that a packed queue of `size` entries can be at.
 * @throws RingError for any other.
 */
export function checkPackedPosition(position: QueuePosition, size: number, queue: number): QueuePosition {
  const { available, used, availableWrap, usedWrap } = position;
  const between = distance(position, size);
  const valid =
    isIndex(available, size) &&
    isIndex(used, size) &&
    isIndex(availableWrap, 2) &&
    isIndex(usedWrap, 2) &&
    between >= 0 &&
    between <= size;
  if (!valid) throw new RingError("position", queue, { available, used, availableWrap, usedWrap, size }, true);
  return position;
}

function isIndex(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < limit;
}
