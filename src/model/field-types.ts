import type {
  Expression,
  FieldType,
  Name,
  NamedType,
  StructDeclaration,
  TypeContent,
} from "../language/syntax-tree.js";
import type { FieldModel, ScalarType } from "./device-model.js";
import { reportUnknown, type Facts } from "./facts.js";
import { compileConstant } from "./formulas.js";
import {
  findTypes,
  kindText,
  typeNamesIn,
  type EnumSymbol,
  type ExternalSymbol,
  type Scope,
  type StructSymbol,
} from "./symbols.js";

/** What a number in a field stands for. */
export type ScalarContent =
  | { readonly kind: "enum" | "flags"; readonly symbol: EnumSymbol }
  /** `from`: the member that bit 0 is for. */
  | { readonly kind: "bitset"; readonly symbol: EnumSymbol; readonly from: number }
  /** `scale`: bytes for each 1. `space`: null for guest-physical addresses. */
  | { readonly kind: "address"; readonly scale: number; readonly space: Name | null }
  | { readonly kind: "signed" };
/** One of several things that a number may stand for; the last may be what it stands for otherwise. */
export interface ScalarChoice {
  readonly content: ScalarContent;
  readonly condition: Expression | undefined;
}

/** What a field's type turned out to be, without its array dimensions. */
export type ResolvedType =
  | {
      readonly kind: "scalar";
      readonly scalar: ScalarType;
      /** `char`: part of a text. */
      readonly char: boolean;
      readonly content: ScalarContent | null;
      /** Instead of `content`, if that depends on something. */
      readonly choices: readonly ScalarChoice[];
    }
  | { readonly kind: "struct"; readonly symbol: StructSymbol; readonly arguments: readonly Expression[] }
  | { readonly kind: "inline"; readonly declaration: StructDeclaration }
  | { readonly kind: "external"; readonly symbol: ExternalSymbol }
  | { readonly kind: "broken" };

const scalars: ReadonlyMap<string, ScalarType> = new Map([
  ["u8", "u8"],
  ["le8", "u8"],
  ["char", "u8"],
  ["le16", "le16"],
  ["le32", "le32"],
  ["le64", "le64"],
  ["be16", "be16"],
  ["be32", "be32"],
  ["be64", "be64"],
  ["u16", "u16"],
  ["u32", "u32"],
  ["u64", "u64"],
]);

/** Is it a plain integer? */
export function isScalarType(type: FieldModel["type"]): type is ScalarType {
  return typeof type === "string" && scalars.get(type) === type;
}

/** Size of a scalar in bytes. */
export function scalarSize(scalar: ScalarType): 1 | 2 | 4 | 8 {
  switch (scalar) {
    case "u8":
      return 1;
    case "le16":
    case "be16":
    case "u16":
      return 2;
    case "le32":
    case "be32":
    case "u32":
      return 4;
    case "le64":
    case "be64":
    case "u64":
      return 8;
  }
}

/** The largest value that a scalar, or a bit-field of so many bits, can hold. */
export function largestValue(scalar: ScalarType, bits = scalarSize(scalar) * 8): bigint {
  return (1n << BigInt(bits)) - 1n;
}

export function builtinScalar(name: string): ScalarType | undefined {
  return scalars.get(name);
}

/** Finds out what a type means. `needsSize` is false where an enum without a type will do. */
export function resolveType(type: FieldType, scope: Scope, facts: Facts): ResolvedType {
  if (type.kind === "struct") {
    if (type.name === undefined || type.name.text === "") return { kind: "inline", declaration: type };
    const symbol = facts.structOf.get(type);
    return symbol ? { kind: "struct", symbol, arguments: [] } : { kind: "inline", declaration: type };
  }
  return resolveNamed(type, scope, facts);
}

