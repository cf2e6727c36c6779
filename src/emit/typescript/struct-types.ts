import type { FieldModel, PatternModel, StructModel } from "../../model/device-model.js";
import { code, joined, paragraphs, propertyKey, quoted, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { unreachable } from "./emit-error.js";
import { type isWideEnum, readType } from "./enums.js";
import { camelCase, pascalCase } from "./names.js";
import { isWide, shapeOf, type ArmShape, type Shape } from "./shapes.js";

/** Does the field appear in values? Reserved bytes do not, nor counts that follow from what they count. */
export function isVisible(field: FieldModel): boolean {
  return !field.reserved && field.counts === null;
}

/** Name of a field in values. */
export function propertyName(field: FieldModel): string {
  return camelCase(field.name);
}

/** Can the field be missing from a value? */
export function isOptional(field: FieldModel, shape: Shape): boolean {
  return (
    field.conditionTree !== null ||
    field.optional ||
    field.overlaps ||
    (shape.kind === "match" && !isExhaustive(shape.arms))
  );
}

/** Is there a value whatever the tag is? */
export function isExhaustive(arms: readonly ArmShape[]): boolean {
  return arms.every((arm) => arm.struct.fields.length > 0) && arms.some((arm) => arm.model.patterns.length === 0);
}

/** Type of a field's value. */
export function typeOf(shape: Shape, field: FieldModel, owner: string, scope: DeviceScope): Code {
  switch (shape.kind) {
    case "scalar":
      switch (shape.meaning.kind) {
        case "boolean":
          return code`boolean`;
        case "enum":
          return readType(shape.meaning.enum, scope);
        case "number":
        case "signed":
          return isWide(shape, field) ? code`bigint` : code`number`;
        default:
          return unreachable(shape.meaning);
      }
    case "bytes":
      return code`Uint8Array`;
    case "text":
      return shape.form === "list" ? code`readonly string[]` : code`string`;
    case "array":
      return code`readonly ${elementType(shape.of, field, owner, scope)}[]`;
    case "struct":
      return code`${scope.typeName(shape.struct)}`;
    case "match":
      return code`${matchTypeName(owner, field)}`;
    default:
      return unreachable(shape);
  }
}

/** Type of an element, in parentheses if it needs them. */
export function elementType(shape: Shape, field: FieldModel, owner: string, scope: DeviceScope): Code {
  const type = typeOf(shape, field, owner, scope);
  const plain = shape.kind === "struct" || shape.kind === "bytes" || shape.kind === "match";
  return plain ? type : code`(${type})`;
}

/** Name of the union type of a match. */
export function matchTypeName(owner: string, field: FieldModel): string {
  return owner + pascalCase(field.name);
}

/** The `kind` of an arm's values, for each of its patterns. */
export function armKinds(arm: ArmShape): readonly Code[] {
  return arm.model.patterns.length === 0 ? [quoted("default")] : arm.model.patterns.map(patternKind);
}

/** The member's name, the number, or the range. */
export function patternKind(pattern: PatternModel): Code {
  if (pattern.low !== pattern.high) return quoted(`${pattern.low}..${pattern.high}`);
  return quoted(pattern.name === null ? String(pattern.low) : shortName(pattern.name));
}

/** Patterns may name the enum as well (`MacCommand.TABLE_SET`). */
export function shortName(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** Interface of a struct, with the union types of its matches. */
export function structType(struct: StructModel, scope: DeviceScope): Code {
  const name = scope.typeName(struct);
  const fields = struct.fields.filter(isVisible);
  const notes =
    struct.kind === "union"
      ? "All fields share their bytes: reading gives every one of them, writing takes the first that is there."
      : "";
  const body =
    fields.length === 0
      ? code`${docComment(struct, notes)}export type ${name} = Readonly<Record<never, never>>;`
      : code`${docComment(struct, notes)}export interface ${name} {
          ${fields.map((field) => property(field, struct, scope))}
        }`;
  return paragraphs([body, ...matchTypes(struct.fields, name, scope)]);
}

function property(field: FieldModel, struct: StructModel, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  const type = typeOf(shape, field, scope.typeName(struct), scope);
  return struct.kind === "union" || isOptional(field, shape)
    ? code`${fieldDoc(field, scope, struct.since)}readonly ${propertyKey(propertyName(field))}?: ${type} | undefined;`
    : code`${fieldDoc(field, scope, struct.since)}readonly ${propertyKey(propertyName(field))}: ${type};`;
}

/** Documentation of a field: its own, its unit, when it is there, which flags it holds. */
export function fieldDoc(
  field: FieldModel,
  scope: DeviceScope,
  within = scope.device.since,
  ...more: readonly string[]
): Code {
  const notes: string[] = [...more];
  if (field.condition !== null) notes.push(`Only if ${field.condition}.`);
  if (field.constant) notes.push("Never changes.");
  if (field.unannounced) notes.push("Changes without a notification.");
  if (field.before !== null) notes.push(`Not to be written from ${field.before.toUpperCase()} on.`);
  if (field.learnt !== null) notes.push(`Known from what ${field.learnt.protocol} has learnt: ${field.learnt.field}.`);
  if (field.flags !== null) {
    const flags = scope.enum(field.flags);
    if (flags !== undefined) notes.push(flagsNote(flags, scope));
  }
  const named = field.enum === null ? undefined : scope.enum(field.enum);
  const shape = shapeOf(field, scope);
  if (named !== undefined && shape.kind === "scalar" && shape.meaning.kind === "number") {
    notes.push(`The number of a {@link ${scope.typeName(named)}}.`);
  }
  if (field.bitset !== null) {
    const members = scope.enum(field.bitset);
    if (members !== undefined) notes.push(`Each bit is the number of a {@link ${scope.typeName(members)}}.`);
  }
  for (const { type, condition } of field.meanings) {
    const members = scope.enum(type);
    if (members !== undefined)
      notes.push(`{@link ${scope.typeName(members)}} ${condition === null ? "otherwise" : `if ${condition}`}.`);
  }
  return docComment(
    { doc: field.doc, unit: field.unit, since: field.since, until: field.until, was: field.was, within },
    ...notes,
  );
}

function flagsNote(flags: Parameters<typeof isWideEnum>[0], scope: DeviceScope): string {
  const name = scope.typeName(flags);
  const names = [
    ...(flags.members.length > 0 || flags.masked.length === 0 ? [name] : []),
    ...flags.masked.map((part) => name + pascalCase(part.name)),
  ];
  return `Flags: ${names.map((each) => `{@link ${each}}`).join(", ")}.`;
}

/** Union types of the matches among fields. */
export function matchTypes(fields: readonly FieldModel[], owner: string, scope: DeviceScope): Code[] {
  const types: Code[] = [];
  for (const field of fields) {
    const shape = shapeOf(field, scope);
    const match = shape.kind === "array" ? shape.of : shape;
    if (match.kind !== "match") continue;
    const arms = match.arms.filter((arm) => arm.struct.fields.length > 0);
    const members = arms.map((arm) => {
      const kinds = joined([...new Set(armKinds(arm).map(text))], " | ");
      return code`({ readonly kind: ${kinds} } & ${scope.typeName(arm.struct)})`;
    });
    const name = matchTypeName(owner, field);
    const type = members.length === 0 ? code`never` : joined(members, " | ");
    types.push(
      code`${docComment({ doc: field.doc }, `What it is depends on \`${subjectText(field)}\`.`)}export type ${name} = ${type};`,
    );
  }
  return types;
}

function text(part: Code): string {
  return part.parts.map((piece) => (typeof piece === "string" ? piece : "")).join("");
}

function subjectText(field: FieldModel): string {
  const type = field.type;
  if (typeof type === "object" && "match" in type) return type.match;
  return "";
}
