import type { FieldModel } from "../../model/device-model.js";
import { code, joined, mentions, nothing, paragraphs, quoted, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { EmitError } from "./emit-error.js";
import { condition, negation } from "./formulas.js";
import { runtime, runtimeType } from "./imports.js";
import { interpret } from "./read-scalars.js";
import { readableLayout, replyMember, requestMember, slotContext, type ReadableLayout } from "./request-layout.js";
import { failMethod, failureHead } from "./request-failure.js";
import { completeMethods, replyToJson } from "./request-reply.js";
import { commonReplySize, decodeWritable, roomCheck, type WritableLayout } from "./reply-room.js";
import { replyScratchSize } from "./reply-runs.js";
import { replyFields } from "./reply-variants.js";
import {
  isTag,
  isWindow,
  patternsOf,
  tagField,
  tagLabel,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import { canBeUnknown, unknownTags } from "./request-types.js";
import { fixedSize, isWide, shapeOf } from "./shapes.js";
import {
  assignedMembers,
  headGetters,
  inconsistentHeads,
  memberDeclaration,
  viewMembers,
  type Member,
} from "./slot-members.js";
import { fieldAt, numberAt } from "./structs-read.js";
import { viewName } from "./struct-views.js";
import { isOptional, isVisible } from "./struct-types.js";
import { chosenVariants, printTree, variantTree, type VariantTree } from "./variant-tree.js";

/** Variants with the same layout, which decode and complete alike. */
export interface LayoutGroup {
  /** PascalCase; empty if there is only one. */
  readonly name: string;
  readonly variants: readonly VariantShape[];
  readonly variant: VariantShape;
  readonly layout: ReadableLayout;
  readonly writable: WritableLayout;
}

export function slotName(request: RequestShape): string {
  return `${request.typeName}Slot`;
}

/** The class behind the interfaces: one for all variants, so that the data path sees one shape of object. */
export function requestSlot(
  request: RequestShape,
  scope: DeviceScope,
): { readonly code: Code; readonly groups: readonly LayoutGroup[] } {
  const groups = layoutGroups(request, scope);
  const members = assignedMembers(request, groups, scope);
  const getters = headGetters(groups, members, scope);
  const views = viewMembers(groups);
  const copied = Math.max(failureHead(request, scope), ...groups.map((group) => group.layout.copied));
  const scratch = Math.max(0, ...groups.map((group) => replyScratchSize(group.variant, request, scope)));
  const hasKinds = groups.length > 1 || canBeUnknown(request);
  const kinds = [...groups.map((group) => quoted(group.name)), ...(canBeUnknown(request) ? [quoted("Unknown")] : [])];
  const names = memberFields(request, groups);
  const checks = commonChecks(request, groups, scope);
  const body = paragraphs([
    ...getters.map((getter) => getter.code),
    decodeMethod(request, groups, members, scope),
    ...(hasKinds ? groups.map((group) => layoutMethod(group, names, checks, scope)) : []),
    canBeUnknown(request) ? unknownMethod(request, scope) : nothing,
    completeMethods(request, groups, hasKinds, scope),
    failMethod(request, groups, hasKinds, scope),
    toJson(request, groups, hasKinds, scope),
    replyToJson(request, scope),
  ]);
  const config = usesConfig(request, scope);
  const fields = code`${members.map((member) => memberDeclaration(member, isPlain(request)))}
    ${views.map((view) => code`readonly ${view.name}: ${viewName(view.struct, scope)};`)}
    ${members.flatMap((member) => (isPlain(request) ? [] : [member.readable && code`readonly #${member.name}In = new ${runtime("ReadableBytes")}();`, member.writable && code`readonly #${member.name}Out = new ${runtime("WritableBytes")}();`]))}
    ${scratch > 0 && mentions(body, "this.#replyWriter") && code`readonly #replyBytes = new Uint8Array(${scratch}); readonly #replyWriter = new ${runtime("ByteWriter")}(this.#replyBytes);`}
    ${request.selector !== undefined && code`${request.selector}: ${joined([...request.variants.map(({ model }) => quoted(model.name)), quoted("Unknown")], " | ")} = "Unknown";`}
    ${hasKinds && code`#kind: ${joined(kinds, " | ")} = ${kinds[0] ?? '""'};`}
    ${config && code`readonly #config: ${scope.prefix}DeviceConfig;`}`;
  const constructor = code`constructor(host: ${runtimeType("SlotHost")}, slot: number${config && code`, config: ${scope.prefix}DeviceConfig`}) {
      super(host, slot, ${copied});
      ${config && "this.#config = config;"}
      ${views.map((view) => code`this.${view.name} = new ${viewName(view.struct, scope)}(this.head, ${view.offset}${scope.needs(view.struct).features && ", host.features"});`)}
    }`;
  return {
    groups,
    code: code`${slotDoc(request)}
      class ${slotName(request)} extends ${runtime("RequestSlot")} {
        ${fields}

        ${constructor}

        ${body}
      }`,
  };
}

function slotDoc(request: RequestShape): Code {
  if (request.discriminators.length === 0) return docComment({ doc: `The class behind {@link ${request.typeName}}.` });
  return docComment({
    doc: `All variants of {@link ${request.typeName}} in one class: which members mean something depends on the tags.`,
  });
}

/** Without variants, bytes are always there: the members are the windows themselves. */
export function isPlain(request: RequestShape): boolean {
  return request.discriminators.length === 0 && request.variants.length === 1;
}

/** Do the members of the class have wider types than the interface? What decoding makes is missing before. */
export function needsCast(request: RequestShape, scope: DeviceScope): boolean {
  const [variant] = request.variants;
  if (!isPlain(request) || variant === undefined) return true;
  return readableLayout(variant, scope).assigned.some(
    (field) => !isWindow(field, scope) && !isOptional(field, shapeOf(field, scope)),
  );
}

export function usesConfig(request: RequestShape, scope: DeviceScope): boolean {
  return request.variants.some((variant) =>
    [...variant.readable, ...replyFields(variant)].some((field) => fieldUsesConfig(field, scope)),
  );
}

function fieldUsesConfig(field: FieldModel, scope: DeviceScope): boolean {
  if (JSON.stringify({ ...field, validTree: null, constraintTree: null }).includes('"op":"config"')) return true;
  const shape = shapeOf(field, scope);
  const inner = shape.kind === "array" ? shape.of : shape;
  if (inner.kind === "struct") return scope.needs(inner.struct).config.length > 0;
  if (inner.kind === "match") return inner.arms.some((arm) => scope.needs(arm.struct).config.length > 0);
  return false;
}

// ---- decoding ----

/** What is checked before looking at the tags, because all variants need it. */
interface CommonChecks {
  /** Bytes of the head. */
  readonly head: number;
  /** Bytes of the reply. */
  readonly reply: number;
}

function commonChecks(request: RequestShape, groups: readonly LayoutGroup[], scope: DeviceScope): CommonChecks {
  const [only] = groups;
  if (groups.length === 1 && only !== undefined && !canBeUnknown(request)) return { head: 0, reply: 0 };
  const replies = groups.map((group) => group.writable.needed.fixed);
  if (canBeUnknown(request)) replies.push(commonReplySize(request, scope));
  return { head: Math.min(...groups.map((group) => group.layout.headSize)), reply: Math.min(...replies) };
}

function headCheck(size: number, known: number): Code {
  return size <= known
    ? nothing
    : code`if (this.headLength < ${size}) return new ${runtime("CodecError")}("truncated", this.headLength);`;
}

function layoutGroups(request: RequestShape, scope: DeviceScope): LayoutGroup[] {
  const groups = new Map<string, { variants: VariantShape[]; group: Omit<LayoutGroup, "variants" | "name"> }>();
  for (const variant of request.variants) {
    const layout = readableLayout(variant, scope);
    const writable = decodeWritable(variant, request, scope);
    const key = JSON.stringify([
      layout.statements,
      layout.headSize,
      layout.head.map(({ field, offset }) => [field.name, offset, field.enum, field.type]),
      layout.views.map(({ field, offset }) => [field.name, offset, field.type]),
      writable,
      request.failures.get(variant.model.name)?.answer,
      [variant, ...variant.replies].map((reply) => [
        reply === variant ? [] : reply.model.tags,
        reply.writable.map((field) => [field.name, field.type, field.enum]),
      ]),
      // A field that is a tag elsewhere is assigned where it is none.
      request.discriminators.map((name) =>
        patternsOf(variant, name) === undefined ? tagField(variant, name)?.enum : "tag",
      ),
    ]);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { variants: [variant], group: { variant, layout, writable } });
    else known.variants.push(variant);
  }
  return [...groups.values()].map(({ variants, group }) => ({
    ...group,
    variants,
    name: variants[0]?.model.name ?? "",
  }));
}

function decodeMethod(
  request: RequestShape,
  groups: readonly LayoutGroup[],
  members: readonly Member[],
  scope: DeviceScope,
): Code {
  const reset = members
    .filter((member) => member.initial.parts[0] === "undefined")
    .map((member) => code`this.${member.name} = undefined;`);
  const checks = commonChecks(request, groups, scope);
  const [only] = groups;
  if (only !== undefined && groups.length === 1 && !canBeUnknown(request)) {
    return code`protected override decode(): ${runtimeType("CodecError")} | undefined { ${layoutStatements(only, false, new Set(), checks, scope)} }`;
  }
  const tree = variantTree(request.variants, request.discriminators);
  if (tree === undefined) throw new EmitError("a request without variants", request.typeName);
  const names = memberFields(request, groups);
  const chosen = chosenVariants(tree);
  const body = printTree(tree, {
    before: (branch) => {
      const field = requireTag(branch.sample, branch.discriminator);
      const shape = shapeOf(field, scope);
      if (shape.kind !== "scalar" || isWide(shape, field) || field.offset === null)
        throw new EmitError("a tag that is not a number of up to 32 bits", field.name);
      const member = code`this.${requestMember(field)}`;
      const number = numberAt(code`this.head`, code`${field.offset}`, shape);
      const check = headCheck(field.offset + (fixedSize(shape) ?? 0), checks.head);
      if (!hasRanges(branch)) return code`${check} ${member} = ${interpret(number, shape, scope)};`;
      const name = `${requestMember(field)}Tag`;
      return code`${check} const ${name} = ${number}; ${member} = ${interpret(code`${name}`, shape, scope)};`;
    },
    subject: (branch) => code`this.${requestMember(requireTag(branch.sample, branch.discriminator))}`,
    label: (pattern, branch) => tagLabel(pattern, requireTag(branch.sample, branch.discriminator), scope),
    range: (pattern, branch) => {
      const name = `${requestMember(requireTag(branch.sample, branch.discriminator))}Tag`;
      return code`${name} >= ${pattern.low} && ${name} <= ${pattern.high}`;
    },
    leaf: (variant) => {
      const group = groups.find((each) => each.variants.includes(variant));
      if (group === undefined) throw new EmitError("a variant without a layout", variant.name);
      let decode = isTrivial(group, names, checks)
        ? layoutStatements(group, true, names, checks, scope)
        : code`return this.#decode${group.name}();`;
      if (request.selector !== undefined)
        decode = code`this.${request.selector} = ${quoted(variant.model.name)}; ${decode}`;
      if (variant.model.conditionTree === null || chosen.has(variant)) return decode;
      const context = slotContext(variant, scope);
      return code`if (${negation(variant.model.conditionTree, context.formulas)}) return this.#decodeUnknown(); ${decode}`;
    },
    choose: ({ condition: tree, sample }) =>
      tree === null ? code`true` : condition(tree, slotContext(sample, scope).formulas),
    unchosen: () => code`return this.#decodeUnknown();`,
    missing: () => code`return this.#decodeUnknown();`,
  });
  return code`protected override decode(): ${runtimeType("CodecError")} | undefined {
    ${reset}
    ${headCheck(checks.head, 0)}
    ${roomCheck({ fixed: checks.reply, varying: [] })}
    ${body}
  }`;
}

