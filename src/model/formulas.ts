import { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Span } from "../diagnostics/source.js";
import type { CallExpression, Expression, Name, PathExpression } from "../language/syntax-tree.js";
import { findConfigField } from "./config-fields.js";
import type { Formula } from "./device-model.js";
import { reportUnknown, reportWrongKind, type Facts, type TypedFormula } from "./facts.js";
import { asCondition, binaryFormula, callFormula, conditionalFormula, unaryFormula } from "./formula-building.js";
import { broken, type FormulaEnvironment, type Inside } from "./formula-environment.js";
import { meaningOf } from "./formula-names.js";
import { applyBinary, constantOf, formulaFunctions, isFormulaFunction, numberFormula } from "./formula-values.js";
import { findValue, kindText, typeNamesIn, valueNamesIn, type EnumSymbol, type FeatureSymbol } from "./symbols.js";
import { sizeOfType } from "./type-sizes.js";

const deepest = 400;
const heaviest = 2000;

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
  operator: Extract<Expression, { kind: "binary" }>["operator"],
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
  const meaning = meaningOf(expression, inside);
  return meaning.kind === "feature" ? featureFormula(meaning, inside) : meaning;
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
