/**
 * Makes the grammar of docs/language.md from the parser itself: railroad diagrams in docs/images/grammar/, and the EBNF
 * between `<!-- ebnf: rule ... -->` and `<!-- end -->`.
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

/** A rule of the grammar as a reader sees it. */
type Piece =
  | { readonly kind: "word" | "token" | "rule"; readonly text: string }
  | { readonly kind: "sequence" | "choice"; readonly items: readonly Piece[] }
  | { readonly kind: "optional"; readonly item: Piece }
  | { readonly kind: "repeat"; readonly item: Piece; readonly separator: Piece | null; readonly least: 0 | 1 };

/** Rules that are diagrams, each with the rules that are drawn inside of it. */
const diagrams: Readonly<Record<string, readonly string[]>> = {
  import: [],
  device: [],
  define: ["parameters"],
  constant: [],
  expression: ["chain"],
  operand: ["sign", "parenthesized", "path"],
  call: ["argument"],
  namedType: ["typeContent", "typeArguments"],
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
  part: ["stream", "matchPart", "conditionalPart"],
  partArm: ["patterns", "pattern"],
  table: ["entryBlock"],
  registers: ["memberBlock"],
  external: [],
  clause: ["expressionClause", "versionClause", "nameClause", "textClause", "wordClause"],
};

/** Rules that say nothing by themselves. */
const alwaysInside = new Set(["clauses", "fieldName", "fieldEnd", "matchEnd", "bitMemberEnd", "enumMemberEnd"]);
/** Rules for what is wrong with a text, and decorations of C without a meaning. */
const leftOut = new Set(["restOfMember", "restOfHead", "unknown", "unknownBody", "attribute"]);
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

function textOf(gast: ISerializedGast, key: "name" | "label"): string {
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
      const choice: Piece = first === undefined ? empty : second === undefined ? first : { kind: "choice", items: meant };
      return mayBeEmpty.has(rule) && items.some(isEmpty) ? optional(choice) : choice;
    }
    default:
      return sequence(piecesOf(gast, rule));
  }
}

