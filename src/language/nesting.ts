import type { IToken } from "chevrotain";
import { maximumNesting } from "./limits.js";
import {
  Colon,
  Exclamation,
  LeftBrace,
  LeftBracket,
  LeftParenthesis,
  Minus,
  Question,
  RightBrace,
  RightBracket,
  RightParenthesis,
  Semicolon,
  Tilde,
  word,
} from "./tokens.js";

/**
 * The first token that is nested deeper than the language allows. Parsing is recursive, so this looks before it does:
 * brackets of all kinds, signs in front of an operand, and `?` inside `?` each count as a level.
 */
export function findExcessiveNesting(tokens: readonly IToken[]): IToken | undefined {
  let brackets = 0;
  let signs = 0;
  let questions = 0;
  for (const token of tokens) {
    const type = token.tokenType;
    const isSign = type === Exclamation || type === Tilde || type === Minus || type === word("not");
    signs = isSign ? signs + 1 : 0;
    if (type === LeftBrace || type === LeftParenthesis || type === LeftBracket) brackets++;
    else if (type === RightBrace || type === RightParenthesis || type === RightBracket)
      brackets = Math.max(0, brackets - 1);
    if (type === Question) questions++;
    else if (type === Colon) questions = Math.max(0, questions - 1);
    else if (type === Semicolon || type === LeftBrace || type === RightBrace) questions = 0;
    if (brackets + signs + questions > maximumNesting) return token;
  }
  return undefined;
}
