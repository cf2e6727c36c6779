/** What a used entry says was written: at most what there was room for, and what 32 bits can say. */
export function clampWritten(written: number, capacity: number): number {
  if (!(written > 0)) return 0;
  if (written > capacity) return capacity > 0xffff_ffff ? 0xffff_ffff : capacity;
  return written > 0xffff_ffff ? 0xffff_ffff : written;
}
