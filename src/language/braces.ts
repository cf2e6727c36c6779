import { createTokenInstance, type IToken, type TokenType } from "chevrotain";
import { tokenEnd } from "./lexer.js";
import {
  Arrow,
  Define,
  LeftBrace,
  LeftBracket,
  LeftParenthesis,
  RightBrace,
  RightBracket,
  RightParenthesis,
  Semicolon,
} from "./tokens.js";

/** A brace that has no partner. */
export interface BraceProblem {
  readonly kind: "unclosed" | "unopened" | "missing" | "doubled" | "instead of {" | "instead of }";
  /** The brace or what stands instead of it, or for `missing` the token in front of which a `{` should stand. */
  readonly token: IToken;
  /** The token in front of the place at which a brace is missing. */
  readonly previous?: IToken | undefined;
}

export interface BalancedTokens {
  readonly tokens: readonly IToken[];
  readonly problems: readonly BraceProblem[];
}

const opening: ReadonlySet<TokenType> = new Set([LeftParenthesis, LeftBracket]);
const closing: ReadonlySet<TokenType> = new Set([RightParenthesis, RightBracket]);
/** Behind these, something new begins or a block ends. */
const memberEnds: ReadonlySet<TokenType> = new Set([LeftBrace, RightBrace, Semicolon]);

/** How the second line of the head of a block begins, and no member does. */
const headGoesOn: ReadonlySet<string> = new Set(["since", "until", "spec", "as", "where", "&&", "||"]);

interface OpenBrace {
  readonly token: IToken;
  /** Column of the first token of its line. */
  readonly indent: number;
}

/**
 * Gives every brace a partner, so that the grammar never runs out of the block that it is in because of one typo. Which
 * brace is wrong shows in the indentation: the lines of a block are indented deeper than the line that opens it, and a
 * `}` at the start of a line is not.
 */
export function balanceBraces(tokens: readonly IToken[]): BalancedTokens {
  const imbalance = measureImbalance(tokens);
  if (imbalance === 0) return { tokens, problems: [] };
  const byIndent = new IndentRepair(tokens).run();
  return byIndent.problems.length <= imbalance + 1 ? byIndent : repairEnds(tokens);
}

/** How many braces lack a partner. */
function measureImbalance(tokens: readonly IToken[]): number {
  let depth = 0;
  let unopened = 0;
  for (const token of tokens) {
    if (token.tokenType === LeftBrace) depth++;
    else if (token.tokenType === RightBrace && --depth < 0) {
      depth = 0;
      unopened++;
    }
  }
  return depth + unopened;
}

class IndentRepair {
  readonly #tokens: readonly IToken[];
  /** For each token the next one that begins a line. */
  readonly #nextLine: (IToken | undefined)[];
  readonly #output: IToken[] = [];
  readonly #problems: BraceProblem[] = [];
  readonly #open: OpenBrace[] = [];

  constructor(tokens: readonly IToken[]) {
    this.#tokens = tokens;
    this.#nextLine = new Array<IToken | undefined>(tokens.length);
    let next: IToken | undefined;
    for (let index = tokens.length - 1; index >= 0; index--) {
      this.#nextLine[index] = next;
      const token = tokens[index];
      if (token !== undefined && beginsLine(tokens[index - 1], token)) next = token;
    }
  }

