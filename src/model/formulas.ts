import type { CallExpression, Expression, Name, PathExpression } from "../language/syntax-tree.js";
import type { Formula } from "./device-model.js";
import { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Span } from "../diagnostics/source.js";
import { asCondition, binaryFormula, callFormula, conditionalFormula, unaryFormula } from "./formula-building.js";
import { applyBinary, constantOf, formulaFunctions, isFormulaFunction, numberFormula } from "./formula-values.js";
import { memberNamesOf, reportUnknown, reportWrongKind, type Facts, type TypedFormula } from "./facts.js";
import { findConfigField } from "./config-fields.js";
import {
  featureNamesIn,
  findFeature,
  findMembers,
  findTypes,
  findValue,
  kindText,
  memberOf,
  typeNamesIn,
  valueNamesIn,
  type EnumSymbol,
  type FeatureSymbol,
  type MemberSymbol,
  type Scope,
} from "./symbols.js";
import { sizeOfType } from "./type-sizes.js";

/** A field that a formula mentions. */
export interface FieldAnswer {
  /** Undefined: the field is broken, and has been reported. */
  readonly formula: Formula | undefined;
  /** Whose members may stand beside it. */
  readonly enum: EnumSymbol | null;
}

/** What names mean where a formula stands. */
export interface FormulaEnvironment {
  readonly facts: Facts;
  readonly scope: Scope;
  /** Looks a field up by all of its path; undefined if there is none that begins like this. */
  readonly field?: (path: readonly Name[]) => FieldAnswer | undefined;
  /** Names of fields, for "did you mean". */
  readonly fieldNames?: () => Iterable<string>;
  readonly parameters?: ReadonlySet<string>;
  /** Features mean what was negotiated, whatever is implied. */
  readonly literal?: boolean;
  /** `k` is the position in an array of queues. */
  readonly index?: boolean;
  /** Whose members may be named without more ado: the subject of a match, the type of a default. */
  readonly expected?: EnumSymbol | null;
}

interface Inside extends FormulaEnvironment {
  readonly depth: number;
  /** Values of a macro's parameters. */
  readonly macroValues?: ReadonlyMap<string, TypedFormula>;
}

const deepest = 400;
const heaviest = 2000;
const broken: TypedFormula = { formula: { op: "number", value: 0 }, kind: "broken", weight: 1 };

/** Checks an expression that gives a number. Undefined if it is broken. */
export function compileNumber(expression: Expression, environment: FormulaEnvironment): Formula | undefined {
  const typed = numberOf(expression, { ...environment, depth: 0 });
  return typed.kind === "broken" ? undefined : typed.formula;
}

/** Checks an expression that gives yes or no; a number means "not zero". Undefined if it is broken. */
export function compileCondition(expression: Expression, environment: FormulaEnvironment): Formula | undefined {
  const typed = conditionOf(expression, { ...environment, depth: 0 });
  return typed.kind === "broken" ? undefined : typed.formula;
}

/** Checks an expression that may give either. */
export function compileFormula(expression: Expression, environment: FormulaEnvironment): TypedFormula {
  return compile(expression, { ...environment, depth: 0 });
}

/** The value of an expression that must be constant. Undefined if it is not, or broken. */
export function compileConstant(expression: Expression, environment: FormulaEnvironment): bigint | undefined {
  const formula = compileNumber(expression, environment);
  if (formula === undefined) return undefined;
  const value = constantOf(formula);
  if (value !== null) return value;
  environment.facts.bag.report("not-constant", expression.span, { found: sourceText(expression.span) });
  return undefined;
}

/** The enum whose values an expression has: a field with a type of its own. */
export function enumOf(expression: Expression, environment: FormulaEnvironment): EnumSymbol | null {
  switch (expression.kind) {
    case "path": {
      const [first, second] = expression.segments;
      if (first === undefined) return null;
      const found = environment.field?.(expression.segments);
      if (found) return found.enum;
      if (first.text === "config" && second) return findConfigField(environment, expression.segments)?.enum ?? null;
      return null;
    }
    case "binary":
      if (expression.operator !== "&") return null;
      return enumOf(expression.left, environment) ?? enumOf(expression.right, environment);
    default:
      return null;
  }
}

