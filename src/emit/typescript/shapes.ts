import type {
  ArrayType,
  EnumModel,
  FieldModel,
  FieldType,
  Formula,
  MatchArmModel,
  MatchType,
  ScalarType,
  StructModel,
  StructUse,
} from "../../model/device-model.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";

/** What a number in a field stands for. */
export type Meaning =
  | { readonly kind: "number" }
  /** Two's complement. */
  | { readonly kind: "signed" }
  | { readonly kind: "boolean" }
  | { readonly kind: "enum"; readonly enum: EnumModel };

/** How many elements, or bytes, an array has. */
export type Length =
  | { readonly kind: "fixed"; readonly count: number }
  | { readonly kind: "rest" }
  | { readonly kind: "formula"; readonly formula: Formula };

/** The type of a field, with every name looked up. */
export type Shape =
  | { readonly kind: "scalar"; readonly scalar: ScalarType; readonly meaning: Meaning }
  | { readonly kind: "bytes"; readonly length: Length }
  | { readonly kind: "text"; readonly form: TextForm; readonly length: Length }
  | {
      readonly kind: "array";
      readonly of: Shape;
      readonly length: Length;
      readonly unit: "elements" | "bytes";
      readonly stride: Formula | null;
      readonly ends: Formula | null;
    }
  | { readonly kind: "struct"; readonly struct: StructModel; readonly arguments: readonly Formula[] }
  | { readonly kind: "match"; readonly subject: Formula; readonly arms: readonly ArmShape[] };

export type TextForm = "padded" | "terminated" | "exact" | "list";

export interface ArmShape {
  readonly model: MatchArmModel;
  readonly struct: StructModel;
}

const SCALARS: ReadonlySet<string> = new Set<ScalarType>([
  "u8",
  "le16",
  "le32",
  "le64",
  "be16",
  "be32",
  "be64",
  "u16",
  "u32",
  "u64",
]);

export function isScalarType(type: FieldType): type is ScalarType {
  return typeof type === "string" && SCALARS.has(type);
}

const SCALAR_SIZES: Readonly<Record<ScalarType, 1 | 2 | 4 | 8>> = {
  u8: 1,
  le16: 2,
  le32: 4,
  le64: 8,
  be16: 2,
  be32: 4,
  be64: 8,
  u16: 2,
  u32: 4,
  u64: 8,
};

/** In bytes. */
export function scalarSize(type: ScalarType): 1 | 2 | 4 | 8 {
  return SCALAR_SIZES[type];
}

/** Is the value a bigint? */
export function isWide(field: Shape & { kind: "scalar" }, model?: FieldModel): boolean {
  if (scalarSize(field.scalar) !== 8) return false;
  const bits = model?.bits ?? null;
  return bits === null || bits.width > 32;
}

/** The type of a field's value; of an optional field, when it is there. */
export function shapeOf(field: FieldModel, scope: DeviceScope): Shape {
  if (field.optional && typeof field.type === "object" && "of" in field.type)
    return resolve(field.type.of, field, scope);
  return resolve(field.type, field, scope);
}

function resolve(type: FieldType, field: FieldModel, scope: DeviceScope): Shape {
  if (typeof type === "string") return isScalarType(type) ? scalar(type, field, scope) : named(type, field, scope);
  if ("of" in type) return array(type, field, scope);
  if ("match" in type) return match(type, scope);
  return use(type, scope);
}

function scalar(type: ScalarType, field: FieldModel, scope: DeviceScope): Shape {
  if (field.bits?.width === 1 && field.enum === null)
    return { kind: "scalar", scalar: type, meaning: { kind: "boolean" } };
  if (field.signed) return { kind: "scalar", scalar: type, meaning: { kind: "signed" } };
  const meaning = field.enum === null ? undefined : scope.enum(field.enum);
  const number: Shape = { kind: "scalar", scalar: type, meaning: { kind: "number" } };
  if (meaning?.kind !== "enum") return number;
  // A name stands for a number or for a bigint; where the field is the other, it stays what it is.
  const isWideEnum = meaning.type !== null && scalarSize(meaning.type) === 8;
  if (isWide(number, field) !== isWideEnum) return number;
  return { kind: "scalar", scalar: type, meaning: { kind: "enum", enum: meaning } };
}

function named(name: string, field: FieldModel, scope: DeviceScope): Shape {
  const struct = scope.struct(name);
  if (struct !== undefined) return { kind: "struct", struct, arguments: [] };
  const external = scope.external(name);
  if (external !== undefined) {
    return {
      kind: "bytes",
      length: external.size === null ? { kind: "rest" } : { kind: "fixed", count: external.size },
    };
  }
  const number = scope.enum(name);
  if (number !== undefined && number.type !== null) {
    const scalar: Shape = { kind: "scalar", scalar: number.type, meaning: { kind: "number" } };
    return number.kind === "enum" ? { ...scalar, meaning: { kind: "enum", enum: number } } : scalar;
  }
  throw new EmitError(`a field of the unknown type ${name}`, field.name);
}

