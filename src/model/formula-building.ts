import type { Formula, FormulaOperator } from "./device-model.js";
import {
  applyBinary,
  applyFunction,
  applyUnary,
  constantOf,
  numberFormula,
  type FormulaFunction,
} from "./formula-values.js";

/** Formulas put together, with what is constant worked out. */

const opposites: ReadonlyMap<FormulaOperator, FormulaOperator> = new Map([
  ["==", "!="],
  ["!=", "=="],
  ["<", ">="],
  [">=", "<"],
  [">", "<="],
  ["<=", ">"],
]);

export function notFormula(operand: Formula): Formula {
  const constant = constantOf(operand);
  if (constant !== null) return numberFormula(applyUnary("!", constant));
  if (operand.op === "unary" && operand.operator === "!" && isCondition(operand.operand)) return operand.operand;
  if (operand.op === "binary") {
    const opposite = opposites.get(operand.operator);
    if (opposite !== undefined) return { ...operand, operator: opposite };
  }
  return { op: "unary", operator: "!", operand };
}

export function unaryFormula(operator: "!" | "~" | "-", operand: Formula): Formula {
  if (operator === "!") return notFormula(operand);
  const constant = constantOf(operand);
  return constant === null ? { op: "unary", operator, operand } : numberFormula(applyUnary(operator, constant));
}

/** Null stands for "always". */
export function bothConditions(left: Formula | null, right: Formula | null): Formula | null {
  if (left === null) return right;
  if (right === null) return left;
  return binaryFormula("&&", left, right);
}

export function binaryFormula(operator: FormulaOperator, left: Formula, right: Formula): Formula {
  const leftValue = constantOf(left);
  const rightValue = constantOf(right);
  if (leftValue !== null && rightValue !== null) {
    const value = applyBinary(operator, leftValue, rightValue);
    if (value !== null) return numberFormula(value);
  }
  if (operator === "&&" || operator === "||") {
    // What decides nothing is left out: conditions only, so that the result stays a condition.
    const neutral = operator === "&&" ? 1n : 0n;
    if (leftValue !== null && isCondition(right))
      return (leftValue !== 0n ? 1n : 0n) === neutral ? right : numberFormula(1n - neutral);
    if (rightValue !== null && isCondition(left))
      return (rightValue !== 0n ? 1n : 0n) === neutral ? left : numberFormula(1n - neutral);
  }
  if ((operator === "+" || operator === "-") && rightValue === 0n) return left;
  if (operator === "+" && leftValue === 0n) return right;
  if (operator === "*" && rightValue === 1n) return left;
  if (operator === "*" && leftValue === 1n) return right;
  return { op: "binary", operator, left, right };
}

export function conditionalFormula(condition: Formula, whenTrue: Formula, whenFalse: Formula): Formula {
  const constant = constantOf(condition);
  if (constant === null) return { op: "conditional", condition, whenTrue, whenFalse };
  return constant !== 0n ? whenTrue : whenFalse;
}

export function callFormula(name: FormulaFunction, values: readonly Formula[]): Formula {
  const constants: bigint[] = [];
  for (const value of values) {
    const constant = constantOf(value);
    if (constant === null) return { op: "call", function: name, arguments: values };
    constants.push(constant);
  }
  return numberFormula(applyFunction(name, constants));
}

/** True if the formula gives yes or no, not a number. */
export function isCondition(formula: Formula): boolean {
  switch (formula.op) {
    case "feature":
      return true;
    case "unary":
      return formula.operator === "!";
    case "binary":
      switch (formula.operator) {
        case "||":
        case "&&":
        case "==":
        case "!=":
        case "<":
        case "<=":
        case ">":
        case ">=":
          return true;
        default:
          return false;
      }
    case "conditional":
      return isCondition(formula.whenTrue) && isCondition(formula.whenFalse);
    case "call":
      return formula.function === "is_power_of_two";
    case "number":
    case "config":
    case "field":
    case "parameter":
    case "index":
      return false;
  }
}

/** A number where yes or no is wanted: not zero. */
export function asCondition(formula: Formula): Formula {
  if (isCondition(formula)) return formula;
  const constant = constantOf(formula);
  if (constant !== null) return numberFormula(constant !== 0n ? 1n : 0n);
  return { op: "binary", operator: "!=", left: formula, right: numberFormula(0n) };
}

/** The same formula with some of its leaves replaced; what becomes constant is worked out. */
export function replaceLeaves(formula: Formula, replace: (leaf: Formula) => Formula | undefined): Formula {
  const inside = (part: Formula): Formula => replaceLeaves(part, replace);
  switch (formula.op) {
    case "number":
    case "feature":
    case "config":
    case "field":
    case "parameter":
    case "index":
      return replace(formula) ?? formula;
    case "unary":
      return unaryFormula(formula.operator, inside(formula.operand));
    case "binary":
      return binaryFormula(formula.operator, inside(formula.left), inside(formula.right));
    case "conditional":
      return conditionalFormula(inside(formula.condition), inside(formula.whenTrue), inside(formula.whenFalse));
    case "call":
      return callFormula(formula.function, formula.arguments.map(inside));
  }
}
