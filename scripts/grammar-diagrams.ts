/**
 * Makes the grammar of docs/language.md from the parser itself: railroad diagrams in docs/images/grammar/, the EBNF between
 * `<!-- ebnf: rule ... -->` and `<!-- end -->`, and from the model which clauses may stand where.
 *
 *     npx tsx --conditions=virtio-gen-source scripts/grammar-diagrams.ts [--check]
 *
 * With `--check` nothing is written; exit code 1 says that something is out of date.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { ISerializedGast, TokenType } from "chevrotain";
import { Grammar } from "../src/language/grammar.js";
import * as tokens from "../src/language/tokens.js";
import { clauseRules, spelling } from "../src/model/clauses.js";
import { svg, type Piece } from "./railroad.js";

/** Rules that are diagrams, each with the rules that are drawn inside of it. */
const diagrams: Readonly<Record<string, readonly string[]>> = {
  import: [],
  device: [],
  define: ["parameters"],
  constant: [],
  expression: ["chain"],
  operand: ["sign", "parenthesized", "path"],
  call: ["argument"],
  namedType: ["typeContent", "typeMeaning", "typeArguments"],
  layout: ["parameters", "memberBlock"],
  member: [],
  field: ["modifier", "bits"],
  dimension: ["placeholder"],
  bitContainer: ["bitMember", "bits"],
  conditionalFields: [],
  matchFields: [],
  fieldArm: ["patterns", "pattern"],
  enumeration: ["entryBlock"],
  enumMember: [],
  maskedEnum: ["entryBlock"],
  features: ["entryBlock", "entry", "featureRule"],
  config: ["memberBlock"],
  queue: [],
  letDeclaration: [],
  request: ["partBlock"],
  part: ["stream", "structPart", "matchPart", "conditionalPart"],
  partArm: ["patterns", "pattern"],
  table: ["entryBlock"],
  registers: ["memberBlock"],
  protocol: [],
  protocolMember: ["state", "invariant", "lesson", "counter", "events", "event"],
  transition: ["events", "event"],
  answers: [],
  answerRule: ["path"],
  external: [],
  clause: ["expressionClause", "versionClause", "nameClause", "textClause", "wordClause", "namesClause"],
};

/** Rules that say nothing by themselves. */
const alwaysInside = new Set(["clauses", "fieldName", "fieldEnd", "matchEnd", "bitMemberEnd", "enumMemberEnd"]);
/** Rules for what is wrong with a text, and what is allowed but means nothing. */
const leftOut = new Set(["restOfMember", "restOfHead", "unknown", "unknownBody", "attribute", "empty"]);
/** Rules with an alternative that is empty on purpose; elsewhere it stands for a complaint. */
const mayBeEmpty = new Set(["dimension", "enumMember"]);

/** The grammar without its tolerance: what has to be there is required. */
class StrictGrammar extends Grammar {
  protected override expect(index: number, type: TokenType, _expected: string, label?: string): void {
    this.consume(20 + index, type, label === undefined ? {} : { LABEL: label });
  }
  protected override take(index: number, type: TokenType, label?: string): ReturnType<Grammar["LA"]> | undefined {
    if (type !== tokens.Arrow) return super.take(index, type, label);
    return this.consume(20 + index, type);
  }
  protected override endMember(): void {
    this.consume(29, tokens.Semicolon);
  }
  protected override openBlock(): ReturnType<Grammar["LA"]> {
    return this.consume(29, tokens.LeftBrace);
  }
}

// ---- from the parser's own description to pieces ----

const tokenTexts: Readonly<Record<string, string>> = {
  Identifier: "name",
  NumberLiteral: "number",
  VersionNumber: "version",
  CharacterLiteral: "character",
  StringLiteral: "text",
  EndOfDefine: "end of line",
  AnyToken: "anything",
  BinaryOperator: "binary operator",
  UnaryOperator: "unary operator",
};

function readRules(): ReadonlyMap<string, Piece> {
  const rules = new Map<string, Piece>();
  for (const gast of new StrictGrammar().getSerializedGastProductions()) {
    const name = textOf(gast, "name");
    if (!leftOut.has(name)) rules.set(name, sequence(piecesOf(gast, name)));
  }
  for (const name of rules.keys()) rules.set(name, inline(rules.get(name) ?? empty, alwaysInside, rules));
  return rules;
}

function textOf(gast: ISerializedGast, key: "name" | "label" | "terminalLabel"): string {
  const value: unknown = Object.entries(gast).find(([name]) => name === key)?.[1];
  return typeof value === "string" ? value : "";
}

