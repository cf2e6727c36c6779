import { formulaOfAlternatives } from "./alternative-fields.js";
import type { Formula } from "./device-model.js";
import type { Name } from "../language/syntax-tree.js";
import { reportUnknown } from "./facts.js";
import { enumOfField, fieldsOf, findPath, isNumber } from "./field-paths.js";
import type { FieldAnswer, FormulaEnvironment } from "./formula-environment.js";

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
  const at = (names: readonly string[]): Formula => ({ op: "config", path: names });
  const inner: FormulaEnvironment = {
    facts,
    scope,
    field: (names) =>
      fieldsOf(members).has(names[0]?.text ?? "")
        ? findConfigField(environment, [...segments.slice(0, 1), ...names])
        : undefined,
  };
  const several = formulaOfAlternatives(members, path, null, inner, at);
  return { formula: several ?? at(path.map((name) => name.text)), enum: enumOfField(found) };
}
