import type { FieldModel } from "../../model/device-model.js";
import { code, joined, type Code } from "./code.js";
import type { CodecContext } from "./codec-parameters.js";
import { EmitError } from "./emit-error.js";
import type { FormulaContext } from "./formulas.js";
import { runtime } from "./imports.js";
import { readFields } from "./read-fields.js";
import { sharedFront } from "./reply-variants.js";
import { patternsOf, tagField, tagLabel, type VariantShape } from "./request-shapes.js";
import { propertyName } from "./struct-types.js";
import { tailSize } from "./structs-read.js";
import { printTree, variantTree, type VariantTree } from "./variant-tree.js";

/** Names of the tags of a variant's replies, outermost first. */
export function tagsOfReplies(variant: VariantShape): readonly string[] {
  return [...new Set(variant.replies.flatMap((reply) => reply.model.tags.map(({ field }) => field)))];
}

export function replyTree(variant: VariantShape): VariantTree {
  const tree = variantTree(variant.replies, tagsOfReplies(variant));
  if (tree === undefined) throw new EmitError("a reply without a layout", variant.name);
  return tree;
}

/** The property that a reply's tag is, and the labels of its values. */
export function replyTagPrinter(
  context: CodecContext,
  access: (field: FieldModel) => Code,
): {
  subject(branch: VariantTree & { kind: "branch" }): Code;
  label(pattern: Parameters<typeof tagLabel>[0], branch: VariantTree & { kind: "branch" }): Code;
  range(pattern: Parameters<typeof tagLabel>[0], branch: VariantTree & { kind: "branch" }): Code;
} {
  const tagOf = (branch: VariantTree & { kind: "branch" }): FieldModel => {
    const field = tagField(branch.sample, branch.discriminator);
    if (field === undefined) throw new EmitError(`a reply without its tag ${branch.discriminator}`, context.place);
    return field;
  };
  return {
    subject: (branch) => access(tagOf(branch)),
    label: (pattern, branch) => tagLabel(pattern, tagOf(branch), context.scope),
    range: (pattern, branch) => {
      const tag = code`Number(${access(tagOf(branch))})`;
      return code`${tag} >= ${pattern.low} && ${tag} <= ${pattern.high}`;
    },
  };
}

/** Statements that read what all replies have, and then what the tags say that there is. */
export function readReplies(variant: VariantShape, context: CodecContext): Code {
  return readFrom(variant.replies, 0, [], context.formulas, context);
}

function readFrom(
  replies: readonly VariantShape[],
  done: number,
  known: readonly Code[],
  formulas: FormulaContext,
  context: CodecContext,
): Code {
  const [first] = replies;
  if (first === undefined) throw new EmitError("a reply without a layout", context.place);
  const end = replies.length === 1 ? first.writable.length : sharedFront(replies).length;
  const fields = first.writable.slice(done, end);
  const taken = new Set(context.taken);
  const {
    statements,
    properties,
    formulas: after,
  } = readFields(fields, { ...context, taken, formulas, tailOf: tailIn(first, context) });
  const all = [...known, ...properties];
  if (replies.length === 1) return code`${statements} return reader.error ?? { ${joined(all, ", ")} };`;
  const locals = new Map(
    fields.filter((field) => patternsOf(first, field.name) !== undefined).map((field) => [field.name, field]),
  );
  const names = tagsIn(replies).filter(
    (name) => new Set(replies.map((reply) => JSON.stringify(patternsOf(reply, name)))).size > 1,
  );
  const [name] = names;
  if (name === undefined) throw new EmitError("replies that nothing tells apart", context.place);
  if (!locals.has(name) && !first.writable.slice(0, done).some((field) => field.name === name))
    throw new EmitError(`replies whose tag ${name} comes behind what they do not have in common`, context.place);
  const local = localOf(all, first, name);
  const groups = new Map<string, VariantShape[]>();
  for (const reply of replies) {
    const key = JSON.stringify(patternsOf(reply, name) ?? []);
    groups.set(key, [...(groups.get(key) ?? []), reply]);
  }
  // One level of the tree: what is below a tag is read by the next round.
  const samples = [...groups.values()].flatMap((group) => group.slice(0, 1));
  const tree = variantTree(samples, [name]);
  if (tree === undefined) throw new EmitError("a reply without a layout", context.place);
  const printer = replyTagPrinter(context, () => code`${local}`);
  const body = printTree(tree, {
    ...printer,
    leaf: (sample) => {
      const group = groups.get(JSON.stringify(patternsOf(sample, name) ?? [])) ?? [sample];
      return readFrom(group, end, all, after, { ...context, taken });
    },
    missing: () => code`return reader.error ?? new ${runtime("CodecError")}("bad-value", reader.offset);`,
  });
  return code`${statements} ${body}`;
}

function tagsIn(replies: readonly VariantShape[]): readonly string[] {
  return [...new Set(replies.flatMap((reply) => reply.model.tags.map(({ field }) => field)))];
}

/** Bytes behind a part that takes the rest, in the whole reply. */
function tailIn(reply: VariantShape, context: CodecContext): (field: FieldModel) => number {
  return (field) => {
    const whole = reply.writable.find((each) => each.name === field.name);
    return whole === undefined ? 0 : tailSize(reply.writable, whole, context.scope, context.place);
  };
}

/** The variable in a property such as `name` or `name: variable`. */
function localOf(properties: readonly Code[], reply: VariantShape, name: string): string {
  const field = tagField(reply, name);
  const key = field === undefined ? name : propertyName(field);
  for (const property of properties) {
    const text = property.parts.map((part) => (typeof part === "string" ? part : "")).join("");
    const [own, variable] = text.split(": ");
    if (own === key) return variable ?? own;
  }
  return key;
}
