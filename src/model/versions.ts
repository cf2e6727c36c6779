import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Span } from "../diagnostics/source.js";
import type { NameClause } from "../language/syntax-tree.js";
import type { SpecVersion } from "./device-model.js";
import type { ClauseTable } from "./clauses.js";

/** Releases of the specification that a definition can name, oldest first. */
export const specVersions = ["1.0", "1.1", "1.2", "1.3", "1.4"] as const;

/** The release that what has no `since` anywhere around it is taken to come from. */
export const firstVersion: SpecVersion = specVersions[0];

/** Negative, zero or positive, as for sorting. Versions that are not known are the oldest. */
export function compareVersions(a: SpecVersion, b: SpecVersion): number {
  return rankOf(a) - rankOf(b);
}

function rankOf(version: SpecVersion): number {
  return specVersions.findIndex((known) => known === version);
}

export function isKnownVersion(version: string): boolean {
  return rankOf(version) >= 0;
}

/** What a declaration passes on to what it encloses. */
export interface Encloser {
  /** As messages name it. */
  readonly label: string;
  readonly since: SpecVersion;
  readonly until: SpecVersion | null;
  /** Section of the specification. */
  readonly spec: string | null;
}

/** Where an item comes from: its own clauses, or what encloses it. */
export interface Origin {
  readonly since: SpecVersion;
  /** The last release that has it. */
  readonly until: SpecVersion | null;
  readonly spec: string | null;
}

/** Reads `since`, `until` and `spec`, and checks them against what encloses the item. */
export function originOf(clauses: ClauseTable, name: string, encloser: Encloser, bag: DiagnosticBag): Origin {
  const sinceClause = clauses.versions.get("since");
  const untilClause = clauses.versions.get("until");
  let since = encloser.since;
  if (sinceClause && checkVersion(sinceClause.version, sinceClause.span, bag)) {
    since = sinceClause.version;
    if (compareVersions(since, encloser.since) < 0) {
      bag.report("older-than-encloser", sinceClause.span, {
        name,
        since,
        encloser: encloser.label,
        outer: encloser.since,
      });
    }
  }
  let until = encloser.until;
  if (untilClause && checkVersion(untilClause.version, untilClause.span, bag)) {
    until = untilClause.version;
    if (compareVersions(until, since) < 0) {
      bag.report("until-before-since", untilClause.span, { name, until, since });
    }
  }
  return { since, until, spec: clauses.texts.get("spec")?.text ?? encloser.spec };
}

/** Reads `was name until 1.2`: the last release that had the name. */
export function lastNamed(
  former: NameClause | undefined,
  name: string,
  since: SpecVersion,
  bag: DiagnosticBag,
): SpecVersion | null {
  const until = former?.until;
  if (!until || !checkVersion(until.version, until.span, bag)) return null;
  if (compareVersions(until.version, since) < 0) {
    bag.report("until-before-since", until.span, { name, until: until.version, since });
    return null;
  }
  return until.version;
}

function checkVersion(version: string, span: Span, bag: DiagnosticBag): boolean {
  if (isKnownVersion(version)) return true;
  bag.report("unknown-version", span, { version }, { help: `one of ${specVersions.join(", ")}` });
  return false;
}
