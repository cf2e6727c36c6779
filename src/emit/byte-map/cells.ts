import type { Access, FieldModel, StructModel } from "../../model/device-model.js";
import { findStruct, structNameOf, type Found, type TypeScope } from "./type-scope.js";

/** A part of a layout that is drawn as one box: a scalar, an array, a bit-field, or a union. */
export interface Cell {
  /** Path in the specification's names: `geometry.heads`. */
  readonly name: string;
  readonly field: FieldModel;
  /** The struct that has the field, and where it was found; undefined for fields of the layout itself. */
  readonly owner: Found<StructModel> | undefined;
  /** Position of the field in its owner or layout. */
  readonly position: number;
  /** In bytes from the start; null if it depends on what comes before. For a bit-field that of its container. */
  readonly offset: number | null;
  /** The same with fractions for bit-fields, which lie inside of their container. */
  readonly start: number | null;
  /** In bytes, with fractions for bit-fields; null if it varies. */
  readonly size: number | null;
  /** Bytes from the start of the field to the end of the stream, where that is what is known. */
  readonly fromEnd: number | null;
  /** All of them must hold for the field to be there. */
  readonly conditions: readonly string[];
  /** An absent field takes no place. */
  readonly moves: boolean;
  readonly access: Access;
  readonly volatile: boolean;
  readonly reserved: boolean;
}

/** Structs inside of structs are drawn down to here. */
const DEEPEST = 8;

/** What the layout consists of, structs inside of it taken apart. */
export function cellsOf(fields: readonly FieldModel[], scope: TypeScope): readonly Cell[] {
  return expand(fields, undefined, undefined, scope, 0);
}

function expand(
  fields: readonly FieldModel[],
  outer: Cell | undefined,
  owner: Found<StructModel> | undefined,
  scope: TypeScope,
  depth: number,
): readonly Cell[] {
  return fields.flatMap((field, position) => {
    const cell = cellOf(field, position, outer, owner);
    const struct = depth < DEEPEST ? partsOf(field, scope) : undefined;
    if (!struct) return [cell];
    // Inside of a shared struct only what is shared can be meant.
    const inner = struct.home === scope.shared ? { device: scope.shared, shared: scope.shared } : scope;
    return expand(struct.item.fields, cell, struct, inner, depth + 1);
  });
}

/** The struct that a field consists of. Unions are not taken apart: their members lie over each other. */
function partsOf(field: FieldModel, scope: TypeScope): Found<StructModel> | undefined {
  const name = structNameOf(field.type);
  const found = name === undefined ? undefined : findStruct(scope, name);
  if (!found || found.item.kind === "union" || found.item.fields.length === 0 || field.sizedTree) return undefined;
  return found;
}

function cellOf(
  field: FieldModel,
  position: number,
  outer: Cell | undefined,
  owner: Found<StructModel> | undefined,
): Cell {
  const bits = bitPlace(field);
  const offset = outer ? sum(outer.offset, field.offset) : field.offset;
  return {
    name: outer ? `${outer.name}.${field.specName}` : field.specName,
    field,
    owner,
    position,
    offset,
    start: sum(offset, bits.start),
    size: bits.size ?? field.size,
    fromEnd: outer ? difference(outer.fromEnd, field.offset) : field.fromEnd,
    conditions: [...(outer?.conditions ?? []), ...(field.condition === null ? [] : [field.condition])],
    moves: (outer?.moves ?? false) || (field.moves && field.condition !== null),
    access: outer && outer.access !== "ro" ? outer.access : field.access,
    volatile: (outer?.volatile ?? false) || field.volatile,
    reserved: (outer?.reserved ?? false) || field.reserved,
  };
}

/** Bit-fields in the order in which they lie in memory. */
function bitPlace(field: FieldModel): { readonly start: number; readonly size: number | undefined } {
  const { bits, size, type } = field;
  if (!bits || size === null) return { start: 0, size: undefined };
  const fromHigh = typeof type === "string" && type.startsWith("be");
  const first = fromHigh ? size * 8 - bits.shift - bits.width : bits.shift;
  return { start: first / 8, size: bits.width / 8 };
}

function sum(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

function difference(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a - b;
}
