import type { Span } from "../diagnostics/source.js";
import type { Expression, MatchArm, RequestPart } from "../language/syntax-tree.js";
import { reportUnknown, type Facts } from "./facts.js";
import { fieldsOf, findPath, type FoundField } from "./field-paths.js";
import { environmentOf, newFieldTable } from "./field-table.js";
import { largestValue } from "./field-types.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import type { CheckedArm } from "./match-arms.js";
import { intersection, type NumberRange, without } from "./number-ranges.js";
import type { RequestPath } from "./request-path.js";
import { narrowedTag, remainingTag, type Tag } from "./request-tags.js";
import type { RequestSymbol } from "./symbols.js";

/** One walk through all that a request can be. */
export interface Walk {
  readonly facts: Facts;
  readonly request: RequestSymbol;
  readonly subjects: Map<string, Span>;
  /** Arms that were met, and whether any path can take them. */
  readonly arms: Map<MatchArm<RequestPart>, { reached: boolean; readonly subject: string }>;
  tooMany: boolean;
}

/** The field that a match looks at. */
export interface Subject {
  readonly field: string;
  readonly writable: boolean;
  readonly highest: bigint;
  readonly environment: FormulaEnvironment;
}

/** What formulas between the parts see: everything so far. */
export function environmentAt(path: RequestPath, walk: Walk): FormulaEnvironment {
  const { facts, request } = walk;
  const before = newFieldTable({ facts, scope: request.scope, members: path.readable });
  const members = path.replies[0]?.members ?? [];
  return environmentOf(newFieldTable({ facts, scope: request.scope, members, before }), "rule");
}

/** @returns undefined if the expression cannot tell variants apart; that has been reported. */
export function subjectOf(expression: Expression, path: RequestPath, walk: Walk): Subject | undefined {
  const { facts, request } = walk;
  if (expression.kind === "missing") return undefined;
  const environment = environmentAt(path, walk);
  const unusable = (reason: string): undefined => {
    const name = expression.span.source.text.slice(expression.span.start, expression.span.end);
    facts.bag.report("unusable-tag", expression.span, { name, reason });
    return undefined;
  };
  if (expression.kind !== "path") {
    unusable("only a field can tell the variants of a request apart");
    return;
  }
  const [first] = expression.segments;
  if (!first) return undefined;
  const writableMembers = path.replies[0]?.members ?? [];
  // As for other formulas: what stands nearer goes first, which behind a writable part is what the device writes.
  let found: FoundField | "broken" | undefined = findPath(writableMembers, expression.segments, request.scope, facts);
  const writable = found !== undefined;
  found ??= findPath(path.readable, expression.segments, request.scope, facts);
  if (found === undefined) {
    reportUnknown(facts, request.scope, "field", first, function* () {
      yield* fieldsOf(writableMembers).keys();
      yield* fieldsOf(path.readable).keys();
    });
    return undefined;
  }
  if (found === "broken" || (found.type.kind === "broken" && found.member.kind === "field")) return undefined;
  if (found.member.kind !== "field" || found.type.kind !== "scalar" || found.member.dimensions.length > 0) {
    unusable("it is not a number");
    return;
  }
  const field = expression.segments.map((segment) => segment.text).join(".");
  if (!writable && !walk.subjects.has(field)) walk.subjects.set(field, expression.span);
  return { field, writable, highest: largestValue(found.type.scalar), environment };
}

/** The arms that the values which are still possible lead to, and the values for which there is no arm. */
export function takenArms(
  arms: readonly CheckedArm<RequestPart>[],
  subject: Subject,
  known: Tag | undefined,
  walk: Walk,
): {
  readonly taken: readonly { readonly arm: CheckedArm<RequestPart>; readonly tag: Tag }[];
  readonly left: readonly NumberRange[];
} {
  const possible = known?.ranges ?? [{ low: 0n, high: subject.highest }];
  const left = without(
    possible,
    arms.flatMap((arm) => arm.ranges),
  );
  const taken = arms.flatMap((arm) => {
    const ranges = arm.isDefault ? left : intersection(possible, arm.ranges);
    const noted = walk.arms.get(arm.arm);
    if (noted && (ranges.length > 0 || arm.isDefault)) noted.reached = true;
    if (ranges.length === 0) return [];
    const tag = arm.isDefault
      ? remainingTag(subject.field, left, known)
      : narrowedTag(subject.field, ranges, arm, known);
    return [{ arm, tag }];
  });
  return { taken, left };
}
