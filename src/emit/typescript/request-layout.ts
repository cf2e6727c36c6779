import type { FieldModel } from "../../model/device-model.js";
import { knownHead } from "../../model/request-failures.js";
import { code, joined, type Code } from "./code.js";
import { formulaContext, type CodecContext } from "./codec-parameters.js";
import { referredFields, type DeviceScope } from "./device-scope.js";
import { memberAtPath, valueAtPath } from "./field-paths.js";
import { condition, count, type FormulaContext, type Value } from "./formulas.js";
import { runtime } from "./imports.js";
import { freeName, memberName } from "./names.js";
import { EmitError } from "./emit-error.js";
import { localOf, readFields } from "./read-fields.js";
import { replyFields } from "./reply-variants.js";
import { isTag, isWindow, type VariantShape } from "./request-shapes.js";
import { fixedSize, isWide, shapeOf, type Shape } from "./shapes.js";
import { headerSizeArguments, plus, sizeCode, sizeFunction, type Size } from "./size-fields.js";
import { numberAt, tailSize } from "./structs-read.js";
import { isVisible, propertyName } from "./struct-types.js";

/** Bytes of a message that are copied as its head: as many as are known of any, and all up to the last tag. */
function headLimit(variant: VariantShape): number {
  const ends = variant.readable
    .filter((field) => isTag(variant, field))
    .map((field) => (field.offset ?? 0) + (field.size ?? 0));
  return Math.max(knownHead, ...ends);
}

/** Members of the runtime's request class, and of the generated one. */
const SLOT_MEMBERS: ReadonlySet<string> = new Set(
  (
    "slot head headBytes headLength readable writable writableLength queueIndex position features live serial signal hold " +
    "cancel load decode finish finishWithByte finishFailed abandon fail toJSON replyToJSON complete readerFrom tooSmall"
  ).split(" "),
);

/** Name of a field as a member of a request. */
export function requestMember(field: FieldModel): string {
  return memberName(propertyName(field), SLOT_MEMBERS);
}

/** Name of bytes that the device writes: a readable field of the same name goes before. */
export function replyMember(field: FieldModel, variant: VariantShape): string {
  const name = requestMember(field);
  const isTaken = variant.readable.some((other) => isVisible(other) && requestMember(other) === name);
  return isTaken ? `reply${name.charAt(0).toUpperCase()}${name.slice(1)}` : name;
}

/** Where the readable fields of a variant are. */
export interface ReadableLayout {
  /** Numbers at known places of the head, except tags. */
  readonly head: readonly HeadField[];
  /** Structs in the head, which are looked at and not copied. */
  readonly views: readonly {
    readonly field: FieldModel;
    readonly offset: number;
    readonly shape: Shape & { kind: "struct" };
  }[];
  /** Fields that decoding gives a value to. */
  readonly assigned: readonly FieldModel[];
  /** Bytes of the head that must be there. */
  readonly headSize: number;
  /** Bytes of the head to copy. */
  readonly copied: number;
  /** Statements that point windows and decode what is not in the head. */
  readonly statements: readonly Code[];
  /** Fields as code behind these statements can refer to them. */
  readonly formulas: FormulaContext;
}

export interface HeadField {
  readonly field: FieldModel;
  readonly offset: number;
  readonly shape: Shape & { kind: "scalar" };
}

/** Context of code inside a request class. While decoding, what was decoded before is known to be there. */
export function slotContext(variant: VariantShape, scope: DeviceScope, isDecoding = false): CodecContext {
  const place = `${scope.device.name}.${variant.name}`;
  const features = (): Code => code`this.features`;
  const config = (): Code => code`this.#config`;
  const base = formulaContext(scope, place, { features, config, wholeConfig: true });
  return {
    scope,
    place,
    owner: variant.owner,
    features,
    config,
    formulas: {
      ...base,
      field: (_, path) => readableValue(variant, path, scope, place, isDecoding),
      member: (_, path) => {
        // Structs in the head are looked at where they are; what is decoded may be missing.
        const first = variant.readable.find((field) => field.name === path[0]);
        if (first === undefined || path.length < 2 || !isView(first, variant, scope)) return undefined;
        return memberAtPath(variant.readable, path, (field) => code`this.${requestMember(field)}`, scope);
      },
    },
    tailOf: (field) => tailSize(variant.readable, field, scope, place),
  };
}

