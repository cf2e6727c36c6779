/**
 * The words of the language, by what they introduce. The lists also serve suggestions ("did you mean ...?").
 */

export const declarationWords = [
  "import", "device", "core", "spec", "features", "config", "queues", "struct", "union", "header", "enum", "flags", "open",
  "const", "let", "request", "protocol", "answers", "memory", "capabilities", "resources", "parts", "registers", "external",
] as const; // prettier-ignore
export const tableWords = ["memory", "capabilities", "resources", "parts"] as const;
export const modifierWords = [
  "reserved", "checked", "optional", "volatile", "ro", "rw", "wo", "w1c", "legacy",
] as const; // prettier-ignore
/** Words that start a clause; `@` is the other way to start one. */
export const clauseWords = [
  "if", "valid", "requires", "offers", "where", "default", "sized", "stride", "ends", "merged", "holds", "posted",
  "since", "until", "as", "was", "phase", "only", "spec", "unit", "mandatory", "persists", "terminated", "strings",
  "window", "per", "by", "before", "learnt", "implied", "native", "expected", "alias", "constant", "unannounced",
  "members", "unnamed", "clears",
] as const; // prettier-ignore
export const protocolWords = ["state", "on", "counter", "keep", "learns"] as const;
/** What a rule in `answers` is about; without one of these it says what a field of the answer is. */
export const answerWords = ["echo", "late", "ordered", "used", "short", "only", "failed"] as const;
export const partWords = ["readable", "writable", "match", "if", "struct"] as const;
export const memberWords = ["struct", "union", "header", "enum", "match", "if", "const"] as const;
const otherWords = ["match", "else", "require", "readable", "writable", "mask", "bytes", "bitset", "of", "for", "may", "should", "sizeof", "or", "and", "not", "__attribute__"] as const; // prettier-ignore

export type Keyword =
  | (typeof declarationWords)[number]
  | (typeof modifierWords)[number]
  | (typeof clauseWords)[number]
  | (typeof protocolWords)[number]
  | (typeof answerWords)[number]
  | (typeof otherWords)[number];

/** Every word once. A longer word comes before its prefixes. */
export const keywords: readonly Keyword[] = [
  ...new Set<Keyword>([
    ...declarationWords,
    ...modifierWords,
    ...clauseWords,
    ...protocolWords,
    ...answerWords,
    ...otherWords,
  ]),
].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
