import type { FieldType, SharedModel, StructModel } from "../../model/device-model.js";
import { findExternal, findStruct, structNameOf, type TypeScope } from "../byte-map/type-scope.js";

export type { TypeScope } from "../byte-map/type-scope.js";

const scalars: Readonly<Record<string, { readonly type: string; readonly size: number }>> = {
  u8: { type: "__u8", size: 1 },
  le16: { type: "__le16", size: 2 },
  le32: { type: "__le32", size: 4 },
  le64: { type: "__le64", size: 8 },
  be16: { type: "__be16", size: 2 },
  be32: { type: "__be32", size: 4 },
  be64: { type: "__be64", size: 8 },
  u16: { type: "__u16", size: 2 },
  u32: { type: "__u32", size: 4 },
  u64: { type: "__u64", size: 8 },
};

/** What a type is, once the name is looked up. */
export type Resolved =
  | { readonly kind: "scalar"; readonly type: string; readonly size: number }
  /** Of another standard: its bytes. */
  | { readonly kind: "external"; readonly name: string; readonly size: number | null }
  | { readonly kind: "struct"; readonly struct: StructModel };

export function resolve(type: FieldType, scope: TypeScope): Resolved {
  const name = structNameOf(type) ?? "";
  const scalar = scalars[name];
  if (scalar) return { kind: "scalar", ...scalar };
  const struct = findStruct(scope, name)?.item;
  if (struct) return { kind: "struct", struct };
  const external = findExternal(scope, name)?.item;
  // The fields of a message in both streams have a struct that is listed nowhere else.
  return { kind: "external", name: external?.specName ?? name, size: external?.size ?? null };
}

/** The scope of what all devices share. */
export function sharedScope(shared: SharedModel): TypeScope {
  return { device: shared, shared };
}