function resolveNamed(type: NamedType, scope: Scope, facts: Facts): ResolvedType {
  const { text } = type.name;
  const scalar = scalars.get(text);
  if (scalar !== undefined && type.keyword === undefined) {
    if (type.arguments.length > 0) return wrongArguments(type, 0, facts);
    return { kind: "scalar", scalar, char: text === "char", ...contentsOf(type, scalar, scope, facts) };
  }
  const symbol = findTypeSymbol(type.name, scope, facts);
  if (!symbol) return { kind: "broken" };
  if (type.keyword === "enum" ? symbol.kind !== "enum" : type.keyword !== undefined && symbol.kind === "enum") {
    facts.bag.report("wrong-kind", type.name.span, {
      name: text,
      expected: type.keyword === "enum" ? "an enum" : `a ${type.keyword ?? "type"}`,
      found: kindText(symbol),
    });
    return { kind: "broken" };
  }
  if (type.contents.length > 0) {
    facts.bag.report("wrong-kind", type.name.span, {
      name: text,
      expected: "an integer type",
      found: kindText(symbol),
    });
    return { kind: "broken" };
  }
  switch (symbol.kind) {
    case "enum": {
      const underlying = underlyingType(symbol, facts);
      if (underlying === undefined) return { kind: "broken" };
      if (underlying === null) {
        facts.bag.report(
          "enum-without-type",
          type.name.span,
          { name: symbol.name },
          { help: `give it one, as in \`enum ${symbol.name} : le32\`, or write \`le32<${symbol.name}>\` here` },
        );
        return { kind: "broken" };
      }
      const content = { kind: symbol.declaration.keyword, symbol };
      return { kind: "scalar", scalar: underlying, char: false, content, choices: [] };
    }
    case "struct":
      if (type.arguments.length !== symbol.declaration.parameters.length) {
        return wrongArguments(type, symbol.declaration.parameters.length, facts);
      }
      return { kind: "struct", symbol, arguments: type.arguments };
    case "external":
      return { kind: "external", symbol };
    case "request":
      facts.bag.report("wrong-kind", type.name.span, { name: text, expected: "a type", found: kindText(symbol) });
      return { kind: "broken" };
  }
}

/** What C, and Linux, call the types of the language. */
const typesOfC: ReadonlyMap<string, string> = new Map([
  ...["uint8_t", "__u8", "byte", "uint8"].map((name) => [name, "u8"] as const),
  ...[16, 32, 64].flatMap((bits) =>
    [`uint${bits}_t`, `__le${bits}`, `__u${bits}`, `uint${bits}`].map((name) => [name, `le${bits}`] as const),
  ),
  ...[16, 32, 64].map((bits) => [`__be${bits}`, `be${bits}`] as const),
  ...[8, 16, 32, 64].map((bits) => [`int${bits}_t`, `le${bits}<signed>`] as const),
  ["int", "le32<signed>"],
]);

/** The type of that name; reports a name that is unknown, or that two types share. */
export function findTypeSymbol(
  name: Name,
  scope: Scope,
  facts: Facts,
): ReturnType<typeof findTypes>[number] | undefined {
  const [first, second] = findTypes(scope, name.text);
  if (first === undefined) {
    const candidates = function* (): Generator<string> {
      yield* scalars.keys();
      yield* typeNamesIn(scope);
    };
    reportUnknown(facts, scope, "type", name, candidates, typesOfC.get(name.text));
    return undefined;
  }
  if (second && first.name !== name.text) {
    facts.bag.report("ambiguous-name", name.span, { name: name.text, first: first.name, second: second.name });
    return undefined;
  }
  return first;
}

/** `: le32` of an enum; null if it has none, undefined if that is broken. */
export function underlyingType(symbol: EnumSymbol, facts: Facts): ScalarType | null | undefined {
  const { type } = symbol.declaration;
  if (!type) return null;
  const scalar = scalars.get(type.name.text);
  if (scalar !== undefined) return scalar;
  reportUnknown(facts, symbol.scope, "integer type", type.name, () => scalars.keys());
  return undefined;
}

