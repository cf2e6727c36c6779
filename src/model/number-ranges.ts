/** An inclusive range of whole numbers. */
export interface NumberRange {
  readonly low: bigint;
  readonly high: bigint;
}

export function overlap(a: NumberRange, b: NumberRange): boolean {
  return a.low <= b.high && b.low <= a.high;
}

/** What two sets of ranges have in common. */
export function intersection(a: readonly NumberRange[], b: readonly NumberRange[]): NumberRange[] {
  const common: NumberRange[] = [];
  for (const left of a) {
    for (const right of b) {
      if (!overlap(left, right)) continue;
      common.push({
        low: left.low > right.low ? left.low : right.low,
        high: left.high < right.high ? left.high : right.high,
      });
    }
  }
  return common;
}

/** What is left of a set of ranges without another one. */
export function without(from: readonly NumberRange[], removed: readonly NumberRange[]): NumberRange[] {
  let left = [...from];
  for (const hole of removed) {
    const next: NumberRange[] = [];
    for (const range of left) {
      if (!overlap(range, hole)) {
        next.push(range);
        continue;
      }
      if (range.low < hole.low) next.push({ low: range.low, high: hole.low - 1n });
      if (range.high > hole.high) next.push({ low: hole.high + 1n, high: range.high });
    }
    left = next;
  }
  return left;
}
