import type { FieldModel } from "../../model/device-model.js";
import { code, joined, mentions, nothing, paragraphs, quoted, render, type Code } from "./code.js";
import type { CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { runtimeType } from "./imports.js";
import { replyTagPrinter, replyTree } from "./reply-codec.js";
import { commonPadding, fixedTotal } from "./reply-room.js";
import { byteValue, isByte, runsOf, writeOptionalRun, writeRun, written, type Run } from "./reply-runs.js";
import { bareTagType, isTagged } from "./reply-variants.js";
import { interpret } from "./read-scalars.js";
import { requestMember, slotContext } from "./request-layout.js";
import {
  isOptionalReply,
  patternsOf,
  replyPadding,
  statusField,
  tagField,
  tagLabel,
  valueFields,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import type { LayoutGroup } from "./request-slot.js";
import { canBeUnknown, failureType, hasAnswerType } from "./request-types.js";
import { scalarSize, shapeOf } from "./shapes.js";
import { isVisible, propertyName, typeOf } from "./struct-types.js";
import { fieldAt } from "./structs-read.js";
import { printTree } from "./variant-tree.js";
import { fieldsFormulas } from "./write-fields.js";

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
    const tag = statusField(request, scope);
    if (isTagged(variant) && tag !== undefined) {
      const bare = bareTagType(variant, tag.name, scope);
      return paragraphs([
        code`complete(reply: ${bare && code`${bare} | `}${variant.answerType}): ${completion} {
          ${bare && code`if (typeof reply !== "object") return this.#completeStatus(reply);`}
          ${taggedStatements(variant, request, scope)}
        }`,
        bare === undefined
          ? nothing
          : code`#completeStatus(reply: ${scalarAnswer(tag, scope)}): ${completion} { ${statusStatements(request, groups, tag, scope)} }`,
      ]);
    }
    if (values.length === 0)
      return code`complete(): ${completion} { return this.finish(${written(variant, request, scope)}); }`;
    const isObject = hasAnswerType(variant, scope);
    const bare = isObject && tag !== undefined && failureType(request, variant, scope) !== undefined ? tag : undefined;
    const scalar = scalarAnswer(isObject ? bare : values[0], scope);
    const parameter = isObject ? code`${bare && code`${scalar} | `}${variant.answerType}` : scalar;
    return paragraphs([
      code`complete(reply: ${parameter}): ${completion} {
        ${bare && code`if (typeof reply !== "object") return this.#completeStatus(reply);`}
        ${replyStatements(variant, request, isObject, scope)}
      }`,
      bare === undefined
        ? nothing
        : code`#completeStatus(reply: ${scalar}): ${completion} { ${statusStatements(request, groups, bare, scope)} }`,
    ]);
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
  const isSilent = scalars.some(({ variant }) => valueFields(variant.writable, scope).length === 0);
  const statusCase =
    status === undefined
      ? nothing
      : code`${isSilent && code`if (reply === undefined) return this.finish(this.writable.written);`}
        if (typeof reply !== "object") return this.#completeStatus(reply);`;
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
    if (value === undefined && status !== undefined) return [];
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
        code`#complete${name}(reply: ${variant.answerType}): ${completion} { ${isTagged(variant) ? taggedStatements(variant, request, scope) : replyStatements(variant, request, true, scope)} }`,
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
  if (objects.some(({ variant: each }) => isTagged(each))) return code` as ${variant.answerType}`;
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
    return code`return this.finishWithByte(${byteValue(status, code`reply`, scope)});`;
  }
  const others = ends.map((field) => (field.name === status.name ? field : { ...field, reserved: true }));
  const padding = commonPadding(request, scope);
  return code`${writeRun({ ...run, fields: others }, () => code`reply`, anyContext(request, scope), scope, padding)}
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
  const access = (field: FieldModel): Code => (isObject ? code`reply.${propertyName(field)}` : code`reply`);
  const context = replyContext(variant, access, scope);
  const runs = runsOf(variant, request, scope).map((run, _, all) => {
    const padding = replyPadding(request, variant, scope);
    const optional = run.fields.filter((field) => isOptionalReply(field, request, variant));
    const statements =
      padding.length === 0 && optional.length > 0
        ? writeOptionalRun(run, optional, access, context)
        : writeRun(run, access, context, scope);
    return apart(run, all, statements, scope);
  });
  return code`${runs} return this.finish(${written(variant, request, scope)});`;
}

/** Formulas see all that is answered, and what was asked. */
function replyContext(variant: VariantShape, access: (field: FieldModel) => Code, scope: DeviceScope): CodecContext {
  const context = slotContext(variant, scope);
  return { ...context, formulas: fieldsFormulas(variant.writable, access, context) };
}

/** Runs with variables of the same names do not get into each other's way. */
function apart(run: Run, all: readonly Run[], statements: Code, scope: DeviceScope): Code {
  const isAlone = all.filter((each) => !isByte(each, scope)).length < 2;
  return isAlone || isByte(run, scope) ? statements : code`{ ${statements} }`;
}

/** Which layout it is depends on the tags that the answer has. */
function taggedStatements(variant: VariantShape, request: RequestShape, scope: DeviceScope): Code {
  const context = slotContext(variant, scope);
  const printer = replyTagPrinter(context, (field) => code`reply.${propertyName(field)}`);
  return printTree(replyTree(variant), {
    ...printer,
    leaf: (reply) => {
      if (isImpossible(reply, variant, scope)) return code`return this.abandon();`;
      const narrow = narrowed(reply, variant, scope);
      const value = narrow === undefined ? code`reply` : code`answer`;
      const access = (field: FieldModel): Code => code`${value}.${propertyName(field)}`;
      const own = { ...context, formulas: fieldsFormulas(reply.writable, access, context) };
      const runs = runsOf(reply, request, scope).map((run, _, all) => {
        const room = run.size === null || isFront(run, variant) ? nothing : roomForRun(run);
        const statements = writeRun(run, access, own, scope);
        return apart(run, all, code`${room} ${statements}`, scope);
      });
      return code`${narrow} ${runs} return this.finish(${written(reply, request, scope)});`;
    },
    missing: () => code`return this.abandon();`,
  });
}

/** A reply for other tags than those that there are. */
export function isImpossible(reply: VariantShape, variant: VariantShape, scope: DeviceScope): boolean {
  return reply.model.tags.some(({ field: name, patterns }) => {
    const field = tagField(reply, name);
    const shape = field === undefined ? undefined : shapeOf(field, scope);
    if (patterns.length > 0 || shape?.kind !== "scalar" || shape.meaning.kind !== "enum") return false;
    const used = variant.replies.flatMap((other) => patternsOf(other, name) ?? []);
    const { open, members } = shape.meaning.enum;
    const isUsed = (value: number): boolean => used.some(({ low, high }) => value >= low && value <= high);
    return !open && members.every(({ value }) => isUsed(Number(value)));
  });
}

/** Is it no more than what every reply has, for which there is room? */
function isFront(run: Run, variant: VariantShape): boolean {
  return run.at.parts[0] === "0" && run.fields.length <= variant.writable.length;
}

function roomForRun(run: Run): Code {
  const end = run.at.parts[0] === "0" ? code`${run.size ?? 0}` : code`${run.at} + ${run.size ?? 0}`;
  return run.limit === 0 && mentions(run.at, "length")
    ? nothing
    : code`if (this.writable.length < ${end}${run.limit > 0 && ` + ${run.limit}`}) return this.tooSmall(${end});`;
}

/** A number does not tell TypeScript which member of the union it is. */
function narrowed(reply: VariantShape, variant: VariantShape, scope: DeviceScope): Code | undefined {
  const tags = reply.model.tags.filter(({ field: name, patterns }) => {
    const field = tagField(reply, name);
    const shape = field === undefined ? undefined : shapeOf(field, scope);
    return patterns.length > 0 && shape?.kind === "scalar" && shape.meaning.kind !== "enum";
  });
  if (tags.length === 0) return undefined;
  const properties = tags.map(({ field: name, patterns }) => {
    const field = tagField(reply, name);
    const labels = patterns.map((pattern) => tagLabel(pattern, field, scope));
    return code`readonly ${field === undefined ? name : propertyName(field)}: ${joined(labels, " | ")}`;
  });
  return code`const answer = reply as Extract<${variant.answerType}, { ${joined(properties, "; ")} }>;`;
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
