import type { Name, PathExpression, ProtocolEvent, RequestPart, StructMember } from "../language/syntax-tree.js";
import { findConfigField } from "./config-fields.js";
import type { EventModel, RequestModel, VariantModel } from "./device-model.js";
import { reportUnknown, type Facts } from "./facts.js";
import { fieldsOf, findPath } from "./field-paths.js";
import { environmentOf, newFieldTable } from "./field-table.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { findTypes, kindText, type RequestSymbol, type Scope, type StructSymbol } from "./symbols.js";

/** What passes about messages need. */
export interface MessageContext {
  readonly scope: Scope;
  readonly facts: Facts;
  readonly requests: readonly RequestModel[];
}

/** A request or a message with the kinds of it that are meant; no kinds: all of them. */
export interface FoundMessage {
  readonly symbol: RequestSymbol | StructSymbol;
  readonly variants: readonly VariantModel[];
  /** All that may be meant, but for kinds that nobody has described. */
  readonly possible: readonly VariantModel[];
}

/** What an event is. Undefined: it is unknown, and has been reported. */
export function resolveEvent(
  event: ProtocolEvent,
  context: MessageContext,
): { readonly model: EventModel; readonly found: FoundMessage | null } | undefined {
  const { scope, facts } = context;
  if (event.kind === "text-event") return { model: { kind: "other", text: event.text }, found: null };
  const { segments } = event.path;
  const [first, second] = segments;
  if (first === undefined || first.text === "") return undefined;
  if (first.text === "config" && second) {
    const field = findConfigField({ facts, scope }, segments);
    if (field?.formula === undefined) return undefined;
    return { model: { kind: "config", path: segments.slice(1).map(({ text }) => text) }, found: null };
  }
  const found = resolveMessage(event.path, context);
  if (!found) return undefined;
  const variants = found.variants.map(({ name }) => name);
  const kinds = segments.slice(1).map(({ text }) => text);
  return { model: { kind: "message", message: found.symbol.name, kinds, variants }, found };
}

/** `Control`, `Control.PCM_START`, `Packet`. */
export function resolveMessage(path: PathExpression, context: MessageContext): FoundMessage | undefined {
  const { scope, facts, requests } = context;
  const [first, ...kinds] = path.segments;
  if (first === undefined || first.text === "") return undefined;
  const [symbol] = findTypes(scope, first.text);
  if (!symbol) {
    reportUnknown(facts, scope, "request or message", first, function* () {
      for (const request of scope.requests) yield request.name;
      for (const struct of scope.structs) yield struct.name;
    });
    return undefined;
  }
  if (symbol.kind !== "request" && symbol.kind !== "struct") {
    const values = { name: first.text, expected: "a request or the struct of a message", found: kindText(symbol) };
    facts.bag.report("wrong-kind", first.span, values);
    return undefined;
  }
  const request = requests.find(({ name }) => name === symbol.name);
  const variants = kindsOf(kinds, symbol, request?.variants ?? [], context);
  const described = (request?.variants ?? []).filter(({ tags }) => tags.every(({ patterns }) => patterns.length > 0));
  return variants && { symbol, variants, possible: variants.length > 0 ? variants : described };
}

/** The variants that have all of these names, by themselves or by their tags. */
export function kindsOf(
  kinds: readonly Name[],
  symbol: RequestSymbol | StructSymbol,
  variants: readonly VariantModel[],
  { scope, facts }: MessageContext,
): readonly VariantModel[] | undefined {
  let left = variants;
  for (const kind of kinds) {
    if (kind.text === "") return undefined;
    const fitting = left.filter((variant) => namesOf(variant).has(kind.text));
    if (fitting.length === 0) {
      // Where the tags have no names, because what they are is unknown, that has been said.
      if (variants.every(({ tags }) => tags.every(({ patterns }) => patterns.every(({ name }) => name === null)))) {
        return undefined;
      }
      const all = left;
      reportUnknown(facts, scope, `kind of ${symbol.name}`, kind, function* () {
        for (const variant of all) yield* namesOf(variant);
      });
      return undefined;
    }
    left = fitting;
  }
  return kinds.length === 0 ? [] : left;
}