function sourceText(span: Span): string {
  const text = span.source.text.slice(span.start, span.end).replace(/\s+/g, " ");
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

function numberOf(expression: Expression, inside: Inside): TypedFormula {
  const typed = compile(expression, inside);
  if (typed.kind !== "condition") return typed;
  inside.facts.bag.report("wrong-operand", expression.span, {
    expected: "a number",
    found: `the condition ${sourceText(expression.span)}`,
  });
  return broken;
}

function conditionOf(expression: Expression, inside: Inside): TypedFormula {
  const typed = compile(expression, inside);
  if (typed.kind !== "number") return typed;
  return { formula: asCondition(typed.formula), kind: "condition", weight: typed.weight + 2 };
}

function compile(expression: Expression, outside: Inside): TypedFormula {
  const inside: Inside = { ...outside, depth: outside.depth + 1 };
  if (inside.depth > deepest) return tooLarge(inside, expression.span, "it is nested too deeply");
  switch (expression.kind) {
    case "missing":
      return broken;
    case "number":
      return { formula: numberFormula(expression.value), kind: "number", weight: 1 };
    case "text":
      inside.facts.bag.report("wrong-operand", expression.span, { expected: "a number", found: "a text" });
      return broken;
    case "path":
      return compilePath(expression, inside);
    case "unary": {
      const condition = expression.operator === "!";
      const operand = condition ? conditionOf(expression.operand, inside) : numberOf(expression.operand, inside);
      if (operand.kind === "broken") return broken;
      return made(unaryFormula(expression.operator, operand.formula), condition, [operand], expression.span, inside);
    }
    case "binary": {
      const { operator } = expression;
      if (operator === "||" || operator === "&&") {
        const left = conditionOf(expression.left, inside);
        const right = conditionOf(expression.right, inside);
        if (left.kind === "broken" || right.kind === "broken") return broken;
        return made(binaryFormula(operator, left.formula, right.formula), true, [left, right], expression.span, inside);
      }
      const expected = enumOf(expression.left, inside) ?? enumOf(expression.right, inside) ?? inside.expected ?? null;
      const sides: Inside = { ...inside, expected };
      const left = numberOf(expression.left, sides);
      const right = numberOf(expression.right, sides);
      if (left.kind === "broken" || right.kind === "broken") return broken;
      if (!checkConstants(operator, left.formula, right.formula, expression.right.span, expression.span, inside))
        return broken;
      const comparison = ["==", "!=", "<", "<=", ">", ">="].includes(operator);
      return made(
        binaryFormula(operator, left.formula, right.formula),
        comparison,
        [left, right],
        expression.span,
        inside,
      );
    }
    case "conditional": {
      const condition = conditionOf(expression.condition, inside);
      const whenTrue = compile(expression.whenTrue, inside);
      const whenFalse = compile(expression.whenFalse, inside);
      if (condition.kind === "broken" || whenTrue.kind === "broken" || whenFalse.kind === "broken") return broken;
      const both = whenTrue.kind === "condition" && whenFalse.kind === "condition";
      if (!both && whenTrue.kind !== whenFalse.kind) {
        const odd = whenTrue.kind === "condition" ? expression.whenTrue : expression.whenFalse;
        inside.facts.bag.report("wrong-operand", odd.span, {
          expected: "a number",
          found: `the condition ${sourceText(odd.span)}`,
        });
        return broken;
      }
      const formula = conditionalFormula(condition.formula, whenTrue.formula, whenFalse.formula);
      return made(formula, both, [condition, whenTrue, whenFalse], expression.span, inside);
    }
    case "sizeof":
      return compileSizeof(expression.type, inside);
    case "call":
      return compileCall(expression, inside);
  }
}

function made(
  formula: Formula,
  condition: boolean,
  parts: readonly TypedFormula[],
  span: Span,
  inside: Inside,
): TypedFormula {
  if (formula.op === "number") return { formula, kind: condition ? "condition" : "number", weight: 1 };
  const weight = parts.reduce((sum, part) => sum + part.weight, 1);
  if (weight > heaviest) return tooLarge(inside, span, `it has more than ${String(heaviest)} parts`);
  return { formula, kind: condition ? "condition" : "number", weight };
}

function tooLarge(inside: Inside, span: Span, reason: string): TypedFormula {
  inside.facts.bag.report("expression-too-large", span, { reason });
  return broken;
}

function checkConstants(
  operator: Exclude<Extract<Expression, { kind: "binary" }>["operator"], never>,
  left: Formula,
  right: Formula,
  rightSpan: Span,
  span: Span,
  inside: Inside,
): boolean {
  const rightValue = constantOf(right);
  if (rightValue === null) return true;
  if ((operator === "/" || operator === "%") && rightValue === 0n) {
    inside.facts.bag.report("division-by-zero", rightSpan, {});
    return false;
  }
  const leftValue = constantOf(left);
  const shift = operator === "<<" || operator === ">>";
  if (shift && (rightValue < 0n || rightValue > 128n)) {
    inside.facts.bag.report("value-out-of-range", rightSpan, {
      what: "the shift",
      value: rightValue,
      low: 0,
      high: 128,
    });
    return false;
  }
  if (leftValue !== null && applyBinary(operator, leftValue, rightValue) === null) {
    tooLarge(inside, span, "its value is beyond 2^128");
    return false;
  }
  return true;
}

function compilePath(expression: PathExpression, inside: Inside): TypedFormula {
  const { segments } = expression;
  const [first, second] = segments;
  if (first === undefined || first.text === "") return broken;
  if (second === undefined) return compileName(first, segments, inside);
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

function compileName(name: Name, segments: readonly Name[], inside: Inside): TypedFormula {
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
  if (feature) return featureFormula(feature, inside);
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

/** A feature that was negotiated, or that counts as such. */
function featureFormula(feature: FeatureSymbol, inside: Inside): TypedFormula {
  const negotiated: TypedFormula = {
    formula: { op: "feature", feature: feature.name },
    kind: "condition",
    weight: 1,
  };
  const implied = feature.declaration.clauses.find(({ word }) => word === "implied");
  if (implied?.word !== "implied" || inside.literal === true) return negotiated;
  const { facts } = inside;
  // What is wrong with it is said where the feature is declared.
  const quiet: Facts = { ...facts, bag: new DiagnosticBag() };
  const also = conditionOf(implied.expression, {
    facts: quiet,
    scope: feature.scope,
    depth: inside.depth,
    literal: true,
  });
  if (also.kind === "broken") return negotiated;
  return {
    formula: binaryFormula("||", negotiated.formula, also.formula),
    kind: "condition",
    weight: negotiated.weight + also.weight + 1,
  };
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

function compileSizeof(name: Name, inside: Inside): TypedFormula {
  const size = sizeOfType(name, inside.scope, inside.facts);
  if (size === undefined) return broken;
  if (size !== null) return { formula: numberFormula(BigInt(size)), kind: "number", weight: 1 };
  inside.facts.bag.report("varying-size", name.span, { name: name.text, where: "`sizeof`" });
  return broken;
}

function compileCall(expression: CallExpression, inside: Inside): TypedFormula {
  const { callee } = expression;
  const macro = findValue(inside.scope, callee.text);
  // With a wrong number of them, nobody knows what each argument was meant to be.
  if (macro?.kind === "macro" && macro.declaration.parameters.length !== expression.arguments.length) {
    return wrongCount(callee, String(macro.declaration.parameters.length), expression.arguments.length, inside);
  }
  const values = expression.arguments.map((argument) => numberOf(argument, inside));
  if (macro?.kind === "macro") {
    const { parameters } = macro.declaration;
    if (inside.facts.endlessMacros.has(macro) || values.some((value) => value.kind === "broken")) return broken;
    const macroValues = new Map(parameters.map((parameter, index) => [parameter.text, values[index] ?? broken]));
    // The body sees its parameters and what the file declares, not the fields of whoever uses it.
    const { facts, depth } = inside;
    return compile(macro.declaration.value, { facts, depth: depth + 40, scope: macro.scope, macroValues });
  }
  if (isFormulaFunction(callee.text)) {
    const { least, most, condition } = formulaFunctions[callee.text];
    if (values.length < least || values.length > most) {
      return wrongCount(
        callee,
        least === most ? String(least) : `${String(least)} to ${String(most)}`,
        values.length,
        inside,
      );
    }
    if (values.some((value) => value.kind === "broken")) return broken;
    const formula = callFormula(
      callee.text,
      values.map((value) => value.formula),
    );
    return made(formula, condition, values, expression.span, inside);
  }
  if (macro) {
    reportWrongKind(inside.facts, inside.scope, callee, { expected: "a function", found: kindText(macro) });
    return broken;
  }
  reportUnknown(inside.facts, inside.scope, "function", callee, () => [
    ...Object.keys(formulaFunctions),
    ...valueNamesIn(inside.scope),
    ...typeNamesIn(inside.scope),
  ]);
  return broken;
}

function wrongCount(callee: Name, expected: string, given: number, inside: Inside): TypedFormula {
  inside.facts.bag.report("wrong-argument-count", callee.span, { name: callee.text, expected, given });
  return broken;
}
