import type { FieldModel, FieldType, MatchType } from "../../model/device-model.js";
import { fieldComment } from "./comments.js";
import { endOf, type CBits, type CGroup, type CMember } from "./members.js";
import { memberName, snakeName, tagName, type MemberNames } from "./names.js";
import { resolve, type Resolved, type TypeScope } from "./scope.js";
import { joinBits, type JoinedField } from "./layout.js";

export interface MemberContext {
  readonly scope: TypeScope;
  /** Collects the tags of structs that are used. */
  readonly uses: Set<string>;
  /** Members of a struct that is written inside of another one. */
  readonly layoutOf: (
    fields: readonly FieldModel[],
    size: number | null,
    context: MemberContext,
  ) => { readonly members: readonly CMember[] };
}

type Dimensions = readonly (number | null)[];

/** What a member is, but for its name and place. */
type Shape =
  | { readonly kind: "plain"; readonly type: string; readonly bits: readonly CBits[]; readonly size: number | null }
  | { readonly kind: CGroup["kind"]; readonly members: readonly CMember[] };

/** A field as a member of something that starts at `base`. */
export function memberOf(
  { field, bits }: JoinedField,
  base: number,
  names: MemberNames,
  context: MemberContext,
): CMember {
  const { element, dimensions, external } = elementOf(field.type, context.scope);
  const offset = (field.offset ?? 0) - base;
  const { size } = field;
  const count = dimensions.reduce<number>((product, length) => product * (length ?? 1), 1);
  const room = size === null ? null : size / count;
  const shape = shapeOf(element, room, bits, context);
  const name = field.specName === "" ? null : names.claim(field.specName);
  const comment = [fieldComment(field), external === "" ? "" : `A ${external}.`]
    .filter((part) => part !== "")
    .join(" ");
  const placed = { offset, size, dimensions, comment };
  if (shape.kind !== "plain") return { kind: shape.kind, name, ...placed, members: shape.members };
  const type = field.text !== null && shape.type === "__u8" ? "char" : shape.type;
  const own: CMember = { kind: "field", name: name ?? names.claim("u"), type, ...placed, bits: shape.bits };
  if (shape.size === null || room === null || shape.size === room) return own;
  // More room than the type takes.
  const bytes = { kind: "field" as const, type: "__u8", bits: [], offset: 0, dimensions: [size], comment: "" };
  const members: CMember[] = [
    { ...own, offset: 0, size: shape.size * count },
    { ...bytes, size, name: names.claim(`${own.name}_room`) },
  ];
  return { kind: "union", name: null, offset, size, dimensions: [], comment: "", members };
}

/** The type without its dimensions. */
function elementOf(
  type: FieldType,
  scope: TypeScope,
): { readonly element: FieldType; readonly dimensions: Dimensions; readonly external: string } {
  const dimensions: (number | null)[] = [];
  let element = type;
  while (typeof element !== "string" && "of" in element) {
    dimensions.push(typeof element.length === "number" && element.unit === "elements" ? element.length : null);
    element = element.of;
  }
  const external = externalOf(element, dimensions.length > 0, scope);
  if (external) {
    const { name, size } = external;
    // C knows arrays of unknown length in the first dimension only.
    return { element: "u8", dimensions: size === null ? [null] : [...dimensions, size], external: name };
  }
  return { element, dimensions, external: "" };
}

/** What is to be written as bytes: types of other standards, and structs that vary in size inside of an array. */
function externalOf(
  element: FieldType,
  inArray: boolean,
  scope: TypeScope,
): { name: string; size: number | null } | undefined {
  if (typeof element !== "string" && "match" in element) return undefined;
  const type = resolve(element, scope);
  if (type.kind === "external") return { name: `\`${type.name}\``, size: type.size };
  const varies = inArray && type.kind === "struct" && type.struct.size === null;
  return varies ? { name: `row of struct ${tagName(type.struct)}, each as long as it says`, size: null } : undefined;
}

function shapeOf(element: FieldType, room: number | null, bits: readonly CBits[], context: MemberContext): Shape {
  if (typeof element !== "string" && "match" in element) return matchShape(element, room, context);
  const type = resolve(element, context.scope);
  if (type.kind !== "struct") return { kind: "plain", type: scalarType(type), bits, size: type.size };
  const { struct } = type;
  if (!struct.anonymous) {
    context.uses.add(struct.name);
    const keyword = struct.kind === "union" ? "union" : "struct";
    return { kind: "plain", type: `${keyword} ${tagName(struct)}`, bits: [], size: struct.size };
  }
  const joined = joinBits(struct.fields);
  const [container] = joined;
  // A struct of nothing but bit-fields is the integer.
  if (container && joined.length === 1 && container.bits.length > 0 && typeof container.field.type === "string") {
    const scalar = resolve(container.field.type, context.scope);
    return { kind: "plain", type: scalarType(scalar), bits: container.bits, size: struct.size };
  }
  const { members } = context.layoutOf(struct.fields, struct.size, context);
  const [only] = members;
  if (struct.kind === "union" && only?.kind === "union" && members.length === 1 && only.name === null) {
    return { kind: "union", members: only.members };
  }
  return { kind: "struct", members };
}

function scalarType(type: Resolved): string {
  return type.kind === "scalar" ? type.type : "__u8";
}

/** A union with a tag: a member for each arm, and bytes where no arm takes all the room. */
function matchShape({ arms }: MatchType, room: number | null, context: MemberContext): Shape {
  const members: CMember[] = [];
  const taken = new Set<string>();
  const claim = (wanted: string): string => {
    let name = memberName(wanted);
    for (let count = 2; taken.has(name); count++) name = `${memberName(wanted)}_${count}`;
    taken.add(name);
    return name;
  };
  for (const arm of arms) {
    const type = resolve(arm.struct, context.scope);
    if (type.kind !== "struct") continue;
    const { struct } = type;
    const inner = context.layoutOf(within(struct.fields, room), null, context).members;
    const [only] = inner;
    if (!only) continue;
    if (inner.length === 1 && only.name !== null) {
      if (!members.some((member) => sameMember(member, only))) members.push({ ...only, name: claim(only.name) });
      continue;
    }
    const name = claim(
      snakeName(arm.patterns.map((pattern) => pattern.name ?? `value_${pattern.low}`).join("_") || "other"),
    );
    members.push({ kind: "struct", name, offset: 0, size: endOf(inner), dimensions: [], comment: "", members: inner });
  }
  const size = room ?? endOf(members);
  if (endOf(members) < size) {
    const name = claim("bytes");
    members.push({ kind: "field", type: "__u8", name, offset: 0, size, dimensions: [size], comment: "", bits: [] });
  }
  return { kind: "union", members };
}

/** Two arms that hold the same. */
function sameMember(a: CMember, b: CMember): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** In a union of fixed size, an array of unknown length takes what is left. */
function within(fields: readonly FieldModel[], room: number | null): readonly FieldModel[] {
  if (room === null) return fields;
  return fields.map((field) => {
    const { type, offset } = field;
    if (field.size !== null || offset === null || typeof type === "string" || !("of" in type)) return field;
    if (type.of !== "u8") return field;
    const size = room - offset;
    return { ...field, size, type: { ...type, length: size, lengthTree: null, unit: "elements" } };
  });
}
