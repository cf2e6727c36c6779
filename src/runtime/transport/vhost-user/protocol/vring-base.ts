import type { QueuePosition } from "../../../ring/index.js";

/** A position as GET_VRING_BASE says it: of a split ring the next available entry, of a packed one four things. */
export function baseOf(position: QueuePosition, isPacked: boolean): number {
  if (!isPacked) return position.available;
  const available = position.available | (position.availableWrap << 15);
  const used = position.used | (position.usedWrap << 15);
  return (available | (used << 16)) >>> 0;
}

/** The position that a number of SET_VRING_BASE means; of a split ring, `used` is what the used ring says. */
export function positionOf(base: number, isPacked: boolean, used: number): QueuePosition {
  if (!isPacked) return { available: base & 0xffff, used, availableWrap: 1, usedWrap: 1 };
  return {
    available: base & 0x7fff,
    availableWrap: ((base >>> 15) & 1) === 1 ? 1 : 0,
    used: (base >>> 16) & 0x7fff,
    usedWrap: base >>> 31 === 1 ? 1 : 0,
  };
}
