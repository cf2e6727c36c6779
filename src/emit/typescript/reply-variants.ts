import type { FieldModel, VariantModel } from "../../model/device-model.js";
import { code, joined, nothing, quoted, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { memberOf, writeType } from "./enums.js";
import { hasDefault } from "./flat-requests.js";
import {
  isWindow,
  patternsOf,
  statusField,
  tagField,
  tagLabel,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import { shapeOf } from "./shapes.js";
import { isOptional, isVisible } from "./struct-types.js";

/*
 * A reply with a tag of its own, such as a response code, is one of several layouts. Each is looked at as a variant whose
 * tags are among what the device writes.
 */

/** The layouts of a reply; none if there is only one, without a tag. */
export function replyVariants(model: VariantModel, base: Omit<VariantShape, "replies">): readonly VariantShape[] {
  const isTagged = model.replies.length > 1 || model.replies.some((reply) => reply.tags.length > 0);
  if (!isTagged) return [];
  return model.replies.map((reply) => ({
    ...base,
    model: { ...model, tags: reply.tags, conditionTree: null, doc: reply.doc, since: reply.since },
    readable: reply.writable,
    writable: reply.writable,
    replies: [],
  }));
}

/** Is it one of the replies to a variant, looked at as a variant? */
export function isReply(variant: VariantShape): boolean {
  return variant.readable === variant.writable;
}

export function isTagged(variant: VariantShape): boolean {
  return variant.replies.length > 0;
}

/** Everything that some reply to the request has, each name once. */
export function replyFields(variant: VariantShape): readonly FieldModel[] {
  if (!isTagged(variant)) return variant.writable;
  const fields = new Map<string, FieldModel>();
  for (const reply of variant.replies)
    for (const field of reply.writable) if (!fields.has(field.name)) fields.set(field.name, field);
  return [...fields.values()];
}

/** Names of the tags of a request's replies, outermost first. */
export function replyTagNames(model: { readonly variants: readonly VariantModel[] }): readonly string[] {
  const names = new Set<string>();
  for (const variant of model.variants)
    for (const reply of variant.replies) for (const tag of reply.tags) names.add(tag.field);
  return [...names];
}

/** Fields with which all replies of a variant begin. */
export function sharedFront(replies: readonly VariantShape[]): readonly FieldModel[] {
  const [first, ...others] = replies;
  if (first === undefined) return [];
  const end = first.writable.findIndex(
    (field, index) =>
      !others.every((other) => {
        const same = other.writable[index];
        return same?.name === field.name && JSON.stringify(same.type) === JSON.stringify(field.type);
      }),
  );
  return end < 0 ? first.writable : first.writable.slice(0, end);
}

/** Values that have to be given beside the tags: not windows, which are written on their own, nor what has a default. */
function neededFields(reply: VariantShape, scope: DeviceScope): FieldModel[] {
  return reply.writable.filter(
    (field) =>
      isVisible(field) &&
      !isWindow(field, scope) &&
      !hasDefault(field) &&
      patternsOf(reply, field.name) === undefined &&
      !isOptional(field, shapeOf(field, scope)),
  );
}

/** Type of a tag in one of the replies; `any` is the type of all its values. */
export function replyTagType(
  reply: VariantShape,
  name: string,
  siblings: readonly VariantShape[],
  direction: "read" | "written",
  scope: DeviceScope,
): Code {
  const field = tagField(reply, name);
  const patterns = patternsOf(reply, name) ?? [];
  if (patterns.length > 0)
    return joined(
      patterns.map((pattern) => tagLabel(pattern, field, scope)),
      " | ",
    );
  const shape = field === undefined ? undefined : shapeOf(field, scope);
  if (shape?.kind !== "scalar" || shape.meaning.kind !== "enum") return code`number`;
  const type = scope.typeName(shape.meaning.enum);
  const used = siblings
    .flatMap((other) => patternsOf(other, name) ?? [])
    .flatMap((pattern) => {
      const member =
        pattern.low === pattern.high && shape.meaning.kind === "enum" && memberOf(shape.meaning.enum, pattern.low);
      return member ? [JSON.stringify(member.name)] : [];
    });
  const names = used.length === 0 ? code`${type}` : code`Exclude<${type}, ${joined([...new Set(used)], " | ")}>`;
  return direction === "read" || shape.meaning.enum.open ? code`${names} | number` : names;
}

/** What can be answered by the tag alone: replies that need no further value. */
export function bareTagType(variant: VariantShape, tag: string, scope: DeviceScope): Code | undefined {
  if (!isTagged(variant)) {
    const field = variant.writable.find((each) => each.name === tag);
    const shape = field === undefined ? undefined : shapeOf(field, scope);
    if (shape?.kind !== "scalar") return undefined;
    const others = variant.writable.filter(
      (each) => each !== field && isVisible(each) && !isWindow(each, scope) && !hasDefault(each),
    );
    if (others.length > 0) return undefined;
    return shape.meaning.kind === "enum" ? writeType(shape.meaning.enum, scope) : code`number`;
  }
  const bare = variant.replies.filter((reply) => neededFields(reply, scope).length === 0);
  const types = bare
    .filter((reply) => patternsOf(reply, tag) !== undefined)
    .map((reply) => replyTagType(reply, tag, variant.replies, "written", scope));
  return types.length === 0 ? undefined : joined(types, " | ");
}

// ---- the code alone ----

/** Do all variants have a tag in their replies, so that one type says what can be answered without more? */
export function hasStatusType(request: RequestShape): boolean {
  const [tag] = request.replyTags;
  return request.discriminators.length > 0 && tag !== undefined && request.prefix.some((field) => field.name === tag);
}

/** `RtcRequestStatus`. */
export function statusTypeName(request: RequestShape): string {
  return request.statusType;
}

export function statusType(request: RequestShape, scope: DeviceScope): Code {
  const doc = docComment({ doc: `What every {@link ${request.typeName}} can be answered with, without saying more.` });
  const status = statusField(request, scope);
  const shape = status === undefined ? undefined : shapeOf(status, scope);
  if (status === undefined || shape?.kind !== "scalar") return nothing;
  if (shape.meaning.kind !== "enum") return code`${doc}export type ${statusTypeName(request)} = number;`;
  const { enum: members } = shape.meaning;
  const taken = new Set(
    request.variants.flatMap((variant) =>
      variant.replies
        .filter(
          (reply) => neededFields(reply, scope).length > 0 || reply.writable.some((field) => isWindow(field, scope)),
        )
        .flatMap((reply) => patternsOf(reply, status.name) ?? [])
        .flatMap((pattern) => memberOf(members, pattern.low)?.name ?? []),
    ),
  );
  const type = writeType(members, scope);
  const excluded = [...taken].map((name) => quoted(name));
  return code`${doc}export type ${statusTypeName(request)} = ${taken.size === 0 ? type : code`Exclude<${type}, ${joined(excluded, " | ")}>`};`;
}

/** Tags that a variant can be answered with alone, beside those that all can: some say nothing more in others only. */
export function extraBareTags(variant: VariantShape, request: RequestShape, scope: DeviceScope): Code[] {
  const [name] = request.replyTags;
  if (name === undefined) return [];
  if (!isTagged(variant)) return [bareTagType(variant, name, scope) ?? nothing].filter((type) => type !== nothing);
  return variant.replies
    .filter(
      (reply) => neededFields(reply, scope).length === 0 && reply.writable.some((field) => isWindow(field, scope)),
    )
    .flatMap((reply) =>
      (patternsOf(reply, name) ?? []).map((pattern) => tagLabel(pattern, tagField(reply, name), scope)),
    );
}
