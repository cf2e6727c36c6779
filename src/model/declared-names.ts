import type { Clause, EnumMember } from "../language/syntax-tree.js";
import { lowerPrefix, namesByPattern, snakeCase, type NamePair, type NamingScope } from "./spec-names.js";
import { isKnownVersion, type Encloser } from "./versions.js";

/** What a declaration passes on, read without complaints: those come where the declaration itself is checked. */
export function quietEncloser(clauses: readonly Clause[], label: string, outer: Encloser): Encloser {
  let { since, until, spec } = outer;
  for (const clause of clauses) {
    if (clause.word === "since" && isKnownVersion(clause.version)) since = clause.version;
    else if (clause.word === "until" && isKnownVersion(clause.version)) until = clause.version;
    else if (clause.word === "spec") spec = clause.text;
  }
  return { label, since, until, spec };
}

/** What `as` says. */
export function asName(clauses: readonly Clause[]): string | undefined {
  for (const clause of clauses) if (clause.word === "as") return clause.name.text;
  return undefined;
}

/** The pattern that an `as` with a `*` gives to the members. */
export function memberPattern(clauses: readonly Clause[]): string | undefined {
  const name = asName(clauses);
  return name?.includes("*") === true ? name : undefined;
}

export function memberNames(member: EnumMember, pattern: string): NamePair {
  const pair = namesByPattern(pattern, member.name.text);
  const own = asName(member.clauses);
  if (own === undefined) return pair;
  return { name: pair.name, specName: own.includes("*") ? namesByPattern(own, pair.name).specName : own };
}

/** Names of a block without `as` of its own, such as a config: `virtio_blk_config`. */
export function blockSpecName(clauses: readonly Clause[], word: string, naming: NamingScope): string {
  return asName(clauses) ?? lowerPrefix(naming) + snakeCase(word);
}
