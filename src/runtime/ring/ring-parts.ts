import type { QueueAddresses } from "./queue-types.js";

/** A part of a ring in memory. */
export interface RingPart {
  readonly start: number;
  /** In bytes. */
  readonly size: number;
  /** The device writes to it. */
  readonly isWritten: boolean;
}

/** The three parts of a ring, whatever kind of addresses these are. */
export function ringParts({ size, descriptor, driver, device }: QueueAddresses, isPacked: boolean): RingPart[] {
  return [
    { start: descriptor, size: 16 * size, isWritten: isPacked },
    { start: driver, size: isPacked ? 4 : 6 + 2 * size, isWritten: false },
    { start: device, size: isPacked ? 4 : 6 + 8 * size, isWritten: true },
  ];
}
