import type { Span } from "../diagnostics/source.js";
import type { Expression, MatchArm, Pattern } from "../language/syntax-tree.js";
import type { PatternModel } from "./device-model.js";
import { modelNumber } from "./formula-values.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileConstant, enumOf } from "./formulas.js";
import { overlap, type NumberRange } from "./number-ranges.js";
import { joinedPascalCase } from "./spec-names.js";
import { findTypes, memberOf, type EnumSymbol, type MemberSymbol } from "./symbols.js";

/** An arm with the values that lead to it. */
export interface CheckedArm<Body> {
  readonly arm: MatchArm<Body>;
  /** Empty for the default. */
  readonly patterns: readonly PatternModel[];
  readonly ranges: readonly NumberRange[];
  readonly isDefault: boolean;
}

/** Finds the values of all the arms; reports what is unknown, does not fit, or is matched twice. */
export function checkArms<Body>(
  subject: Expression,
  arms: readonly MatchArm<Body>[],
  environment: FormulaEnvironment,
  highest = BigInt(Number.MAX_SAFE_INTEGER),
): readonly CheckedArm<Body>[] {
  const { facts } = environment;
  const symbol = enumOf(subject, environment);
  const inPattern: FormulaEnvironment = { facts, scope: environment.scope, expected: symbol };
  const seen: Seen = { values: new Map(), ranges: [] };
  let firstDefault: Span | undefined;
  const checked: CheckedArm<Body>[] = [];
  for (const arm of arms) {
    const patterns: PatternModel[] = [];
    const ranges: NumberRange[] = [];
    let isDefault = false;
    for (const pattern of arm.patterns) {
      if (pattern.kind === "default-pattern") {
        isDefault = true;
        if (firstDefault) reportTwice(pattern.span, firstDefault, environment);
        else firstDefault = pattern.span;
        continue;
      }
      const found = patternRange(pattern, symbol, inPattern, highest);
      if (!found) continue;
      const earlier = findOverlap(seen, found.range);
      if (earlier) reportTwice(pattern.span, earlier, environment);
      if (found.range.low === found.range.high) seen.values.set(found.range.low, pattern.span);
      else seen.ranges.push({ ...found.range, span: pattern.span });
      ranges.push(found.range);
      patterns.push(found.model);
    }
    // An arm of which nothing could be understood must not pass for the default.
    if (!isDefault && ranges.length === 0) continue;
    checked.push({ arm, patterns: isDefault ? [] : patterns, ranges: isDefault ? [] : ranges, isDefault });
  }
  return checked;
}

/** Where values were matched; single ones by value, because there may be many. */
interface Seen {
  readonly values: Map<bigint, Span>;
  readonly ranges: (NumberRange & { readonly span: Span })[];
}

function findOverlap(seen: Seen, range: NumberRange): Span | undefined {
  const inRange = seen.ranges.find((other) => overlap(other, range))?.span;
  if (inRange) return inRange;
  if (range.low === range.high) return seen.values.get(range.low);
  for (const [value, span] of seen.values) if (range.low <= value && value <= range.high) return span;
  return undefined;
}

function reportTwice(span: Span, first: Span, environment: FormulaEnvironment): void {
  const pattern = span.source.text.slice(span.start, span.end);
  const labels = [{ span: first, message: "matched here first" }];
  environment.facts.bag.report("duplicate-arm", span, { pattern }, { labels });
}

function patternRange(
  pattern: Exclude<Pattern, { kind: "default-pattern" }>,
  symbol: EnumSymbol | null,
  environment: FormulaEnvironment,
  highest: bigint,
): { readonly range: NumberRange; readonly model: PatternModel } | undefined {
  const { facts } = environment;
  if (pattern.kind === "range-pattern") {
    const low = compileConstant(pattern.low, environment);
    const high = compileConstant(pattern.high, environment);
    if (low === undefined || high === undefined || !fits(low, pattern.low, highest, environment)) return undefined;
    if (!fits(high, pattern.high, highest, environment)) return undefined;
    if (high < low) {
      facts.bag.report("range-backwards", pattern.span, { low, high });
      return undefined;
    }
    return { range: { low, high }, model: { name: null, low: Number(low), high: Number(high) } };
  }
  const member = namedMember(pattern.value, symbol, environment);
  const low = compileConstant(pattern.value, environment);
  if (low === undefined || !fits(low, pattern.value, highest, environment)) return undefined;
  const known = member ?? symbol?.members.find((other) => facts.members.get(other)?.value === low);
  const last = known && facts.members.get(known)?.last;
  const high = member && last !== undefined && last !== null ? last : low;
  return { range: { low, high }, model: { name: known?.name ?? null, low: Number(low), high: Number(high) } };
}

/** `TABLE_SET` of the subject's enum, or `MacCommand.TABLE_SET` of any. */
function namedMember(
  expression: Expression,
  symbol: EnumSymbol | null,
  environment: FormulaEnvironment,
): MemberSymbol | undefined {
  if (expression.kind !== "path") return undefined;
  const [first, second] = expression.segments;
  const name = second ?? first;
  if (!name || !first || expression.segments.length > 2) return undefined;
  const [type] = second ? findTypes(environment.scope, first.text) : [];
  const of = type?.kind === "enum" ? type : symbol;
  return of ? memberOf(of, name.text) : undefined;
}

function fits(value: bigint, at: Expression, highest: bigint, environment: FormulaEnvironment): boolean {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  const high = highest < limit ? highest : limit;
  if (value >= 0n && value <= high) return true;
  environment.facts.bag.report("value-out-of-range", at.span, {
    what: "the value",
    value: modelNumber(value),
    low: 0,
    high,
  });
  return false;
}

/** A name for what an arm leads to, from the values that it is for. */
export function armName(arm: Pick<CheckedArm<unknown>, "patterns" | "isDefault">): string {
  if (arm.isDefault) return "Other";
  return joinedPascalCase(
    arm.patterns.map(
      ({ name, low, high }) => name ?? (low === high ? `Value${String(low)}` : `Value${String(low)}To${String(high)}`),
    ),
  );
}