/** A readable field for a formula: straight from the head where it is there. */
export function readableValue(
  variant: VariantShape,
  path: readonly string[],
  scope: DeviceScope,
  place: string,
  isDecoding = false,
): Value {
  const field = variant.readable.find((candidate) => candidate.name === path[0]);
  const shape = field === undefined ? undefined : shapeOf(field, scope);
  const isInHead = field !== undefined && variant.readable.indexOf(field) < headPartEnd(variant, scope);
  if (path.length === 1 && isInHead && field.offset !== null && shape?.kind === "scalar" && field.bits === null) {
    return {
      code: numberAt(code`this.head`, code`${field.offset}`, shape),
      type: isWide(shape, field) ? "bigint" : "number",
    };
  }
  const maybeMissing = !isDecoding && (field === undefined || !isView(field, variant, scope));
  return valueAtPath(variant.readable, path, (each) => code`this.${requestMember(each)}`, scope, place, maybeMissing);
}

export function readableLayout(variant: VariantShape, scope: DeviceScope): ReadableLayout {
  const context: CodecContext = { ...slotContext(variant, scope), taken: new Set() };
  const fields = variant.readable;
  const layout: LayoutDraft = {
    head: [],
    views: [],
    assigned: [],
    statements: [],
    copied: 0,
    headSize: 0,
    formulas: context.formulas,
  };
  const headEnd = headPartEnd(variant, scope);
  let index = 0;
  // What was decoded so far, for lengths and conditions of what follows.
  let { formulas } = context;
  for (; index < headEnd; index++) formulas = headPart(index, layout, variant, { ...context, formulas });
  if (variant.sizedTree !== null) {
    const size = freeVariable("messageSize", variant);
    const isKnown = [...referredFields([], variant.sizedTree)].every((name) =>
      fields.slice(0, headEnd).some((field) => field.name === name),
    );
    if (!isKnown) throw new EmitError("a message whose size is behind a part of variable size", context.place);
    layout.statements.push(
      code`const ${size} = ${count(variant.sizedTree, formulas)};`,
      code`if (${size} < ${layout.headSize} || ${size} > this.readable.length) return ${truncated("readable")};`,
      code`this.narrow(${size});`,
    );
  }
  let position: Size = { fixed: layout.headSize, varying: [] };
  const header = fields[index];
  if (header !== undefined && isHeaderView(header, position.fixed, variant, scope)) {
    position = headerPart(header, position.fixed, layout, variant, context);
    index++;
  }
  for (let runs = 1; index < fields.length; runs++) {
    const field = fields[index];
    const shape = field === undefined ? undefined : shapeOf(field, scope);
    if (field === undefined || shape === undefined) break;
    if (shape.kind === "bytes" && isFreeWindow(field, scope)) {
      const tail = shape.length.kind === "rest" ? tailSize(fields, field, scope, context.place) : 0;
      layout.statements.push(...windowStatements(variant, field, shape, sizeCode(position), tail, formulas));
      layout.assigned.push(field);
      index++;
      position =
        shape.length.kind === "rest"
          ? { fixed: 0, varying: [code`this.readable.length - ${tail}`] }
          : plus(position, { fixed: 0, varying: [code`${lengthName(requestMember(field), variant)}`] });
      continue;
    }
    // What is neither bytes nor in the head is decoded, one field after the other.
    const end = fields.findIndex((next, at) => at > index && isFreeWindow(next, scope));
    const run = fields.slice(index, end < 0 ? fields.length : end);
    const reader = runs === 1 ? "reader" : freeVariable(`reader${runs}`, variant);
    const start = sizeCode(position);
    const decoded = parsed(run, reader, start, { ...context, formulas });
    formulas = decoded.formulas;
    layout.statements.push(...decoded.statements);
    layout.assigned.push(...run.filter(isVisible));
    index += run.length;
    position = plus(position, { fixed: 0, varying: [code`${reader}.offset`] });
  }
  // Tags are looked at in the head, wherever they are.
  for (const field of fields) {
    if (!isTag(variant, field) || field.offset === null) continue;
    const size = field.size ?? fixedSize(shapeOf(field, scope)) ?? 0;
    layout.headSize = Math.max(layout.headSize, field.offset + size);
    layout.copied = Math.max(layout.copied, field.offset + size);
  }
  layout.formulas = formulas;
  return layout;
}

