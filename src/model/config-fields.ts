import type { Name } from "../language/syntax-tree.js";
import { reportUnknown } from "./facts.js";
import { enumOfField, fieldsOf, findPath, isNumber } from "./field-paths.js";
import type { FieldAnswer, FormulaEnvironment } from "./formulas.js";

/** Finds `config.x` in the config of the device; reports what is wrong with it. */
export function findConfigField(environment: FormulaEnvironment, segments: readonly Name[]): FieldAnswer | undefined {
  const { facts, scope } = environment;
  const path = segments.slice(1);
  const [first] = path;
  const last = path.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const members = scope.config?.members ?? [];
  const found = findPath(members, path, scope, facts);
  if (found === undefined) reportUnknown(facts, scope, "config field", first, () => fieldsOf(members).keys());
  if (found === undefined || found === "broken" || !isNumber(found, last, facts)) {
    return { formula: undefined, enum: null };
  }
  return { formula: { op: "config", path: path.map((name) => name.text) }, enum: enumOfField(found) };
}