function optional(item: Piece): Piece {
  // A block that was opened is closed.
  if (isEmpty(item) || (item.kind === "word" && item.text === "}")) return item;
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
  const parts = piece.kind === "choice" ? piece.items.map((item) => ebnf(item, "choice")) : ebnf(piece).split(/(?<!\() (?!\))/);
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

function operatorRules(): readonly string[] {
  const all = Object.values(tokens).filter((token) => typeof token === "object" && "name" in token && "PATTERN" in token);
  return [tokens.BinaryOperatorToken, tokens.UnaryOperatorToken].map((category) => {
    const members = all.filter((token) => token.CATEGORIES?.includes(category) === true);
    const name = (tokenTexts[category.name] ?? "").replaceAll(" ", "-").toUpperCase();
    const items = members.map((token): Piece => ({ kind: "word", text: String(token.PATTERN) }));
    return ebnfRule(name, { kind: "choice", items });
  });
}

/** Fills the marked places of a page. `all` stands for every rule. */
export function fillPage(page: string): string {
  const rules = readRules();
  const shown = [...rules.keys()].filter((name) => !alwaysInside.has(name));
  return page.replace(/(<!-- ebnf: ([\w ]+) -->)[^]*?(<!-- end -->)/g, (_, head: string, names: string, end: string) => {
    const wanted = names === "all" ? shown : names.split(" ");
    const lines = wanted.map((name) => {
      const rule = rules.get(name);
      if (rule === undefined) throw new Error(`the grammar has no rule ${name}`);
      return ebnfRule(name, rule);
    });
    if (names === "all") lines.push(...operatorRules());
    return `${head}\n\n\`\`\`ebnf\n${lines.join("\n")}\n\`\`\`\n\n${end}`;
  });
}

// ---- railroad diagrams ----

/** Something drawn on a track that comes in at the left and goes out at the right, at the same height. */
interface Drawing {
  readonly width: number;
  readonly above: number;
  readonly below: number;
  draw(x: number, y: number): string;
}

const letter = 7.9;
const half = 12;
const gap = 10;
const radius = 8;
const between = 8;
const widest = 800;

const track = (path: string): string => `<path d="${path}"/>`;

function box(text: string, kind: "word" | "token" | "rule"): Drawing {
  const width = Math.ceil(text.length * letter) + 18;
  const shown = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const corner = kind === "rule" ? 2 : half;
  const draw = (x: number, y: number): string =>
    `<rect class="${kind}" x="${x}" y="${y - half}" width="${width}" height="${2 * half}" rx="${corner}"/>` +
    `<text class="${kind}" x="${x + width / 2}" y="${y + 4.5}">${shown}</text>`;
  return { width, above: half, below: half, draw };
}

function row(items: readonly Drawing[]): Drawing {
  const width = items.reduce((sum, item) => sum + item.width, 0) + gap * Math.max(0, items.length - 1);
  const draw = (x: number, y: number): string => {
    let at = x;
    return items
      .map((item, index) => {
        const joint = index === 0 ? "" : track(`M${at} ${y}h${gap}`);
        if (index > 0) at += gap;
        const text = joint + item.draw(at, y);
        at += item.width;
        return text;
      })
      .join("");
  };
  const most = (side: "above" | "below"): number => items.reduce((high, item) => Math.max(high, item[side]), 0);
  return { width, above: most("above"), below: most("below"), draw };
}

const nothing: Drawing = { width: 0, above: 0, below: 0, draw: () => "" };

/** One of several: the first on the track, the others below it. */
function choiceOf(items: readonly Drawing[]): Drawing {
  const inner = Math.max(...items.map((item) => item.width));
  const side = 2 * radius;
  const width = inner + 2 * side;
  const offsets: number[] = [];
  let depth = 0;
  items.forEach((item, index) => {
    if (index > 0) depth += Math.max(item.above + between, 2 * radius - (index === 1 ? 0 : radius));
    offsets.push(depth);
    depth += item.below;
  });
  const draw = (x: number, y: number): string =>
    items
      .map((item, index) => {
        const down = offsets[index] ?? 0;
        const rest = inner - item.width + side;
        if (down === 0) {
          return track(`M${x} ${y}h${side}`) + item.draw(x + side, y) + track(`M${x + side + item.width} ${y}h${rest}`);
        }
        const r = radius;
        const enter = `M${x} ${y}a${r} ${r} 0 0 1 ${r} ${r}v${down - 2 * r}a${r} ${r} 0 0 0 ${r} ${r}`;
        const leave = `M${x + side + item.width} ${y + down}h${inner - item.width}a${r} ${r} 0 0 0 ${r} ${-r}v${2 * r - down}a${r} ${r} 0 0 1 ${r} ${-r}`;
        return track(enter) + item.draw(x + side, y + down) + track(leave);
      })
      .join("");
  return { width, above: items[0]?.above ?? 0, below: depth, draw };
}

/** Once or more; the way back is below. */
function loopOf(item: Drawing, back: Drawing): Drawing {
  const inner = Math.max(item.width, back.width);
  const side = 2 * radius;
  const width = inner + 2 * side;
  const down = item.below + Math.max(back.above + between, radius);
  const draw = (x: number, y: number): string => {
    const r = radius;
    const left = x + side + (inner - item.width) / 2;
    const under = x + side + (inner - back.width) / 2;
    const right = x + width - r;
    return (
      track(`M${x} ${y}H${left}`) +
      item.draw(left, y) +
      track(`M${left + item.width} ${y}H${x + width}`) +
      track(`M${right - r} ${y}a${r} ${r} 0 0 1 ${r} ${r}v${down - 2 * r}a${r} ${r} 0 0 1 ${-r} ${r}H${under + back.width}`) +
      back.draw(under, y + down) +
      track(`M${under} ${y + down}H${x + side}a${r} ${r} 0 0 1 ${-r} ${-r}v${2 * r - down}a${r} ${r} 0 0 1 ${r} ${-r}`)
    );
  };
  return { width, above: item.above, below: Math.max(item.below, down + back.below), draw };
}

function drawing(piece: Piece): Drawing {
  switch (piece.kind) {
    case "word":
    case "token":
    case "rule":
      return box(piece.text, piece.kind);
    case "sequence":
      return row(piece.items.map(drawing));
    case "choice":
      return choiceOf(piece.items.map(drawing));
    case "optional":
      return choiceOf([nothing, drawing(piece.item)]);
    case "repeat": {
      const loop = loopOf(drawing(piece.item), piece.separator === null ? nothing : drawing(piece.separator));
      return piece.least === 0 ? choiceOf([nothing, loop]) : loop;
    }
  }
}

/** The rows that a rule is drawn in: one, unless it is too wide. */
function rowsOf(piece: Piece): readonly Drawing[] {
  const items = (piece.kind === "sequence" ? piece.items : [piece]).map(drawing);
  const rows: Drawing[][] = [[]];
  for (const item of items) {
    const last = rows.at(-1) ?? [];
    if (last.length > 0 && row([...last, item]).width > widest) rows.push([item]);
    else last.push(item);
  }
  return rows.map(row);
}

// Colours that can be read on a white page and on a dark one.
const style =
  "path{fill:none;stroke:#7d8590;stroke-width:1.5}rect{stroke:#7d8590;fill:#f0f2f5}rect.rule{fill:#dbe3ee}rect.token{fill:#e8e2f0}" +
  "text{font:13px ui-monospace,Menlo,Consolas,monospace;text-anchor:middle;fill:#1f2328}text.word{font-weight:600}text.token{font-style:italic}";

function svg(name: string, piece: Piece): string {
  const rows = rowsOf(piece);
  const margin = 14;
  const wrapped = rows.length > 1;
  const inner = Math.max(...rows.map((each) => each.width));
  const left = margin + (wrapped ? 20 : 14);
  const width = Math.ceil(left + inner + (wrapped ? 20 : 14) + margin);
  let y = margin;
  let body = "";
  rows.forEach((each, index) => {
    y += Math.max(each.above, half);
    const isLast = index === rows.length - 1;
    body += index === 0 ? track(`M${margin} ${y - 7}v14M${margin} ${y}H${left}`) : "";
    body += each.draw(left, y);
    const end = left + each.width;
    if (isLast) body += track(`M${end} ${y}H${end + 14}M${end + 14} ${y - 7}v14`);
    else {
      const next = rows[index + 1];
      const bottom = y + each.below + 10;
      const below = bottom + 10 + Math.max(next?.above ?? 0, half);
      body += track(`M${end} ${y}h10V${bottom}H${left - 10}V${below}h10`);
      y = bottom + 10;
    }
    if (isLast) y += Math.max(each.below, half);
  });
  const height = Math.ceil(y + margin);
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img"><title>${name}</title><style>${style}</style>${body}</svg>\n`;
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
  for (const name of new Set([...wanted.keys(), ...readdirSync(folder)])) bring(new URL(name, folder), wanted.get(name));
  const page = new URL("language.md", docs);
  if (existsSync(page)) bring(page, fillPage(readFileSync(page, "utf8")));
  for (const name of stale) console.log(`${check ? "out of date" : "written"}: ${name}`);
  return check && stale.length > 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = main(process.argv.includes("--check"));
