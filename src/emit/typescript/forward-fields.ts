import type { FieldModel } from "../../model/device-model.js";
import { fieldFormulas, visitFormula, type DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { fixedSize, shapeOf } from "./shapes.js";

/** A number that something in front of it depends on, such as the tag behind a union. */
export interface ForwardField {
  readonly field: FieldModel;
  /** Bytes from the start of the field that depends on it. */
  readonly distance: number;
}

/** Fields behind the one at `index` that its size, its type or its presence depends on. */
export function forwardFields(
  fields: readonly FieldModel[],
  index: number,
  scope: DeviceScope,
  place: string,
): readonly ForwardField[] {
  const field = fields[index];
  if (field === undefined) return [];
  const names = new Set<string>();
  for (const formula of fieldFormulas([field])) {
    visitFormula(formula, (part) => {
      if (part.op === "field" && part.scope === "self") names.add(part.path[0] ?? "");
    });
  }
  return fields.slice(index + 1).flatMap((behind, position) => {
    if (!names.has(behind.name) || fields.slice(0, index).some(({ name }) => name === behind.name)) return [];
    const refuse = (what: string): never => {
      throw new EmitError(`a formula over a field behind it ${what}`, `${place}.${field.name}`);
    };
    if (shapeOf(behind, scope).kind !== "scalar" || behind.bits !== null) refuse("that is not a number of its own");
    if (behind.conditionTree !== null || behind.optional) refuse("that may be missing");
    let distance = 0;
    for (const between of fields.slice(index, index + 1 + position)) {
      distance += placeSize(between, scope) ?? refuse("at no fixed distance");
    }
    return [{ field: behind, distance }];
  });
}

/** Bytes that a field takes in any case; null if that varies. */
function placeSize(field: FieldModel, scope: DeviceScope): number | null {
  if (field.optional || field.overlaps || field.bits !== null || (field.conditionTree !== null && field.moves))
    return null;
  if (field.sizedTree !== null) return field.sizedTree.op === "number" ? Number(field.sizedTree.value) : null;
  return field.size ?? fixedSize(shapeOf(field, scope));
}