interface LayoutDraft extends ReadableLayout {
  readonly head: HeadField[];
  readonly views: { readonly field: FieldModel; readonly offset: number; readonly shape: Shape & { kind: "struct" } }[];
  readonly assigned: FieldModel[];
  readonly statements: Code[];
  formulas: FormulaContext;
  copied: number;
  headSize: number;
}

/** Bytes that are not copied and that lie at the top of the message. */
function isFreeWindow(field: FieldModel, scope: DeviceScope): boolean {
  return isWindow(field, scope) && field.sizedTree === null;
}

/** Number of fields at the start that are always there, always in the same place, and short. */
function headPartEnd(variant: VariantShape, scope: DeviceScope): number {
  const fields = variant.readable;
  const limit = headLimit(variant);
  const end = fields.findIndex((field) => {
    const size = field.bits === null ? fixedSize(shapeOf(field, scope)) : field.size;
    const isFixed = size !== null && field.offset !== null && field.offset + size <= limit;
    return (
      !isFixed ||
      field.optional ||
      field.conditionTree !== null ||
      field.overlaps ||
      field.counts !== null ||
      field.sizedTree !== null
    );
  });
  return end < 0 ? fields.length : end;
}

/** A field of the head: a number is read when it is looked at, other things are decoded at once. */
function headPart(index: number, layout: LayoutDraft, variant: VariantShape, context: CodecContext): FormulaContext {
  const { scope } = context;
  const field = variant.readable[index];
  if (field === undefined || field.offset === null) return context.formulas;
  const shape = shapeOf(field, scope);
  const end = field.offset + (field.size ?? fixedSize(shape) ?? 0);
  layout.headSize = Math.max(layout.headSize, end);
  layout.copied = Math.max(layout.copied, end);
  if (!isVisible(field) || isTag(variant, field)) return context.formulas;
  if (shape.kind === "scalar") {
    layout.head.push({ field, offset: field.offset, shape });
  } else if (shape.kind === "struct" && isView(field, variant, scope)) {
    layout.views.push({ field, offset: field.offset, shape });
  } else {
    layout.assigned.push(field);
    const member = requestMember(field);
    if (shape.kind === "bytes") {
      layout.statements.push(code`this.${member} = this.headBytes.slice(${field.offset}, ${end});`);
      return context.formulas;
    }
    const reader = freeVariable(`${member}Reader`, variant);
    const { statements, properties, formulas } = readFields([field], context, reader);
    layout.statements.push(
      code`const ${reader} = new ${runtime("ByteReader")}(this.headBytes, ${field.offset}, ${end});`,
      ...statements,
      code`if (${reader}.error !== undefined) return ${reader}.error;`,
      code`this.${member} = ${localOf(properties[0])};`,
    );
    return formulas;
  }
  return context.formulas;
}

function isHeaderView(field: FieldModel, at: number, variant: VariantShape, scope: DeviceScope): boolean {
  const shape = shapeOf(field, scope);
  if (shape.kind !== "struct" || shape.struct.kind !== "header" || field.conditionTree !== null) return false;
  return isView(field, variant, scope) && at + (shape.struct.size ?? Infinity) <= knownHead;
}

/** A header is looked at in the head, too; what is behind it moves with its size. */
function headerPart(
  field: FieldModel,
  at: number,
  layout: LayoutDraft,
  variant: VariantShape,
  context: CodecContext,
): Size {
  const shape = shapeOf(field, context.scope);
  if (shape.kind !== "struct") return { fixed: at, varying: [] };
  layout.views.push({ field, offset: at, shape });
  layout.copied = at + (shape.struct.size ?? 0);
  const end = freeVariable(`${propertyName(field)}End`, variant);
  const size = code`${sizeFunction(shape.struct, context.scope)}(${headerSizeArguments(shape.struct, shape.arguments, context)})`;
  layout.statements.push(
    code`const ${end} = ${sizeCode({ fixed: at, varying: [size] })};`,
    code`if (this.readable.length < ${end}) return ${truncated("readable")};`,
  );
  return { fixed: 0, varying: [code`${end}`] };
}