function namesOf(variant: VariantModel): ReadonlySet<string> {
  const tags = variant.tags.flatMap(({ patterns }) => patterns.flatMap(({ name }) => name ?? []));
  return new Set([variant.name, ...tags]);
}

/**
 * What formulas about a message see: all of its fields, the readable ones and the written ones. A name that both parts of
 * a request have means the one in `first`.
 */
export function messageEnvironment(
  symbol: RequestSymbol | StructSymbol,
  { scope, facts }: MessageContext,
  first: "readable" | "writable",
  parameters: ReadonlySet<string> = new Set(),
): FormulaEnvironment {
  if (symbol.kind === "struct") {
    const members = symbol.declaration.members;
    return environmentOf(newFieldTable({ facts, scope, members, parameters }), "rule");
  }
  const before = newFieldTable({ facts, scope, members: streamOf(symbol, "readable") });
  const members = streamOf(symbol, "writable");
  const all = environmentOf(newFieldTable({ facts, scope, members, before, parameters }), "rule");
  if (first === "writable") return all;
  const readable = environmentOf(newFieldTable({ facts, scope, members: [], before, parameters }), "rule");
  return { ...all, field: (path) => readable.field?.(path) ?? all.field?.(path) };
}

/** What the value of a failure sees: what is asked, and what is known of external types in it. */
export function failureEnvironment(symbol: RequestSymbol, { scope, facts }: MessageContext): FormulaEnvironment {
  const before = newFieldTable({ facts, scope, members: streamOf(symbol, "readable"), inExternals: true });
  return environmentOf(newFieldTable({ facts, scope, members: [], before }), "rule");
}

/** Whether one part of a message has a field, of whatever type. What is unknown has been reported. */
export function hasField(
  symbol: RequestSymbol | StructSymbol,
  path: readonly Name[],
  parts: readonly ("readable" | "writable")[],
  { scope, facts }: MessageContext,
): boolean {
  const [first] = path;
  if (first === undefined || first.text === "") return false;
  const all = symbol.kind === "struct" ? [symbol.declaration.members] : parts.map((part) => streamOf(symbol, part));
  const members = all.find((each) => fieldsOf(each).has(first.text));
  if (members) return findPath(members, path, scope, facts) !== "broken";
  reportUnknown(facts, scope, `field of ${symbol.name}`, first, () =>
    all.flatMap((each) => [...fieldsOf(each).keys()]),
  );
  return false;
}

const streams = new WeakMap<RequestSymbol, Readonly<Record<"readable" | "writable", readonly StructMember[]>>>();

function streamOf(symbol: RequestSymbol, direction: "readable" | "writable"): readonly StructMember[] {
  const known = streams.get(symbol);
  if (known) return known[direction];
  const readable: StructMember[] = [];
  const writable: StructMember[] = [];
  const waiting: RequestPart[] = [...symbol.declaration.parts].reverse();
  for (let part = waiting.pop(); part; part = waiting.pop()) {
    switch (part.kind) {
      case "stream":
        (part.direction === "readable" ? readable : writable).push(...part.members);
        break;
      case "match-part":
        waiting.push(...part.arms.flatMap((arm) => arm.body).reverse());
        break;
      case "conditional-part":
        waiting.push(...[...part.whenTrue, ...part.whenFalse].reverse());
        break;
      case "struct-part":
        waiting.push(...[...part.parts].reverse());
        break;
    }
  }
  const made = { readable, writable };
  streams.set(symbol, made);
  return made[direction];
}

/** Whether all the kinds of a message that are meant have a field. */
export function allHave(found: FoundMessage, path: readonly Name[]): boolean {
  const [first] = path;
  return found.possible.every(
    ({ readable, replies }) =>
      readable.some(({ name }) => name === first?.text) ||
      replies.some(({ writable }) => writable.some(({ name }) => name === first?.text)),
  );
}
