import type { Name, PathExpression } from "../language/syntax-tree.js";
import { findConfigField } from "./config-fields.js";
import type { Formula } from "./device-model.js";
import { memberNamesOf, reportUnknown, type TypedFormula } from "./facts.js";
import { broken, type Inside } from "./formula-environment.js";
import { numberFormula } from "./formula-values.js";
import {
  featureNamesIn,
  findFeature,
  findMembers,
  findTypes,
  findValue,
  memberOf,
  valueNamesIn,
  type EnumSymbol,
  type FeatureSymbol,
  type MemberSymbol,
} from "./symbols.js";

/**
 * What a name or a path means where it stands: its value, or the feature that it names. What there is not, or more than once,
 * is reported.
 */
export function meaningOf(expression: PathExpression, inside: Inside): TypedFormula | FeatureSymbol {
  const { segments } = expression;
  const [first, second] = segments;
  if (first === undefined || first.text === "") return broken;
  if (second === undefined) return meaningOfName(first, segments, inside);
  const field = inside.field?.(segments);
  if (field) return answered(field.formula);
  if (first.text === "config") {
    const found = findConfigField(inside, segments);
    return answered(found?.formula);
  }
  const [type] = findTypes(inside.scope, first.text);
  if (type?.kind === "enum" && segments.length === 2) return memberValue(second, type, inside);
  reportUnknown(inside.facts, inside.scope, "field", first, () => inside.fieldNames?.() ?? ["config"]);
  return broken;
}

function answered(formula: Formula | undefined): TypedFormula {
  return formula === undefined ? broken : { formula, kind: "number", weight: 1 };
}

function meaningOfName(name: Name, segments: readonly Name[], inside: Inside): TypedFormula | FeatureSymbol {
  const { text } = name;
  const macroValue = inside.macroValues?.get(text);
  if (macroValue) return macroValue;
  if (text === "k" && inside.index === true) return { formula: { op: "index" }, kind: "number", weight: 1 };
  if (inside.parameters?.has(text) === true) {
    return { formula: { op: "parameter", name: text }, kind: "number", weight: 1 };
  }
  if (inside.expected) {
    const member = memberOf(inside.expected, text);
    if (member) return valueOf(member, inside);
  }
  const field = inside.field?.(segments);
  if (field) return answered(field.formula);
  const feature = findFeature(inside.scope, text);
  if (feature) return feature;
  const value = findValue(inside.scope, text);
  if (value) {
    switch (value.kind) {
      case "constant": {
        const constant = inside.facts.constants.get(value);
        return constant === undefined ? broken : { formula: numberFormula(constant), kind: "number", weight: 1 };
      }
      case "let":
        return inside.facts.lets.get(value) ?? broken;
      case "macro":
        inside.facts.bag.report("wrong-argument-count", name.span, {
          name: text,
          expected: value.declaration.parameters.length,
          given: 0,
        });
        return broken;
    }
  }
  const members = findMembers(inside.scope, text);
  const [only] = members;
  if (only) {
    const exact = members.filter(({ member }) => member.specName === text);
    const chosen = exact.length > 0 ? exact : members;
    const values = new Set(chosen.map(({ member }) => inside.facts.members.get(member)?.value));
    const [one, other] = chosen;
    if (values.size > 1 && one && other) {
      inside.facts.bag.report("ambiguous-name", name.span, {
        name: text,
        first: one.member.specName,
        second: other.member.specName,
      });
      return broken;
    }
    return valueOf((one ?? only).member, inside);
  }
  const { what, candidates } = wanted(inside);
  reportUnknown(inside.facts, inside.scope, what, name, candidates);
  return broken;
}

/** What an unknown name would have had to be, as far as the place tells. */
function wanted(inside: Inside): { what: string; candidates: () => Iterable<string> } {
  const candidates = function* (): Generator<string> {
    if (inside.expected) yield* memberNamesOf(inside.expected);
    if (inside.fieldNames) yield* inside.fieldNames();
    if (inside.parameters) yield* inside.parameters;
    yield* featureNamesIn(inside.scope);
    yield* valueNamesIn(inside.scope);
  };
  return { what: inside.expected ? `member of ${inside.expected.name}` : "name", candidates };
}

function memberValue(name: Name, symbol: EnumSymbol, inside: Inside): TypedFormula {
  const member = memberOf(symbol, name.text);
  if (member) return valueOf(member, inside);
  reportUnknown(inside.facts, inside.scope, `member of ${symbol.name}`, name, () => memberNamesOf(symbol));
  return broken;
}

function valueOf(member: MemberSymbol, inside: Inside): TypedFormula {
  const value = inside.facts.members.get(member);
  return value ? { formula: numberFormula(value.value), kind: "number", weight: 1 } : broken;
}
