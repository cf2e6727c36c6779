import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import { suggest } from "../diagnostics/suggest.js";
import type { MatchArm, Name, StructDeclaration, StructMember } from "../language/syntax-tree.js";
import type { FieldModel, Formula } from "./device-model.js";
import type {
  ConstantSymbol,
  EnumSymbol,
  ExternalSymbol,
  LetSymbol,
  MacroSymbol,
  MemberSymbol,
  Scope,
  StructSymbol,
} from "./symbols.js";
import type { StructLayout } from "./struct-layout.js";

/** A checked expression with what is needed to combine it with others. */
export interface TypedFormula {
  readonly formula: Formula;
  /** `broken`: something in it is wrong and has been reported; nothing more is said about it. */
  readonly kind: "number" | "condition" | "broken";
  /** Number of formulas in it; kept small, because texts grow with it. */
  readonly weight: number;
}

/** What the value of an enum member or a flag is. */
export interface MemberValue {
  /** In flags the mask. */
  readonly value: bigint;
  readonly last: bigint | null;
  readonly bit: number | null;
}

/** What the passes have found out so far. A symbol that is missing in its table is broken, and has been reported. */
export interface Facts {
  readonly bag: DiagnosticBag;
  readonly constants: Map<ConstantSymbol, bigint>;
  readonly members: Map<MemberSymbol, MemberValue>;
  readonly lets: Map<LetSymbol, TypedFormula>;
  readonly externals: Map<ExternalSymbol, number | null>;
  /** What of them is known. */
  readonly externalFields: Map<ExternalSymbol, readonly FieldModel[]>;
  readonly structs: Map<StructSymbol, StructLayout>;
  /** Symbols of the structs that have a name. */
  readonly structOf: Map<StructDeclaration, StructSymbol>;
  /** Structs without a name of their own, and arms of matches, once they are laid out. */
  readonly inline: Map<StructDeclaration, StructSymbol>;
  /** Structs made from the arms of matches. */
  readonly armStructs: Map<MatchArm<StructMember>, StructDeclaration>;
  /** Names of types, declared and made up. */
  readonly typeNames: Map<Scope, Set<string>>;
  /** Macros that use themselves. */
  readonly endlessMacros: Set<MacroSymbol>;
  /** Names that were reported as unknown, so that one misspelt declaration gives one error. */
  readonly unknown: Set<string>;
}

export function newFacts(bag: DiagnosticBag): Facts {
  return {
    bag,
    constants: new Map(),
    members: new Map(),
    lets: new Map(),
    externals: new Map(),
    externalFields: new Map(),
    structs: new Map(),
    structOf: new Map(),
    inline: new Map(),
    armStructs: new Map(),
    typeNames: new Map(),
    endlessMacros: new Set(),
    unknown: new Set(),
  };
}

// Looking for what was meant takes time for each candidate; nobody reads more suggestions than this.
const mostSuggestions = 50;

/** Reports a name once a scope, with the candidate that was probably meant, or `meant` if that is known. Empty names come from the parser. */
export function reportUnknown(
  facts: Facts,
  scope: Scope,
  what: string,
  name: Name,
  candidates: () => Iterable<string>,
  meant?: string,
): void {
  if (name.text === "") return;
  const key = `${scope.naming.kind}\0${scope.naming.name}\0${what}\0${name.text}`;
  if (facts.unknown.has(key)) return;
  facts.unknown.add(key);
  const found = meant ?? (facts.unknown.size <= mostSuggestions ? suggest(name.text, candidates()) : undefined);
  facts.bag.report(
    "unknown-name",
    name.span,
    { what, name: name.text },
    { help: found === undefined ? undefined : `did you mean ${found}?` },
  );
}

/** Reports once a scope that a name does not mean what its uses take it for: one wrong declaration, one error. */
export function reportWrongKind(
  facts: Facts,
  scope: Scope,
  name: Name,
  values: { readonly expected: string; readonly found: string },
): void {
  const key = `${scope.naming.kind}\0${scope.naming.name}\0${values.expected}\0${values.found}\0${name.text}`;
  if (facts.unknown.has(key)) return;
  facts.unknown.add(key);
  facts.bag.report("wrong-kind", name.span, { name: name.text, ...values });
}

/** Members of an enum as candidates. */
export function* memberNamesOf(symbol: EnumSymbol): Generator<string> {
  for (const member of symbol.members) {
    yield member.name;
    yield member.specName;
  }
}
