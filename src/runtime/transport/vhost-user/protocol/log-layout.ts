/** Bytes of guest memory that one bit of the dirty log stands for. */
export const logPageBytes = 4096;

/** Bytes that a log must have to cover memory that ends at this guest address. */
export function logBytes(end: number): number {
  return Math.ceil(Math.ceil(end / logPageBytes) / 8);
}
