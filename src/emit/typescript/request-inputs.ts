import type { FieldModel } from "../../model/device-model.js";
import { code, joined, nothing, paragraphs, propertyKey, quoted, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { writeType } from "./enums.js";
import { DEFAULT_NOTE, hasDefault } from "./flat-requests.js";
import { runtimeType } from "./imports.js";
import { pascalCase } from "./names.js";
import { refersToSelf } from "./reply-places.js";
import { replyUnion } from "./reply-types.js";
import { isTagged, replyFields } from "./reply-variants.js";
import {
  isOptionalReply,
  isTag,
  mayBeMissing,
  patternsOf,
  statusField,
  tagField,
  tagLabel,
  tagType,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import { tagsDoc } from "./request-types.js";
import { fixedSize, shapeOf } from "./shapes.js";
import { fieldDoc, isOptional, isVisible, matchTypes, propertyName, typeOf } from "./struct-types.js";

/** What a driver submits, and what it gets for it: types for each variant, and their unions. */
export function inputTypes(request: RequestShape, scope: DeviceScope): Code {
  const isSingle = request.discriminators.length === 0;
  const unions = isSingle
    ? nothing
    : code`${docComment({ doc: `What a driver can submit as a {@link ${request.typeName}}.` })}export type ${inputName(request)} = ${joined(
        request.variants.map((variant) => variant.inputType),
        " | ",
      )};`;
  const replies = [...new Set(request.variants.map((variant) => replyName(variant, request, scope)))];
  const replyUnion = isSingle
    ? nothing
    : code`/** What it is answered with. */
      export type ${replyUnionName(request)} = ${joined(replies, " | ")};`;
  const seen = new Set<string>();
  return paragraphs([
    ...request.variants.flatMap((variant) => {
      const reply = replyName(variant, request, scope);
      const isNew = !seen.has(reply);
      seen.add(reply);
      return [inputType(request, variant, scope), isNew ? replyType(request, variant, scope) : nothing];
    }),
    unions,
    replyUnion,
    isSingle ? nothing : repliesByTag(request, scope),
    isSingle ? nothing : queueInterface(request),
  ]);
}

/** `BlkRequestInput`. */
export function inputName(request: RequestShape): string {
  const [only] = request.variants;
  return request.discriminators.length === 0 && only !== undefined ? only.inputType : `${request.baseName}Input`;
}

export function replyUnionName(request: RequestShape): string {
  const [only] = request.variants;
  return request.discriminators.length === 0 && only !== undefined ? only.replyType : `${request.baseName}Reply`;
}

export function queueTypeName(request: RequestShape): string {
  return request.discriminators.length === 0 ? `DriverRequestQueue` : `${request.baseName}Queue`;
}

/** The reply that variants have in common has one type: `BlkStatusReply`. */
export function replyName(variant: VariantShape, request: RequestShape, scope: DeviceScope): string {
  if (request.discriminators.length === 0) return variant.replyType;
  return isCommonReply(variant, request) ? commonReplyName(request, scope) : variant.replyType;
}

function isCommonReply(variant: VariantShape, request: RequestShape): boolean {
  const ends = request.prefix.length > 0 ? request.prefix : request.suffix;
  return !isTagged(variant) && variant.writable.length === ends.length;
}

function commonReplyName(request: RequestShape, scope: DeviceScope): string {
  const status = statusField(request, scope);
  const suffix = status === undefined ? "Plain" : pascalCase(status.name);
  return request.typeName === `${scope.prefix}Request`
    ? `${scope.prefix}${suffix}Reply`
    : `${request.typeName}${suffix}Reply`;
}

function inputType(request: RequestShape, variant: VariantShape, scope: DeviceScope): Code {
  const tags = request.discriminators.flatMap((name) => {
    const field = tagField(variant, name);
    if (field === undefined || patternsOf(variant, name) === undefined) return [];
    return [code`readonly ${propertyKey(propertyName(field))}: ${tagType(variant, name, request, scope)};`];
  });
  const { model } = variant;
  if (request.selector !== undefined) tags.unshift(code`readonly ${request.selector}: ${quoted(model.name)};`);
  const fields = variant.readable.filter((field) => isVisible(field) && !isTag(variant, field));
  const capacities = capacityFields(variant, scope).map((field) => {
    const name = capacityName(field, variant, scope);
    if (isWish(field, scope)) {
      const doc = docComment({ doc: `Is \`${propertyName(field)}\` wanted in the reply?` });
      return code`${doc}readonly ${name}?: boolean | undefined;`;
    }
    const gate = field.condition === null ? "" : `Only if ${field.condition}.`;
    const doc = docComment({ doc: `Room for \`${propertyName(field)}\` in the reply, in bytes.` }, gate);
    return code`${doc}readonly ${name}${field.conditionTree === null ? "" : "?"}: number;`;
  });
  const doc = docComment(
    { doc: tagsDoc(variant, request, scope), since: model.since, within: request.since },
    model.doc,
  );
  const properties = [
    ...tags,
    ...fields.map((field) => inputProperty(field, model.since, variant.inputType, scope)),
    ...capacities,
  ];
  const body =
    properties.length === 0
      ? code`export type ${variant.inputType} = Readonly<Record<never, never>>;`
      : code`export interface ${variant.inputType} { ${properties} }`;
  return paragraphs([code`${doc}${body}`, ...matchTypes(variant.readable, variant.inputType, scope)]);
}

function inputProperty(field: FieldModel, within: string, owner: string, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  const type =
    shape.kind === "scalar" && shape.meaning.kind === "enum"
      ? writeType(shape.meaning.enum, scope)
      : typeOf(shape, field, owner, scope);
  const optional = hasDefault(field) || isOptional(field, shape);
  const note = hasDefault(field) ? [DEFAULT_NOTE] : [];
  return code`${fieldDoc(field, scope, within, ...note)}readonly ${propertyKey(propertyName(field))}${optional ? "?" : ""}: ${type}${optional ? " | undefined" : ""};`;
}

/** Writable fields for which the driver has to say how much room there is. */
export function capacityFields(variant: VariantShape, scope: DeviceScope): FieldModel[] {
  return replyFields(variant).filter((field) => isVisible(field) && !isSizeKnown(field, scope));
}

/** Does the size follow from the request, the features and the configuration? */
function isSizeKnown(field: FieldModel, scope: DeviceScope): boolean {
  if (field.sizedTree !== null) return !refersToSelf(field.sizedTree);
  if (field.optional) return false;
  const shape = shapeOf(field, scope);
  if (fixedSize(shape) !== null) return true;
  if (shape.kind === "struct") return shape.struct.kind === "header";
  if (shape.kind === "bytes" || shape.kind === "text")
    return shape.length.kind === "formula" && !refersToSelf(shape.length.formula);
  if (shape.kind === "array") {
    if (shape.length.kind !== "formula" || refersToSelf(shape.length.formula)) return false;
    if (shape.unit === "bytes") return true;
    if (shape.ends !== null) return false;
    return shape.stride !== null || fixedSize(shape.of) !== null;
  }
  return false;
}

/** Does the driver ask for a field of the reply, and not just give room for it? */
export function isWish(field: FieldModel, scope: DeviceScope): boolean {
  return field.optional && fixedSize(shapeOf(field, scope)) !== null;
}

/** Name of the capacity of a writable field in the input. */
export function capacityName(field: FieldModel, variant: VariantShape, scope: DeviceScope): string {
  const name = propertyName(field);
  if (isWish(field, scope)) return `wants${pascalCase(field.name)}`;
  return variant.readable.some((other) => isVisible(other) && propertyName(other) === name) ? `${name}Capacity` : name;
}

function replyType(request: RequestShape, variant: VariantShape, scope: DeviceScope): Code {
  const name = replyName(variant, request, scope);
  if (isTagged(variant)) {
    const union = replyUnion(variant, "read", (field) => typeOf(shapeOf(field, scope), field, name, scope), scope);
    const about = `Reply of the device to {@link ${variant.inputType}}.`;
    return paragraphs([
      code`${docComment({ doc: about })}export type ${name} = ${union};`,
      ...matchTypes(replyFields(variant), name, scope),
    ]);
  }
  const fields = variant.writable.filter(isVisible);
  const properties = fields.map((field) => {
    const shape = shapeOf(field, scope);
    const missing = mayBeMissing(field, request, variant, scope);
    return code`${fieldDoc(field, scope, variant.model.since)}readonly ${propertyKey(propertyName(field))}${missing ? "?" : ""}: ${typeOf(shape, field, name, scope)}${missing ? " | undefined" : ""};`;
  });
  const note = fields.some(
    (field) => isOptionalReply(field, request, variant) && mayBeMissing(field, request, variant, scope),
  )
    ? "Parts that the device left out, as for a failure, are missing."
    : "";
  const doc =
    isCommonReply(variant, request) && request.discriminators.length > 0
      ? `Reply of the device that says no more than this.`
      : `Reply of the device to {@link ${variant.inputType}}.`;
  const body =
    properties.length === 0
      ? code`export type ${name} = Readonly<Record<string, never>>;`
      : code`export interface ${name} { ${properties} }`;
  return paragraphs([code`${docComment({ doc }, note)}${body}`, ...matchTypes(variant.writable, name, scope)]);
}

// ---- the reply that belongs to a request ----

function repliesName(request: RequestShape): string {
  return `${request.baseName}Replies`;
}

function parameterNames(request: RequestShape): string[] {
  if (request.selector !== undefined) return [pascalCase(request.selector)];
  return request.discriminators.map((name) => pascalCase(name));
}

/** A map from tags to replies, and the type that looks a reply up in it. */
function repliesByTag(request: RequestShape, scope: DeviceScope): Code {
  const special = request.variants.filter((variant) => !isCommonReply(variant, request) || commonEndsEmpty(request));
  const parameters = parameterNames(request);
  const fallback = special.length === request.variants.length ? "never" : commonReplyName(request, scope);
  if (special.length === 0) {
    // A parameter without a use would be one that a linter complains of.
    const tags = parameters.length === 1 ? code`${parameters[0] ?? ""}` : code`[${joined(parameters, ", ")}]`;
    return code`/** The reply to a request with these tags: the same for all. */
      export type ${request.baseName}ReplyTo<${joined(parameters, ", ")}> = ${tags} extends unknown ? ${fallback} : never;`;
  }
  let lookup: Code = code`${repliesName(request)}${parameters.map((name) => code`[${name}]`).reduce((all, part) => code`${all}${part}`, nothing)}`;
  for (let depth = parameters.length - 1; depth >= 0; depth--) {
    const map = parameters.slice(0, depth).reduce((all, name) => code`${all}[${name}]`, code`${repliesName(request)}`);
    lookup = code`${parameters[depth] ?? ""} extends keyof ${map} ? ${lookup} : ${fallback}`;
  }
  return paragraphs([
    code`/** Replies that say more than others, by the tags of the request. */
      export interface ${repliesName(request)} { ${request.selector === undefined ? entries(special, request.discriminators, request, scope) : special.map((variant) => code`readonly ${variant.model.name}: ${replyName(variant, request, scope)};`)} }`,
    code`/** The reply to a request with these tags. */
      export type ${request.baseName}ReplyTo<${joined(parameters, ", ")}> = ${lookup};`,
  ]);
}

function commonEndsEmpty(request: RequestShape): boolean {
  return request.prefix.length === 0 && request.suffix.length === 0;
}

function entries(
  variants: readonly VariantShape[],
  discriminators: readonly string[],
  request: RequestShape,
  scope: DeviceScope,
): Code[] {
  const [discriminator, ...rest] = discriminators;
  if (discriminator === undefined) return [];
  const groups = new Map<string, { key: Code; variants: VariantShape[] }>();
  for (const variant of variants) {
    const patterns = patternsOf(variant, discriminator);
    const field = tagField(variant, discriminator);
    const keys =
      patterns === undefined
        ? [code`[${"tag"}: string | number]`]
        : patterns.length === 0
          ? [code`[tag: number]`]
          : patterns.map((pattern) =>
              pattern.low === pattern.high ? code`${tagLabel(pattern, field, scope)}` : code`[tag: number]`,
            );
    for (const key of keys) {
      const text = JSON.stringify(key.parts);
      const group = groups.get(text) ?? { key, variants: [] };
      group.variants.push(variant);
      groups.set(text, group);
    }
  }
  return [...groups.values()].map(({ key, variants: members }) => {
    const [only] = members;
    if (rest.length === 0 && only !== undefined) return code`readonly ${key}: ${replyName(only, request, scope)};`;
    const [last, none] = rest;
    // The other tag is not looked at.
    if (only !== undefined && members.length === 1 && none === undefined && patternsOf(only, last ?? "") === undefined)
      return code`readonly ${key}: Readonly<Record<string | number, ${replyName(only, request, scope)}>>;`;
    return code`readonly ${key}: { ${entries(members, rest, request, scope)} };`;
  });
}

/** The queue as a driver uses it: which reply comes depends on what is submitted. */
function queueInterface(request: RequestShape): Code {
  const parameters = parameterNames(request);
  if (request.selector !== undefined) {
    const name = parameters[0] ?? "";
    return queueType(
      request,
      [code`${name} extends ${inputName(request)}["${request.selector}"]`],
      [code`readonly ${request.selector}: ${name}`],
    );
  }
  const properties = request.discriminators.map((name, index) => {
    const everywhere = request.variants.every((variant) => tagField(variant, name) !== undefined);
    return code`readonly ${propertyKey(tagProperty(request, name))}${everywhere ? "" : "?"}: ${parameters[index] ?? ""}`;
  });
  const generics = parameters.map((name, index) => {
    const tag = request.discriminators[index] ?? "";
    const property = tagProperty(request, tag);
    const everywhere = request.variants.every((variant) => tagField(variant, tag) !== undefined);
    if (everywhere) return code`${name} extends ${inputName(request)}[${JSON.stringify(property)}]`;
    return code`${name} extends Extract<${inputName(request)}, { readonly ${propertyKey(property)}: unknown }>[${JSON.stringify(property)}] | undefined`;
  });
  return queueType(request, generics, properties);
}

function queueType(request: RequestShape, generics: readonly Code[], properties: readonly Code[]): Code {
  return code`/** Driver side of a queue of {@link ${request.typeName}}s. */
    export interface ${queueTypeName(request)} extends Pick<${runtimeType("DriverRequestQueue")}<${inputName(request)}, ${replyUnionName(request)}>, "post" | "kick" | "inFlight" | "waiting"> {
      /**
       * Sends a request; the promise gives the reply. Waits for room when the ring is full. Rejects with a CodecError if
       * the request or the reply does not fit its layout, and with the reason if the queue breaks or the driver is stopped.
       */
      submit<${joined(generics, ", ")}>(
        input: ${inputName(request)} & { ${joined(properties, "; ")} },
      ): Promise<${request.baseName}ReplyTo<${joined(parameterNames(request), ", ")}>>;
    }`;
}

function tagProperty(request: RequestShape, discriminator: string): string {
  for (const variant of request.variants) {
    const field = tagField(variant, discriminator);
    if (field !== undefined) return propertyName(field);
  }
  return discriminator;
}
