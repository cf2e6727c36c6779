import { readFileSync } from "node:fs";
import { compile } from "../../src/compiler/compile.js";
import type { Source } from "../../src/diagnostics/source.js";
import type {
  DeviceModel,
  FieldModel,
  FieldType,
  Model,
  SharedModel,
  StructModel,
} from "../../src/model/device-model.js";
import type { ExpectedField } from "./expected/layout.js";

const folder = new URL("../../dsl/", import.meta.url);

export const deviceNames = ["net", "blk", "console", "entropy"] as const;
export type DeviceName = (typeof deviceNames)[number];

function readSource(name: string): Source {
  return { name, text: readFileSync(new URL(name, folder), "utf8") };
}

export const compiled = compile([...deviceNames.map((name) => `${name}.virtio`), "ipsec.virtio"].map(readSource));

/** The checked model of the definitions in dsl/. */
export function theModel(): Model {
  if (compiled.model === undefined) {
    const found = compiled.diagnostics.map(({ span, code, message }) => `${span.source.name} ${code} ${message}`);
    throw new Error(`dsl/ does not compile:\n${found.join("\n")}`);
  }
  return compiled.model;
}

export function theDevice(name: DeviceName): DeviceModel {
  const device = theModel().devices.find((candidate) => candidate.name === name);
  if (device === undefined) throw new Error(`no device ${name} in the model`);
  return device;
}

const scalarSizes: Readonly<Record<string, number>> = {
  u8: 1, le16: 2, le32: 4, le64: 8, be16: 2, be32: 4, be64: 8, u16: 2, u32: 4, u64: 8,
}; // prettier-ignore

/** The struct that a field is, or undefined for scalars, arrays and unions with a tag. */
export function structOf(type: FieldType, ...places: readonly SharedModel[]): StructModel | undefined {
  let name: string;
  if (typeof type === "string") name = type;
  else if ("struct" in type) name = type.struct;
  else return undefined;
  if (name in scalarSizes) return undefined;
  for (const place of places) {
    const found = place.structs.find((struct) => struct.name === name);
    if (found) return found;
  }
  return undefined;
}

/** Offsets and sizes by path, members of nested structs too; members of anonymous ones as if they were the outer's. */
export function layoutOf(
  fields: readonly FieldModel[],
  places: readonly SharedModel[],
  base: number | null = 0,
  prefix = "",
): Map<string, ExpectedField> {
  const layout = new Map<string, ExpectedField>();
  for (const field of fields) {
    const offset = base === null || field.offset === null ? null : base + field.offset;
    const inner = structOf(field.type, ...places);
    const isAnonymous = field.specName === "";
    if (!isAnonymous) {
      layout.set(
        prefix + field.specName,
        field.bits ? [offset, field.size, field.bits.shift, field.bits.width] : [offset, field.size],
      );
    }
    if (inner) {
      const path = isAnonymous ? prefix : `${prefix}${field.specName}.`;
      for (const entry of layoutOf(inner.fields, places, offset, path)) layout.set(...entry);
    }
  }
  return layout;
}
