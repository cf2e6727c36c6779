import type { DeviceQueue, QueueAddresses } from "../../../ring/index.js";
import type { MemoryRange } from "./shared-regions.js";

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

/** The ring, or a request in flight, has part of one of these ranges. All addresses are of one kind. */
export function worksIn(
  queue: Pick<DeviceQueue, "inFlight">,
  parts: readonly RingPart[],
  ranges: readonly MemoryRange[],
): boolean {
  const isIn = (start: number, size: number): boolean =>
    ranges.some((range) => start < range.end && start + size > range.start);
  return (
    parts.some(({ start, size }) => isIn(start, size)) ||
    queue.inFlight().some(({ segments }) => segments?.some(({ address, length }) => isIn(address, length)))
  );
}