function hasRanges(branch: VariantTree & { kind: "branch" }): boolean {
  return branch.cases.some(({ pattern }) => pattern.low !== pattern.high);
}

/** Is there nothing to do but to note which layout it is? */
function isTrivial(group: LayoutGroup, names: ReadonlySet<string>, checks: CommonChecks): boolean {
  const { layout, writable } = group;
  return (
    layout.headSize <= checks.head &&
    layout.statements.length === 0 &&
    writable.lengths.length + writable.windows.length + writable.needed.varying.length === 0 &&
    writable.needed.fixed <= checks.reply &&
    layout.head.every(({ field }) => !names.has(field.name))
  );
}

function requireTag(variant: VariantShape, discriminator: string): FieldModel {
  const field = tagField(variant, discriminator);
  if (field === undefined) throw new EmitError(`a tag ${discriminator} that is not a readable field`, variant.name);
  return field;
}

function layoutMethod(group: LayoutGroup, names: ReadonlySet<string>, checks: CommonChecks, scope: DeviceScope): Code {
  if (isTrivial(group, names, checks)) return nothing;
  return code`#decode${group.name}(): ${runtimeType("CodecError")} | undefined { ${layoutStatements(group, true, names, checks, scope)} }`;
}

function layoutStatements(
  group: LayoutGroup,
  hasKinds: boolean,
  memberNames: ReadonlySet<string>,
  checks: CommonChecks,
  scope: DeviceScope,
): Code {
  const { layout, writable, variant } = group;
  // A field that is a tag in other variants is a member, not a getter.
  const tags = layout.head.flatMap(({ field, offset, shape }) =>
    memberNames.has(field.name) && !isTag(variant, field)
      ? [code`this.${requestMember(field)} = ${fieldAt(code`this.head`, code`${offset}`, field, shape, scope)};`]
      : [],
  );
  const isChecked = writable.needed.varying.length === 0 && writable.needed.fixed <= checks.reply;
  return code`${hasKinds && code`this.#kind = ${quoted(group.name)};`}
    ${headCheck(layout.headSize, checks.head)}
    ${tags}
    ${layout.statements}
    ${writable.lengths}
    ${!isChecked && roomCheck(writable.needed)}
    ${writable.windows}
    return undefined;`;
}

/** Fields that are members because they are tags, or are elsewhere, in other variants. */
function memberFields(request: RequestShape, groups: readonly LayoutGroup[]): ReadonlySet<string> {
  return new Set([...request.discriminators, ...inconsistentHeads(groups).map(({ field }) => field.name)]);
}

/** No variant fits: the tags are numbers, and only what all replies have can be answered. */
function unknownMethod(request: RequestShape, scope: DeviceScope): Code {
  const tags = unknownTags(request).filter(({ last }) => last);
  const assignments = tags.map(({ field }) => {
    const shape = shapeOf(field, scope);
    if (shape.kind !== "scalar") return nothing;
    return code`this.${requestMember(field)} = ${numberAt(code`this.head`, code`${field.offset ?? 0}`, shape)};`;
  });
  return code`#decodeUnknown(): ${runtimeType("CodecError")} | undefined {
    this.#kind = "Unknown"; ${request.selector !== undefined && code`this.${request.selector} = "Unknown";`}
    ${assignments}
    return undefined;
  }`;
}

// ---- traces ----

function toJson(request: RequestShape, groups: readonly LayoutGroup[], hasKinds: boolean, scope: DeviceScope): Code {
  const entry = (field: FieldModel, name = requestMember(field)): Code => {
    if (isWindow(field, scope)) return code`${name}: { bytes: this.${name}${isPlain(request) ? "" : "?"}.length },`;
    return code`${name}: this.${name},`;
  };
  const selector = request.selector === undefined ? nothing : code`${request.selector}: this.${request.selector},`;
  const object = (entries: readonly Code[]): Code => code`return { ${selector} ${entries} };`;
  const fieldsOf = ({ variant }: LayoutGroup): Code[] => [
    ...variant.readable.filter(isVisible).map((field) => entry(field)),
    ...replyFields(variant)
      .filter((field) => isWindow(field, scope))
      .map((field) => entry(field, replyMember(field, variant))),
  ];
  const [only] = groups;
  if (!hasKinds && only !== undefined) return code`override toJSON(): object { ${object(fieldsOf(only))} }`;
  const bodies = new Map<string, { names: Code[]; body: Code }>();
  for (const group of groups) {
    const body = object(fieldsOf(group));
    const key = JSON.stringify(body);
    const known = bodies.get(key) ?? { names: [], body };
    known.names.push(code`case ${quoted(group.name)}:`);
    bodies.set(key, known);
  }
  const cases = [...bodies.values()].map(({ names, body }) => code`${names} ${body}`);
  const unknown = unknownTags(request).map(({ field }) => entry(field));
  return code`override toJSON(): object {
    switch (this.#kind) { ${cases} ${canBeUnknown(request) && code`case "Unknown": ${object(unknown)}`} }
  }`;
}
