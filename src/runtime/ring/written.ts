import type { DeviceChain } from "./queue-types.js";

/** What a used entry says was written: at most what there was room for, and what 32 bits can say. */
export function clampWritten(written: number, capacity: number): number {
  if (!(written > 0)) return 0;
  if (written > capacity) return capacity > 0xffff_ffff ? 0xffff_ffff : capacity;
  return written > 0xffff_ffff ? 0xffff_ffff : written;
}

/**
 * The parts of a chain in flight that the device may have written, in guest-physical memory: they end with the furthest byte that
 * it wrote, or says it has written.
 * @param written bytes, as it is about to complete the chain with
 */
export function forEachWritten(
  chain: DeviceChain,
  written: number,
  tell: (address: number, length: number) => void,
): void {
  let left = Math.max(written, chain.writable.written);
  for (const { address, length, writable } of chain.locations()) {
    if (!writable) continue;
    if (left <= 0) return;
    tell(address, Math.min(length, left));
    left -= length;
  }
}
