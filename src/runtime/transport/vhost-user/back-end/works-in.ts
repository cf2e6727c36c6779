import type { DeviceQueue, RingPart } from "../../../ring/index.js";
import type { MemoryRange } from "./shared-regions.js";

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
