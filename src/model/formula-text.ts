import type { Formula, FormulaOperator } from "./device-model.js";

// As in C; parentheses are also written where C's own order surprises people.
const strength: Readonly<Record<FormulaOperator, number>> = {
  "||": 2,
  "&&": 3,
  "|": 4,
  "^": 5,
  "&": 6,
  "==": 7,
  "!=": 7,
  "<": 8,
  "<=": 8,
  ">": 8,
  ">=": 8,
  "<<": 9,
  ">>": 9,
  "+": 10,
  "-": 10,
  "*": 11,
  "/": 11,
  "%": 11,
};
const conditionalStrength = 1;
const unaryStrength = 12;
const atomStrength = 13;

const bitwise: ReadonlySet<FormulaOperator> = new Set(["|", "^", "&", "<<", ">>"]);

/** The canonical text of a formula: `MQ ? config.num_queues : 1`. */
export function formulaText(formula: Formula): string {
  switch (formula.op) {
    case "number":
      return String(formula.value);
    case "feature":
      return formula.feature;
    case "config":
      return ["config", ...formula.path].join(".");
    case "field":
      return formula.path.join(".");
    case "parameter":
      return formula.name;
    case "index":
      return "k";
    case "unary":
      return formula.operator + wrapped(formula.operand, strengthOf(formula.operand) < unaryStrength);
    case "binary": {
      const own = strength[formula.operator];
      const left = wrapped(formula.left, strengthOf(formula.left) < own || surprising(formula.operator, formula.left));
      const right = wrapped(
        formula.right,
        strengthOf(formula.right) <= own || surprising(formula.operator, formula.right),
      );
      return `${left} ${formula.operator} ${right}`;
    }
    case "conditional": {
      const condition = wrapped(formula.condition, strengthOf(formula.condition) <= conditionalStrength);
      const whenTrue = wrapped(formula.whenTrue, strengthOf(formula.whenTrue) <= conditionalStrength);
      return `${condition} ? ${whenTrue} : ${formulaText(formula.whenFalse)}`;
    }
    case "call":
      return `${formula.function}(${formula.arguments.map(formulaText).join(", ")})`;
  }
}

/** Null stays null. */
export function textOrNull(formula: Formula | null): string | null {
  return formula === null ? null : formulaText(formula);
}

function strengthOf(formula: Formula): number {
  switch (formula.op) {
    case "binary":
      return strength[formula.operator];
    case "conditional":
      return conditionalStrength;
    case "unary":
      return unaryStrength;
    default:
      return atomStrength;
  }
}

function surprising(outer: FormulaOperator, inner: Formula): boolean {
  if (inner.op !== "binary") return false;
  if (outer === "||") return inner.operator === "&&";
  return inner.operator !== outer && (bitwise.has(outer) || bitwise.has(inner.operator)) && outer !== "&&";
}

function wrapped(formula: Formula, parentheses: boolean): string {
  const text = formulaText(formula);
  return parentheses ? `(${text})` : text;
}
