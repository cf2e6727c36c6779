import type { GuestMemory } from "../memory/index.js";
import { RingError } from "./ring-errors.js";

const isLittleEndianHost = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** One part of a virtqueue, found in guest memory. Typed arrays over `buffer` at `byteOffset` are aligned. */
export interface RingArea {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
}

/**
 * Finds one part of a virtqueue.
 * @throws RingError when it is not aligned to `alignment`, not inside one region, or cannot be seen as typed arrays
 * of `elementBytes` because of the host's byte order or where the region's bytes start in their buffer.
 */
export function locateRingArea(
  memory: GuestMemory,
  queue: number,
  address: number,
  bytes: number,
  alignment: number,
  elementBytes: number,
  packed = false,
): RingArea {
  if (!isLittleEndianHost) throw new RingError("host-not-little-endian", queue);
  if (!Number.isSafeInteger(address) || address < 0 || address % alignment !== 0) {
    throw new RingError("ring-alignment", queue, { address, alignment }, packed);
  }
  const place = memory.place(address, bytes);
  if (place === undefined) throw new RingError("ring-outside-memory", queue, { address, bytes }, packed);
  const { region, offset } = place;
  const byteOffset = region.bytes.byteOffset + offset;
  if (byteOffset % elementBytes !== 0) {
    throw new RingError("ring-backing-alignment", queue, { byteOffset, alignment: elementBytes }, packed);
  }
  return { buffer: region.bytes.buffer, byteOffset };
}
