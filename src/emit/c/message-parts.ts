import type { DeviceModel, FieldModel, RequestModel, StructModel, VariantModel } from "../../model/device-model.js";
import { layout } from "./layout.js";
import type { CStruct } from "./members.js";
import { snakeName, tagName } from "./names.js";
import type { TypeScope } from "./scope.js";

/**
 * A message that varies is no struct of C. Its runs of fields that lie together are: this makes a struct of each, per
 * stream: `_out` for what the driver writes, `_in` for what the device writes.
 */
export function messageParts(device: DeviceModel, scope: TypeScope): readonly CStruct[] {
  return device.requests.flatMap((request) => requestParts(request, device, scope));
}

interface Run {
  readonly fields: readonly FieldModel[];
  readonly condition: string | null;
}

interface Part extends Run {
  readonly stem: string;
  readonly stream: "out" | "in";
  /** Which run of the stream, from 0. */
  readonly index: number;
  readonly variant: string;
}

function requestParts(request: RequestModel, device: DeviceModel, scope: TypeScope): readonly CStruct[] {
  const parts = request.variants.flatMap((variant) => variantParts(request, variant, device, scope));
  const names = new Map<string, string>();
  const groups = new Map<string, Part[]>();
  for (const part of parts) {
    const key = `${part.stem} ${part.stream} ${textOf(part)}`;
    groups.set(key, [...(groups.get(key) ?? []), part]);
  }
  const taken = new Set(device.structs.map(tagName));
  // What most variants have gets the plain name.
  const ordered = [...groups].sort(([, a], [, b]) => b.length - a.length);
  for (const [key, [first]] of ordered) {
    if (!first) continue;
    const { stem, stream, index, variant } = first;
    const number = index === 0 ? "" : `_${index + 1}`;
    const candidates = [`${stem}_${stream}${number}`, `${stem}_${snakeName(variant)}_${stream}${number}`];
    const name = candidates.find((candidate) => !taken.has(candidate));
    if (name === undefined) continue;
    taken.add(name);
    names.set(key, name);
  }
  return [...groups].flatMap(([key, group]) => {
    const tag = names.get(key);
    const [first] = group;
    if (tag === undefined || !first) return [];
    const source = { tag, comment: commentOf(request, first, group), kind: "struct", size: null } as const;
    const made = layout({ ...source, fields: first.fields }, scope);
    return made.members.length === 0 ? [] : [made];
  });
}

function commentOf(request: RequestModel, { stream, condition, stem }: Part, group: readonly Part[]): string {
  const side = stream === "out" ? "What the driver writes" : "What the device writes";
  const variants = [...new Set(group.map(({ variant }) => variant))];
  const which = variants.length === request.variants.length ? "" : ` (${variants.join(", ")})`;
  return `${side} in ${stem}${which}, as far as it lies together.${condition === null ? "" : ` If ${condition}.`}`;
}

/** What tells two runs apart. */
function textOf({ fields, condition, index }: Part): string {
  const shape = fields.map(({ specName, type, size }) => [specName, type, size]);
  return JSON.stringify([condition, shape, index]);
}

function variantParts(
  request: RequestModel,
  variant: VariantModel,
  device: DeviceModel,
  scope: TypeScope,
): readonly Part[] {
  const stem = variant.specName ?? request.specName;
  // Of a message with an unknown tag nothing is known.
  if (variant.tags.some(({ patterns }) => patterns.length === 0)) return [];
  const listed = device.structs.find(({ message, specName }) => message && specName === stem);
  if (listed?.size !== null && listed !== undefined) return [];
  const prefix = listed ? layout({ ...asSource(listed), size: null }, scope) : undefined;
  const make = (fields: readonly FieldModel[], stream: Part["stream"]): readonly Part[] =>
    runsOf(fields).map((run, index) => ({ ...run, stem, stream, index, variant: variant.name }));
  const readable = variant.readableSpecName === null ? make(variant.readable, "out") : [];
  const writable = variant.replies.flatMap((reply) => (reply.specName === null ? make(reply.writable, "in") : []));
  return [...readable, ...writable].filter((part) => {
    const [only] = part.fields;
    if (!only || (part.fields.length === 1 && isStruct(only, scope))) return false;
    // The struct of the message itself begins like this.
    const own = layout({ tag: "", comment: "", kind: "struct", fields: part.fields, size: null }, scope);
    return !prefix || fixedText(own) !== fixedText(prefix);
  });
}

function fixedText({ members }: CStruct): string {
  return JSON.stringify(members.filter(({ size }) => size !== null));
}

function asSource(struct: StructModel): Parameters<typeof layout>[0] {
  return { tag: "", comment: "", kind: struct.kind, fields: struct.fields, size: struct.size };
}

function isStruct(field: FieldModel, { device, shared }: TypeScope): boolean {
  const { type } = field;
  return typeof type === "string" && [...device.structs, ...shared.structs].some(({ name }) => name === type);
}

/** Fields of fixed size that follow each other under the same condition; an array that ends a run belongs to it. */
function runsOf(fields: readonly FieldModel[]): readonly Run[] {
  const runs: Run[] = [];
  let open: FieldModel[] = [];
  let condition: string | null = null;
  const close = (): void => {
    if (open.some(({ size }) => size !== null && size !== 0)) runs.push({ fields: fromZero(open), condition });
    open = [];
  };
  for (const field of fields) {
    const own = field.moves ? field.condition : null;
    if (own !== condition) close();
    condition = own;
    if (field.size === null) {
      if (open.length > 0 && isArray(field)) open.push(field);
      close();
    } else open.push(field);
  }
  close();
  return runs;
}

function isArray({ type }: FieldModel): boolean {
  return typeof type !== "string" && "of" in type;
}

/** Counted from the first one, and there for certain. Bit-fields of one integer stay together. */
function fromZero(fields: readonly FieldModel[]): readonly FieldModel[] {
  const result: FieldModel[] = [];
  let end = 0;
  let container = 0;
  let last: FieldModel | undefined;
  for (const field of fields) {
    const shares = field.bits !== null && last?.bits && field.type === last.type && field.bits.shift > last.bits.shift;
    const offset = shares ? container : end;
    container = offset;
    result.push({ ...field, offset, overlaps: false, condition: null, conditionTree: null });
    end = Math.max(end, offset + (field.size ?? 0));
    last = field;
  }
  return result;
}
