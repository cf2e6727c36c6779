import type { Expression, FieldType, Name, NamedType, StructDeclaration } from "../language/syntax-tree.js";
import type { ScalarType } from "./device-model.js";
import { reportUnknown, type Facts } from "./facts.js";
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
  { readonly kind: "enum" | "flags" | "bitset"; readonly symbol: EnumSymbol } | { readonly kind: "address" };

/** What a field's type turned out to be, without its array dimensions. */
export type ResolvedType =
  | {
      readonly kind: "scalar";
      readonly scalar: ScalarType;
      /** `char`: part of a text. */
      readonly char: boolean;
      readonly content: ScalarContent | null;
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
    const content = type.content ? contentOf(type.content, scope, facts) : null;
    return { kind: "scalar", scalar, char: text === "char", content };
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
  if (type.content) {
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
      return { kind: "scalar", scalar: underlying, char: false, content };
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

/** The type of that name; reports a name that is unknown, or that two types share. */
export function findTypeSymbol(
  name: Name,
  scope: Scope,
  facts: Facts,
): ReturnType<typeof findTypes>[number] | undefined {
  const [first, second] = findTypes(scope, name.text);
  if (first === undefined) {
    reportUnknown(facts, scope, "type", name, function* () {
      yield* scalars.keys();
      yield* typeNamesIn(scope);
    });
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

function contentOf(content: NonNullable<NamedType["content"]>, scope: Scope, facts: Facts): ScalarContent | null {
  const { text } = content.name;
  if (text === "address" && !content.bitset) return { kind: "address" };
  const symbol = findTypeSymbol(content.name, scope, facts);
  if (!symbol) return null;
  if (symbol.kind !== "enum") {
    facts.bag.report("wrong-kind", content.name.span, {
      name: text,
      expected: "an enum, flags or `address`",
      found: kindText(symbol),
    });
    return null;
  }
  return { kind: content.bitset ? "bitset" : symbol.declaration.keyword, symbol };
}

function wrongArguments(type: NamedType, expected: number, facts: Facts): ResolvedType {
  facts.bag.report("wrong-argument-count", type.name.span, {
    name: type.name.text,
    expected,
    given: type.arguments.length,
  });
  return { kind: "broken" };
}
