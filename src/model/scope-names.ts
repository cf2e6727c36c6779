import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Span } from "../diagnostics/source.js";
import type { Clause, Declaration, Name } from "../language/syntax-tree.js";
import { asName, namesTakenByAuthors } from "./declared-names.js";
import { isSpecStyle, pascalCase, typeNames, uniqueName, type NamePair, type NamingScope } from "./spec-names.js";
import type { EnumSymbol, FeatureSymbol, MemberSymbol, TypeSymbol, ValueSymbol } from "./symbols.js";

/** The names that a scope knows: what they stand for, and which of two declarations may have one. */
export class ScopeNames {
  readonly types = new Map<string, TypeSymbol[]>();
  readonly values = new Map<string, ValueSymbol>();
  readonly features = new Map<string, FeatureSymbol>();
  readonly members = new Map<string, { member: MemberSymbol; of: EnumSymbol }[]>();
  readonly #naming: NamingScope;
  readonly #bag: DiagnosticBag;
  /** Names of types that authors chose. */
  readonly #written: ReadonlySet<string>;
  /** Identifiers of the specification, those that are made up as well. */
  readonly #specNames: Set<string>;
  /** Short names of types, which must not collide with names that authors chose. */
  readonly #shortNames = new Map<string, string>();

  /** @param declarations of the scope: what is made up keeps clear of the names in all of them */
  constructor(naming: NamingScope, declarations: readonly Declaration[], bag: DiagnosticBag) {
    this.#naming = naming;
    this.#bag = bag;
    const { names, specNames } = namesTakenByAuthors(declarations);
    this.#written = names;
    this.#specNames = new Set(specNames);
  }

  /** The names of a type: short, and of the specification. */
  ofType(name: Name, clauses: readonly Clause[]): NamePair {
    const own = asName(clauses);
    const pair = typeNames(name.text, own?.includes("*") === true ? undefined : own, this.#naming);
    if (!isSpecStyle(name.text)) {
      // An identifier that is made up keeps clear of those that were written.
      return own === undefined || own.includes("*")
        ? { ...pair, specName: uniqueName(pair.specName, this.#specNames) }
        : pair;
    }
    const owner = this.#shortNames.get(pair.name);
    if (this.#written.has(pair.name) || (owner !== undefined && owner !== name.text)) {
      return { name: pascalCase(name.text), specName: pair.specName };
    }
    this.#shortNames.set(pair.name, name.text);
    return pair;
  }

  addType(symbol: TypeSymbol): void {
    const sameName = this.types.get(symbol.name)?.find((other) => other.name === symbol.name);
    if (sameName) {
      this.duplicate("type", symbol.name, symbol.span, sameName.span);
      return;
    }
    for (const name of new Set([symbol.name, symbol.specName])) {
      const known = this.types.get(name);
      if (!known) this.types.set(name, [symbol]);
      // A name written by its author comes before an identifier of the specification that happens to be the same.
      else if (name === symbol.name) known.unshift(symbol);
      else if (known[0]?.name !== name) known.push(symbol);
    }
  }

  addValue(symbol: ValueSymbol): void {
    const known = this.values.get(symbol.name);
    if (known) this.duplicate("constant", symbol.name, symbol.span, known.span);
    else this.values.set(symbol.name, symbol);
    if (!this.values.has(symbol.specName)) this.values.set(symbol.specName, symbol);
  }

  /** False if there is one of that name already. */
  addFeature(symbol: FeatureSymbol): boolean {
    const known = this.features.get(symbol.name);
    if (known) {
      this.duplicate("feature", symbol.name, symbol.span, known.span);
      return false;
    }
    this.features.set(symbol.name, symbol);
    this.features.set(symbol.specName, symbol);
    return true;
  }

  addMembers(of: EnumSymbol): void {
    for (const member of of.members) {
      for (const name of new Set([member.name, member.specName])) {
        const known = this.members.get(name);
        if (known) known.push({ member, of });
        else this.members.set(name, [{ member, of }]);
      }
    }
  }

  /** Reports that `name` was declared before. */
  duplicate(what: string, name: string, span: Span, first: Span): void {
    const labels = [{ span: first, message: "declared here first" }];
    this.#bag.report("duplicate-name", span, { what, name }, { labels });
  }
}
