import type { AnswerRule, PathExpression } from "../language/syntax-tree.js";
import type { Formula, StructModel, VariantModel } from "./device-model.js";
import { externalFields } from "./external-fields.js";
import { reportUnknown, type Facts } from "./facts.js";
import { scalarSize } from "./field-types.js";
import { replaceLeaves } from "./formula-building.js";
import { constantOf } from "./formula-values.js";
import { compileNumber } from "./formulas.js";
import { failureEnvironment, hasField, type FoundMessage, type MessageContext } from "./protocol-messages.js";
import {
  certainAnswer,
  findInAnswer,
  findInRequest,
  type AnswerPlace,
  type NoPlace,
  type StructTypes,
} from "./request-failures.js";
import { findTypes, type EnumSymbol, type Scope } from "./symbols.js";

/** What a `failed` rule is checked with. */
export interface FailureRuleContext extends MessageContext {
  readonly found: FoundMessage;
  /** What was set in each kind of each request so far. */
  readonly given: GivenFailures;
  /** Something else is wrong already, and has been reported: that a place is not found may come from that. */
  readonly isBroken: boolean;
}

/** By `request kind`, then by field. */
export type GivenFailures = Map<string, Map<string, { readonly rule: AnswerRule; readonly place: AnswerPlace }>>;

interface Placed {
  readonly variant: VariantModel;
  readonly place: AnswerPlace;
}

/**
 * The value of `failed field = value`, in all the kinds of the request that are meant. Undefined if the rule is broken, which
 * is reported.
 */
export function failureValue(
  rule: AnswerRule & { readonly target: PathExpression },
  kinds: readonly VariantModel[],
  context: FailureRuleContext,
): Formula | undefined {
  const { facts, found, scope } = context;
  const { symbol } = found;
  if (symbol.kind !== "request") {
    const values = { name: symbol.name, expected: "a request", found: "a message without an answer" };
    facts.bag.report("wrong-kind", rule.span, values);
    return undefined;
  }
  const types = typesOf(context);
  const placed = places(rule.target, kinds, context, types);
  const [first] = placed;
  if (first === undefined || rule.value === undefined) return undefined;
  if (!isNew(rule, placed, context)) return undefined;
  const expected = first.place.enum === null ? null : enumSymbol(first.place.enum, scope);
  const value = compileNumber(rule.value, { ...failureEnvironment(symbol, context), expected });
  if (value === undefined) return undefined;
  const constant = constantOf(value);
  const isRight = placed.every(({ variant, place }) =>
    constant === null ? isKnown(value, rule, variant, context, types) : fits(constant, rule, place, context),
  );
  return isRight ? value : undefined;
}

/** Where the field is in each of the kinds that have it. None if something is wrong, which is reported. */
function places(
  target: PathExpression,
  kinds: readonly VariantModel[],
  context: FailureRuleContext,
  types: StructTypes,
): readonly Placed[] {
  const { facts, found, requests, isBroken } = context;
  const all = requests.find(({ name }) => name === found.symbol.name)?.variants ?? [];
  const path = target.segments.map(({ text }) => text);
  const name = path.join(".");
  const placed: Placed[] = [];
  for (const variant of kinds.length > 0 ? kinds : all) {
    const place = findInAnswer(path, variant, types);
    if (place !== undefined && "reason" in place) {
      if (!isBroken) reportNoPlace(place, target, variant, context);
      return [];
    }
    if (place !== undefined) placed.push({ variant, place });
    else if (kinds.length > 0 && isWritten(path, all)) {
      facts.bag.report("failure-not-written", target.span, { name, what: variant.name });
      return [];
    }
  }
  const [first] = target.segments;
  if (placed.length > 0 || first === undefined) return placed;
  if (all.some(({ readable }) => readable.some((field) => field.name === path[0]))) {
    facts.bag.report("failure-not-written", target.span, { name, what: found.symbol.name });
  } else if (hasField(found.symbol, [first], ["writable", "readable"], context) && !isBroken) {
    facts.bag.report("failure-place", target.span, {
      name,
      kind: found.symbol.name,
      reason: "no answer is sure to have it",
    });
  }
  return [];
}

function reportNoPlace(
  { reason, unknown }: NoPlace,
  { segments, span }: PathExpression,
  variant: VariantModel,
  { facts, scope }: FailureRuleContext,
): void {
  const wrong = unknown && segments.findLast(({ text }) => text === unknown.name);
  if (wrong) {
    reportUnknown(facts, scope, "field", wrong, () => unknown.known);
    return;
  }
  const name = segments.map(({ text }) => text).join(".");
  facts.bag.report("failure-place", span, { name, kind: variant.name, reason });
}

