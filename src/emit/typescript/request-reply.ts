import type { FieldModel } from "../../model/device-model.js";
import { code, nothing, paragraphs, quoted, render, type Code } from "./code.js";
import type { CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { valueFunction } from "./enums.js";
import { count } from "./formulas.js";
import { runtime, runtimeType } from "./imports.js";
import { interpret } from "./read-fields.js";
import { lengthIfThere, pointed, replyMember, requestMember, slotContext, truncated } from "./request-layout.js";
import {
  isOptionalReply,
  isWindow,
  replyPadding,
  replyParts,
  statusField,
  valueFields,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import type { LayoutGroup } from "./request-slot.js";
import { canBeUnknown, hasAnswerType } from "./request-types.js";
import { fixedSize, minimumSize, scalarSize, shapeOf } from "./shapes.js";
import { plus, sizeCode, sizeOfFields, type Size } from "./size-fields.js";
import { isVisible, propertyName, typeOf } from "./struct-types.js";
import { fieldAt } from "./structs-read.js";
import { writeFields } from "./write-fields.js";

/** What decoding does about the writable part. */
export interface WritableLayout {
  /** Statements that work lengths out. */
  readonly lengths: readonly Code[];
  /** Bytes that must be there. */
  readonly needed: Size;
  /** Statements that point windows. */
  readonly windows: readonly Code[];
}

/** Checks that the reply has room, and points the windows of what the device fills in. */
export function decodeWritable(variant: VariantShape, request: RequestShape, scope: DeviceScope): WritableLayout {
  const context = slotContext(variant, scope, true);
  const { front, rest, tail } = replyParts(variant, request, scope);
  const tailSize = fixedTotal(tail, scope);
  const lengths: Code[] = [];
  let position: Size = { fixed: 0, varying: [] };
  let needed: Size = { fixed: tailSize, varying: [] };
  const windows: Code[] = [];
  const padding = replyPadding(request, variant, scope);
  for (const field of front) {
    const shape = shapeOf(field, scope);
    if (shape.kind === "bytes" && shape.length.kind === "formula" && isWindow(field, scope)) {
      const member = replyMember(field, variant);
      const known = lengthIfThere(field, count(shape.length.formula, context.formulas), context.formulas);
      lengths.push(code`const ${member}Length = ${known};`);
      windows.push(code`${pointed(variant, member, "Out")}(this.writable, ${sizeCode(position)}, ${member}Length);`);
      const length: Size = { fixed: 0, varying: [code`${member}Length`] };
      position = plus(position, length);
      needed = plus(needed, length);
      continue;
    }
    if (isOptionalReply(field, request, variant) && !padding.includes(field)) break;
    if (field.optional) break;
    const size = fixedSize(shape);
    needed = plus(needed, { fixed: size ?? minimumSize(shape, scope), varying: [] });
    if (size === null) break;
    position = plus(position, { fixed: size, varying: [] });
  }
  if (rest !== undefined && isWindow(rest, scope)) {
    const member = replyMember(rest, variant);
    const length = plus(position, { fixed: tailSize, varying: [] });
    const room =
      length.fixed === 0 && length.varying.length === 0
        ? code`this.writable.length`
        : code`this.writable.length - ${parenthesised(length)}`;
    const there = lengthIfThere(rest, room, context.formulas);
    windows.push(code`${pointed(variant, member, "Out")}(this.writable, ${sizeCode(position)}, ${there});`);
  }
  return { lengths, needed, windows };
}

/** Refuses a buffer that is too short for any reply. */
export function roomCheck(needed: Size): Code {
  if (needed.fixed === 0 && needed.varying.length === 0) return nothing;
  return code`if (this.writable.length < ${sizeCode(needed)}) return ${truncated("writable")};`;
}

/** Bytes that every reply has. */
export function commonReplySize(request: RequestShape, scope: DeviceScope): number {
  return fixedTotal(request.prefix.length > 0 ? request.prefix : request.suffix, scope) + commonPadding(request, scope);
}

/** Bytes of padding, if all replies have as much. */
function commonPadding(request: RequestShape, scope: DeviceScope): number {
  const sizes = new Set(request.variants.map((variant) => fixedTotal(replyPadding(request, variant, scope), scope)));
  const [size] = sizes;
  return sizes.size === 1 ? (size ?? 0) : 0;
}

function parenthesised(size: Size): Code {
  return size.varying.length === 0 ? sizeCode(size) : code`(${sizeCode(size)})`;
}

function fixedTotal(fields: readonly FieldModel[], scope: DeviceScope): number {
  let total = 0;
  for (const field of fields) {
    const size = field.optional ? null : (field.size ?? fixedSize(shapeOf(field, scope)));
    if (size === null) throw new EmitError("a reply whose end is of variable size", field.name);
    total += size;
  }
  return total;
}

/** Values of a reply that are next to each other. */
interface Run {
  readonly fields: readonly FieldModel[];
  /** Where it starts, from the start of the writable part. */
  readonly at: Code;
  /** Bytes, if that is always the same. */
  readonly size: number | null;
  /** Behind it are fields that are found from the end. */
  readonly limit: number;
}

function runsOf(variant: VariantShape, request: RequestShape, scope: DeviceScope): Run[] {
  const { front, rest, tail } = replyParts(variant, request, scope);
  const tailBytes = fixedTotal(tail, scope);
  const runs: Run[] = [];
  let position: Size = { fixed: 0, varying: [] };
  let fields: FieldModel[] = [];
  let start = position;
  const end = (): void => {
    if (fields.some(isVisible)) {
      const padding = replyPadding(request, variant, scope);
      const sizes = fields.map((field) =>
        field.optional || (isOptionalReply(field, request, variant) && !padding.includes(field))
          ? null
          : fixedSize(shapeOf(field, scope)),
      );
      const size = sizes.every((each) => each !== null) ? fixedTotal(fields, scope) : null;
      runs.push({ fields, at: sizeCode(start), size, limit: tailBytes });
    }
    fields = [];
  };
  // Reserved bytes up to the end are not written.
  const middle = rest === undefined || rest.reserved || isWindow(rest, scope) ? front : [...front, rest];
  for (const field of middle) {
    if (isWindow(field, scope)) {
      end();
      position = plus(position, {
        fixed: 0,
        varying: [
          code`${variant.isPlain ? code`this.${replyMember(field, variant)}.length` : code`(this.${replyMember(field, variant)}?.length ?? 0)`}`,
        ],
      });
      start = position;
      continue;
    }
    fields.push(field);
    position = plus(position, { fixed: fixedSize(shapeOf(field, scope)) ?? 0, varying: [] });
  }
  end();
  if (tail.length > 0)
    runs.push({ fields: tail, at: code`this.writable.length - ${tailBytes}`, size: tailBytes, limit: 0 });
  return runs;
}

/** Room that a slot keeps for encoding replies of fixed size. */
export function replyScratchSize(variant: VariantShape, request: RequestShape, scope: DeviceScope): number {
  const status = statusField(request, scope);
  const statusSize = status === undefined ? 0 : commonReplySize(request, scope);
  const isStatusAlone = status !== undefined && !hasAnswerType(variant, scope);
  const runs = isStatusAlone ? [] : runsOf(variant, request, scope);
  const sizes = runs.map((run) => (isByte(run, scope) ? 0 : (run.size ?? 0)));
  return Math.max(0, statusSize > 1 ? statusSize : 0, ...sizes);
}

/** A single number of one byte, which needs no encoder. */
function isByte(run: Run, scope: DeviceScope): boolean {
  const [field] = run.fields;
  return run.size === 1 && run.fields.length === 1 && field?.bits === null && shapeOf(field, scope).kind === "scalar";
}

// ---- complete ----

/** `complete`, and a method for each layout whose reply is more than a status. */
export function completeMethods(
  request: RequestShape,
  groups: readonly LayoutGroup[],
  hasKinds: boolean,
  scope: DeviceScope,
): Code {
  const completion = runtimeType("Completion");
  const [only] = groups;
  if (groups.length === 1 && only !== undefined && !hasKinds) {
    const { variant } = only;
    const values = valueFields(variant.writable, scope);
    if (values.length === 0)
      return code`complete(): ${completion} { return this.finish(${written(variant, request, scope)}); }`;
    const parameter = hasAnswerType(variant, scope)
      ? code`reply: ${variant.answerType}`
      : code`reply: ${scalarAnswer(values[0], scope)}`;
    return code`complete(${parameter}): ${completion} { ${replyStatements(variant, request, hasAnswerType(variant, scope), scope)} }`;
  }
  const status = statusField(request, scope);
  const objects = groups.filter(({ variant }) => hasAnswerType(variant, scope));
  const scalars = groups.filter(({ variant }) => !hasAnswerType(variant, scope));
  const types: Code[] = [];
  if (status !== undefined) types.push(scalarAnswer(status, scope));
  for (const { variant } of scalars) {
    const [value] = valueFields(variant.writable, scope);
    if (value !== undefined && value.name !== status?.name) types.push(scalarAnswer(value, scope));
    if (value === undefined) types.push(code`undefined`);
  }
  for (const { variants } of objects) for (const variant of variants) types.push(code`${variant.answerType}`);
  if (types.length === 0) return code`complete(): ${completion} { return this.finish(this.writable.written); }`;
  const unique = [...new Map(types.map((type) => [JSON.stringify(type.parts), type])).values()];
  const optional =
    types.some((type) => type.parts[0] === "undefined") || (status === undefined && canBeUnknown(request));
  const union = unique
    .filter((type) => type.parts[0] !== "undefined")
    .map((type, index) => code`${index > 0 ? " | " : ""}${type}`);
  const statusCase =
    status === undefined ? nothing : code`if (typeof reply !== "object") return this.#completeStatus(reply);`;
  const cast = (variant: VariantShape): Code =>
    status === undefined && (scalars.length > 0 || optional)
      ? code` as ${variant.answerType}`
      : answerCast(variant, request.prefix, objects, scope);
  const cases = objects.map(
    ({ name, variant }) => code`case ${quoted(name)}: return this.#complete${name}(reply${cast(variant)});`,
  );
  const others = scalars.flatMap(({ name, variant }) => {
    const [value] = valueFields(variant.writable, scope);
    if (value !== undefined && value.name === status?.name) return [];
    if (value === undefined)
      return [code`case ${quoted(name)}: return this.finish(${written(variant, request, scope)});`];
    return [code`case ${quoted(name)}: return this.#complete${name}(reply as ${scalarAnswer(value, scope)});`];
  });
  const dispatch =
    cases.length + others.length === 0
      ? nothing
      : code`switch (this.#kind) { ${cases} ${others} default: return ${status === undefined ? code`this.finish(0)` : code`this.abandon()`}; }`;
  const bodies = [
    ...objects.map(
      ({ name, variant }) =>
        code`#complete${name}(reply: ${variant.answerType}): ${completion} { ${replyStatements(variant, request, true, scope)} }`,
    ),
    ...scalars.flatMap(({ name, variant }) => {
      const [value] = valueFields(variant.writable, scope);
      if (value === undefined || value.name === status?.name) return [];
      return [
        code`#complete${name}(reply: ${scalarAnswer(value, scope)}): ${completion} { ${replyStatements(variant, request, false, scope)} }`,
      ];
    }),
  ];
  if (status !== undefined && cases.length + others.length === 0) {
    return code`complete(reply: ${scalarAnswer(status, scope)}): ${completion} { ${statusStatements(request, groups, status, scope)} }`;
  }
  return paragraphs([
    code`complete(reply${optional ? "?" : ""}: ${union}): ${completion} { ${statusCase} ${dispatch} }`,
    status === undefined
      ? nothing
      : code`#completeStatus(reply: ${scalarAnswer(status, scope)}): ${completion} { ${statusStatements(request, groups, status, scope)} }`,
    ...bodies,
  ]);
}

/** ` as BlkGetIdAnswer`, unless every answer could be taken for this one. */
function answerCast(
  variant: VariantShape,
  prefix: readonly FieldModel[],
  objects: readonly LayoutGroup[],
  scope: DeviceScope,
): Code {
  const properties = (each: VariantShape): { name: string; type: string; optional: boolean }[] =>
    valueFields(each.writable, scope).map((field, index) => ({
      name: field.name,
      type: render(typeOf(shapeOf(field, scope), field, each.replyType, scope)).text,
      optional: prefix.length > 0 && index >= prefix.filter(isVisible).length,
    }));
  const wanted = properties(variant);
  const fits = objects.every(({ variant: other }) => {
    const given = new Map(properties(other).map((property) => [property.name, property]));
    return wanted.every(({ name, type, optional }) => {
      const found = given.get(name);
      return found === undefined ? optional : found.type === type && (optional || !found.optional);
    });
  });
  return fits ? nothing : code` as ${variant.answerType}`;
}

/** Inside the class the types are as wide as the numbers. */
function scalarAnswer(field: FieldModel | undefined, scope: DeviceScope): Code {
  const shape = field === undefined ? undefined : shapeOf(field, scope);
  if (field === undefined || shape?.kind !== "scalar") return code`undefined`;
  switch (shape.meaning.kind) {
    case "enum":
      return code`${scope.typeName(shape.meaning.enum)} | number`;
    case "boolean":
      return code`boolean`;
    case "number":
    case "signed":
      return scalarSize(shape.scalar) === 8 ? code`bigint` : code`number`;
  }
}

/** Bytes of the writable part that are valid. */
function written(variant: VariantShape, request: RequestShape, scope: DeviceScope): Code {
  const { tail } = replyParts(variant, request, scope);
  if (variant.writable.length === 0) return code`0`;
  return tail.length > 0 ? code`this.writable.length` : code`this.writable.written`;
}

/** Only the status: all that is known of a request that nothing fits, and enough for a failure. */
function statusStatements(
  request: RequestShape,
  groups: readonly LayoutGroup[],
  status: FieldModel,
  scope: DeviceScope,
): Code {
  const atEnd = request.suffix.length > 0;
  const ends = atEnd ? request.suffix : request.prefix;
  const size = fixedTotal(ends, scope);
  const at = atEnd ? code`this.writable.length - ${size}` : code`0`;
  const run: Run = { fields: ends, at, size, limit: 0 };
  if (atEnd && ends.length === 1 && isByte(run, scope)) {
    // Each use of the getter would check anew that the request is live: the data path asks once.
    return code`const { writable } = this;
      const { length } = writable;
      writable.setByte(length - 1, ${byteValue(status, code`reply`, scope)});
      return this.finish(length);`;
  }
  const padding = commonPadding(request, scope);
  const access = (field: FieldModel): Code => (field.name === status.name ? code`reply` : code`0`);
  return code`${writeRun(run, access, anyContext(request, scope), scope, padding)}
    ${padding === 0 && kindPadding(request, groups, size, scope)}
    return this.finish(${atEnd ? code`this.writable.length` : code`this.writable.written`});`;
}

/** Zeroes behind the status, in those replies that have them. */
function kindPadding(request: RequestShape, groups: readonly LayoutGroup[], at: number, scope: DeviceScope): Code {
  const cases = groups.flatMap(({ name, variant }) => {
    const size = fixedTotal(replyPadding(request, variant, scope), scope);
    return size === 0 ? [] : [{ name, size }];
  });
  const sizes = [...new Set(cases.map(({ size }) => size))];
  if (sizes.length === 0) return nothing;
  return code`switch (this.#kind) { ${sizes.map((size) => {
    const labels = cases.filter((each) => each.size === size).map(({ name }) => code`case ${quoted(name)}:`);
    return code`${labels} this.writable.fill(0, ${at}, ${size}); break;`;
  })} default: break; }`;
}

function anyContext(request: RequestShape, scope: DeviceScope): CodecContext {
  const [first] = request.variants;
  if (first === undefined) throw new EmitError("a request without variants", request.typeName);
  return slotContext(first, scope);
}

function replyStatements(variant: VariantShape, request: RequestShape, isObject: boolean, scope: DeviceScope): Code {
  const context = slotContext(variant, scope);
  const access = (field: FieldModel): Code => (isObject ? code`reply.${propertyName(field)}` : code`reply`);
  const runs = runsOf(variant, request, scope).map((run) => {
    const padding = replyPadding(request, variant, scope);
    const optional = run.fields.filter((field) => isOptionalReply(field, request, variant));
    if (padding.length === 0 && optional.length > 0) return writeOptionalRun(run, optional, access, context);
    return writeRun(run, access, context, scope);
  });
  return code`${runs} return this.finish(${written(variant, request, scope)});`;
}

function writeRun(
  run: Run,
  access: (field: FieldModel) => Code,
  context: CodecContext,
  scope: DeviceScope,
  padding = 0,
): Code {
  const [field] = run.fields;
  if (padding === 0 && isByte(run, scope) && field !== undefined) {
    return code`this.writable.setByte(${run.at}, ${byteValue(field, access(field), scope)});`;
  }
  if (run.size !== null) {
    const size = run.size + padding;
    return code`const writer = this.#replyWriter.reset(this.#replyBytes, 0, ${size});
      ${writeOrZero(run.fields, access, context, scope)}
      ${padding > 0 && code`writer.zero(${padding});`}
      if (writer.error !== undefined) throw writer.error;
      this.writable.write(this.#replyBytes, 0, ${run.at}, ${size});`;
  }
  return writeVarying(
    run,
    sizeCode(sizeOfFields(run.fields, access, context)),
    code`${writeFields(run.fields, access, context)}`,
  );
}

/** What means something only sometimes is zero where it is not given. */
function writeOrZero(
  fields: readonly FieldModel[],
  access: (field: FieldModel) => Code,
  context: CodecContext,
  scope: DeviceScope,
): Code {
  const first = fields.findIndex((field) => field.validTree !== null && isVisible(field));
  const field = fields[first];
  if (field === undefined) return code`${writeFields(fields, access, context)}`;
  const size = fixedSize(shapeOf(field, scope)) ?? 0;
  return code`${writeFields(fields.slice(0, first), access, context)}
    if (${access(field)} === undefined) writer.zero(${size}); else { ${writeFields([field], access, context)} }
    ${writeOrZero(fields.slice(first + 1), access, context, scope)}`;
}

function writeVarying(run: Run, size: Code, body: Code): Code {
  const room = run.limit === 0 ? code`this.writable.length` : code`this.writable.length - ${run.limit}`;
  return code`const size = ${size};
    if (${run.at.parts[0] === "0" ? code`size` : code`${run.at} + size`} > ${room}) return this.tooSmall(size);
    const bytes = new Uint8Array(size);
    const writer = new ${runtime("ByteWriter")}(bytes);
    ${body}
    if (writer.error !== undefined) throw writer.error;
    this.writable.write(bytes, 0, ${run.at});`;
}

/** What a failure leaves out is not written. */
function writeOptionalRun(
  run: Run,
  optional: readonly FieldModel[],
  access: (field: FieldModel) => Code,
  context: CodecContext,
): Code {
  const always = run.fields.filter((field) => !optional.includes(field));
  const given = optional.filter(isVisible).map((field) => code`${access(field)} !== undefined`);
  const test = given.map((each, index) => code`${index > 0 ? " && " : ""}${each}`);
  const fixed = sizeOfFields(always, access, context);
  const more = sizeOfFields(optional, access, context);
  const size = code`${sizeCode(fixed)} + (${test} ? ${sizeCode(more)} : 0)`;
  return writeVarying(
    run,
    size,
    code`${writeFields(always, access, context)} if (${test}) { ${writeFields(optional, access, context)} }`,
  );
}

function byteValue(field: FieldModel, value: Code, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  if (shape.kind !== "scalar") return value;
  switch (shape.meaning.kind) {
    case "enum":
      return code`${valueFunction(shape.meaning.enum, scope)}(${value})`;
    case "boolean":
      return code`Number(${value})`;
    case "signed":
      return code`${runtime("unsignedBits")}(${value}, ${scalarSize(shape.scalar) * 8})`;
    case "number":
      return value;
  }
}

// ---- traces ----

/** The reply as far as all variants have it. */
export function replyToJson(request: RequestShape, scope: DeviceScope): Code {
  const status = statusField(request, scope);
  const shape = status === undefined ? undefined : shapeOf(status, scope);
  if (status === undefined || shape?.kind !== "scalar" || status.bits !== null) return nothing;
  const atEnd = request.suffix.length > 0;
  const ends = atEnd ? request.suffix : request.prefix;
  const before = fixedTotal(ends.slice(0, ends.indexOf(status)), scope);
  const size = scalarSize(shape.scalar);
  const at = atEnd ? code`this.writable.length - ${fixedTotal(ends, scope) - before}` : code`${before}`;
  if (size === 1) {
    const number = code`this.writable.peekByte(${at})`;
    const value = interpret(number, shape, scope);
    return code`override replyToJSON(): object { return { ${requestMember(status)}: ${value} }; }`;
  }
  const view = code`new DataView(bytes.buffer)`;
  return code`override replyToJSON(): object {
    const bytes = new Uint8Array(${size});
    this.writable.peek(bytes, 0, ${at});
    return { ${requestMember(status)}: ${fieldAt(view, code`0`, status, shape, scope)} };
  }`;
}