export function truncated(part: "readable" | "writable"): Code {
  const rule = part === "readable" ? "truncated" : "too-small";
  return code`new ${runtime("CodecError")}("${rule}", this.${part}.length)`;
}

/** Is the field a struct that is looked at in the head? Where there are variants, structs are decoded at once. */
function isView(field: FieldModel, variant: VariantShape, scope: DeviceScope): boolean {
  const shape = shapeOf(field, scope);
  return (
    variant.model.tags.length === 0 && field.sizedTree === null && shape.kind === "struct" && isViewable(shape, scope)
  );
}

/** A struct of numbers at fixed places, or a header of them. */
function isViewable(shape: Shape & { kind: "struct" }, scope: DeviceScope): boolean {
  const { struct } = shape;
  if (struct.kind === "union" || struct.size === null || struct.parameters.length > 0 || struct.sizedTree !== null)
    return false;
  if (scope.needs(struct).config.length > 0) return false;
  return struct.fields.every((field) => {
    if (!isVisible(field)) return field.counts === null;
    const inner = shapeOf(field, scope);
    if (field.offset === null || (struct.kind === "struct" && field.conditionTree !== null)) return false;
    return (
      inner.kind === "scalar" || (inner.kind === "struct" && fixedSize(inner) !== null && inner.arguments.length === 0)
    );
  });
}

/** A variable of a request's methods that is not called like one of its fields, which have variables, too. */
function freeVariable(name: string, variant: VariantShape): string {
  return freeName(name, new Set([...variant.readable, ...replyFields(variant)].map(propertyName)));
}

/** The variable with the bytes of a window. */
export function lengthName(member: string, variant: VariantShape): string {
  return freeVariable(`${member}Length`, variant);
}

/** The call that points a window; where there are variants, the member is set to it. */
export function pointed(variant: VariantShape, member: string, direction: "In" | "Out"): Code {
  return variant.isPlain ? code`this.${member}.window` : code`this.${member} = this.#${member}${direction}.window`;
}

function windowStatements(
  variant: VariantShape,
  field: FieldModel,
  shape: Shape & { kind: "bytes" },
  from: Code,
  tail: number,
  formulas: FormulaContext,
): Code[] {
  const member = requestMember(field);
  const ifThere = (length: Code): Code => lengthIfThere(field, length, formulas);
  if (shape.length.kind === "formula") {
    const length = code`${lengthName(member, variant)}`;
    return [
      code`const ${length} = ${ifThere(count(shape.length.formula, formulas))};`,
      code`if (this.readable.length < ${from} + ${length}) return ${truncated("readable")};`,
      code`${pointed(variant, member, "In")}(this.readable, ${from}, ${length});`,
    ];
  }
  const check =
    tail === 0 ? [] : [code`if (this.readable.length < ${from} + ${tail}) return ${truncated("readable")};`];
  const before = [
    ...(from.parts[0] === "0" && from.parts.length === 1 ? [] : [from]),
    ...(tail === 0 ? [] : [code`${tail}`]),
  ];
  const length =
    before.length === 0 ? code`this.readable.length` : code`this.readable.length - (${joined(before, " + ")})`;
  return [...check, code`${pointed(variant, member, "In")}(this.readable, ${from}, ${ifThere(length)});`];
}

/** Bytes that are not there are none. */
export function lengthIfThere(field: FieldModel, length: Code, formulas: FormulaContext): Code {
  return field.conditionTree === null ? length : code`${condition(field.conditionTree, formulas)} ? ${length} : 0`;
}

/** Statements that decode fields with a reader of their own, and the fields as formulas behind them see them. */
function parsed(
  fields: readonly FieldModel[],
  reader: string,
  start: Code,
  context: CodecContext,
): { readonly statements: Code[]; readonly formulas: FormulaContext } {
  const { statements, properties, formulas } = readFields(fields, context, reader);
  const assignments = fields
    .filter(isVisible)
    .map((field, index) => code`this.${requestMember(field)} = ${localOf(properties[index])};`);
  return {
    formulas,
    statements: [
      code`const ${reader} = this.readerFrom(${start});`,
      ...statements,
      code`if (${reader}.error !== undefined) return ${reader}.error;`,
      ...assignments,
    ],
  };
}
