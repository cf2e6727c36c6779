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
