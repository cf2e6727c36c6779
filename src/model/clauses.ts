import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type {
  Clause,
  ClauseWord,
  ExpressionClause,
  NameClause,
  NamesClause,
  TextClause,
  VersionClause,
  WordClause,
} from "../language/syntax-tree.js";

/** The clauses of one declaration, by word. */
export interface ClauseTable {
  readonly expressions: ReadonlyMap<ExpressionClause["word"], ExpressionClause>;
  readonly versions: ReadonlyMap<VersionClause["word"], VersionClause>;
  readonly names: ReadonlyMap<NameClause["word"], NameClause>;
  readonly texts: ReadonlyMap<TextClause["word"], TextClause>;
  readonly words: ReadonlyMap<WordClause["word"], WordClause>;
  readonly lists: ReadonlyMap<NamesClause["word"], NamesClause>;
}

const everywhere = ["since", "until", "spec"] as const;
const named = [...everywhere, "as", "was"] as const;
const fieldInMemory = [
  ...named,
  "if",
  "valid",
  "unit",
  "where",
  "at",
  "sized",
  "stride",
  "ends",
  "terminated",
  "strings",
  "learnt",
] as const;
const fieldOfDevice = [...fieldInMemory, "default", "phase", "before", "persists", "constant", "unannounced"] as const;

/** Which clauses apply to what, under the name that messages use. */
export const clauseRules = {
  "a device": [...everywhere, "as"],
  "a features block": [...everywhere, "as"],
  "a feature": [...named, "requires", "offers", "at", "mandatory", "expected", "implied", "only"],
  "a config block": [...everywhere, "as", "sized", "window"],
  "a config field": [...fieldOfDevice, "clears"],
  "a register": fieldOfDevice,
  "a field of a message": fieldInMemory,
  "a bit-field": [...named, "if", "valid", "unit", "where", "default"],
  "a match": [...everywhere, "as", "if", "valid", "sized"],
  "a match arm": [...everywhere, "as", "if"],
  "an enum": [...named, "members"],
  "an enum member": [...named, "unit", "alias"],
  "a flag": [...named, "at", "alias"],
  "a constant": [...named, "unit"],
  "a queue": [...named, "at", "if", "holds", "posted", "merged", "per"],
  "a struct": [...named, "sized"],
  "a request": [...named, "native"],
  "a stream": ["as", "spec"],
  "a struct in a request": [...everywhere, "as"],
  "an external type": [...named, "sized"],
  "a table": [...everywhere, "as", "unnamed"],
  "a table entry": [...named, "if"],
  "a registers block": [...everywhere, "as", "sized"],
  "a protocol": [...everywhere, "if", "per", "by", "where"],
  "a state": [...named],
  "a transition": [...everywhere, "if", "per", "by"],
  "a counter": [...everywhere, "if", "by"],
  answers: everywhere,
  "a rule for answers": [...everywhere, "if", "per"],
  "a rule for failures": everywhere,
} satisfies Record<string, readonly ClauseWord[]>;

export type ClauseHolder = keyof typeof clauseRules;

const noClauses: ClauseTable = {
  expressions: new Map(),
  versions: new Map(),
  names: new Map(),
  texts: new Map(),
  words: new Map(),
  lists: new Map(),
};

/** Sorts the clauses of a declaration by word; reports what does not apply there and what is given twice. */
export function readClauses(clauses: readonly Clause[], holder: ClauseHolder, bag: DiagnosticBag): ClauseTable {
  if (clauses.length === 0) return noClauses;
  const expressions = new Map<ExpressionClause["word"], ExpressionClause>();
  const versions = new Map<VersionClause["word"], VersionClause>();
  const names = new Map<NameClause["word"], NameClause>();
  const texts = new Map<TextClause["word"], TextClause>();
  const words = new Map<WordClause["word"], WordClause>();
  const lists = new Map<NamesClause["word"], NamesClause>();
  const allowed: readonly ClauseWord[] = clauseRules[holder];
  const first = new Map<ClauseWord, Clause>();
  for (const clause of clauses) {
    const earlier = first.get(clause.word);
    if (!allowed.includes(clause.word)) {
      bag.report("clause-not-here", clause.span, { word: spelling(clause.word), what: holder });
      continue;
    }
    if (earlier) {
      bag.report(
        "duplicate-clause",
        clause.span,
        { word: spelling(clause.word) },
        { labels: [{ span: earlier.span, message: "given here first" }] },
      );
      continue;
    }
    first.set(clause.word, clause);
    switch (clause.word) {
      case "since":
      case "until":
        versions.set(clause.word, clause);
        break;
      case "as":
      case "was":
      case "phase":
      case "before":
      case "only":
      case "by":
      case "members":
      case "clears":
        names.set(clause.word, clause);
        break;
      case "spec":
      case "unit":
        texts.set(clause.word, clause);
        break;
      case "window":
        lists.set(clause.word, clause);
        break;
      case "mandatory":
      case "expected":
      case "persists":
      case "constant":
      case "unannounced":
      case "terminated":
      case "strings":
      case "alias":
      case "unnamed":
        words.set(clause.word, clause);
        break;
      default:
        expressions.set(clause.word, clause);
    }
  }
  return { expressions, versions, names, texts, words, lists };
}

/** The word as it is written. */
export function spelling(word: ClauseWord): string {
  switch (word) {
    case "at":
      return "@";
    case "valid":
      return "valid if";
    case "merged":
      return "merged by";
    case "implied":
      return "implied if";
    case "native":
      return "native if";
    default:
      return word;
  }
}
