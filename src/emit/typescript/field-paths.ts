import type { EnumModel, FieldModel } from "../../model/device-model.js";
import { code, joined, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { valueFunction } from "./enums.js";
import type { Value } from "./formulas.js";
import { armKinds, isOptional, isVisible, propertyName } from "./struct-types.js";
import { isWide, shapeOf, type Shape } from "./shapes.js";

/** Where the value of a field of a list is to be found. */
export type FieldAccess = (field: FieldModel) => Code;

/** A field's value as a number, for formulas. The path leads through nested structs. */
export function valueAtPath(
  fields: readonly FieldModel[],
  path: readonly string[],
  access: FieldAccess,
  scope: DeviceScope,
  place: string,
  maybeMissing = false,
): Value {
  const [name, ...rest] = path;
  const field = fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new EmitError(`a formula that refers to the unknown field ${path.join(".")}`, place);
  const shape = shapeOf(field, scope);
  const missing = maybeMissing || isOptional(field, shape);
  if (rest.length === 0) {
    if (!isVisible(field)) return countedValue(fields, field, access, scope, place, maybeMissing);
    return numberOf(access(field), shape, field, missing, scope, place);
  }
  const parent = access(field);
  if (shape.kind === "match") return valueInMatch(parent, shape, rest, missing, scope, place);
  if (shape.kind !== "struct") throw new EmitError(`a formula that refers to ${path.join(".")}`, place);
  const dot = missing ? "?." : ".";
  const inner: FieldAccess = (child) => code`${parent}${dot}${propertyName(child)}`;
  return valueAtPath(shape.struct.fields, rest, inner, scope, place, missing || shape.struct.kind === "union");
}

/** A field of what a match selected: zero where something else was, which has no such field. */
function valueInMatch(
  parent: Code,
  shape: Shape & { kind: "match" },
  path: readonly string[],
  missing: boolean,
  scope: DeviceScope,
  place: string,
): Value {
  const arms = shape.arms.filter((arm) => arm.struct.fields.some((field) => field.name === path[0]));
  const dot = missing ? "?." : ".";
  let result: Value | undefined;
  for (const arm of [...arms].reverse()) {
    const inner: FieldAccess = (child) => code`${parent}.${propertyName(child)}`;
    const value = valueAtPath(arm.struct.fields, path, inner, scope, place, arm.struct.kind === "union");
    const zero = value.type === "boolean" ? "false" : value.type === "bigint" ? "0n" : "0";
    if (result !== undefined && result.type !== value.type)
      throw new EmitError(`a formula over ${path.join(".")}, which is of several types`, place);
    const tests = joined(
      armKinds(arm).map((kind) => code`${parent}${dot}kind === ${kind}`),
      " || ",
    );
    result = { code: code`(${tests} ? ${value.code} : ${result?.code ?? zero})`, type: value.type };
  }
  if (result === undefined) throw new EmitError(`a formula that refers to the unknown field ${path.join(".")}`, place);
  return result;
}

/** The value that a count has to have, from the array that it counts. */
export function countedValue(
  fields: readonly FieldModel[],
  field: FieldModel,
  access: FieldAccess,
  scope: DeviceScope,
  place: string,
  maybeMissing = false,
): Value {
  const counts = field.counts;
  const counted = counts === null ? undefined : fields.find((candidate) => candidate.name === counts.field);
  if (counts === null || counted === undefined)
    throw new EmitError(`a formula that refers to the reserved field ${field.name}`, place);
  const shape = shapeOf(counted, scope);
  if (shape.kind === "text") throw new EmitError(`a count of the bytes of a text`, place);
  const optional = maybeMissing || isOptional(counted, shape);
  const length = optional ? code`(${access(counted)}?.length ?? 0)` : code`${access(counted)}.length`;
  if (counts.plus === 0) return { code: length, type: "number" };
  const sign = counts.plus < 0 ? "-" : "+";
  return { code: code`(${length} ${sign} ${Math.abs(counts.plus)})`, type: "number" };
}

function numberOf(
  value: Code,
  shape: Shape,
  field: FieldModel,
  missing: boolean,
  scope: DeviceScope,
  place: string,
): Value {
  if (shape.kind !== "scalar") throw new EmitError(`a formula that uses ${field.name}, which is not a number`, place);
  const wide = isWide(shape, field);
  const zero = wide ? "0n" : "0";
  switch (shape.meaning.kind) {
    case "boolean":
      return { code: missing ? code`(${value} ?? false)` : value, type: "boolean" };
    case "number":
    case "signed":
      return { code: missing ? code`(${value} ?? ${zero})` : value, type: wide ? "bigint" : "number" };
    case "enum": {
      const present = missing ? code`${value} ?? ${zero}` : value;
      return { code: code`${valueFunction(shape.meaning.enum, scope)}(${present})`, type: wide ? "bigint" : "number" };
    }
  }
}

/** A field that holds a name, for `switch`; undefined if it is a number or may be missing. */
export function memberAtPath(
  fields: readonly FieldModel[],
  path: readonly string[],
  access: FieldAccess,
  scope: DeviceScope,
): { readonly code: Code; readonly enum: EnumModel } | undefined {
  const [name, ...rest] = path;
  const field = fields.find((candidate) => candidate.name === name);
  if (field === undefined || !isVisible(field)) return undefined;
  const shape = shapeOf(field, scope);
  if (isOptional(field, shape)) return undefined;
  if (rest.length === 0) {
    return shape.kind === "scalar" && shape.meaning.kind === "enum"
      ? { code: access(field), enum: shape.meaning.enum }
      : undefined;
  }
  if (shape.kind !== "struct" || shape.struct.kind === "union") return undefined;
  const parent = access(field);
  return memberAtPath(shape.struct.fields, rest, (child) => code`${parent}.${propertyName(child)}`, scope);
}
