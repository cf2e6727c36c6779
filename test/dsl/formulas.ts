import type { Formula } from "../../src/model/device-model.js";

/** What the leaves of a formula stand for. */
export interface Situation {
  /** Negotiated features, by short name. */
  readonly features: ReadonlySet<string>;
  /** Values of config fields, by path. */
  readonly config: Readonly<Record<string, number>>;
  /** `k`. */
  readonly index?: number;
}

/** Works a formula out, on its own and without the compiler's arithmetic. */
export function evaluate(formula: Formula, situation: Situation): number {
  const value = (part: Formula): number => evaluate(part, situation);
  switch (formula.op) {
    case "number":
      return Number(formula.value);
    case "feature":
      return situation.features.has(formula.feature) ? 1 : 0;
    case "config": {
      const path = formula.path.join(".");
      const known = situation.config[path];
      if (known === undefined) throw new Error(`the formula reads config.${path}, which this situation does not have`);
      return known;
    }
    case "index": {
      if (situation.index === undefined) throw new Error("the formula depends on k");
      return situation.index;
    }
    case "unary":
      switch (formula.operator) {
        case "!":
          return value(formula.operand) === 0 ? 1 : 0;
        case "-":
          return -value(formula.operand);
        case "~":
          return ~value(formula.operand);
      }
      break;
    case "conditional":
      return value(formula.condition) !== 0 ? value(formula.whenTrue) : value(formula.whenFalse);
    case "call": {
      const values = formula.arguments.map(value);
      if (formula.function === "min") return Math.min(...values);
      if (formula.function === "max") return Math.max(...values);
      break;
    }
    case "binary": {
      if (formula.operator === "||") return value(formula.left) !== 0 || value(formula.right) !== 0 ? 1 : 0;
      if (formula.operator === "&&") return value(formula.left) !== 0 && value(formula.right) !== 0 ? 1 : 0;
      const left = value(formula.left);
      const right = value(formula.right);
      switch (formula.operator) {
        case "+":
          return left + right;
        case "-":
          return left - right;
        case "*":
          return left * right;
        case "==":
          return left === right ? 1 : 0;
        case "!=":
          return left !== right ? 1 : 0;
        case "<":
          return left < right ? 1 : 0;
        case "<=":
          return left <= right ? 1 : 0;
        case ">":
          return left > right ? 1 : 0;
        case ">=":
          return left >= right ? 1 : 0;
        default:
      }
      break;
    }
    case "field":
    case "parameter":
      break;
  }
  throw new Error(`not expected in the formula of a queue: ${JSON.stringify(formula)}`);
}
