import type { PatternModel } from "./device-model.js";
import type { NumberRange } from "./number-ranges.js";

/** The values that a tag has on one way through a request. */
export interface Tag {
  readonly field: string;
  /** Empty: any value that no match has an arm for. */
  readonly patterns: readonly PatternModel[];
  readonly ranges: readonly NumberRange[];
}

/** The tags with one added, or replaced by a narrower one. */
export function withTag(tags: readonly Tag[], tag: Tag): readonly Tag[] {
  return tags.some((other) => other.field === tag.field)
    ? tags.map((other) => (other.field === tag.field ? tag : other))
    : [...tags, tag];
}

/** A tag that has some of an arm's values. */
export function narrowedTag(
  field: string,
  ranges: readonly NumberRange[],
  arm: { readonly patterns: readonly PatternModel[] },
  known: Tag | undefined,
): Tag {
  return { field, ranges, patterns: patternsFor(ranges, [...(known?.patterns ?? []), ...arm.patterns]) };
}

/** A tag that has the values for which there is no arm. */
export function remainingTag(field: string, ranges: readonly NumberRange[], known: Tag | undefined): Tag {
  const pinned = known !== undefined && known.patterns.length > 0;
  return { field, ranges, patterns: pinned ? patternsFor(ranges, known.patterns) : [] };
}

function patternsFor(ranges: readonly NumberRange[], named: readonly PatternModel[]): readonly PatternModel[] {
  return ranges.map(({ low, high }) => {
    const wanted = { low: Number(low), high: Number(high) };
    const same = named.find((pattern) => pattern.low === wanted.low && pattern.high === wanted.high);
    return same ?? { name: null, ...wanted };
  });
}
