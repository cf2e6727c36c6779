import type {
  EnumModel,
  ExternalModel,
  FieldModel,
  FieldType,
  SharedModel,
  StructModel,
} from "../../model/device-model.js";

/** Where the declarations of a device are looked up: in the device first, then in what all devices share. */
export interface TypeScope {
  readonly device: SharedModel;
  readonly shared: SharedModel;
}

/** A declaration and the place that it was found in. */
export interface Found<Item> {
  readonly item: Item;
  readonly home: SharedModel;
}

export function findStruct(scope: TypeScope, name: string): Found<StructModel> | undefined {
  return find(scope, (home) => home.structs, name);
}

export function findExternal(scope: TypeScope, name: string): Found<ExternalModel> | undefined {
  return find(scope, (home) => home.externals, name);
}

export function findEnum(scope: TypeScope, name: string): Found<EnumModel> | undefined {
  return find(scope, (home) => home.enums, name);
}

/** Name of the struct that a field of this type is, whether or not it takes values. */
export function structNameOf(type: FieldType): string | undefined {
  if (typeof type === "string") return type;
  return "struct" in type ? type.struct : undefined;
}

/** Structs that are layouts of their own; the others list the fields of a message once more. */
export function ownStructs(home: SharedModel): readonly StructModel[] {
  return home.structs.filter(({ message }) => message === null);
}

/** A type taken apart: what its elements are, and the dimensions around them, outermost first. */
export interface TypeParts {
  /** Of a scalar or of a declaration; undefined for a union with a tag. */
  readonly base: string | undefined;
  /** What the tag of a union is. */
  readonly match: string | undefined;
  /** Text between each pair of brackets; empty for the rest of the stream. */
  readonly dimensions: readonly string[];
}

export function typeParts(field: FieldModel): TypeParts {
  const dimensions: string[] = [];
  let type = field.type;
  // An optional field is an array of one element or none, which nobody would call so.
  if (field.optional && typeof type !== "string" && "of" in type) type = type.of;
  while (typeof type !== "string" && "of" in type) {
    const unit = type.unit === "bytes" && type.length !== null ? " bytes" : "";
    dimensions.push(`${type.length ?? ""}${unit}`);
    type = type.of;
  }
  if (typeof type !== "string" && "match" in type) return { base: undefined, match: type.match, dimensions };
  const name = structNameOf(type);
  return { base: field.text !== null && name === "u8" ? "char" : name, match: undefined, dimensions };
}

/** A type as C writes it, with the specification's names: `virtio_blk_zone_descriptor[]`, `le32`, `by hdr.type`. */
export function typeText(field: FieldModel, scope: TypeScope): string {
  const { base, match, dimensions } = typeParts(field);
  const name = base === undefined ? `by ${match ?? "?"}` : specNameOfType(base, scope);
  const bits = field.bits ? `:${field.bits.width}` : "";
  return `${name}${dimensions.map((length) => `[${length}]`).join("")}${bits}`;
}

/** The specification's name of a type; scalars and unknown names stay as they are. */
export function specNameOfType(name: string, scope: TypeScope): string {
  return (findStruct(scope, name) ?? findExternal(scope, name))?.item.specName ?? name;
}

function find<Item extends { readonly name: string }>(
  scope: TypeScope,
  list: (home: SharedModel) => readonly Item[],
  name: string,
): Found<Item> | undefined {
  for (const home of [scope.device, scope.shared]) {
    const item = list(home).find((candidate) => candidate.name === name);
    if (item) return { item, home };
  }
  return undefined;
}
