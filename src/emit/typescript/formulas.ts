import type { EnumModel, Formula, FormulaOperator } from "../../model/device-model.js";
import { code, joined, type Code } from "./code.js";
import { EmitError, unreachable } from "./emit-error.js";
import { runtime } from "./imports.js";

/** An expression, and what it gives. */
export interface Value {
  readonly code: Code;
  readonly type: "number" | "bigint" | "boolean";
}

/** Where the operands of a formula are to be found in the code around it. */
export interface FormulaContext {
  /** For messages. */
  readonly place: string;
  feature(name: string): Value;
  config(path: readonly string[]): Value;
  field(scope: "self" | "readable", path: readonly string[]): Value;
  parameter(name: string): Value;
  index(): Value;
  /** A field that holds the name of an enum's member, if it does. */
  member?(
    scope: "self" | "readable",
    path: readonly string[],
  ): { readonly code: Code; readonly enum: EnumModel } | undefined;
}

/** A context in which nothing can be referred to; others are made from it. */
export function closedContext(place: string): FormulaContext {
  const refuse = (what: string) => (): never => {
    throw new EmitError(`a formula that refers to ${what} here`, place);
  };
  return {
    place,
    feature: refuse("a feature"),
    config: refuse("a config field"),
    field: refuse("a field"),
    parameter: refuse("a parameter"),
    index: refuse("the position of a queue"),
  };
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

export function formulaValue(formula: Formula, context: FormulaContext): Value {
  switch (formula.op) {
    case "number":
      return numberValue(BigInt(formula.value));
    case "feature":
      return context.feature(formula.feature);
    case "config":
      return context.config(formula.path);
    case "field":
      return context.field(formula.scope, formula.path);
    case "parameter":
      return context.parameter(formula.name);
    case "index":
      return context.index();
    case "unary":
      return unary(formula.operator, formulaValue(formula.operand, context));
    case "binary":
      return binary(
        formula.operator,
        formulaValue(formula.left, context),
        formulaValue(formula.right, context),
        formula.right,
      );
    case "conditional":
      return conditional(
        formulaValue(formula.condition, context),
        formulaValue(formula.whenTrue, context),
        formulaValue(formula.whenFalse, context),
      );
    case "call":
      return call(
        formula.function,
        formula.arguments.map((argument) => formulaValue(argument, context)),
      );
    default:
      return unreachable(formula);
  }
}

/** As a condition. */
export function condition(formula: Formula, context: FormulaContext): Code {
  return asBoolean(formulaValue(formula, context));
}

/** As the opposite of a condition. */
export function negation(formula: Formula, context: FormulaContext): Code {
  if (formula.op === "unary" && formula.operator === "!") return condition(formula.operand, context);
  return code`!(${condition(formula, context)})`;
}

/** As a number: a length, a count, an index. */
export function count(formula: Formula, context: FormulaContext): Code {
  return asNumber(formulaValue(formula, context));
}

export function asBoolean(value: Value): Code {
  if (value.type === "boolean") return value.code;
  return value.type === "bigint" ? code`(${value.code} !== 0n)` : code`(${value.code} !== 0)`;
}

export function asNumber(value: Value): Code {
  return value.type === "number" ? value.code : code`Number(${value.code})`;
}

export function asBigint(value: Value): Code {
  if (value.type === "bigint") return value.code;
  const literal = value.code.parts.length === 1 ? value.code.parts[0] : undefined;
  if (typeof literal === "string" && /^(0x[0-9a-f]+|\d+)$/.test(literal)) return code`${literal}n`;
  return code`BigInt(${value.code})`;
}

function numberValue(value: bigint): Value {
  if (value > MAX_SAFE || value < -MAX_SAFE) return { code: code`${value}`, type: "bigint" };
  return { code: code`${Number(value)}`, type: "number" };
}

function unary(operator: "!" | "~" | "-", operand: Value): Value {
  switch (operator) {
    case "!":
      return { code: code`!${parenthesised(asBoolean(operand))}`, type: "boolean" };
    case "-":
      if (operand.type === "bigint") return { code: code`-${parenthesised(operand.code)}`, type: "bigint" };
      return { code: code`-${parenthesised(asNumber(operand))}`, type: "number" };
    case "~":
      if (operand.type === "bigint") {
        return { code: code`BigInt.asUintN(64, ~${parenthesised(operand.code)})`, type: "bigint" };
      }
      return { code: code`(~${parenthesised(asNumber(operand))} >>> 0)`, type: "number" };
    default:
      return unreachable(operator);
  }
}

function parenthesised(value: Code): Code {
  return code`(${value})`;
}

function binary(operator: FormulaOperator, left: Value, right: Value, rightFormula: Formula): Value {
  switch (operator) {
    case "||":
    case "&&":
      return { code: code`(${asBoolean(left)} ${operator} ${asBoolean(right)})`, type: "boolean" };
    case "==":
    case "!=":
      if (left.type === "boolean" && right.type === "boolean") {
        return { code: code`(${left.code} ${operator}= ${right.code})`, type: "boolean" };
      }
      return compare(`${operator}=`, left, right);
    case "<":
    case "<=":
    case ">":
    case ">=":
      return compare(operator, left, right);
    default:
      return arithmetic(operator, left, right, rightFormula);
  }
}

function compare(operator: string, left: Value, right: Value): Value {
  const wide = left.type === "bigint" || right.type === "bigint";
  const side = wide ? asBigint : asNumber;
  return { code: code`(${side(left)} ${operator} ${side(right)})`, type: "boolean" };
}

type ArithmeticOperator = Exclude<FormulaOperator, "||" | "&&" | "==" | "!=" | "<" | "<=" | ">" | ">=">;

function arithmetic(operator: ArithmeticOperator, left: Value, right: Value, rightFormula: Formula): Value {
  if (left.type === "bigint" || right.type === "bigint") return wideArithmetic(operator, left, right, rightFormula);
  const a = asNumber(left);
  const b = asNumber(right);
  const safeDivisor = rightFormula.op === "number" && BigInt(rightFormula.value) !== 0n;
  switch (operator) {
    case "+":
    case "-":
    case "*":
      return { code: code`(${a} ${operator} ${b})`, type: "number" };
    case "/":
      // A divisor that the peer chose may be 0.
      return {
        code: safeDivisor ? code`Math.floor(${a} / ${b})` : code`Math.floor(${a} / Math.max(1, ${b}))`,
        type: "number",
      };
    case "%":
      return { code: safeDivisor ? code`(${a} % ${b})` : code`(${a} % Math.max(1, ${b}))`, type: "number" };
    case "<<":
      return { code: code`(${a} * 2 ** ${bounded(b, rightFormula)})`, type: "number" };
    case ">>":
      return { code: code`Math.floor(${a} / 2 ** ${bounded(b, rightFormula)})`, type: "number" };
    case "&":
    case "|":
    case "^":
      return { code: code`((${a} ${operator} ${b}) >>> 0)`, type: "number" };
    default:
      return unreachable(operator);
  }
}

/** A shift by what the peer chose stays within what there is room for: beyond this there is no bit left of any number. */
const MOST_SHIFT = 128;

function bounded(shift: Code, formula: Formula): Code {
  return formula.op === "number" ? parenthesised(shift) : code`Math.min(${shift}, ${MOST_SHIFT})`;
}

function wideArithmetic(operator: ArithmeticOperator, left: Value, right: Value, rightFormula: Formula): Value {
  const a = asBigint(left);
  if ((operator === "<<" || operator === ">>") && rightFormula.op !== "number") {
    return { code: code`(${a} ${operator} BigInt(${bounded(asNumber(right), rightFormula)}))`, type: "bigint" };
  }
  const b = asBigint(right);
  const mayBeZero =
    (operator === "/" || operator === "%") && !(rightFormula.op === "number" && BigInt(rightFormula.value) !== 0n);
  if (mayBeZero) return { code: code`(${a} ${operator} (${b} || 1n))`, type: "bigint" };
  return { code: code`(${a} ${operator} ${b})`, type: "bigint" };
}

function conditional(test: Value, whenTrue: Value, whenFalse: Value): Value {
  if (whenTrue.type === "boolean" && whenFalse.type === "boolean") {
    return { code: code`(${asBoolean(test)} ? ${whenTrue.code} : ${whenFalse.code})`, type: "boolean" };
  }
  const wide = whenTrue.type === "bigint" || whenFalse.type === "bigint";
  const side = wide ? asBigint : asNumber;
  return {
    code: code`(${asBoolean(test)} ? ${side(whenTrue)} : ${side(whenFalse)})`,
    type: wide ? "bigint" : "number",
  };
}

function call(name: "min" | "max" | "popcount" | "is_power_of_two", values: readonly Value[]): Value {
  const numbers = joined(values.map(asNumber), ", ");
  switch (name) {
    case "min":
    case "max":
      return { code: code`Math.${name}(${numbers})`, type: "number" };
    case "popcount":
      return {
        code: code`${runtime("popcount")}(${joined(
          values.map((value) => value.code),
          ", ",
        )})`,
        type: "number",
      };
    case "is_power_of_two":
      return {
        code: code`${runtime("isPowerOfTwo")}(${joined(
          values.map((value) => value.code),
          ", ",
        )})`,
        type: "boolean",
      };
    default:
      return unreachable(name);
  }
}
