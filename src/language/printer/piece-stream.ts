import type { IToken } from "chevrotain";
import { BlockDocumentation, Documentation } from "../tokens.js";
import { inOrder, tokenEnd, type Tokens } from "../lexer.js";

/** Comments and documentation of a file, handed out once each, in order. */
export class CommentStream {
  readonly #text: string;
  readonly #comments: readonly IToken[];
  #next = 0;

  constructor(text: string, tokens: Tokens) {
    this.#text = text;
    this.#comments = inOrder([...tokens.comments, ...tokens.documentation]);
  }

  /** The next comment, if it starts before an offset. */
  peek(before: number): IToken | undefined {
    const comment = this.#comments[this.#next];
    return comment !== undefined && comment.startOffset < before ? comment : undefined;
  }

  /** Whether there is documentation among the next comments, up to an offset. */
  hasDocumentation(before: number): boolean {
    for (let index = this.#next; index < this.#comments.length; index++) {
      const comment = this.#comments[index];
      if (comment === undefined || comment.startOffset >= before) return false;
      if (isDocumentation(comment)) return true;
    }
    return false;
  }

  /** Takes the comments that start before an offset. */
  take(before: number): IToken[] {
    const taken: IToken[] = [];
    for (let comment = this.peek(before); comment !== undefined; comment = this.peek(before)) {
      taken.push(comment);
      this.#next++;
    }
    return taken;
  }

  /** Line breaks between two offsets. */
  lineBreaks(from: number, to: number): number {
    let count = 0;
    for (let at = this.#text.indexOf("\n", from); at >= 0 && at < to; at = this.#text.indexOf("\n", at + 1)) count++;
    return count;
  }

  /** Whether a comment begins its line and ends it, given where what is before and behind it ends and starts. */
  isAlone(comment: IToken, previousEnd: number, nextStart: number): boolean {
    if (isDocumentation(comment)) return true;
    if (this.lineBreaks(previousEnd, comment.startOffset) === 0) return false;
    return this.lineBreaks(tokenEnd(comment), nextStart) > 0;
  }
}

export function isDocumentation(comment: IToken): boolean {
  return comment.tokenType === Documentation || comment.tokenType === BlockDocumentation;
}