/** What stands between `<` and `>`. */
function contentsOf(
  type: NamedType,
  scalar: ScalarType,
  scope: Scope,
  facts: Facts,
): { readonly content: ScalarContent | null; readonly choices: readonly ScalarChoice[] } {
  const [only] = type.contents;
  if (only && type.contents.length === 1 && !only.condition) {
    return { content: contentOf(only, scalar, scope, facts), choices: [] };
  }
  const choices: ScalarChoice[] = [];
  let sure: TypeContent | undefined;
  for (const written of type.contents) {
    if (sure) {
      const labels = [{ span: sure.span, message: `${sure.name.text} has no condition` }];
      facts.bag.report("meaning-without-room", written.span, { name: written.name.text }, { labels });
      break;
    }
    if (!written.condition) sure = written;
    const content = contentOf(written, scalar, scope, facts);
    if (content?.kind === "signed" || content?.kind === "address") {
      facts.bag.report("wrong-kind", written.name.span, {
        name: written.name.text,
        expected: "an enum or flags, as there are several",
        found: `\`${content.kind}\``,
      });
    } else if (content) choices.push({ content, condition: written.condition });
  }
  return { content: null, choices };
}

function contentOf(content: TypeContent, scalar: ScalarType, scope: Scope, facts: Facts): ScalarContent | null {
  const { text } = content.name;
  if (text === "address" && !content.bitset) {
    notHere(content.from, "@", "an address", facts);
    const scale = content.scale && positive(content.scale, "the unit of the address", 1n << 32n, scope, facts);
    return { kind: "address", scale: scale ?? 1, space: content.space ?? null };
  }
  notHere(content.scale, "*", "what is no address", facts);
  if (content.space)
    facts.bag.report("clause-not-here", content.space.span, { word: "of", what: "what is no address" });
  if (text === "signed" && !content.bitset) {
    notHere(content.from, "@", "a signed number", facts);
    return { kind: "signed" };
  }
  const symbol = findTypeSymbol(content.name, scope, facts);
  if (!symbol) return null;
  if (symbol.kind !== "enum") {
    facts.bag.report("wrong-kind", content.name.span, {
      name: text,
      expected: "an enum, flags, `address` or `signed`",
      found: kindText(symbol),
    });
    return null;
  }
  if (!content.bitset) {
    notHere(content.from, "@", "what is no bitset", facts);
    return { kind: symbol.declaration.keyword, symbol };
  }
  const from = content.from && positive(content.from, "the member of the lowest bit", 1n << 32n, scope, facts);
  const window = { low: BigInt(from ?? 0), high: BigInt(from ?? 0) + BigInt(scalarSize(scalar) * 8) - 1n };
  const values = symbol.members.flatMap((member) => facts.members.get(member)?.value ?? []);
  if (values.length > 0 && !values.some((value) => value >= window.low && value <= window.high)) {
    facts.bag.report("bitset-without-members", content.name.span, { name: text, ...window });
  }
  return { kind: "bitset", symbol, from: from ?? 0 };
}

function notHere(expression: Expression | undefined, word: string, what: string, facts: Facts): void {
  if (expression) facts.bag.report("clause-not-here", expression.span, { word, what });
}

function positive(expression: Expression, what: string, high: bigint, scope: Scope, facts: Facts): number | undefined {
  const value = compileConstant(expression, { facts, scope });
  if (value === undefined) return undefined;
  if (value >= 0n && value <= high) return Number(value);
  facts.bag.report("value-out-of-range", expression.span, { what, value, low: 0, high });
  return undefined;
}

function wrongArguments(type: NamedType, expected: number, facts: Facts): ResolvedType {
  facts.bag.report("wrong-argument-count", type.name.span, {
    name: type.name.text,
    expected,
    given: type.arguments.length,
  });
  return { kind: "broken" };
}