function isWritten([first]: readonly string[], variants: readonly VariantModel[]): boolean {
  return variants.some((variant) => certainAnswer(variant).some(({ name }) => name === first));
}

/** A field has one value in a failure, and all that is set is together: at the start of the answer or at its end. */
function isNew(rule: AnswerRule, placed: readonly Placed[], { facts, given, found }: FailureRuleContext): boolean {
  const name = rule.target?.segments.map(({ text }) => text).join(".") ?? "";
  for (const { variant, place } of placed) {
    const key = `${found.symbol.name} ${variant.name}`;
    const others = given.get(key) ?? new Map<string, { readonly rule: AnswerRule; readonly place: AnswerPlace }>();
    const earlier = others.get(name);
    if (earlier !== undefined) {
      const labels = [{ span: earlier.rule.span, message: "it has a value here" }];
      facts.bag.report("duplicate-name", rule.span, { what: "failure value", name }, { labels });
      return false;
    }
    const all = [place, ...[...others.values()].map((other) => other.place)];
    if (!all.every(({ fromStart }) => fromStart !== null) && !all.every(({ fromEnd }) => fromEnd !== null)) {
      const reason = "one of the fields that are set is at the start of the answer, and one at its end";
      facts.bag.report("failure-place", rule.span, { name, kind: variant.name, reason });
      return false;
    }
    given.set(key, others.set(name, { rule, place }));
  }
  return true;
}

function fits(value: bigint, rule: AnswerRule, place: AnswerPlace, { facts, scope }: FailureRuleContext): boolean {
  const span = rule.value?.span ?? rule.span;
  const bits = BigInt(scalarSize(place.type) * 8);
  // Two's complement is as good as a number without a sign.
  const [low, high] = [-(1n << (bits - 1n)), (1n << bits) - 1n];
  const what = rule.target?.segments.map(({ text }) => text).join(".") ?? "";
  if (value < low || value > high) {
    facts.bag.report("value-out-of-range", span, { what, value, low, high });
    return false;
  }
  const declared = place.enum === null ? null : enumSymbol(place.enum, scope);
  if (declared === null || declared.declaration.open || isMember(value, declared, facts)) return true;
  facts.bag.report("failure-value", span, { value, enum: declared.name });
  return false;
}

function isMember(number: bigint, { members }: EnumSymbol, facts: Facts): boolean {
  return members.some((member) => {
    const known = facts.members.get(member);
    return known === undefined || (known.value <= number && number <= (known.last ?? known.value));
  });
}

/** Whether everything that the value is made of is a number at a known place of the request. */
function isKnown(
  value: Formula,
  rule: AnswerRule,
  variant: VariantModel,
  { facts }: FailureRuleContext,
  types: StructTypes,
): boolean {
  let wrong: { readonly name: string; readonly reason: string } | undefined;
  replaceLeaves(value, (leaf) => {
    if (leaf.op === "field") {
      const found = findInRequest(leaf.path, variant, types);
      if ("reason" in found) wrong ??= { name: leaf.path.join("."), reason: found.reason };
    } else if (leaf.op === "config") {
      wrong ??= { name: `config.${leaf.path.join(".")}`, reason: "it is no field of the request" };
    } else if (leaf.op === "feature") {
      wrong ??= { name: leaf.feature, reason: "it is no field of the request" };
    }
    return undefined;
  });
  if (wrong === undefined) return true;
  facts.bag.report("failure-source", rule.value?.span ?? rule.span, { ...wrong, kind: variant.name });
  return false;
}

function enumSymbol(name: string, scope: Scope): EnumSymbol | null {
  return findTypes(scope, name).find((symbol) => symbol.kind === "enum") ?? null;
}

/** The types that a scope sees. */
function typesOf({ facts, scope }: MessageContext): StructTypes {
  const structs = new Map<string, StructModel>();
  for (const from of [scope.parent, scope]) {
    if (from === null) continue;
    for (const [symbol, { model }] of facts.structs) if (symbol.scope === from) structs.set(model.name, model);
  }
  return {
    struct: (name) => structs.get(name),
    external: (name) => {
      const symbol = findTypes(scope, name).find((each) => each.kind === "external");
      return symbol && { size: facts.externals.get(symbol) ?? null, fields: externalFields(symbol, facts) };
    },
  };
}