const empty: Piece = { kind: "sequence", items: [] };
const isEmpty = (piece: Piece): boolean => piece.kind === "sequence" && piece.items.length === 0;

function piecesOf(gast: ISerializedGast, rule: string): readonly Piece[] {
  return (gast.definition ?? []).map((part) => pieceOf(part, rule));
}

function pieceOf(gast: ISerializedGast, rule: string): Piece {
  switch (gast.type) {
    case "Terminal": {
      if (textOf(gast, "terminalLabel") === "misspelt") return empty;
      const label = textOf(gast, "label");
      const known = tokenTexts[textOf(gast, "name")];
      return known === undefined ? { kind: "word", text: label.replaceAll("`", "") } : { kind: "token", text: known };
    }
    case "NonTerminal": {
      const text = textOf(gast, "name");
      return leftOut.has(text) ? empty : { kind: "rule", text };
    }
    case "Option":
      return optional(sequence(piecesOf(gast, rule)));
    case "Repetition": {
      const item = sequence(piecesOf(gast, rule));
      return isEmpty(item) ? empty : { kind: "repeat", item, separator: null, least: 0 };
    }
    case "Alternation": {
      const items = piecesOf(gast, rule);
      const meant = items.filter((item) => !isEmpty(item) && !(item.kind === "token" && item.text === "anything"));
      const [first, second] = meant;
      const choice: Piece =
        first === undefined ? empty : second === undefined ? first : { kind: "choice", items: meant };
      return mayBeEmpty.has(rule) && items.some(isEmpty) ? optional(choice) : choice;
    }
    default:
      return sequence(piecesOf(gast, rule));
  }
}

function optional(item: Piece): Piece {
  // A block that was opened is closed.
  if (isEmpty(item) || (item.kind === "word" && item.text === "}")) return item;
  // Something else in the place of what should have been there.
  const first = item.kind === "sequence" ? item.items[0] : item;
  if (first?.kind === "token" && first.text === "anything") return empty;
  return { kind: "optional", item };
}

function same(a: Piece, b: Piece): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Flat, and `x (, x)*` becomes a loop with a separator. */
function sequence(parts: readonly Piece[]): Piece {
  const items: Piece[] = [];
  for (const part of parts.flatMap((each) => (each.kind === "sequence" ? each.items : [each]))) {
    const last = items.at(-1);
    const inner = part.kind === "repeat" && part.item.kind === "sequence" ? part.item.items : [];
    const [separator, again] = inner;
    if (last && separator && again && inner.length === 2 && same(again, last)) {
      items[items.length - 1] = { kind: "repeat", item: last, separator, least: 1 };
    } else items.push(part);
  }
  const [only] = items;
  return only !== undefined && items.length === 1 ? only : { kind: "sequence", items };
}

/** Puts what some rules say in the place of their names. */
function inline(piece: Piece, names: ReadonlySet<string>, rules: ReadonlyMap<string, Piece>): Piece {
  switch (piece.kind) {
    case "word":
    case "token":
      return piece;
    case "rule": {
      const rule = names.has(piece.text) ? rules.get(piece.text) : undefined;
      return rule === undefined ? piece : inline(rule, names, rules);
    }
    case "sequence":
      return sequence(piece.items.map((item) => inline(item, names, rules)));
    case "choice": {
      const items = piece.items.map((item) => inline(item, names, rules));
      return { kind: "choice", items: items.flatMap((item) => (item.kind === "choice" ? item.items : [item])) };
    }
    case "optional":
      return optional(inline(piece.item, names, rules));
    case "repeat":
      return { ...piece, item: inline(piece.item, names, rules) };
  }
}

// ---- EBNF ----

function quoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}

function ebnf(piece: Piece, inside: "rule" | "sequence" | "choice" | "postfix" = "rule"): string {
  switch (piece.kind) {
    case "word":
      return quoted(piece.text);
    case "token":
      return piece.text.replaceAll(" ", "-").toUpperCase();
    case "rule":
      return piece.text;
    case "sequence": {
      const text = piece.items.map((item) => ebnf(item, "sequence")).join(" ");
      return inside === "postfix" ? `( ${text} )` : text;
    }
    case "choice": {
      const text = piece.items.map((item) => ebnf(item, "choice")).join(" | ");
      return inside === "rule" ? text : `( ${text} )`;
    }
    case "optional":
      return `${ebnf(piece.item, "postfix")}?`;
    case "repeat": {
      if (piece.separator === null) return `${ebnf(piece.item, "postfix")}${piece.least === 0 ? "*" : "+"}`;
      const item = ebnf(piece.item, "sequence");
      const text = `${item} ( ${ebnf(piece.separator, "sequence")} ${item} )*`;
      return inside === "postfix" ? `( ${text} )` : text;
    }
  }
}