  run(): BalancedTokens {
    let indent = 1;
    this.#tokens.forEach((token, index) => {
      const previous = this.#tokens[index - 1];
      const isFirst = beginsLine(previous, token);
      const standsForBrace =
        closing.has(token.tokenType) && previous !== undefined && memberEnds.has(previous.tokenType);
      if (isFirst && token.tokenType !== Define) {
        const start = column(token);
        this.#closeDeeper(token.tokenType === RightBrace || standsForBrace ? start + 1 : start);
        if (start <= indent || !goesOnAbove(previous, token)) indent = start;
      }
      if (standsForBrace) this.#insteadOfRightBrace(token);
      else if (token.tokenType === LeftBrace) this.#leftBrace(token, indent);
      else if (token.tokenType === RightBrace) this.#rightBrace(token, index, isFirst);
      else this.#output.push(token);
    });
    const innermost = this.#open.at(-1);
    if (innermost !== undefined)
      this.#problems.push({ kind: "unclosed", token: innermost.token, previous: this.#output.at(-1) });
    this.#open.forEach(() => this.#output.push(virtual(RightBrace, this.#output.at(-1))));
    return { tokens: this.#output, problems: this.#problems };
  }

  /** Closes what must have ended before a line that is indented this far. */
  #closeDeeper(indent: number): void {
    for (let top = this.#open.at(-1); top !== undefined && top.indent >= indent; top = this.#open.at(-1)) {
      this.#problems.push({ kind: "unclosed", token: top.token, previous: this.#output.at(-1) });
      this.#output.push(virtual(RightBrace, this.#output.at(-1)));
      this.#open.pop();
    }
  }

  /** A `)` where only a `}` makes sense. */
  #insteadOfRightBrace(token: IToken): void {
    if (this.#open.pop() === undefined) this.#output.push(token);
    else {
      this.#problems.push({ kind: "instead of }", token });
      this.#output.push(virtual(RightBrace, this.#output.at(-1)));
    }
  }

  #leftBrace(token: IToken, indent: number): void {
    const previous = this.#output.at(-1);
    if (previous?.tokenType === LeftBrace && previous.startLine === token.startLine) {
      this.#problems.push({ kind: "doubled", token });
      return;
    }
    this.#open.push({ token, indent });
    this.#output.push(token);
  }

  #rightBrace(token: IToken, index: number, isFirst: boolean): void {
    const top = this.#open.at(-1);
    if (isFirst) {
      if (top?.indent === column(token) || this.#insertLeftBrace(column(token))) {
        if (top?.indent === column(token)) this.#open.pop();
        this.#output.push(token);
      } else this.#problems.push({ kind: "unopened", token });
      return;
    }
    if (top === undefined || (top.token.startLine !== token.startLine && this.#goesOn(top, index))) {
      const previous = this.#output.at(-1);
      if (previous?.tokenType === Arrow) {
        this.#problems.push({ kind: "missing", token, previous });
        this.#output.push(virtual(LeftBrace, previous), token);
      } else if (this.#replaceOpening(token)) this.#output.push(token);
      else this.#problems.push({ kind: "unopened", token });
      return;
    }
    this.#open.pop();
    this.#output.push(token);
  }

  /** Takes a `(` on the line of a `}` that nothing closes for the `{`. */
  #replaceOpening(brace: IToken): boolean {
    let closed = 0;
    for (let index = this.#output.length - 1; index >= 0; index--) {
      const token = this.#output[index];
      if (token === undefined || token.startLine !== brace.startLine) return false;
      if (closing.has(token.tokenType)) closed++;
      else if (opening.has(token.tokenType) && --closed < 0) {
        this.#insteadOfLeftBrace(token, index);
        return true;
      }
    }
    return false;
  }

  #insteadOfLeftBrace(token: IToken, index: number): void {
    this.#problems.push({ kind: "instead of {", token });
    this.#output[index] = virtual(LeftBrace, this.#output[index - 1]);
  }

  /** Whether the line after a token still belongs to a block, or closes it. */
  #goesOn({ indent }: OpenBrace, index: number): boolean {
    const next = this.#nextLine[index];
    if (next === undefined) return false;
    return column(next) > indent || (next.tokenType === RightBrace && column(next) === indent);
  }

  /** Opens a block behind the last line that is indented like the `}`, if there is one. */
  #insertLeftBrace(indent: number): boolean {
    let endOfLine = this.#output.length;
    for (let index = this.#output.length - 1; index >= 0; index--) {
      const token = this.#output[index];
      if (token === undefined || !beginsLine(this.#output[index - 1], token) || token.tokenType === Define) continue;
      if (column(token) < indent) return false;
      if (column(token) === indent) {
        const next = this.#output[endOfLine];
        const previous = this.#output[endOfLine - 1];
        if (next === undefined || previous === undefined || memberEnds.has(previous.tokenType)) return false;
        if (opening.has(previous.tokenType)) {
          this.#insteadOfLeftBrace(previous, endOfLine - 1);
          return true;
        }
        this.#problems.push({ kind: "missing", token: next, previous });
        this.#output.splice(endOfLine, 0, virtual(LeftBrace, previous));
        return true;
      }
      endOfLine = index;
    }
    return false;
  }
}

/** Without help from the indentation: a `}` too many is dropped, a missing one is added at the end of the file. */
function repairEnds(tokens: readonly IToken[]): BalancedTokens {
  const output: IToken[] = [];
  const open: IToken[] = [];
  let problem: BraceProblem | undefined;
  for (const token of tokens) {
    if (token.tokenType === LeftBrace) open.push(token);
    if (token.tokenType === RightBrace && open.pop() === undefined) problem ??= { kind: "unopened", token };
    else output.push(token);
  }
  const innermost = open.at(-1);
  if (innermost !== undefined) problem ??= { kind: "unclosed", token: innermost };
  open.forEach(() => output.push(virtual(RightBrace, output.at(-1))));
  return { tokens: output, problems: problem === undefined ? [] : [problem] };
}

/** A token without text, behind another one. */
function virtual(type: TokenType, previous: IToken | undefined): IToken {
  const at = previous === undefined ? 0 : tokenEnd(previous);
  const line = previous?.endLine ?? 1;
  const endColumn = previous?.endColumn ?? 0;
  return createTokenInstance(type, "", at, at - 1, line, line, endColumn + 1, endColumn);
}

function beginsLine(previous: IToken | undefined, token: IToken): boolean {
  return previous === undefined || previous.endLine !== token.startLine;
}

/** Whether a line is the rest of a head that was too long: what it opens is indented like the head's first line. */
function goesOnAbove(previous: IToken | undefined, token: IToken): boolean {
  return previous !== undefined && !memberEnds.has(previous.tokenType) && headGoesOn.has(token.image);
}

function column(token: IToken): number {
  return token.startColumn ?? 1;
}