function array(type: ArrayType, field: FieldModel, scope: DeviceScope): Shape {
  const length = lengthOf(type);
  if (type.of === "u8" && field.enum === null) {
    if (type.strideTree === null && type.endsTree === null) {
      if (field.text !== null) return { kind: "text", form: field.text, length };
      return { kind: "bytes", length };
    }
  }
  return {
    kind: "array",
    of: resolve(type.of, field, scope),
    length,
    unit: type.unit,
    stride: type.strideTree,
    ends: type.endsTree,
  };
}

function lengthOf(type: ArrayType): Length {
  if (type.length === null) return { kind: "rest" };
  if (typeof type.length === "number") return { kind: "fixed", count: type.length };
  if (type.lengthTree === null) return { kind: "rest" };
  if (type.lengthTree.op === "number" && typeof type.lengthTree.value === "number") {
    return { kind: "fixed", count: type.lengthTree.value };
  }
  return { kind: "formula", formula: type.lengthTree };
}

function match(type: MatchType, scope: DeviceScope): Shape {
  return {
    kind: "match",
    subject: type.matchTree,
    arms: type.arms.map((model) => ({ model, struct: scope.requireStruct(model.struct) })),
  };
}

function use(type: StructUse, scope: DeviceScope): Shape {
  return { kind: "struct", struct: scope.requireStruct(type.struct), arguments: type.arguments };
}

/** Bytes that a value of this shape takes, if that is always the same. */
export function fixedSize(shape: Shape): number | null {
  switch (shape.kind) {
    case "scalar":
      return scalarSize(shape.scalar);
    case "bytes":
    case "text":
      return shape.length.kind === "fixed" ? shape.length.count : null;
    case "array": {
      const element = fixedSize(shape.of);
      if (shape.length.kind !== "fixed" || shape.ends !== null || shape.stride !== null) return null;
      if (shape.unit === "bytes") return shape.length.count;
      return element === null ? null : element * shape.length.count;
    }
    case "struct":
      return shape.struct.kind === "header" ? null : shape.struct.size;
    case "match":
      return null;
  }
}

/** Fewest bytes that a value of this shape takes. */
export function minimumSize(shape: Shape, scope: DeviceScope): number {
  switch (shape.kind) {
    case "scalar":
      return scalarSize(shape.scalar);
    case "bytes":
    case "text":
      return shape.length.kind === "fixed" ? shape.length.count : 0;
    case "array":
      return shape.length.kind === "fixed"
        ? shape.length.count * (shape.unit === "bytes" ? 1 : minimumSize(shape.of, scope))
        : 0;
    case "struct":
      return structMinimum(shape.struct, scope);
    case "match":
      return shape.arms.length === 0 ? 0 : Math.min(...shape.arms.map((arm) => structMinimum(arm.struct, scope)));
  }
}

/** Its fields are read even where the struct says itself that it is shorter. */
function structMinimum(struct: StructModel, scope: DeviceScope): number {
  if (struct.kind === "header") return struct.minSize;
  if (struct.size !== null) return struct.size;
  if (struct.kind === "union") return struct.minSize;
  const always = struct.fields.filter(
    (field) => field.conditionTree === null && field.bits === null && !field.overlaps && !field.optional,
  );
  const total = always.reduce(
    (size, field) => size + (field.sizedTree === null ? minimumSize(shapeOf(field, scope), scope) : 0),
    0,
  );
  return Math.max(struct.minSize, total);
}

/** Does a value of this shape go on up to the end of what it is in? */
export function takesRest(shape: Shape, scope: DeviceScope): boolean {
  switch (shape.kind) {
    case "scalar":
      return false;
    case "bytes":
    case "text":
    case "array":
      return shape.length.kind === "rest";
    case "struct":
      return structTakesRest(shape.struct, scope);
    case "match":
      return shape.arms.some((arm) => structTakesRest(arm.struct, scope));
  }
}

/** Does a field go on up to the end, if there is anything left for it? */
export function goesToEnd(field: FieldModel, scope: DeviceScope): boolean {
  return field.optional || (field.sizedTree === null && takesRest(shapeOf(field, scope), scope));
}

function structTakesRest(struct: StructModel, scope: DeviceScope): boolean {
  if (struct.size !== null || struct.sizedTree !== null) return false;
  return struct.fields.some((field) => goesToEnd(field, scope));
}