const lineLength = 112;

/** `name ::= ...`, broken at the bars and blanks of the outermost level. */
function ebnfRule(name: string, piece: Piece): string {
  const head = `${name} ::=`;
  const parts =
    piece.kind === "choice" ? piece.items.map((item) => ebnf(item, "choice")) : ebnf(piece).split(/(?<!\() (?!\))/);
  const lines: string[] = [];
  let line = head;
  parts.forEach((part, index) => {
    const text = piece.kind === "choice" && index > 0 ? `| ${part}` : part;
    if (line.length + 1 + text.length > lineLength) {
      lines.push(line);
      line = `   ${text}`;
    } else line += ` ${text}`;
  });
  return [...lines, line].join("\n");
}

function isTokenType(value: unknown): value is TokenType {
  return typeof value === "object" && value !== null && "PATTERN" in value && "name" in value;
}

function operatorRules(): readonly string[] {
  const all = Object.values<unknown>(tokens).filter(isTokenType);
  return [tokens.BinaryOperatorToken, tokens.UnaryOperatorToken].map((category) => {
    const members = all.filter((token) => token.CATEGORIES?.includes(category) === true);
    const name = (tokenTexts[category.name] ?? "").replaceAll(" ", "-").toUpperCase();
    const patterns = members.map((token) => token.PATTERN);
    const texts = patterns.filter((pattern) => typeof pattern === "string").sort();
    return ebnfRule(name, { kind: "choice", items: texts.map((text) => ({ kind: "word", text })) });
  });
}

/** Which clauses may stand where, as Prettier formats a table. */
function clauseTable(): string {
  const rows = Object.entries(clauseRules).map(([holder, words]) => [
    holder,
    words.map((word) => `\`${spelling(word)}\``).join(" "),
  ]);
  const all = [["declaration", "clauses"], ...rows];
  const widths = [0, 1].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = all;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

/** Fills the marked places of a page: rules (`all` stands for every one), and the table of clauses. */
export function fillPage(text: string): string {
  const page = text.replace(
    /(<!-- clauses -->)[^]*?(<!-- end of clauses -->)/,
    (_, head: string, end: string) => `${head}\n\n${clauseTable()}\n\n${end}`,
  );
  const rules = readRules();
  const shown = [...rules.keys()].filter((name) => !alwaysInside.has(name));
  return page.replace(
    /(<!-- ebnf: ([\w ]+) -->)[^]*?(<!-- end -->)/g,
    (_, head: string, names: string, end: string) => {
      const wanted = names === "all" ? shown : names.split(" ");
      const lines = wanted.map((name) => {
        const rule = rules.get(name);
        if (rule === undefined) throw new Error(`the grammar has no rule ${name}`);
        return ebnfRule(name, rule);
      });
      if (names === "all") lines.push(...operatorRules());
      return `${head}\n\n\`\`\`ebnf\n${lines.join("\n")}\n\`\`\`\n\n${end}`;
    },
  );
}

/** Names and contents of the files in docs/images/grammar/. */
export function diagramFiles(): ReadonlyMap<string, string> {
  const rules = readRules();
  return new Map(
    Object.entries(diagrams).map(([name, inside]) => {
      const rule = rules.get(name);
      if (rule === undefined) throw new Error(`the grammar has no rule ${name}`);
      return [`${name}.svg`, svg(name, inline(rule, new Set(inside), rules))] as const;
    }),
  );
}

// ---- files ----

function main(check: boolean): number {
  const docs = new URL("../docs/", import.meta.url);
  const folder = new URL("images/grammar/", docs);
  const wanted = diagramFiles();
  const stale: string[] = [];
  const bring = (file: URL, text: string | undefined): void => {
    if (text === (existsSync(file) ? readFileSync(file, "utf8") : undefined)) return;
    stale.push(file.pathname.slice(file.pathname.lastIndexOf("/docs/") + 1));
    if (check) return;
    if (text === undefined) rmSync(file);
    else writeFileSync(file, text);
  };
  mkdirSync(folder, { recursive: true });
  for (const name of new Set([...wanted.keys(), ...readdirSync(folder)]))
    bring(new URL(name, folder), wanted.get(name));
  const page = new URL("language.md", docs);
  if (existsSync(page)) bring(page, fillPage(readFileSync(page, "utf8")));
  for (const name of stale) console.log(`${check ? "out of date" : "written"}: ${name}`);
  return check && stale.length > 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  process.exitCode = main(process.argv.includes("--check"));
