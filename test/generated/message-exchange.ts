import type fc from "fast-check";
import { render } from "../../src/emit/typescript/code.js";
import { capacityFields, capacityName, isWish } from "../../src/emit/typescript/request-inputs.js";
import { isImpossible } from "../../src/emit/typescript/request-reply.js";
import { replyMember, requestMember } from "../../src/emit/typescript/request-layout.js";
import { isTag, isWindow, mayBeMissing, patternsOf, tagField, tagLabel, valueFields, type RequestShape, type VariantShape } from "../../src/emit/typescript/request-shapes.js";
import { hasAnswerType } from "../../src/emit/typescript/request-types.js";
import { isTagged, replyFields } from "../../src/emit/typescript/reply-variants.js";
import { isVisible, propertyName } from "../../src/emit/typescript/struct-types.js";
import type { PatternModel } from "../../src/model/device-model.js";
import type { RequestSlot } from "../../src/runtime/index.js";
import type { Agreement } from "./message-formulas.js";
import { valueIn } from "./message-formulas.js";
import { MessageMaker, NotBuilt, lengthPaths, strides, type Made, type Value } from "./message-values.js";
import { call } from "./message-pair.js";

/** A request and its answer, as values, and how they meet the two sides. */
export interface Exchange {
  readonly variant: VariantShape;
  /** What the driver submits. */
  readonly input: Value;
  /** What the device has to find in it. */
  readonly sent: Value;
  /** What the driver has to find in the reply. */
  readonly reply: Value;
  /** Answers a request on the device side. */
  answer(request: RequestSlot): void;
}

/** Makes up a request of this variant, and an answer to it. */
export function exchangeOf(g: fc.GeneratorValue, request: RequestShape, variant: VariantShape, agreed: Agreement): Exchange {
  const { scope } = agreed;
  const maker = new MessageMaker(g, agreed);
  const replyLengths = replyFields(variant).length === 0 ? [] : lengthPaths(replyFields(variant));
  const tags = new Map(variant.model.tags.map(({ field, patterns }) => [field, patterns.length > 0 ? patterns : otherValues(field, request, variant)]));
  const wishes = { tags, small: new Set(replyLengths), least: new Map(strides(replyFields(variant), agreed)) };
  const sent = request.struct === undefined ? maker.fields(variant.readable, wishes) : maker.struct(request.struct, wishes);
  const condition = variant.model.conditionTree;
  const holds = condition === null ? 1n : valueIn(condition, { self: sent.numbers, readable: sent.numbers, parameters: new Map() }, agreed);
  if (holds === 0n) throw new NotBuilt("not with these features");
  const replies = isTagged(variant) ? variant.replies.filter((reply) => !isImpossible(reply, variant, scope)) : [variant];
  const layout = replies[maker.number(0, replies.length - 1)] ?? variant;
  const replyTags = layout === variant ? new Map<string, readonly PatternModel[]>() : new Map(layout.model.tags.map(({ field, patterns }) => [field, patterns.length > 0 ? patterns : otherReplies(field, variant)]));
  const made = maker.fields(layout.writable, { tags: replyTags, readable: sent.numbers });
  const selected: Value = request.selector === undefined ? {} : { [request.selector]: variant.model.name };
  const input: Value = { ...sent.value, ...selected, ...tagValues(request, variant, sent, agreed), ...capacities(variant, made, agreed) };
  return { variant, input, sent: sent.value, reply: expected(made), answer };

  /** What has no meaning under the answer's status is not looked at, and an empty list may be as good as none. */
  function expected({ value, numbers }: Made): Value {
    const meant = layout.writable.filter((field) => {
      const around = { self: numbers, readable: sent.numbers, parameters: new Map<string, bigint>() };
      const given = value[propertyName(field)];
      const isNothing = isEmpty(given) && mayBeMissing(field, request, variant, scope);
      return !isNothing && (field.validTree === null || valueIn(field.validTree, around, agreed) !== 0n);
    });
    return Object.fromEntries(meant.filter((field) => propertyName(field) in value).map((field) => [propertyName(field), value[propertyName(field)]]));
  }

  function answer(slot: RequestSlot): void {
    for (const field of layout.writable.filter((each) => isVisible(each) && isWindow(each, scope))) {
      const bytes = made.value[propertyName(field)];
      if (!(bytes instanceof Uint8Array)) continue;
      const window: unknown = Reflect.get(slot, replyMember(field, variant));
      call(Reflect.get(Object(window), "write"), window, bytes);
    }
    const values = valueFields(layout.writable, scope);
    const answered = Object.fromEntries(values.flatMap((field) => {
      const key = propertyName(field);
      return key in made.value ? [[key, made.value[key]]] : [];
    }));
    const complete: unknown = Reflect.get(slot, "complete");
    const [only] = values;
    if (only === undefined) call(complete, slot);
    else if (hasAnswerType(variant, scope)) call(complete, slot, answered);
    else call(complete, slot, made.value[propertyName(only)]);
  }
}

