import type { BinaryOperator, UnaryOperator } from "./syntax-tree.js";

/** C's operators, loosest first. */
const levels = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
] as const;

const precedences: ReadonlyMap<BinaryOperator, number> = new Map(
  levels.flatMap((level, precedence) => level.map((operator) => [operator, precedence] as const)),
);
const binaryOperators: ReadonlyMap<string, BinaryOperator> = new Map<string, BinaryOperator>([
  ...levels.flatMap((level) => level.map((operator) => [operator, operator] as const)),
  ["or", "||"],
  ["and", "&&"],
]);
const unaryOperators: ReadonlyMap<string, UnaryOperator> = new Map<string, UnaryOperator>([
  ["!", "!"],
  ["not", "!"],
  ["~", "~"],
  ["-", "-"],
]);

/** The operator that a token between two operands means. */
export function binaryOperator(spelling: string): BinaryOperator | undefined {
  return binaryOperators.get(spelling);
}

/** The operator that a token in front of an operand means. */
export function unaryOperator(spelling: string): UnaryOperator | undefined {
  return unaryOperators.get(spelling);
}

/** How strongly an operator binds; all bind from the left. */
export function precedenceOf(operator: BinaryOperator): number {
  return precedences.get(operator) ?? 0;
}

export function precedenceOfSpelling(spelling: string): number {
  const operator = binaryOperator(spelling);
  return operator === undefined ? 0 : precedenceOf(operator);
}
