import type { Span } from "../diagnostics/source.js";
import type {
  AnswersBlock,
  ConfigBlock,
  ConstantDeclaration,
  DeviceDeclaration,
  EnumDeclaration,
  EnumMember,
  ExternalType,
  FeatureRule,
  FeaturesBlock,
  FieldDeclaration,
  LetDeclaration,
  MacroDeclaration,
  MaskedEnum,
  ProtocolBlock,
  QueueDeclaration,
  RegistersBlock,
  RequestDeclaration,
  StructDeclaration,
  TableBlock,
} from "../language/syntax-tree.js";
import type { NamePair, NamingScope } from "./spec-names.js";
import type { Encloser } from "./versions.js";

/** A declaration that others can refer to. Symbols are compared by identity. */
interface SymbolFacts extends NamePair {
  readonly scope: Scope;
  /** Where the name is written. */
  readonly span: Span;
  readonly encloser: Encloser;
}

export interface StructSymbol extends SymbolFacts {
  readonly kind: "struct";
  readonly declaration: StructDeclaration;
  /** Fields in config and in registers have access modes and keep their place when they are absent. */
  readonly place: "config" | "message";
}
export interface EnumSymbol extends SymbolFacts {
  readonly kind: "enum";
  readonly declaration: EnumDeclaration;
  readonly members: readonly MemberSymbol[];
}
export interface MemberSymbol extends NamePair {
  readonly kind: "member";
  readonly declaration: EnumMember;
  readonly span: Span;
  /** In flags, the number inside of the word that it belongs to. */
  readonly masked: MaskedEnum | null;
}
export interface ExternalSymbol extends SymbolFacts {
  readonly kind: "external";
  readonly declaration: ExternalType;
}
export interface RequestSymbol extends SymbolFacts {
  readonly kind: "request";
  readonly declaration: RequestDeclaration;
}
export interface ConstantSymbol extends SymbolFacts {
  readonly kind: "constant";
  readonly declaration: ConstantDeclaration;
}
export interface MacroSymbol extends SymbolFacts {
  readonly kind: "macro";
  readonly declaration: MacroDeclaration;
}
export interface LetSymbol extends SymbolFacts {
  readonly kind: "let";
  readonly declaration: LetDeclaration;
}
export interface FeatureSymbol extends SymbolFacts {
  readonly kind: "feature";
  readonly declaration: EnumMember;
}

export type TypeSymbol = StructSymbol | EnumSymbol | ExternalSymbol | RequestSymbol;
export type ValueSymbol = ConstantSymbol | MacroSymbol | LetSymbol;

/** The names of one device, or of what stands outside of all devices. */
export interface Scope {
  readonly naming: NamingScope;
  /** Null outside of devices. */
  readonly device: DeviceDeclaration | null;
  readonly encloser: Encloser;
  /** What a device sees besides its own: the declarations outside of devices. */
  readonly parent: Scope | null;
  /** The device that all share the features of, if there is one. */
  readonly core: Scope | null;

  readonly structs: readonly StructSymbol[];
  readonly enums: readonly EnumSymbol[];
  readonly anonymousEnums: readonly EnumSymbol[];
  readonly externals: readonly ExternalSymbol[];
  readonly requests: readonly RequestSymbol[];
  readonly constants: readonly ConstantSymbol[];
  readonly macros: readonly MacroSymbol[];
  readonly lets: readonly LetSymbol[];
  readonly features: readonly FeatureSymbol[];
  readonly featureBlocks: readonly FeaturesBlock[];
  readonly featureRules: readonly FeatureRule[];
  readonly config: ConfigBlock | null;
  readonly queues: readonly QueueDeclaration[];
  readonly tables: readonly TableBlock[];
  readonly registers: readonly RegistersBlock[];
  readonly protocols: readonly ProtocolBlock[];
  readonly answers: readonly AnswersBlock[];
  /** Fields outside of a struct, as pasted listings have them. */
  readonly looseFields: readonly FieldDeclaration[];

  /** By each name: more than one only where the specification uses an identifier twice. */
  readonly typesByName: ReadonlyMap<string, readonly TypeSymbol[]>;
  readonly valuesByName: ReadonlyMap<string, ValueSymbol>;
  readonly featuresByName: ReadonlyMap<string, FeatureSymbol>;
  readonly membersByName: ReadonlyMap<string, readonly { readonly member: MemberSymbol; readonly of: EnumSymbol }[]>;
}

/** Types of that name, nearest scope first. */
export function findTypes(scope: Scope, name: string): readonly TypeSymbol[] {
  return scope.typesByName.get(name) ?? scope.parent?.typesByName.get(name) ?? [];
}

export function findValue(scope: Scope, name: string): ValueSymbol | undefined {
  return scope.valuesByName.get(name) ?? scope.parent?.valuesByName.get(name);
}

/** A feature of the device, or one that all devices have. */
export function findFeature(scope: Scope, name: string): FeatureSymbol | undefined {
  return scope.featuresByName.get(name) ?? scope.core?.featuresByName.get(name);
}

export function findMembers(
  scope: Scope,
  name: string,
): readonly { readonly member: MemberSymbol; readonly of: EnumSymbol }[] {
  return scope.membersByName.get(name) ?? scope.parent?.membersByName.get(name) ?? [];
}

/** A member of one enum, by its short or its full name. */
export function memberOf(symbol: EnumSymbol, name: string): MemberSymbol | undefined {
  return symbol.members.find((member) => member.name === name || member.specName === name);
}

/** What messages call a symbol. */
export function kindText(symbol: TypeSymbol | ValueSymbol | FeatureSymbol): string {
  switch (symbol.kind) {
    case "struct":
      return symbol.declaration.keyword === "union" ? "a union" : "a struct";
    case "enum":
      return symbol.declaration.keyword === "flags" ? "flags" : "an enum";
    case "external":
      return "an external type";
    case "request":
      return "a request";
    case "constant":
      return "a constant";
    case "macro":
      return "a macro";
    case "let":
      return "a `let`";
    case "feature":
      return "a feature";
  }
}

/** Names that could have been meant, for "did you mean". */
export function* typeNamesIn(scope: Scope): Generator<string> {
  yield* scope.typesByName.keys();
  if (scope.parent) yield* scope.parent.typesByName.keys();
}

export function* featureNamesIn(scope: Scope): Generator<string> {
  yield* scope.featuresByName.keys();
  if (scope.core) yield* scope.core.featuresByName.keys();
}

export function* valueNamesIn(scope: Scope): Generator<string> {
  yield* scope.valuesByName.keys();
  yield* scope.membersByName.keys();
  if (scope.parent) {
    yield* scope.parent.valuesByName.keys();
    yield* scope.parent.membersByName.keys();
  }
}
