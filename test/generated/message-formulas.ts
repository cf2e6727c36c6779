import { applyBinary, applyFunction, applyUnary } from "../../src/model/formula-values.js";
import type { Formula } from "../../src/model/device-model.js";
import type { FeatureSet } from "../../src/runtime/index.js";
import type { DeviceScope } from "../../src/emit/typescript/device-scope.js";

/** What fields hold as numbers, by their names in the definition; of structs likewise. */
export type Numbers = Map<string, bigint | Numbers>;

/** Where a formula finds its values. */
export interface Surroundings {
  readonly self: Numbers;
  /** Of the struct that a match is in. */
  readonly outer?: Numbers | undefined;
  /** What the request had, for its reply. */
  readonly readable?: Numbers | undefined;
  readonly parameters: ReadonlyMap<string, bigint | undefined>;
}

/** What holds for a device and a driver that have negotiated. */
export interface Agreement {
  readonly scope: DeviceScope;
  readonly features: FeatureSet;
  config(path: readonly string[]): bigint;
}

/** The formula's value; undefined where it depends on what is not known. */
export function valueIn(formula: Formula, around: Surroundings, agreed: Agreement): bigint | undefined {
  const inner = (part: Formula): bigint | undefined => valueIn(part, around, agreed);
  switch (formula.op) {
    case "number":
      return BigInt(formula.value);
    case "feature":
      return agreed.features.has(agreed.scope.feature(formula.feature)?.bit ?? -1) ? 1n : 0n;
    case "config":
      return agreed.config(formula.path);
    case "index":
      return 0n;
    case "parameter":
      return around.parameters.get(formula.name);
    case "field":
      return formula.scope === "readable" && around.readable !== undefined
        ? numberAt(around.readable, formula.path)
        : (numberAt(around.self, formula.path) ?? (around.outer && numberAt(around.outer, formula.path)));
    case "unary": {
      const operand = inner(formula.operand);
      return operand === undefined ? undefined : applyUnary(formula.operator, operand);
    }
    case "binary": {
      const left = inner(formula.left);
      const right = inner(formula.right);
      return left === undefined || right === undefined ? undefined : (applyBinary(formula.operator, left, right) ?? undefined);
    }
    case "conditional": {
      const condition = inner(formula.condition);
      return condition === undefined ? undefined : inner(condition === 0n ? formula.whenFalse : formula.whenTrue);
    }
    case "call": {
      const values = formula.arguments.map(inner).filter((value) => value !== undefined);
      return values.length === formula.arguments.length ? applyFunction(formula.function, values) : undefined;
    }
  }
}

export function numberAt(numbers: Numbers, path: readonly string[]): bigint | undefined {
  const [first, ...rest] = path;
  const found = numbers.get(first ?? "");
  if (found instanceof Map) return rest.length === 0 ? undefined : numberAt(found, rest);
  return rest.length === 0 ? found : undefined;
}

export function setNumberAt(numbers: Numbers, path: readonly string[], value: bigint): void {
  const [first = "", ...rest] = path;
  const found = numbers.get(first);
  if (rest.length === 0) numbers.set(first, value);
  else if (found instanceof Map) setNumberAt(found, rest, value);
}
