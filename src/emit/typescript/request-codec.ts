import type { FieldModel, Formula } from "../../model/device-model.js";
import { code, joined, mentions, nothing, parameterNames, quoted, render, type Code } from "./code.js";
import { formulaContext, type CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { valueFunction } from "./enums.js";
import { valueAtPath } from "./field-paths.js";
import { condition, count, negation, type Value } from "./formulas.js";
import { givenFields } from "./flat-requests.js";
import { runtime, runtimeType } from "./imports.js";
import { readFields } from "./read-fields.js";
import { capacityFields, capacityName, inputName, isWish, replyName, replyUnionName } from "./request-inputs.js";
import {
  isOptionalReply,
  isTag,
  isWindow,
  patternsOf,
  replyParts,
  tagLabel,
  tagField,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import { usesConfig } from "./request-slot.js";
import { readReplies } from "./reply-codec.js";
import { isTagged, replyFields } from "./reply-variants.js";
import { fixedSize, shapeOf } from "./shapes.js";
import { plus, sizeCode, sizeOfFields, type Size } from "./size-fields.js";
import { tailSize } from "./structs-read.js";
import { isVisible, propertyName } from "./struct-types.js";
import { printTree, variantTree } from "./variant-tree.js";
import { fieldsFormulas, writeFields } from "./write-fields.js";

export function codecName(request: RequestShape): string {
  return `${request.baseName.charAt(0).toLowerCase()}${request.baseName.slice(1)}Codec`;
}

/** Does the codec have to ask the driver what was negotiated? */
export function codecNeedsDriver(request: RequestShape, scope: DeviceScope): boolean {
  return (
    usesConfig(request, scope) ||
    (request.selector !== undefined &&
      request.variants.some((variant) => JSON.stringify(variant.model.conditionTree).includes('"op":"feature"'))) ||
    request.variants.some((variant) =>
      [...variant.readable, ...replyFields(variant)].some((field) => usesFeatures(field, scope)),
    )
  );
}

function usesFeatures(field: FieldModel, scope: DeviceScope): boolean {
  if (JSON.stringify({ ...field, validTree: null, constraintTree: null }).includes('"op":"feature"')) return true;
  const shape = shapeOf(field, scope);
  const inner = shape.kind === "array" ? shape.of : shape;
  if (inner.kind === "struct") return scope.needs(inner.struct).features;
  if (inner.kind === "match") return inner.arms.some((arm) => scope.needs(arm.struct).features);
  return false;
}

/** How a driver's requests become bytes, and bytes replies. */
export function requestCodec(request: RequestShape, scope: DeviceScope): Code {
  const types = code`${runtimeType("RequestCodec")}<${inputName(request)}, ${replyUnionName(request)}>`;
  const sizes = dispatch(request, scope, (variant) => code`return ${sizeCode(readableSize(variant, scope))};`);
  const room = dispatch(request, scope, (variant) => code`return ${replyRoom(variant, request, scope)};`);
  const shared = sharedFields(request, scope);
  const writes = code`${encodeShared(shared, request, scope)} ${dispatch(request, scope, (variant) => code`${isMeant(request, variant, scope)} ${encode(variant, shared.length, scope)} return;`)}`;
  const starts = new Set(request.variants.map((variant) => render(replyReader(variant, request, scope)).text));
  const isShared = starts.size === 1 && request.variants.length > 1;
  const [first] = request.variants;
  const start = isShared && first !== undefined ? replyReader(first, request, scope) : nothing;
  const reads = code`${start} ${dispatch(request, scope, (variant) => decode(variant, request, !isShared, scope))}`;
  const methods = code`{
      readableSize(${parameterNames(["input"], sizes)}) { ${sizes} },
      writableSize(${parameterNames(["input"], room)}) { ${room} },
      encode(${parameterNames(["input", "writer"], writes)}) { ${writes} },
      decode(${parameterNames(["input", "bytes", "written"], reads)}) { ${reads} },
    }`;
  const name = codecName(request);
  if (!codecNeedsDriver(request, scope)) return code`const ${name}: ${types} = ${methods};`;
  return code`function ${name}(driver: ${scope.prefix}Driver): ${types} { return ${methods}; }`;
}

function dispatch(request: RequestShape, scope: DeviceScope, statements: (variant: VariantShape) => Code): Code {
  const leaf = (variant: VariantShape): Code => {
    const body = statements(variant);
    const isCast = variant.isCast && mentions(body, "own");
    return isCast ? code`const own = input as ${variant.inputType}; ${body}` : body;
  };
  if (request.selector !== undefined) {
    const groups = new Map<string, { readonly labels: Code[]; readonly body: Code }>();
    for (const variant of request.variants) {
      const body = leaf(variant);
      const { text } = render(body);
      const group = groups.get(text) ?? { labels: [], body };
      group.labels.push(code`case ${quoted(variant.model.name)}:`);
      groups.set(text, group);
    }
    return code`switch (input.${request.selector}) { ${[...groups.values()].map(({ labels, body }) => code`${labels} { ${body} }`)} }`;
  }
  const tree = variantTree(request.variants, request.discriminators);
  if (tree === undefined) return code``;
  const body = printTree(tree, {
    subject: (branch) => code`input.${propertyName(tagOf(branch.sample, branch.discriminator))}`,
    label: (pattern, branch) => tagLabel(pattern, tagOf(branch.sample, branch.discriminator), scope),
    range: (pattern, branch) => {
      const tag = code`input.${propertyName(tagOf(branch.sample, branch.discriminator))}`;
      return code`${tag} >= ${pattern.low} && ${tag} <= ${pattern.high}`;
    },
    leaf,
    missing: undefined,
  });
  return body;
}

function tagOf(variant: VariantShape, discriminator: string): FieldModel {
  const field = tagField(variant, discriminator);
  if (field === undefined) throw new Error(`${variant.name} has no ${discriminator}`);
  return field;
}

/** The variable with what the driver gives. */
const inputOf = (variant: VariantShape): string => (variant.isCast ? "own" : "input");
const ofInput =
  (variant: VariantShape) =>
  (field: FieldModel): Code =>
    code`${inputOf(variant)}.${propertyName(field)}`;

function codecContext(
  variant: VariantShape,
  owner: string,
  fields: readonly FieldModel[],
  scope: DeviceScope,
): CodecContext {
  const place = `${scope.device.name}.${variant.name}`;
  const features = (): Code => code`driver.negotiated`;
  const config = (): Code => code`driver.config`;
  return {
    scope,
    place,
    owner,
    features,
    config,
    formulas: {
      ...formulaContext(scope, place, { features, config }),
      field: (_, path) => valueAtPath(givenFields(variant.readable), path, ofInput(variant), scope, place),
    },
    tailOf: (field) => tailSize(fields, field, scope, place),
  };
}

function readableContext(variant: VariantShape, scope: DeviceScope): CodecContext {
  const context = codecContext(variant, variant.inputType, variant.readable, scope);
  return { ...context, formulas: fieldsFormulas(givenFields(variant.readable), ofInput(variant), context) };
}

function readableSize(variant: VariantShape, scope: DeviceScope): Size {
  return sizeOfFields(givenFields(variant.readable), ofInput(variant), readableContext(variant, scope));
}

/** Bytes for a reply, or for the longest of several. */
function replyRoom(variant: VariantShape, request: RequestShape, scope: DeviceScope): Code {
  if (!isTagged(variant)) return sizeCode(writableSize(variant, variant, request, scope));
  const sizes = variant.replies.map((reply) => writableSize(reply, variant, request, scope));
  const most = Math.max(...sizes.map((size) => size.fixed));
  const longest = sizes.filter((size) => size.varying.length > 0 || size.fixed === most);
  const needed = longest.filter(
    (size) =>
      size.varying.length > 0 ||
      !longest.some((other) => other !== size && other.fixed >= size.fixed && other.varying.length > 0),
  );
  const expressions = new Map(needed.map((size) => [render(sizeCode(size)).text, sizeCode(size)]));
  const [only, second] = expressions.values();
  if (only !== undefined && second === undefined) return only;
  return code`Math.max(${joined([...expressions.values()], ", ")})`;
}

/** What the driver gave room for, and what is known without that. */
function writableSize(reply: VariantShape, variant: VariantShape, request: RequestShape, scope: DeviceScope): Size {
  const names = new Set(capacityFields(variant, scope).map((field) => field.name));
  const capacities = new Set(reply.writable.filter((field) => names.has(field.name)));
  const context = codecContext(variant, request.typeName, reply.writable, scope);
  let total: Size = { fixed: 0, varying: [] };
  for (const field of reply.writable) {
    if (!capacities.has(field)) continue;
    const capacity = capacityOf(field, variant, scope);
    const there =
      field.conditionTree === null || field.optional
        ? capacity
        : code`(${condition(field.conditionTree, context.formulas)} ? (${capacity} ?? 0) : 0)`;
    total = plus(total, { fixed: 0, varying: [there] });
  }
  const known = reply.writable.filter((field) => !capacities.has(field));
  const fixed = known.filter((field) => lengthOf(field, scope) === undefined);
  for (const field of known) {
    const length = lengthOf(field, scope);
    if (length === undefined) continue;
    const bytes = productOf(length, context);
    const there =
      field.conditionTree === null ? bytes : code`(${condition(field.conditionTree, context.formulas)} ? ${bytes} : 0)`;
    total = plus(total, { fixed: 0, varying: [there] });
  }
  return plus(
    sizeOfFields(fixed, () => code`undefined`, context),
    total,
  );
}

/** Bytes that the driver gives for a field. */
function capacityOf(field: FieldModel, variant: VariantShape, scope: DeviceScope): Code {
  const given = code`${inputOf(variant)}.${capacityName(field, variant, scope)}`;
  return isWish(field, scope) ? code`(${given} === true ? ${fixedSize(shapeOf(field, scope)) ?? 0} : 0)` : given;
}

interface KnownLength {
  readonly formula: Formula;
  /** Bytes of each. */
  readonly factor: number | Formula;
}

function productOf({ formula, factor }: KnownLength, context: CodecContext): Code {
  const number = count(formula, context.formulas);
  if (factor === 1) return number;
  return typeof factor === "number"
    ? code`${number} * ${factor}`
    : code`${number} * (${count(factor, context.formulas)})`;
}

/** A length that follows from the request, and what to multiply it with. */
function lengthOf(field: FieldModel, scope: DeviceScope): KnownLength | undefined {
  const shape = shapeOf(field, scope);
  if (field.sizedTree !== null) return undefined;
  if (shape.kind !== "bytes" && shape.kind !== "text" && shape.kind !== "array") return undefined;
  if (shape.length.kind !== "formula") return undefined;
  const { formula } = shape.length;
  if (shape.kind !== "array" || shape.unit === "bytes") return { formula, factor: 1 };
  return { formula, factor: shape.stride ?? fixedSize(shape.of) ?? 1 };
}

/** Fields with which every variant begins, and which are written alike. */
function sharedFields(request: RequestShape, scope: DeviceScope): readonly FieldModel[] {
  const [first, ...others] = request.variants;
  if (first === undefined || others.length === 0) return [];
  const isAlike = (field: FieldModel, index: number): boolean =>
    fixedSize(shapeOf(field, scope)) !== null &&
    shapeOf(field, scope).kind !== "array" &&
    field.bits === null &&
    field.conditionTree === null &&
    field.sizedTree === null &&
    field.counts === null &&
    !field.overlaps &&
    !field.optional &&
    others.every((other) => {
      const same = other.readable[index];
      if (same === undefined || isTag(other, same) !== isTag(first, field)) return false;
      return (
        same.name === field.name &&
        same.conditionTree === null &&
        same.counts === null &&
        !same.optional &&
        same.sizedTree === null &&
        JSON.stringify(same.type) === JSON.stringify(field.type) &&
        same.enum === field.enum &&
        same.reserved === field.reserved
      );
    });
  const end = first.readable.findIndex((field, index) => !isAlike(field, index));
  return first.readable.slice(0, end < 0 ? first.readable.length : end);
}

function encodeShared(fields: readonly FieldModel[], request: RequestShape, scope: DeviceScope): Code {
  const [first] = request.variants;
  if (first === undefined || fields.length === 0) return nothing;
  const anyOf = { ...first, isCast: false };
  return code`${writeFields(givenFields(fields), ofInput(anyOf), readableContext(anyOf, scope))}`;
}

function encode(variant: VariantShape, skipped: number, scope: DeviceScope): Code {
  const context = readableContext(variant, scope);
  const statements = writeFields(givenFields(variant.readable).slice(skipped), ofInput(variant), context, {
    writer: "writer",
    constant: (field) => (isTag(variant, field) ? tagNumber(variant, field, scope) : undefined),
  });
  return code`${statements}`;
}

/** Where a condition tells variants apart, what is written must be the variant that was named. */
function isMeant(request: RequestShape, variant: VariantShape, scope: DeviceScope): Code {
  const tree = variant.model.conditionTree;
  if (request.selector === undefined || tree === null) return nothing;
  const context = readableContext(variant, scope);
  const field = (_: "self" | "readable", path: readonly string[]): Value => context.formulas.field("self", path);
  return code`if (${negation(tree, { ...context.formulas, field })}) { writer.fail("bad-value"); return; }`;
}

/** The number of a tag: known, or from its name. */
function tagNumber(variant: VariantShape, field: FieldModel, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  const [pattern, second] = patternsOf(variant, field.name) ?? [];
  if (shape.kind === "scalar" && shape.meaning.kind === "enum") {
    if (pattern !== undefined && second === undefined && pattern.low === pattern.high && pattern.name !== null) {
      const label = tagLabel(pattern, field, scope);
      const name =
        label.parts.length === 1 && typeof label.parts[0] === "string" ? label.parts[0].replaceAll('"', "") : "";
      if (/^[A-Za-z_]\w*$/.test(name)) return code`${scope.typeName(shape.meaning.enum)}.${name}`;
    }
    return code`${valueFunction(shape.meaning.enum, scope)}(${ofInput(variant)(field)})`;
  }
  return ofInput(variant)(field);
}

/** Of `name` or `name: local`. */
function propertyParts(property: Code): { readonly name: string; readonly local: string } {
  const [name = "", local = name] = render(property).text.split(": ");
  return { name, local };
}

/** The reader of a reply: a status at the end was written if anything was, otherwise what was written counts. */
function replyReader(variant: VariantShape, request: RequestShape, scope: DeviceScope): Code {
  if (!variant.writable.some(isVisible)) return nothing;
  const { tail } = replyParts(variant, request, scope);
  if (tail.length === 0 || isTagged(variant))
    return code`const reader = new ${runtime("ByteReader")}(bytes, 0, written);`;
  return code`if (written === 0) return new ${runtime("CodecError")}("truncated", 0);
    const reader = new ${runtime("ByteReader")}(bytes);`;
}

function decode(variant: VariantShape, request: RequestShape, withReader: boolean, scope: DeviceScope): Code {
  const fields = variant.writable;
  if (!fields.some(isVisible)) return code`return {};`;
  const base: CodecContext = {
    ...codecContext(variant, replyName(variant, request, scope), fields, scope),
    taken: new Set(),
  };
  if (isTagged(variant))
    return code`${withReader && replyReader(variant, request, scope)} ${readReplies(variant, base)}`;
  const behind = fields.filter((field) => isOptionalReply(field, request, variant));
  const isOnlyBytes = behind.length > 0 && behind.every((field) => isWindow(field, scope));
  const optional = isOnlyBytes ? [] : behind;
  // Of bytes behind all else, the device may have written less than there is room for.
  const context: CodecContext = isOnlyBytes
    ? { ...base, window: (_, length) => code`reader.bytes(Math.min(${length}, reader.remaining))` }
    : base;
  const start = withReader ? replyReader(variant, request, scope) : nothing;
  if (optional.length === 0) {
    const { statements, properties } = readFields(fields, context);
    return code`${start} ${statements} return reader.error ?? { ${joined(properties, ", ")} };`;
  }
  const always = fields.filter((field) => !optional.includes(field));
  const first = readFields(always, context);
  if (!optional.some(isVisible))
    return code`${start} ${first.statements} return reader.error ?? { ${joined(first.properties, ", ")} };`;
  const second = readFields(optional, { ...context, formulas: first.formulas });
  // What means something only sometimes is there, but nobody should look at it at other times.
  const valid = optional.filter(isVisible).map((field, index) => {
    const property = second.properties[index];
    if (field.validTree === null || property === undefined) return property ?? nothing;
    const { name, local } = propertyParts(property);
    return code`${name}: ${condition(field.validTree, second.formulas)} ? ${local} : undefined`;
  });
  return code`${start} ${first.statements}
    if (reader.remaining === 0) return reader.error ?? { ${joined(first.properties, ", ")} };
    ${second.statements}
    return reader.error ?? { ${joined([...first.properties, ...valid], ", ")} };`;
}
