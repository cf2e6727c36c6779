import type { Formula, FormulaOperator } from "./device-model.js";

/** A number as the model holds it: a decimal string if it is beyond what a JavaScript number can hold exactly. */
export function modelNumber(value: bigint): number | string {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value.toString();
}

export function numberFormula(value: bigint): Formula {
  return { op: "number", value: modelNumber(value) };
}

/** The value of a formula that is a plain number. */
export function constantOf(formula: Formula): bigint | null {
  return formula.op === "number" ? BigInt(formula.value) : null;
}

/** Values beyond this (2^128) are refused: no field holds them. */
const largest = 1n << 128n;

/** Conditions count as 1 and 0. Null for a division by zero, a senseless shift or a result out of all bounds. */
export function applyBinary(operator: FormulaOperator, left: bigint, right: bigint): bigint | null {
  const result = rawBinary(operator, left, right);
  return result !== null && result <= largest && result >= -largest ? result : null;
}

function rawBinary(operator: FormulaOperator, left: bigint, right: bigint): bigint | null {
  switch (operator) {
    case "||":
      return truth(left !== 0n || right !== 0n);
    case "&&":
      return truth(left !== 0n && right !== 0n);
    case "|":
      return left | right;
    case "^":
      return left ^ right;
    case "&":
      return left & right;
    case "==":
      return truth(left === right);
    case "!=":
      return truth(left !== right);
    case "<":
      return truth(left < right);
    case "<=":
      return truth(left <= right);
    case ">":
      return truth(left > right);
    case ">=":
      return truth(left >= right);
    case "<<":
      return right < 0n || right > 128n ? null : left << right;
    case ">>":
      return right < 0n || right > 128n ? null : left >> right;
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return right === 0n ? null : left / right;
    case "%":
      return right === 0n ? null : left % right;
  }
}

export function applyUnary(operator: "!" | "~" | "-", operand: bigint): bigint {
  switch (operator) {
    case "!":
      return truth(operand === 0n);
    case "~":
      return ~operand;
    case "-":
      return -operand;
  }
}

export type FormulaFunction = "min" | "max" | "popcount" | "is_power_of_two";

/** How many values each function takes, and whether it gives a number or a condition. */
export const formulaFunctions: Readonly<Record<FormulaFunction, { least: number; most: number; condition: boolean }>> =
  {
    min: { least: 2, most: 16, condition: false },
    max: { least: 2, most: 16, condition: false },
    popcount: { least: 1, most: 1, condition: false },
    is_power_of_two: { least: 1, most: 1, condition: true },
  };

export function isFormulaFunction(name: string): name is FormulaFunction {
  return Object.hasOwn(formulaFunctions, name);
}

export function applyFunction(name: FormulaFunction, values: readonly bigint[]): bigint {
  const first = values[0] ?? 0n;
  switch (name) {
    case "min":
      return values.reduce((least, value) => (value < least ? value : least), first);
    case "max":
      return values.reduce((most, value) => (value > most ? value : most), first);
    case "popcount": {
      let count = 0n;
      for (let left = first < 0n ? 0n : first; left > 0n; left >>= 1n) count += left & 1n;
      return count;
    }
    case "is_power_of_two":
      return truth(first > 0n && (first & (first - 1n)) === 0n);
  }
}

function truth(value: boolean): bigint {
  return value ? 1n : 0n;
}

/** What a formula is evaluated against. */
export interface FormulaInputs {
  feature(name: string): boolean;
  config(path: readonly string[]): bigint;
  readonly index: bigint;
}

/** The value of a formula over features, config and `k`; null if it has none (fields, division by zero). */
export function evaluate(formula: Formula, inputs: FormulaInputs): bigint | null {
  switch (formula.op) {
    case "number":
      return BigInt(formula.value);
    case "feature":
      return truth(inputs.feature(formula.feature));
    case "config":
      return inputs.config(formula.path);
    case "index":
      return inputs.index;
    case "field":
    case "parameter":
      return null;
    case "unary": {
      const operand = evaluate(formula.operand, inputs);
      return operand === null ? null : applyUnary(formula.operator, operand);
    }
    case "binary": {
      const left = evaluate(formula.left, inputs);
      const right = evaluate(formula.right, inputs);
      return left === null || right === null ? null : applyBinary(formula.operator, left, right);
    }
    case "conditional": {
      const condition = evaluate(formula.condition, inputs);
      if (condition === null) return null;
      return evaluate(condition !== 0n ? formula.whenTrue : formula.whenFalse, inputs);
    }
    case "call": {
      const values: bigint[] = [];
      for (const argument of formula.arguments) {
        const value = evaluate(argument, inputs);
        if (value === null) return null;
        values.push(value);
      }
      return applyFunction(formula.function, values);
    }
  }
}

/** The formulas that a formula is directly made of. */
export function formulaParts(formula: Formula): readonly Formula[] {
  switch (formula.op) {
    case "number":
    case "feature":
    case "config":
    case "field":
    case "parameter":
    case "index":
      return [];
    case "unary":
      return [formula.operand];
    case "binary":
      return [formula.left, formula.right];
    case "conditional":
      return [formula.condition, formula.whenTrue, formula.whenFalse];
    case "call":
      return formula.arguments;
  }
}

/** Every formula inside of one, itself first. */
export function* formulasIn(formula: Formula): Generator<Formula> {
  yield formula;
  for (const part of formulaParts(formula)) yield* formulasIn(part);
}
