import type { FieldModel, StructModel } from "../../model/device-model.js";
import { code, joined, nothing, paragraphs, render, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { runtime, runtimeType } from "./imports.js";
import { replyMember, requestMember, type HeadField } from "./request-layout.js";
import { replyFields } from "./reply-variants.js";
import { isWindow, tagField, type RequestShape } from "./request-shapes.js";
import type { LayoutGroup } from "./request-slot.js";
import { memberType } from "./request-types.js";
import { isWide, shapeOf } from "./shapes.js";
import { isOptional, isVisible } from "./struct-types.js";
import { fieldAt } from "./structs-read.js";

export interface Member {
  readonly name: string;
  readonly types: readonly Code[];
  /** Bytes of the readable part. */
  readonly readable: boolean;
  /** Bytes of the writable part. */
  readonly writable: boolean;
  /** What it is before and after each request. */
  readonly initial: Code;
}

/** Members that decoding gives values to: tags, windows, and what is decoded at once. */
export function assignedMembers(request: RequestShape, groups: readonly LayoutGroup[], scope: DeviceScope): Member[] {
  const members = new Map<string, { types: Map<string, Code>; readable: boolean; writable: boolean; initial: Code }>();
  const add = (
    name: string,
    type: Code,
    change: { readable?: boolean; writable?: boolean } = {},
    initial = code`undefined`,
  ): void => {
    const member = members.get(name) ?? { types: new Map<string, Code>(), readable: false, writable: false, initial };
    member.types.set(JSON.stringify(type.parts), type);
    member.readable ||= change.readable ?? false;
    member.writable ||= change.writable ?? false;
    members.set(name, member);
  };
  for (const name of request.discriminators) {
    const enums = new Set<string>();
    let member = name;
    for (const variant of request.variants) {
      const field = tagField(variant, name);
      const shape = field === undefined ? undefined : shapeOf(field, scope);
      if (field === undefined || shape?.kind !== "scalar") continue;
      member = requestMember(field);
      if (shape.meaning.kind === "enum") enums.add(scope.typeName(shape.meaning.enum));
    }
    const [only, second] = enums;
    // Of several enums, the interfaces say which one it is.
    if (only !== undefined) add(member, second === undefined ? code`${only}` : code`string`, {}, code`0`);
    add(member, code`number`, {}, code`0`);
  }
  for (const { variant, layout } of groups) {
    for (const field of layout.assigned)
      add(requestMember(field), memberType(field, shapeOf(field, scope), variant.owner, scope), {
        readable: isWindow(field, scope),
      });
    for (const field of replyFields(variant)) {
      if (isWindow(field, scope))
        add(replyMember(field, variant), code`${runtimeType("WritableBytes")}`, { writable: true });
    }
  }
  const known = new Set(members.keys());
  for (const field of inconsistentHeads(groups)) {
    if (!known.has(requestMember(field.field)))
      add(requestMember(field.field), memberType(field.field, field.shape, request.typeName, scope));
  }
  return [...members].map(([name, member]) => ({ ...member, name, types: [...member.types.values()] }));
}

export function memberDeclaration(member: Member, isPlainRequest: boolean): Code {
  if (isPlainRequest && (member.readable || member.writable)) {
    return code`readonly ${member.name} = new ${runtime(member.readable ? "ReadableBytes" : "WritableBytes")}();`;
  }
  const all = member.initial.parts[0] === "undefined" ? [...member.types, code`undefined`] : member.types;
  // Several enums are `A | number` and `B | number`.
  const types = new Map<string, Code>();
  for (const type of all) {
    const { text, symbols } = render(type);
    if (symbols.length > 0) types.set(text, type);
    else for (const part of text.split(" | ")) types.set(part, code`${part}`);
  }
  return code`${member.name}: ${joined([...types.values()], " | ")} = ${member.initial};`;
}

/** Fields of the head that are elsewhere, or something else, in another variant. */
export function inconsistentHeads(groups: readonly LayoutGroup[]): HeadField[] {
  const byName = new Map<string, HeadField[]>();
  for (const { layout } of groups) {
    for (const field of layout.head) byName.set(field.field.name, [...(byName.get(field.field.name) ?? []), field]);
  }
  return [...byName.values()].filter((fields) => !fields.every((field) => isSameHead(field, fields[0]))).flat();
}

function isSameHead(left: HeadField, right: HeadField | undefined): boolean {
  if (right === undefined) return false;
  return (
    left.offset === right.offset &&
    left.shape.scalar === right.shape.scalar &&
    left.field.enum === right.field.enum &&
    JSON.stringify(left.field.bits) === JSON.stringify(right.field.bits)
  );
}

export interface Getter {
  readonly name: string;
  readonly code: Code;
}

export function headGetters(groups: readonly LayoutGroup[], members: readonly Member[], scope: DeviceScope): Getter[] {
  const getters = new Map<string, Getter>();
  for (const { layout } of groups) {
    for (const { field, offset, shape } of layout.head) {
      const name = requestMember(field);
      if (getters.has(name) || members.some((member) => member.name === name)) continue;
      const value = fieldAt(code`this.head`, code`${offset}`, field, shape, scope);
      const getter = code`get ${name}(): ${memberType(field, shape, "", scope)} { return ${value}; }`;
      const asNumber =
        isWide(shape, field) && shape.meaning.kind === "number" && field.flags === null
          ? code`get ${name}Number(): number { return ${wideAsNumber(offset, shape.scalar.startsWith("be"))}; }`
          : nothing;
      getters.set(name, { name, code: paragraphs([getter, asNumber]) });
    }
  }
  for (const field of groups.flatMap(({ layout }) => [...layout.head.map((each) => each.field), ...layout.assigned])) {
    const name = requestMember(field);
    if (getters.has(name) || getters.has(`${name}Number`) || !hasNumber(field, scope)) continue;
    const isMember = members.some((member) => member.name === name);
    if (!isMember) continue;
    const getter = code`get ${name}Number(): number { return Number(this.${name} ?? 0n); }`;
    getters.set(`${name}Number`, { name: `${name}Number`, code: getter });
  }
  return [...getters.values()];
}

/** Is the field shown as a number, too? */
function hasNumber(field: FieldModel, scope: DeviceScope): boolean {
  const shape = shapeOf(field, scope);
  if (shape.kind !== "scalar" || !isWide(shape, field) || isOptional(field, shape) || !isVisible(field)) return false;
  return shape.meaning.kind === "number" && field.flags === null;
}

/** Without a bigint on the way. */
function wideAsNumber(offset: number, bigEndian: boolean): Code {
  const [low, high] = bigEndian ? [offset + 4, offset] : [offset, offset + 4];
  const order = bigEndian ? "" : ", true";
  return code`this.head.getUint32(${low}${order}) + this.head.getUint32(${high}${order}) * 2 ** 32`;
}

export interface ViewMember {
  readonly name: string;
  readonly struct: StructModel;
  readonly offset: number;
}

export function viewMembers(groups: readonly LayoutGroup[]): ViewMember[] {
  const views = new Map<string, ViewMember>();
  for (const { layout } of groups) {
    for (const { field, shape, offset } of layout.views) {
      const name = requestMember(field);
      const known = views.get(name);
      if (known !== undefined && (known.struct !== shape.struct || known.offset !== offset)) {
        throw new EmitError("a struct that is in different places of the variants", field.name);
      }
      views.set(name, { name, struct: shape.struct, offset });
    }
  }
  return [...views.values()];
}