/** What the device finds in a request. */
export function fieldsOf(slot: RequestSlot, variant: VariantShape): Value {
  const found: Value = {};
  for (const field of variant.readable) if (isVisible(field)) found[propertyName(field)] = plain(Reflect.get(slot, requestMember(field)));
  return found;
}

function plain(value: unknown): unknown {
  const copy: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "toUint8Array") : undefined;
  if (copy !== undefined) return call(copy, value);
  // What is looked at in place has getters.
  if (Array.isArray(value) || value instanceof Uint8Array) return value;
  const json: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "toJSON") : undefined;
  return json === undefined ? value : call(json, value);
}

function tagValues(request: RequestShape, variant: VariantShape, sent: Made, agreed: Agreement): Value {
  const found: Value = {};
  for (const name of request.discriminators) {
    const field = tagField(variant, name);
    if (field === undefined || !isTag(variant, field)) continue;
    const number = Number(sent.numbers.get(name));
    const pattern = patternsOf(variant, name)?.find(({ low, high }) => number >= low && number <= high);
    if (pattern === undefined) continue;
    const label = render(tagLabel(pattern, field, agreed.scope)).text;
    found[propertyName(field)] = label === "number" ? number : JSON.parse(label);
  }
  return found;
}

/** A list or bytes of length 0, or a struct of nothing else. */
function isEmpty(value: unknown): boolean {
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  const parts = typeof value === "object" && value !== null ? Object.values(value) : [];
  return parts.length > 0 && parts.every(isEmpty);
}

/** Values of a tag that no variant names. */
function otherValues(name: string, request: RequestShape, variant: VariantShape): readonly PatternModel[] {
  const others = request.variants.filter((other) => other !== variant);
  return unused(others.flatMap((other) => patternsOf(other, name) ?? []));
}
function otherReplies(name: string, variant: VariantShape): readonly PatternModel[] {
  return unused(variant.replies.flatMap((reply) => patternsOf(reply, name) ?? []));
}
function unused(used: readonly PatternModel[]): readonly PatternModel[] {
  const free: PatternModel[] = [];
  for (let value = 0; value < 256 && free.length < 8; value++) {
    if (!used.some(({ low, high }) => value >= low && value <= high)) free.push({ name: null, low: value, high: value });
  }
  return free;
}

/** Room for exactly what the device is going to write, and for what it leaves out a little. */
function capacities(variant: VariantShape, made: Made, agreed: Agreement): Value {
  const found: Value = {};
  for (const field of capacityFields(variant, agreed.scope)) {
    const name = capacityName(field, variant, agreed.scope);
    const size = made.sizes.get(field.name);
    found[name] = isWish(field, agreed.scope) ? size !== undefined : (size ?? 0);
  }
  return found;
}
