import type { IToken, TokenType } from "chevrotain";
import { tokenEnd } from "../lexer.js";
import {
  Comma,
  Dot,
  DotDot,
  Greater,
  LeftBracket,
  LeftParenthesis,
  Less,
  RightBracket,
  RightParenthesis,
  Semicolon,
} from "../tokens.js";

/** A token and the rule of the grammar that took it. */
export interface PlacedToken {
  readonly token: IToken;
  readonly rule: string;
}

const noSpaceBefore: ReadonlySet<TokenType> = new Set([
  Semicolon, Comma, RightParenthesis, RightBracket, LeftBracket, Dot, DotDot,
]); // prettier-ignore
const noSpaceBehind: ReadonlySet<TokenType> = new Set([LeftParenthesis, LeftBracket, Dot, DotDot]);
/** Rules whose tokens are apart if the author set them apart: `__attribute__((packed))`, `VIRTIO_T_*`, `(Only if ...)`. */
const verbatimRules: ReadonlySet<string> = new Set(["attribute", "remark", "specName", "declaredName"]);
/** Rules in which `(` belongs to the name in front of it. */
const argumentRules: ReadonlySet<string> = new Set(["call", "typeArguments", "parameters"]);
const angleRules: ReadonlySet<string> = new Set(["typeContent", "placeholder"]);

/** Whether nothing separates a token from what follows it. */
export function isTightBehind({ token }: PlacedToken): boolean {
  return noSpaceBehind.has(token.tokenType);
}

/** Whether nothing separates a token from what is in front of it. */
export function isTightBefore({ token }: PlacedToken): boolean {
  return noSpaceBefore.has(token.tokenType);
}

/** Whether a space separates two tokens of a line. */
export function isSpaced(previous: PlacedToken | undefined, next: PlacedToken): boolean {
  if (previous === undefined) return false;
  const before = previous.token.tokenType;
  const type = next.token.tokenType;
  if (verbatimRules.has(next.rule) && previous.rule === next.rule) {
    return tokenEnd(previous.token) !== next.token.startOffset;
  }
  if (noSpaceBefore.has(type) || noSpaceBehind.has(before)) return false;
  if (type === LeftParenthesis && argumentRules.has(next.rule)) return false;
  if (angleRules.has(next.rule) && (type === Less || type === Greater)) return false;
  if (angleRules.has(previous.rule) && before === Less) return false;
  if (previous.rule === "sign" && /^[!~-]$/.test(previous.token.image)) return false;
  return true;
}
