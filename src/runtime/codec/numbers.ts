/** For generated code: formulas of definitions use these. */

/** Is it 1, 2, 4, 8 ...? */
export function isPowerOfTwo(value: number | bigint): boolean {
  const wide = BigInt(value);
  return wide > 0n && (wide & (wide - 1n)) === 0n;
}

/** How many bits of a number are set. */
export function popcount(value: number | bigint): number {
  let count = 0;
  for (let rest = BigInt.asUintN(64, BigInt(value)); rest > 0n; rest &= rest - 1n) count++;
  return count;
}

/**
 * The bits of a signed number of `width` bits (two's complement) as an unsigned one. What does not fit becomes NaN, or for a
 * bigint -1n, which no writer accepts.
 */
export function unsignedBits(value: number, width: number): number;
export function unsignedBits(value: bigint, width: number): bigint;
export function unsignedBits(value: number | bigint, width: number): number | bigint {
  if (typeof value === "bigint") {
    return BigInt.asIntN(width, value) === value ? BigInt.asUintN(width, value) : -1n;
  }
  const limit = 2 ** (width - 1);
  if (!(value >= -limit && value < limit)) return NaN;
  return value < 0 ? value + 2 * limit : value;
}
