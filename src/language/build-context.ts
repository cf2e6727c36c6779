import type { CstNode, IToken } from "chevrotain";
import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Source, Span } from "../diagnostics/source.js";
import { documentationLines, tokenEnd, tokenSpan, type Tokens } from "./lexer.js";
import type { Documentation, Name } from "./syntax-tree.js";
import { EndOfDefine } from "./tokens.js";

/** What every part of the tree builder needs. */
export class BuildContext {
  readonly source: Source;
  readonly bag: DiagnosticBag;
  readonly #documentation: ReadonlyMap<number, Documentation>;
  /** Height of the expression that was built last. */
  expressionDepth = 0;

  constructor(source: Source, bag: DiagnosticBag, tokens: Tokens) {
    this.source = source;
    this.bag = bag;
    this.#documentation = attachDocumentation(source.text, tokens);
  }

  /** Documentation that stands right in front of a node. */
  documentation(node: CstNode): Documentation {
    return this.#documentation.get(node.location?.startOffset ?? -1) ?? none;
  }

  /** Where a node is. An empty node is at `near`. */
  span(node: CstNode, near = 0): Span {
    const start = node.location?.startOffset ?? NaN;
    const end = node.location?.endOffset ?? NaN;
    if (Number.isNaN(start)) return { source: this.source, start: near, end: near };
    return { source: this.source, start, end: Number.isNaN(end) ? start : Math.max(start, end + 1) };
  }

  tokenSpan(token: IToken): Span {
    return tokenSpan(this.source, token);
  }

  /** A name, which is empty where the author forgot it. */
  name(token: IToken | undefined, node: CstNode): Name {
    if (token !== undefined) return { text: token.image, span: this.tokenSpan(token) };
    const { start } = this.span(node);
    return { text: "", span: { source: this.source, start, end: start } };
  }

  /** A name that consists of several tokens without gaps. */
  joinedName(pieces: readonly IToken[], node: CstNode): Name {
    const first = pieces[0];
    const last = pieces.at(-1);
    if (first === undefined || last === undefined) return this.name(undefined, node);
    const span = { source: this.source, start: first.startOffset, end: tokenEnd(last) };
    return { text: pieces.map((piece) => piece.image).join(""), span };
  }
}

const none: Documentation = [];

/** Documentation by the offset of the token that follows it. */
function attachDocumentation(text: string, { tokens, documentation }: Tokens): ReadonlyMap<number, Documentation> {
  const attached = new Map<number, Documentation>();
  let next = 0;
  let lines: string[] = [];
  let previousEnd = 0;
  for (const piece of documentation) {
    const isBehind = (token: IToken | undefined): boolean =>
      token === undefined || (token.startOffset > piece.startOffset && token.tokenType !== EndOfDefine);
    while (!isBehind(tokens[next])) next++;
    const target = tokens[next]?.startOffset ?? -1;
    // A blank line, or another token, separates documentation from what is documented further down.
    if (!attached.has(target) || blankLine.test(text.slice(previousEnd, piece.startOffset))) lines = [];
    lines.push(...documentationLines(piece));
    previousEnd = tokenEnd(piece);
    if (target >= 0) attached.set(target, lines);
  }
  return attached;
}

const blankLine = /\n[ \t\r]*\n/;
