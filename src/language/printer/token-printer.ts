import type { CstNode, IToken } from "chevrotain";
import type { Doc } from "prettier";
import { builders } from "prettier/doc";
import { endsItsLine, tokenEnd, type Tokens } from "../lexer.js";
import { Comma, Define, RightBrace, Semicolon } from "../tokens.js";
import { CommentStream, isDocumentation } from "./piece-stream.js";
import { printComment, printTrailingComment } from "./print-comments.js";
import { isSpaced, isTightBefore, isTightBehind, type PlacedToken } from "./spacing.js";

const { breakParent, hardline } = builders;

/** A piece of concrete syntax in the order of the text. */
export type Child =
  { readonly token: IToken; readonly label: string } | { readonly node: CstNode; readonly label: string };

/** Prints tokens one after the other with the comments in front of them, so that nothing is lost or printed twice. */
export class TokenPrinter {
  readonly comments: CommentStream;
  readonly text: string;
  #previous: PlacedToken | undefined;
  /** End of what was printed last, be it a token or a comment. */
  lastEnd = 0;
  /** A comment waits for the end of the line. */
  #isLineOver = false;
  /** Nothing has been printed yet. */
  isEmpty = true;
  /** Comments may not move to other lines: a `#define` would end there. */
  staysOnLine = false;

  constructor(text: string, tokens: Tokens) {
    this.text = text;
    this.comments = new CommentStream(text, tokens);
  }

  /**
   * A token with what separates it from the one before: a space or nothing, or `separator`. Comments in front of it stay
   * where they are: on lines of their own, or behind the token before, and then what ended the line still does. Only the
   * `;` of a member does not go below a comment.
   */
  token(token: IToken, rule: string, separator?: Doc): Doc {
    const placed: PlacedToken = { token, rule };
    const parts: Doc[] = [];
    let gap = separator ?? (isSpaced(this.#previous, placed) ? " " : "");
    let needsLine = this.#isLineOver;
    for (const comment of this.comments.take(token.startOffset)) {
      const isAlone = !this.staysOnLine && this.comments.isAlone(comment, this.lastEnd, token.startOffset);
      const beginsLine = needsLine || (isAlone && this.comments.lineBreaks(this.lastEnd, comment.startOffset) > 0);
      const endsLine = !this.staysOnLine && (endsItsLine(comment) || isDocumentation(comment));
      if (!needsLine && !isAlone && endsLine && endsMember(placed)) {
        parts.push(printTrailingComment(comment));
        needsLine = true;
        this.#isLineOver = true;
      } else {
        parts.push(beginsLine || isAlone ? this.#lineBreak(comment.startOffset, false) : this.#gapBefore());
        parts.push(printComment(comment));
        if (isAlone || endsLine) gap = hardline;
        else if (needsLine || gap === "") gap = isTightBefore(placed) ? "" : " ";
        needsLine = endsLine;
        this.#isLineOver = false;
      }
      this.lastEnd = tokenEnd(comment);
    }
    parts.push(gap, token.tokenType === Define ? "#define" : token.image);
    // It is on a line of its own, below such a comment.
    if (token.tokenType === RightBrace) this.#isLineOver = false;
    this.#previous = placed;
    this.lastEnd = tokenEnd(token);
    this.isEmpty = false;
    return parts;
  }

  /** Passes over a token that is not printed. */
  skip(token: IToken): void {
    if (this.comments.peek(token.startOffset) === undefined) this.lastEnd = tokenEnd(token);
  }

  /** A place in front of a node where the line may break; a comment there brings what separates it itself. */
  separator(node: CstNode, separator: Doc): Doc {
    if (this.comments.peek(firstToken(node)?.startOffset ?? 0) !== undefined) return "";
    this.beginLine();
    return separator;
  }

  /** Text that is printed as it stands, with everything in it. */
  verbatim(from: number, to: number): string {
    this.comments.take(to);
    this.lastEnd = to;
    return this.text.slice(from, to);
  }

  /** Begins a line: no space in front of the next token. */
  beginLine(): void {
    this.#isLineOver = false;
    this.#previous = undefined;
  }

  /**
   * What stands between two members: comments behind the first one, and comments on lines of their own in front of the
   * second one, which starts at `next`. Keeps one blank line where there are any, but not at the start of a block.
   */
  between(next: number, isFirst: boolean): Doc {
    const { comments, isInline, isFirst: stillFirst } = this.#commentsBetween(next, isFirst, false);
    this.beginLine();
    return [comments, isInline ? " " : this.#lineBreak(next, stillFirst)];
  }

  /** The comments between the last member and the end of the block, which follows on a line of its own. */
  atEnd(end: number, isFirst: boolean): Doc {
    return this.#commentsBetween(end, isFirst, true).comments;
  }

  #commentsBetween(next: number, isFirst: boolean, isLast: boolean) {
    const comments: Doc[] = [];
    let isInline = false;
    for (const comment of this.comments.take(next)) {
      const isBehind =
        this.comments.lineBreaks(this.lastEnd, comment.startOffset) === 0 && !this.isEmpty && !this.#isLineOver;
      if (isBehind && !isInline && !isDocumentation(comment)) {
        comments.push(printTrailingComment(comment), breakParent);
      } else {
        // Documentation ends its line, so that it begins one too: the next reading has to find the same.
        const staysBehind = isInline && !isDocumentation(comment);
        comments.push(staysBehind ? " " : this.#lineBreak(comment.startOffset, isFirst), printComment(comment));
        const sharesLine = !endsItsLine(comment) && this.comments.lineBreaks(tokenEnd(comment), next) === 0;
        isInline = sharesLine && !isDocumentation(comment) && !isLast;
        isFirst = false;
      }
      this.lastEnd = tokenEnd(comment);
      this.isEmpty = false;
      this.#isLineOver = false;
    }
    return { comments, isInline, isFirst };
  }

  /** What separates a comment from the token before it. */
  #gapBefore(): string {
    return this.#previous !== undefined && isTightBehind(this.#previous) ? "" : " ";
  }

  #lineBreak(next: number, isFirst: boolean): Doc {
    if (isFirst) return this.isEmpty ? "" : hardline;
    return this.comments.lineBreaks(this.lastEnd, next) > 1 ? [hardline, hardline] : hardline;
  }
}

/** Whether a token ends a member, so that a comment in front of it may as well stand behind it. */
function endsMember({ token, rule }: PlacedToken): boolean {
  return (
    token.tokenType === Semicolon || (token.tokenType === Comma && (rule === "enumMember" || rule === "bitMember"))
  );
}

/** The tokens and nodes of a node in the order in which they stand in the text; empty nodes are left out. */
export function childrenOf(node: CstNode): Child[] {
  const children: { start: number; child: Child }[] = [];
  for (const [label, elements] of Object.entries(node.children)) {
    for (const element of elements) {
      if ("image" in element) children.push({ start: element.startOffset, child: { token: element, label } });
      else {
        const start = element.location?.startOffset ?? NaN;
        if (!Number.isNaN(start)) children.push({ start, child: { node: element, label } });
      }
    }
  }
  return children.sort((a, b) => a.start - b.start).map(({ child }) => child);
}

/** The first token of a node. */
export function firstToken(node: CstNode): IToken | undefined {
  for (const child of childrenOf(node)) {
    const token = "token" in child ? child.token : firstToken(child.node);
    if (token !== undefined) return token;
  }
  return undefined;
}
