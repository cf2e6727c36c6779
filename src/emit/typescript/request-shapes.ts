import type {
  FieldModel,
  Formula,
  PatternModel,
  RequestModel,
  StructModel,
  VariantModel,
} from "../../model/device-model.js";
import { code, joined, quoted, render, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { isWideEnum, memberOf } from "./enums.js";
import { failuresOf, type Failure } from "./failures.js";
import { flatRequest } from "./flat-requests.js";
import { pascalCase } from "./names.js";
import { isGivenAsValue, withValueBytes } from "./reply-places.js";
import { isReply, replyFields, replyTagNames, replyVariants, sharedFront } from "./reply-variants.js";
import { fixedSize, goesToEnd, shapeOf } from "./shapes.js";
import { isOptional, isVisible, propertyName, shortName } from "./struct-types.js";
import { hasChoice, variantTree } from "./variant-tree.js";

/** A request, or a struct that the driver sends, with its variants and the names of its types. */
export interface RequestShape {
  readonly specName: string | null;
  readonly doc: string;
  readonly spec: string | null;
  readonly since: string;
  /** Union of the variants as the device meets them: `BlkRequest`. */
  readonly typeName: string;
  /** In front of the names of other types: `BlkRequest`. */
  readonly baseName: string;
  readonly discriminators: readonly string[];
  readonly variants: readonly VariantShape[];
  /** The property that tells the variants apart, where tags alone do not: it has the variant's name. */
  readonly selector: string | undefined;
  /** Fields that every reply begins with. */
  readonly prefix: readonly FieldModel[];
  /** Fields that every reply ends with, found from the end of the writable part; empty if there is a prefix. */
  readonly suffix: readonly FieldModel[];
  /** Tags of the replies, such as a response code, outermost first. */
  readonly replyTags: readonly string[];
  /** Name of the type of what all replies can be, if there is a tag in them. */
  readonly statusType: string;
  /** The struct, for a message that is not a request. */
  readonly struct: StructModel | undefined;
  /** What is answered where the device fails, by the name of the kind of request. */
  readonly failures: ReadonlyMap<string, Failure>;
  /** Names of the kinds that there are only for what the definition does not describe. */
  readonly undescribed: readonly string[];
}

export interface VariantShape {
  readonly model: VariantModel;
  /** `BlkIn`, from which the names of its types are made. */
  readonly name: string;
  readonly requestType: string;
  readonly inputType: string;
  readonly replyType: string;
  readonly answerType: string;
  /** The only variant of a request without tags. */
  readonly isPlain: boolean;
  /** Bytes of the readable part, if the message says so itself. */
  readonly sizedTree: Formula | null;
  /** Does looking at the tags not tell TypeScript which variant it is? Numbers are of one type, whatever they are. */
  readonly isCast: boolean;
  /** What the types of matches are called after. */
  readonly owner: string;
  readonly readable: readonly FieldModel[];
  /** Of several replies, what all of them begin with. */
  readonly writable: readonly FieldModel[];
  /** The layouts of a reply that has a tag of its own; otherwise none. */
  readonly replies: readonly VariantShape[];
}

/** Patterns of a variant for a discriminator; undefined if it does not look at it. */
export function patternsOf(variant: VariantShape, discriminator: string): readonly PatternModel[] | undefined {
  return variant.model.tags.find((tag) => tag.field === discriminator)?.patterns;
}

/** The field that a variant is told apart by. */
export function tagField(variant: VariantShape, discriminator: string): FieldModel | undefined {
  return variant.readable.find((field) => field.name === discriminator);
}

export function isTag(variant: VariantShape, field: FieldModel): boolean {
  return patternsOf(variant, field.name) !== undefined;
}

export function requestShape(listed: RequestModel, scope: DeviceScope): RequestShape {
  const place = `${scope.device.name}.${listed.name}`;
  const model = withValueBytes(flatRequest(listed, scope), scope);
  const typeName = claim(scope, `${scope.prefix}${pascalCase(model.name)}`, place);
  const many = model.variants.length > 1 || model.discriminators.length > 0;
  const suffixName = model.name === "Request" ? "" : pascalCase(model.name);
  const known = model.variants.filter((variant) => !isFallback(variant, model));
  const variants = known.map((variant): VariantShape => {
    const own = pascalCase(variant.name);
    const short = many ? `${scope.prefix}${own}${suffixName}` : typeName;
    const requestType = many ? claim(scope, model.name === "Request" ? `${short}Request` : short, place) : typeName;
    const shape: Omit<VariantShape, "replies"> = {
      model: variant,
      name: short,
      requestType,
      inputType: claim(scope, `${short}Input`, place),
      replyType: claim(scope, `${short}Reply`, place),
      answerType: claim(scope, `${short}Answer`, place),
      isPlain: !many,
      sizedTree: null,
      isCast: known.some((other) => other !== variant && looksAlike(variant, other, scope)),
      owner: requestType,
      readable: variant.readable,
      writable: variant.replies[0]?.writable ?? [],
    };
    const replies = replyVariants(variant, shape);
    return replies.length === 0 ? { ...shape, replies } : { ...shape, replies, writable: sharedFront(replies) };
  });
  const ends = commonEnds(variants, model, scope);
  const replyTags = replyTagNames({ variants: known });
  return {
    ...model,
    typeName,
    baseName: typeName,
    discriminators: model.discriminators,
    variants,
    selector: selectorOf(variants, model.discriminators, place),
    ...ends,
    replyTags,
    statusType: replyTags.length > 0 ? claim(scope, `${typeName}Status`, place) : "",
    struct: undefined,
    failures: failuresOf(listed, scope),
    undescribed: model.variants.filter((variant) => !known.includes(variant)).map(({ name }) => name),
  };
}

/** Is there a tag that is a number in one variant, and may be any number in the other? */
function looksAlike(variant: VariantModel, other: VariantModel, scope: DeviceScope): boolean {
  const label = (each: VariantModel, pattern: PatternModel, name: string): string => {
    const field = each.readable.find((candidate) => candidate.name === name);
    return render(tagLabel(pattern, field, scope)).text;
  };
  const labels = (each: VariantModel, name: string): readonly string[] | undefined => {
    const patterns = each.tags.find(({ field }) => field === name)?.patterns;
    return patterns?.length === 0 ? ["number"] : patterns?.map((pattern) => label(each, pattern, name));
  };
  return variant.tags.some(({ field: name }) => {
    const own = labels(variant, name) ?? [];
    const others = labels(other, name) ?? [];
    const areNumbers = own.some((each) => !each.startsWith('"')) && others.some((each) => !each.startsWith('"'));
    return areNumbers && [...own, ...others].includes("number");
  });
}

function selectorOf(
  variants: readonly VariantShape[],
  discriminators: readonly string[],
  place: string,
): string | undefined {
  if (!hasChoice(variantTree(variants, discriminators))) return undefined;
  const names = variants.flatMap((variant) => [...variant.readable, ...replyFields(variant)].map(propertyName));
  if (names.includes("variant"))
    throw new EmitError("a field with the name variant where variants have the same tags", place);
  return "variant";
}

/** Names of what the model puts into variants for tags that the definition does not mention. */
const UNKNOWN_PARTS: ReadonlySet<string> = new Set(["readable_rest", "writable_rest"]);

/**
 * Is a variant only there for what nothing else fits? Such requests are met as unknown ones, and a driver sends none.
 * It has a tag without a value, and no field of its own.
 */
function isFallback(variant: VariantModel, request: RequestModel): boolean {
  const hasDefault = (each: VariantModel): boolean => each.tags.some((tag) => tag.patterns.length === 0);
  const others = request.variants.filter((other) => !hasDefault(other));
  // What tags around it have in common is in front of the one that it has no value for.
  const known = variant.tags.filter((tag) => tag.patterns.length > 0);
  const siblings = others.filter((other) =>
    known.every((tag) => other.tags.some((each) => JSON.stringify(each) === JSON.stringify(tag))),
  );
  const isCommon = (
    field: FieldModel,
    fields: (other: VariantModel) => readonly FieldModel[],
    among = others,
  ): boolean =>
    UNKNOWN_PARTS.has(field.name) ||
    field.reserved ||
    request.discriminators.includes(field.name) ||
    among.every((other) =>
      fields(other).some(
        (each) => each.name === field.name && JSON.stringify(each.type) === JSON.stringify(field.type),
      ),
    );
  return (
    hasDefault(variant) &&
    others.length > 0 &&
    siblings.length > 0 &&
    variant.readable.every((field) => isCommon(field, (other) => other.readable, siblings)) &&
    variant.replies.every((reply) =>
      reply.writable.every((field) => isCommon(field, (other) => other.replies.flatMap((each) => each.writable))),
    )
  );
}

/** A struct that travels on its own: one variant, nothing to reply. */
export function messageShape(struct: StructModel, scope: DeviceScope): RequestShape {
  const place = `${scope.device.name}.${struct.name}`;
  if (struct.kind !== "struct") throw new EmitError(`a ${struct.kind} as the message of a queue`, place);
  const typeName = claim(scope, `${scope.typeName(struct)}Buffer`, place);
  const variant: VariantShape = {
    model: {
      name: struct.name,
      specName: struct.specName,
      readableSpecName: null,
      doc: struct.doc,
      since: struct.since,
      spec: struct.spec,
      tags: [],
      conditionTree: null,
      readable: struct.fields,
      replies: [],
    },
    name: scope.typeName(struct),
    requestType: typeName,
    inputType: scope.typeName(struct),
    replyType: "void",
    answerType: "void",
    isPlain: true,
    sizedTree: struct.sizedTree,
    isCast: false,
    owner: scope.typeName(struct),
    readable: struct.fields,
    writable: [],
    replies: [],
  };
  return {
    specName: struct.specName,
    doc: struct.doc,
    spec: struct.spec,
    since: struct.since,
    typeName,
    baseName: typeName,
    discriminators: [],
    variants: [variant],
    selector: undefined,
    prefix: [],
    suffix: [],
    replyTags: [],
    statusType: "",
    struct,
    failures: new Map(),
    undescribed: [],
  };
}

function claim(scope: DeviceScope, name: string, place: string): string {
  const claimed = scope.names.claim(name, `${name}Type`);
  if (claimed === undefined) throw new EmitError(`two types with the name ${name}`, place);
  return claimed;
}

function commonEnds(
  variants: readonly VariantShape[],
  model: RequestModel,
  scope: DeviceScope,
): { prefix: readonly FieldModel[]; suffix: readonly FieldModel[] } {
  // A message without a reply has no ends that could be others.
  const replies = variants.map((variant) => variant.writable).filter((fields) => fields.length > 0);
  const [first, ...others] = replies;
  if (first === undefined) return { prefix: [], suffix: [] };
  const isFixed = (field: FieldModel): boolean =>
    // A number that counts something behind it is there together with that.
    field.conditionTree === null &&
    field.counts === null &&
    !field.optional &&
    fixedSize(shapeOf(field, scope)) !== null;
  const same = (left: FieldModel | undefined, right: FieldModel | undefined): boolean =>
    left !== undefined && left.name === right?.name && JSON.stringify(left.type) === JSON.stringify(right.type);
  let front = 0;
  while (
    front < first.length &&
    isFixed(first[front] ?? never()) &&
    others.every((other) => same(other[front], first[front]))
  )
    front++;
  // Where the replies differ in their first field, the end may be what they have in common.
  if (front > 0) return { prefix: first.slice(0, front), suffix: [] };
  let back = 0;
  while (
    back < first.length &&
    isFixed(first[first.length - 1 - back] ?? never()) &&
    others.every((other) => same(other[other.length - 1 - back], first[first.length - 1 - back]))
  ) {
    back++;
  }
  // One variant is enough, be it the one for unknown tags: what a driver gives more of is in front of the end.
  const behindRest = model.variants.some((variant) =>
    variant.replies.some((reply) =>
      reply.writable.some((field) => field.fromEnd !== null && field.size !== null && field.offset === null),
    ),
  );
  return { prefix: [], suffix: behindRest ? first.slice(first.length - back) : [] };
}

function never(): never {
  throw new Error("index out of range");
}

/** Fields of a reply in three parts: before the part that takes the rest, that part, and what is behind it. */
export interface ReplyParts {
  readonly front: readonly FieldModel[];
  readonly rest: FieldModel | undefined;
  readonly tail: readonly FieldModel[];
}

export function replyParts(variant: VariantShape, request: RequestShape, scope: DeviceScope): ReplyParts {
  const fields = variant.writable;
  const rest = fields.findIndex((field) => goesToEnd(field, scope));
  if (rest >= 0) return { front: fields.slice(0, rest), rest: fields[rest], tail: fields.slice(rest + 1) };
  const from = fields.length - request.suffix.length;
  return { front: fields.slice(0, from), rest: undefined, tail: fields.slice(from) };
}

/** Bytes at the top of a stream are not copied: they are windows on the driver's buffers. */
export function isWindow(field: FieldModel, scope: DeviceScope): boolean {
  const shape = shapeOf(field, scope);
  return shape.kind === "bytes" && shape.length.kind !== "fixed" && isVisible(field) && !isGivenAsValue(field);
}

/** Fields of a reply that are given as values. */
export function valueFields(fields: readonly FieldModel[], scope: DeviceScope): FieldModel[] {
  return fields.filter((field) => isVisible(field) && !isWindow(field, scope));
}

/** Fields behind those that every reply begins with: a device that reports a failure leaves them out. */
export function isOptionalReply(field: FieldModel, request: RequestShape, variant: VariantShape): boolean {
  return (
    request.prefix.length > 0 &&
    variant.replies.length === 0 &&
    !isReply(variant) &&
    variant.writable.indexOf(field) >= request.prefix.length
  );
}

/** Can a driver find the field missing from a reply? Bytes that were not written are none. */
export function mayBeMissing(
  field: FieldModel,
  request: RequestShape,
  variant: VariantShape,
  scope: DeviceScope,
): boolean {
  if (isOptional(field, shapeOf(field, scope))) return true;
  if (!isOptionalReply(field, request, variant)) return false;
  const others = variant.writable.filter((other) => isOptionalReply(other, request, variant));
  return !others.every((other) => isWindow(other, scope));
}

/**
 * Fields behind those that every reply begins with, up to the end, which are there whatever became of the request:
 * reserved ones, and those that mean something only sometimes. In a failure they are zero.
 */
export function replyPadding(request: RequestShape, variant: VariantShape, scope: DeviceScope): readonly FieldModel[] {
  const behind = variant.writable.slice(request.prefix.length);
  const isPadding = (field: FieldModel): boolean =>
    field.conditionTree === null &&
    fixedSize(shapeOf(field, scope)) !== null &&
    (field.reserved || field.validTree !== null);
  return request.prefix.length > 0 && behind.every(isPadding) ? behind : [];
}

/** The one number that all replies have, such as a status. */
export function statusField(request: RequestShape, scope: DeviceScope): FieldModel | undefined {
  const fields = request.prefix.length > 0 ? request.prefix : request.suffix;
  const visible = fields.filter(isVisible);
  const tag = visible.find((field) => field.name === request.replyTags[0]);
  const status = tag ?? (visible.length === 1 ? visible[0] : undefined);
  return status !== undefined && shapeOf(status, scope).kind === "scalar" ? status : undefined;
}

/** Type of a tag in a variant: the names or numbers that it can have there. */
export function tagType(variant: VariantShape, discriminator: string, request: RequestShape, scope: DeviceScope): Code {
  const field = tagField(variant, discriminator);
  const patterns = patternsOf(variant, discriminator) ?? [];
  const labels =
    patterns.length > 0
      ? patterns.map((pattern) => tagLabel(pattern, field, scope))
      : [...otherNames(variant, discriminator, request, scope), code`number`];
  return joined(labels, " | ");
}

/** A tag's value in types and `switch`es: the name, or the number if it has none. */
export function tagLabel(pattern: PatternModel, field: FieldModel | undefined, scope: DeviceScope): Code {
  if (pattern.low !== pattern.high) return code`number`;
  const shape = field === undefined ? undefined : shapeOf(field, scope);
  if (shape?.kind !== "scalar" || shape.meaning.kind !== "enum") return code`${pattern.low}`;
  const member = memberOf(shape.meaning.enum, pattern.low);
  if (member !== undefined) return quoted(member.name);
  return pattern.name === null || isWideEnum(shape.meaning.enum)
    ? code`${pattern.low}`
    : quoted(shortName(pattern.name));
}

/** Members of the tag's enum that no other variant is for. */
function otherNames(variant: VariantShape, discriminator: string, request: RequestShape, scope: DeviceScope): Code[] {
  const field = tagField(variant, discriminator);
  const shape = field === undefined ? undefined : shapeOf(field, scope);
  if (shape?.kind !== "scalar" || shape.meaning.kind !== "enum") return [];
  const used = new Set(
    request.variants.flatMap((other) => patternsOf(other, discriminator) ?? []).map((pattern) => pattern.low),
  );
  return shape.meaning.enum.members
    .filter((member) => !used.has(Number(member.value)))
    .map((member) => quoted(member.name));
}
