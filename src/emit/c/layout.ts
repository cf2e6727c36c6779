import type { FieldModel, StructModel } from "../../model/device-model.js";
import { typeText } from "../byte-map/type-scope.js";
import { describe, fieldComment } from "./comments.js";
import { memberOf, type MemberContext } from "./field-member.js";
import { endOf, filled, type CBits, type CGroup, type CMember, type CStruct } from "./members.js";
import { MemberNames, tagName } from "./names.js";
import { resolve, type TypeScope } from "./scope.js";

/** What a struct is made from: one of the model, or a part of a message. */
export interface LayoutSource {
  readonly tag: string;
  readonly comment: string;
  readonly kind: StructModel["kind"];
  readonly fields: readonly FieldModel[];
  /** Null if it varies. */
  readonly size: number | null;
}

/** The layout of a struct of the model. Conditions of a header's fields do not move anything. */
export function structLayout(struct: StructModel, scope: TypeScope): CStruct {
  const lengths =
    struct.parameters.length === 0 ? [] : [`Its lengths come from outside: ${struct.parameters.join(", ")}`];
  const comment = describe(struct, ...lengths);
  return layout({ tag: tagName(struct), comment, kind: struct.kind, fields: struct.fields, size: struct.size }, scope);
}

/** Fields as members, up to the first that has no fixed place; what follows is told in words. */
export function layout(source: LayoutSource, scope: TypeScope): CStruct {
  const uses = new Set<string>();
  const { members, rest } = membersOf(source.fields, source.size, { scope, uses, layoutOf: membersOf });
  const [only] = members;
  const isUnion = source.kind === "union" && members.length === 1 && only?.kind === "union" && only.name === null;
  const end = endOf(members);
  return {
    kind: isUnion ? "union" : "struct",
    tag: source.tag,
    comment: source.comment,
    members: isUnion ? only.members : members,
    size: end,
    rest: rest.map((field) => restLine(field, scope)),
    uses: [...uses],
  };
}

function restLine(field: FieldModel, scope: TypeScope): string {
  const comment = fieldComment(field);
  const name = field.specName === "" ? field.name : field.specName;
  return `${typeText(field, scope).replace(/(\[.*)?$/, (dimensions) => ` ${name}${dimensions}`)}${comment === "" ? "" : `: ${comment}`}`;
}

interface Members {
  readonly members: readonly CMember[];
  readonly rest: readonly FieldModel[];
}

function membersOf(fields: readonly FieldModel[], size: number | null, context: MemberContext): Members {
  const names = new MemberNames();
  // In a message that varies, what lies over each other belongs to different variants.
  const cut = fields.findIndex((field) => !hasPlace(field) || (size === null && field.overlaps));
  const fixed = cut < 0 ? fields : fields.slice(0, cut);
  const later = cut < 0 ? [] : fields.slice(cut);
  const placed = fixed
    .filter((field) => field.size !== 0)
    .map((field, index) => ({ field, index }))
    .sort((a, b) => (a.field.offset ?? 0) - (b.field.offset ?? 0) || a.index - b.index)
    .map(({ field }) => field);
  const members = clusters(joinBits(placed)).map((cluster) => clusterMember(cluster, names, context));
  const end = endOf(members);
  const whole = filled(members, 0, size ?? end);
  const [first, ...others] = later;
  const open = first && flexible(first, end, others.length === 0, names, context);
  return open ? { members: [...whole, open], rest: others } : { members: whole, rest: later };
}

/** At a fixed place, and there whatever was negotiated (a field of a header that was not is just not sent). */
function hasPlace(field: FieldModel): boolean {
  return field.offset !== null && field.size !== null && !(field.moves && field.conditionTree !== null);
}

/** An array to the end, or a last struct that ends in one. */
function flexible(
  field: FieldModel,
  end: number,
  isLast: boolean,
  names: MemberNames,
  context: MemberContext,
): CMember | undefined {
  if (field.overlaps || field.offset !== end || (field.moves && field.conditionTree !== null)) return undefined;
  if (typeof field.type !== "string" && "match" in field.type) return undefined;
  if (typeof field.type !== "string" && "of" in field.type) return memberOf({ field, bits: [] }, 0, names, context);
  const type = resolve(field.type, context.scope);
  // Where a header ends is not in its type.
  if (!isLast || type.kind !== "struct" || type.struct.kind === "header") return undefined;
  const size = endOf(context.layoutOf(type.struct.fields, type.struct.size, context).members);
  return size === 0 ? undefined : { ...memberOf({ field, bits: [] }, 0, names, context), size };
}

/** A field, with those that share an integer with it. */
export interface JoinedField {
  readonly field: FieldModel;
  readonly bits: readonly CBits[];
}

/** Bit-fields of one container become that container. It has the name of the field, if only one of them means anything. */
export function joinBits(fields: readonly FieldModel[]): readonly JoinedField[] {
  const result: JoinedField[] = [];
  const done = new Set<FieldModel>();
  for (const field of fields) {
    if (done.has(field)) continue;
    if (!field.bits) {
      result.push({ field, bits: [] });
      continue;
    }
    const parts = fields.filter(({ bits, offset, type }) => bits && offset === field.offset && type === field.type);
    parts.forEach((part) => done.add(part));
    const meaningful = parts.filter(({ reserved }) => !reserved);
    const [only] = meaningful;
    const name = meaningful.length === 1 && only ? only.specName : `bits_at_${field.offset ?? 0}`;
    const container: FieldModel = { ...field, name, specName: name, doc: "", reserved: false, bits: null };
    result.push({ field: container, bits: meaningful.flatMap(bitsOf) });
  }
  return result;
}

function bitsOf(field: FieldModel): readonly CBits[] {
  return field.bits ? [{ name: field.specName, ...field.bits, comment: fieldComment(field) }] : [];
}

/** Runs of fields that lie over each other. */
function clusters(fields: readonly JoinedField[]): readonly (readonly JoinedField[])[] {
  const result: JoinedField[][] = [];
  let end = 0;
  for (const joined of fields) {
    const { offset, size } = joined.field;
    const last = result.at(-1);
    if (last && (offset ?? 0) < end) last.push(joined);
    else result.push([joined]);
    end = Math.max(end, (offset ?? 0) + (size ?? 0));
  }
  return result;
}

function clusterMember(cluster: readonly JoinedField[], names: MemberNames, context: MemberContext): CMember {
  const start = Math.min(...cluster.map(({ field }) => field.offset ?? 0));
  const [only] = cluster;
  if (only && cluster.length === 1) return memberOf(only, 0, names, context);
  // Each column of a union holds what does not overlap.
  const columns: JoinedField[][] = [];
  for (const joined of cluster) {
    const fits = columns.find((column) => {
      const last = column.at(-1)?.field;
      return last !== undefined && (last.offset ?? 0) + (last.size ?? 0) <= (joined.field.offset ?? 0);
    });
    if (fits) fits.push(joined);
    else columns.push([joined]);
  }
  const members = columns.map((column): CMember => {
    const inner = column.map((joined) => memberOf(joined, start, names, context));
    const [single] = inner;
    if (single && inner.length === 1 && single.offset === 0) return single;
    return group("struct", 0, filled(inner, 0, endOf(inner)));
  });
  return group("union", start, members);
}

function group(kind: CGroup["kind"], offset: number, members: readonly CMember[]): CGroup {
  return { kind, name: null, offset, size: endOf(members), dimensions: [], comment: "", members };
}
