import type { GuestMemory } from "../../memory/index.js";
import type { QueueAddresses } from "../queue-types.js";
import { locateRingArea } from "../ring-area.js";
import { checkPackedSize, packedLayout } from "../ring-layout.js";

/**
 * A descriptor is four 32-bit words: lower and upper half of the address, length, and in the last one the buffer id
 * with the flags above it. Id and flags are read and written together, so that one access sees both.
 */
export const flagsShift = 16;

/** AVAIL and USED, in the last word of a descriptor, as a signed 32-bit integer. */
export const turnMask = (0x8080 << flagsShift) | 0;

/** AVAIL and USED of a descriptor that is available on a lap with this wrap counter (2.8.1). */
export function availableTurn(wrap: 0 | 1): number {
  return (wrap === 1 ? 0x0080 : 0x8000) << flagsShift;
}
/** AVAIL and USED of a descriptor that was used on a lap with this wrap counter. */
export function usedTurn(wrap: 0 | 1): number {
  return (wrap === 1 ? 0x8080 : 0) << flagsShift;
}

/** Event suppression (2.8.10): the flags, in the upper half of its word. */
export const EventFlags = { ENABLE: 0, DISABLE: 1, DESC: 2 } as const;

/** What asks for an event at the descriptor at `offset` of the lap with this wrap counter. */
export function eventAt(offset: number, wrap: 0 | 1): number {
  return offset | (wrap << 15) | (EventFlags.DESC << flagsShift);
}

/**
 * Whether a side that wrote `count` descriptors, and is at offset `now` of the lap with counter `wrap` after that, has
 * to notify a peer whose event suppression structure holds `event`. That is the peer's and may be anything; what is
 * reserved counts as a wish to be notified, so that nobody waits in vain.
 */
export function wantsEvent(
  event: number,
  eventIdx: boolean,
  now: number,
  wrap: 0 | 1,
  count: number,
  size: number,
): boolean {
  const flags = (event >>> flagsShift) & 3;
  if (flags === EventFlags.DISABLE) return false;
  if (flags !== EventFlags.DESC || !eventIdx) return true;
  const offset = event & 0x7fff;
  // As a distance back from `now`, which is behind the descriptor written last.
  const behind = now - offset + (((event >>> 15) & 1) === wrap ? 0 : size);
  return behind > 0 && behind <= count;
}

/** Typed arrays over the three parts of a packed virtqueue. */
export interface PackedRing {
  readonly words: Int32Array;
  /** One word each. */
  readonly driverEvent: Int32Array;
  readonly deviceEvent: Int32Array;
}

/**
 * Finds a packed virtqueue in guest memory.
 * @throws RingError when size or addresses cannot be one.
 */
export function locatePackedRing(memory: GuestMemory, queue: number, addresses: QueueAddresses): PackedRing {
  const { size } = addresses;
  checkPackedSize(size, queue);
  const layout = packedLayout(size);
  const part = (address: number, bytes: number, alignment: number) => {
    const { buffer, byteOffset } = locateRingArea(memory, queue, address, bytes, alignment, 4, true);
    return new Int32Array(buffer, byteOffset, bytes / 4);
  };
  return {
    words: part(addresses.descriptor, layout.descriptorBytes, layout.descriptorAlignment),
    driverEvent: part(addresses.driver, layout.driverBytes, layout.driverAlignment),
    deviceEvent: part(addresses.device, layout.deviceBytes, layout.deviceAlignment),
  };
}
