import type { FieldModel, PatternModel } from "../../model/device-model.js";
import { code, joined, nothing, paragraphs, quoted, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { memberOf, writeType } from "./enums.js";
import { DEFAULT_NOTE, hasDefault } from "./flat-requests.js";
import { runtimeType } from "./imports.js";
import { replyUnion } from "./reply-types.js";
import {
  bareTagType,
  extraBareTags,
  hasStatusType,
  isTagged,
  replyFields,
  statusType,
  statusTypeName,
} from "./reply-variants.js";
import { readableLayout, replyMember, requestMember, type ReadableLayout } from "./request-layout.js";
import {
  isOptionalReply,
  isTag,
  isWindow,
  patternsOf,
  replyPadding,
  statusField,
  tagField,
  tagType,
  valueFields,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import { variantTree, type VariantTree } from "./variant-tree.js";
import { fixedSize, isWide, shapeOf, type Shape } from "./shapes.js";
import { fieldDoc, isOptional, matchTypes, propertyName, shortName, typeOf } from "./struct-types.js";

/** A request as the device meets it: an interface for each variant, and their union. */
export function requestTypes(request: RequestShape, scope: DeviceScope): Code {
  const { variants } = request;
  const [only] = variants;
  if (variants.length === 1 && request.discriminators.length === 0 && only !== undefined) {
    return paragraphs([
      code`${variantDoc(request, only, scope)}export interface ${request.typeName} extends ${slotMembers} {
        ${variantBody(request, only, [], scope)}
      }`,
      answerType(request, only, scope),
      ...(request.struct === undefined ? matchTypes(only.readable, only.requestType, scope) : []),
    ]);
  }
  const common = commonFields(request, scope);
  const base = `${request.typeName}Base`;
  const names = [
    ...variants.map((variant) => variant.requestType),
    ...(canBeUnknown(request) ? [unknownName(request)] : []),
  ];
  return paragraphs([
    common.length === 0
      ? code`/** What all variants of {@link ${request.typeName}} have. */
      export type ${base} = ${slotMembers};`
      : code`/** What all variants of {@link ${request.typeName}} have. */
      export interface ${base} extends ${slotMembers} {
        ${common.map((field) => requestProperty(field, base, request.since, scope))}
      }`,
    ...variants.flatMap((variant) => [
      code`${variantDoc(request, variant, scope)}export interface ${variant.requestType} extends ${base} {
        ${variantBody(request, variant, common, scope)}
      }`,
      answerType(request, variant, scope),
      ...matchTypes(variant.readable, variant.requestType, scope),
    ]),
    canBeUnknown(request) ? unknownType(request, base, scope) : nothing,
    hasStatusType(request) ? statusType(request, scope) : nothing,
    code`${docComment({ doc: request.doc, spec: request.spec, specName: request.specName })}export type ${request.typeName} = ${joined(names, " | ")};`,
  ]);
}

const slotMembers = code`Pick<${runtimeType("RequestSlot")}, "readable" | "writable" | "queueIndex" | "position" | "live" | "signal" | "hold">`;

export function unknownName(request: RequestShape): string {
  return `${request.typeName}Unknown`;
}

/** What a variant is for: what its tags say of themselves, and what it says itself. */
function variantDoc(request: RequestShape, variant: VariantShape, scope: DeviceScope): Code {
  const { model } = variant;
  if (request.struct === undefined && request.discriminators.length === 0)
    return docComment({ doc: request.doc, spec: request.spec, specName: request.specName });
  const note = request.struct === undefined ? "" : `A {@link ${scopeName(request)}} in a buffer of the driver.`;
  return docComment(
    { doc: tagsDoc(variant, request, scope), since: model.since, specName: model.specName, within: request.since },
    model.doc,
    note,
  );
}

export function tagsDoc(variant: VariantShape, request: RequestShape, scope: DeviceScope): string {
  const last = [...request.discriminators].reverse().find((name) => (patternsOf(variant, name) ?? []).length > 0);
  const names = variant.model.tags.flatMap(({ field, patterns }) =>
    field === last ? [] : patterns.map((pattern) => tagText(pattern)),
  );
  const lead = names.length === 0 ? "" : `${names.join(" ")} `;
  if (last === undefined) return "";
  const field = tagField(variant, last);
  const shape = field === undefined ? undefined : shapeOf(field, scope);
  const members = shape?.kind === "scalar" && shape.meaning.kind === "enum" ? shape.meaning.enum : undefined;
  return (patternsOf(variant, last) ?? [])
    .map((pattern) => {
      const doc = members === undefined ? "" : (memberOf(members, pattern.low)?.doc ?? "");
      return doc === ""
        ? `${lead}${tagText(pattern)}.`
        : `${lead}${tagText(pattern)}: ${doc.charAt(0).toLowerCase()}${doc.slice(1)}`;
    })
    .join(" ");
}

function tagText(pattern: PatternModel): string {
  return pattern.name === null ? String(pattern.low) : shortName(pattern.name);
}

function scopeName(request: RequestShape): string {
  return request.typeName.replace(/Buffer$/, "");
}

function variantBody(
  request: RequestShape,
  variant: VariantShape,
  common: readonly FieldModel[],
  scope: DeviceScope,
): Code {
  const tags = request.discriminators.flatMap((name) => {
    const field = tagField(variant, name);
    if (field === undefined || patternsOf(variant, name) === undefined) return [];
    return [code`readonly ${requestMember(field)}: ${tagType(variant, name, request, scope)};`];
  });
  if (request.selector !== undefined) tags.unshift(code`readonly ${request.selector}: ${quoted(variant.model.name)};`);
  const isCommon = (field: FieldModel): boolean => common.some((each) => each.name === field.name);
  const fields = variant.readable.filter(
    (field) => !field.reserved && field.counts === null && !isTag(variant, field) && !isCommon(field),
  );
  const windows = replyFields(variant).filter((field) => isWindow(field, scope));
  return code`${tags}
    ${fields.map((field) => requestProperty(field, variant.owner, variant.model.since, scope))}
    ${windows.map((field) => code`${fieldDoc(field, scope, variant.model.since)}readonly ${replyMember(field, variant)}: ${runtimeType("WritableBytes")};`)}
    ${completeSignature(request, variant, scope)}`;
}

function requestProperty(field: FieldModel, owner: string, within: string, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  // Bytes that are not there are none.
  const optional = isOptional(field, shape) && !isWindow(field, scope);
  const type = memberType(field, shape, owner, scope);
  const property = code`${fieldDoc(field, scope, within)}readonly ${requestMember(field)}: ${type}${optional ? " | undefined" : ""};`;
  if (
    shape.kind !== "scalar" ||
    !isWide(shape, field) ||
    shape.meaning.kind !== "number" ||
    optional ||
    field.flags !== null
  )
    return property;
  return code`${property}
    /** \`${requestMember(field)}\` as a number, exact up to 2^53. */
    readonly ${requestMember(field)}Number: number;`;
}

/** Type of a readable field of a request. */
export function memberType(field: FieldModel, shape: Shape, owner: string, scope: DeviceScope): Code {
  if (isWindow(field, scope)) return code`${runtimeType("ReadableBytes")}`;
  return typeOf(shape, field, owner, scope);
}

/** Fields that all variants have in the same place of the head. */
export function commonFields(request: RequestShape, scope: DeviceScope): readonly FieldModel[] {
  const layouts = request.variants.map((variant) => readableLayout(variant, scope));
  const [first, ...others] = layouts;
  if (first === undefined) return [];
  return first.head
    .filter((candidate) => others.every((layout) => hasSame(layout, candidate)))
    .map((candidate) => candidate.field);
}

function hasSame(layout: ReadableLayout, wanted: ReadableLayout["head"][number]): boolean {
  return layout.head.some(
    ({ field, offset, shape }) =>
      field.name === wanted.field.name &&
      offset === wanted.offset &&
      shape.scalar === wanted.shape.scalar &&
      field.enum === wanted.field.enum &&
      JSON.stringify(field.bits) === JSON.stringify(wanted.field.bits),
  );
}

// ---- replies ----

/** `complete` of a variant: what has to be said to answer it. */
function completeSignature(request: RequestShape, variant: VariantShape, scope: DeviceScope): Code {
  const completion = runtimeType("Completion");
  const values = valueFields(replyFields(variant), scope);
  const [only] = values;
  if (only !== undefined && hasStatusType(request)) {
    // The same in all variants, so that a handler can refuse whatever it has no case for.
    const refusal = code`complete(status: ${statusTypeName(request)}): ${completion};`;
    const more = extraBareTags(variant, request, scope);
    if (!hasAnswerType(variant, scope))
      return code`${refusal} complete(status: ${joined(more, " | ")}): ${completion};`;
    return code`${refusal} complete(reply: ${joined([variant.answerType, ...more], " | ")}): ${completion};`;
  }
  if (only === undefined) {
    const windows = variant.writable.some((field) => isWindow(field, scope));
    const doc = windows ? "What was written is the reply." : "";
    return code`${docComment({ doc })}complete(): ${completion};`;
  }
  if (!hasAnswerType(variant, scope)) {
    return code`complete(${requestMember(only)}: ${answerFieldType(only, scope)}): ${completion};`;
  }
  const status = statusField(request, scope);
  const bare = status !== undefined && isTagged(variant) ? bareTagType(variant, status.name, scope) : undefined;
  const failure = bare ?? failureType(request, variant, scope);
  const varying = values.some((field) => field.optional || fixedSize(shapeOf(field, scope)) === null);
  const doc = varying
    ? "A reply that the driver's buffer has no room for is not written: the request is given back empty, and that is reported."
    : "";
  return code`${docComment({ doc })}complete(reply: ${failure === undefined ? "" : code`${failure} | `}${variant.answerType}): ${completion};`;
}

/** A failure can be told without the rest of the reply. */
export function failureType(request: RequestShape, variant: VariantShape, scope: DeviceScope): Code | undefined {
  const status = statusField(request, scope);
  if (status === undefined || isTagged(variant) || !variant.writable.some((field) => field.name === status.name))
    return undefined;
  const shape = shapeOf(status, scope);
  if (shape.kind !== "scalar" || shape.meaning.kind !== "enum") return undefined;
  const type = writeType(shape.meaning.enum, scope);
  const success = memberOf(shape.meaning.enum, 0);
  if (success === undefined || shape.meaning.enum.open) return type;
  return code`Exclude<${type}, ${quoted(success.name)}>`;
}

/** Type of a value that the device gives; of a closed enum only members. */
function answerFieldType(field: FieldModel, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  if (shape.kind === "scalar" && shape.meaning.kind === "enum") return writeType(shape.meaning.enum, scope);
  return typeOf(shape, field, "", scope);
}

/** Does the reply take an object? */
export function hasAnswerType(variant: VariantShape, scope: DeviceScope): boolean {
  if (isTagged(variant)) return true;
  const values = valueFields(variant.writable, scope);
  const [only] = values;
  return values.length > 1 || (only !== undefined && (only.optional || shapeOf(only, scope).kind !== "scalar"));
}

function answerType(request: RequestShape, variant: VariantShape, scope: DeviceScope): Code {
  if (!hasAnswerType(variant, scope)) return nothing;
  const about = `Reply of the device to {@link ${variant.requestType}}.`;
  if (isTagged(variant)) {
    const union = replyUnion(variant, "written", (field) => answerFieldType(field, scope), scope);
    return code`${docComment({ doc: about })}export type ${variant.answerType} = ${union};`;
  }
  const properties = valueFields(variant.writable, scope).map((field) => {
    const missing =
      hasDefault(field) || isOptionalReply(field, request, variant) || isOptional(field, shapeOf(field, scope));
    const notes = hasDefault(field) ? [DEFAULT_NOTE] : [];
    return code`${fieldDoc(field, scope, variant.model.since, ...notes)}readonly ${propertyName(field)}${missing ? "?" : ""}: ${answerFieldType(field, scope)}${missing ? " | undefined" : ""};`;
  });
  const left = replyPadding(request, variant, scope).length > 0 ? "zero" : "not written, as for a failure";
  const note = valueFields(variant.writable, scope).some((field) => isOptionalReply(field, request, variant))
    ? `What is left out is ${left}.`
    : "";
  return code`${docComment({ doc: about }, note)}export interface ${variant.answerType} { ${properties} }`;
}

// ---- what no variant is for ----

/** Is there a request that no variant is for? */
export function canBeUnknown(request: RequestShape): boolean {
  if (request.discriminators.length === 0) return false;
  if (request.variants.some((variant) => variant.model.conditionTree !== null)) return true;
  const tree = variantTree(request.variants, request.discriminators);
  return tree === undefined || hasGap(tree);
}

function hasGap(tree: VariantTree): boolean {
  if (tree.kind === "leaf") return false;
  if (tree.kind === "choice") return true;
  return tree.otherwise === undefined || hasGap(tree.otherwise) || tree.cases.some(({ child }) => hasGap(child));
}

function unknownType(request: RequestShape, base: string, scope: DeviceScope): Code {
  const tags = unknownTags(request).map(({ field, last }) => {
    const shape = shapeOf(field, scope);
    const names =
      !last && shape.kind === "scalar" && shape.meaning.kind === "enum"
        ? code`${scope.typeName(shape.meaning.enum)} | `
        : code``;
    return code`readonly ${requestMember(field)}: ${names}number;`;
  });
  const status = statusField(request, scope);
  const complete =
    status === undefined
      ? code`/** Gives the buffer back without a reply. */
      complete(): ${runtimeType("Completion")};`
      : code`complete(${requestMember(status)}: ${hasStatusType(request) ? statusTypeName(request) : answerFieldType(status, scope)}): ${runtimeType("Completion")};`;
  return code`/** A request that the definition does not know, or whose feature was not negotiated. */
    export interface ${unknownName(request)} extends ${base} { ${request.selector !== undefined && code`readonly ${request.selector}: "Unknown";`} ${tags} ${complete} }`;
}

/** Tags that every variant has a number for, in the same place. */
export function unknownTags(request: RequestShape): { readonly field: FieldModel; readonly last: boolean }[] {
  const tags: FieldModel[] = [];
  for (const name of request.discriminators) {
    const fields = request.variants.map((variant) => tagField(variant, name));
    const [first] = fields;
    if (first === undefined) break;
    const isSame = fields.every(
      (field) => field?.offset === first.offset && first.offset !== null && field.size === first.size,
    );
    if (!isSame) break;
    tags.push(first);
  }
  return tags.map((field, index) => ({ field, last: index === tags.length - 1 }));
}
