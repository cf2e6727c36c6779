import type { Clause, Declaration, EnumMember } from "../language/syntax-tree.js";
import { isSpecStyle, lowerPrefix, namesByPattern, snakeCase, type NamePair, type NamingScope } from "./spec-names.js";
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
  for (const clause of clauses) if (clause.word === "members") return clause.name.text;
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

/** Names that authors chose: what is made from other names must keep clear of them. */
export function namesTakenByAuthors(declarations: readonly Declaration[]): {
  /** Of types, in the short style. */
  readonly names: ReadonlySet<string>;
  /** Identifiers of the specification. */
  readonly specNames: ReadonlySet<string>;
} {
  const names = new Set<string>();
  const specNames = new Set<string>();
  for (const declaration of declarations) {
    switch (declaration.kind) {
      case "struct":
      case "enum":
      case "external":
      case "request": {
        const own = asName(declaration.clauses);
        if (own !== undefined) specNames.add(own);
        if (!declaration.name) break;
        if (isSpecStyle(declaration.name.text)) specNames.add(declaration.name.text);
        else names.add(declaration.name.text);
        break;
      }
      default:
        break;
    }
  }
  return { names, specNames };
}

/** Blocks that make sense only inside of a device. */
export function needsDevice(declaration: Declaration): boolean {
  switch (declaration.kind) {
    case "features":
    case "config":
    case "queues":
    case "let":
    case "request":
    case "table":
    case "registers":
    case "protocol":
    case "answers":
      return true;
    default:
      return false;
  }
}

/** What messages call a declaration. */
export function declarationText(declaration: Declaration): string {
  switch (declaration.kind) {
    case "let":
      return "a `let`";
    case "request":
      return "a request";
    case "protocol":
      return "a protocol";
    case "answers":
      return "answers";
    case "table":
      return `\`${declaration.table}\``;
    default:
      return `\`${declaration.kind}\``;
  }
}
