import { createToken, Lexer, type CustomPatternMatcherFunc, type TokenType } from "chevrotain";
import { keywords, type Keyword } from "./keywords.js";

/**
 * The tokens of the language. Every word is a *contextual* keyword: it belongs to the category of identifiers, so a
 * field may be called `type`, `class` or `default`, and the grammar decides by position.
 *
 * `#define` switches to a mode of its own in which the end of the line counts.
 */

/** Category of every token that can stand in a file; the grammar skips over these after an error. */
export const AnyToken = createToken({ name: "AnyToken", pattern: Lexer.NA });

const defineMode = "define";
const mainMode = "main";

/** Groups of the lexer's result: kept beside the token stream. */
export const commentGroup = "comments";
export const documentationGroup = "documentation";

function token(name: string, pattern: RegExp | string, label?: string): TokenType {
  return createToken({ name, pattern, categories: [AnyToken], label: label ?? `\`${String(pattern)}\`` });
}

export const Identifier = token("Identifier", /[A-Za-z_][A-Za-z0-9_]*/, "a name");

function keywordToken(word: Keyword): TokenType {
  return createToken({
    name: `Word_${word}`,
    pattern: word,
    longer_alt: Identifier,
    categories: [Identifier],
    label: `\`${word}\``,
  });
}

const keywordTokens = new Map<Keyword, TokenType>(keywords.map((word) => [word, keywordToken(word)]));

/** The token type of a word of the language. */
export function word(keyword: Keyword): TokenType {
  return keywordTokens.get(keyword) ?? Identifier;
}

/** What can be used as a name: everything in the category of identifiers. */
export const nameTypes: ReadonlySet<TokenType> = new Set([Identifier, ...keywordTokens.values()]);

// ---- literals ----

/** `1.3`, where a clause expects the version of the specification. */
export const VersionNumber = token("VersionNumber", /[0-9]+(?:\.[0-9]+)+/, "a version");
/** Anything that starts with a digit; `literals.ts` checks that it is a number. */
export const NumberLiteral = token("NumberLiteral", /[0-9][0-9A-Za-z_]*/, "a number");
export const CharacterLiteral = token("CharacterLiteral", /'(?:[^'\\\r\n]|\\[^\r\n][0-9A-Fa-f]{0,2})'/, "a character");

const stringEnd = /["\\\r\n]/g;

/** Finds the end of a string that starts at `offset`; custom code because a pattern would backtrack over long lines. */
function scanString(text: string, offset: number): { readonly end: number; readonly closed: boolean } {
  stringEnd.lastIndex = offset + 1;
  for (let found = stringEnd.exec(text); found; found = stringEnd.exec(text)) {
    if (found[0] === '"') return { end: found.index + 1, closed: true };
    if (found[0] !== "\\") return { end: found.index, closed: false };
    const next = text.charAt(found.index + 1);
    if (next !== "\n" && next !== "\r") stringEnd.lastIndex = found.index + 2;
  }
  return { end: text.length, closed: false };
}

function match(text: string): RegExpExecArray {
  return Object.assign([text] satisfies [string], { index: 0, input: text });
}

const stringPattern: CustomPatternMatcherFunc = (text, offset) => {
  if (text.charAt(offset) !== '"') return null;
  const { end, closed } = scanString(text, offset);
  return closed ? match(text.slice(offset, end)) : null;
};
export const StringLiteral = createToken({
  name: "StringLiteral",
  pattern: stringPattern,
  start_chars_hint: ['"'],
  line_breaks: false,
  categories: [AnyToken],
  label: "a text in quotes",
});
/** The rest of the line; complained about once by `lexer.ts` and then taken for a string. */
export const UnterminatedString = createToken({
  name: "UnterminatedString",
  pattern: /"[^\r\n]*/,
  categories: [StringLiteral],
});

// ---- punctuation ----

export const LeftBrace = token("LeftBrace", "{");
export const RightBrace = token("RightBrace", "}");
export const LeftParenthesis = token("LeftParenthesis", "(");
export const RightParenthesis = token("RightParenthesis", ")");
export const LeftBracket = token("LeftBracket", "[");
export const RightBracket = token("RightBracket", "]");
export const Semicolon = token("Semicolon", ";");
export const Comma = token("Comma", ",");
export const Colon = token("Colon", ":");
export const Question = token("Question", "?");
export const At = token("At", "@");
export const DotDot = token("DotDot", "..");
export const Dot = token("Dot", ".");
export const Arrow = token("Arrow", "=>");
export const Equals = token("Equals", "=");

/** Operators that stand between two operands, `BinaryOperator` in the tree. */
export const BinaryOperatorToken = createToken({ name: "BinaryOperator", pattern: Lexer.NA, categories: [AnyToken] });
/** Operators that stand in front of an operand. */
export const UnaryOperatorToken = createToken({ name: "UnaryOperator", pattern: Lexer.NA, categories: [AnyToken] });

function operator(name: string, pattern: string, ...categories: TokenType[]): TokenType {
  return createToken({ name, pattern, categories, label: `\`${pattern}\`` });
}

export const LogicalOr = operator("LogicalOr", "||", BinaryOperatorToken);
export const LogicalAnd = operator("LogicalAnd", "&&", BinaryOperatorToken);
export const ShiftLeft = operator("ShiftLeft", "<<", BinaryOperatorToken);
export const ShiftRight = operator("ShiftRight", ">>", BinaryOperatorToken);
export const LessOrEqual = operator("LessOrEqual", "<=", BinaryOperatorToken);
export const GreaterOrEqual = operator("GreaterOrEqual", ">=", BinaryOperatorToken);
export const EqualTo = operator("EqualTo", "==", BinaryOperatorToken);
export const NotEqualTo = operator("NotEqualTo", "!=", BinaryOperatorToken);
export const Less = operator("Less", "<", BinaryOperatorToken);
export const Greater = operator("Greater", ">", BinaryOperatorToken);
export const Bar = operator("Bar", "|", BinaryOperatorToken);
export const Caret = operator("Caret", "^", BinaryOperatorToken);
export const Ampersand = operator("Ampersand", "&", BinaryOperatorToken);
export const Plus = operator("Plus", "+", BinaryOperatorToken);
export const Minus = operator("Minus", "-", BinaryOperatorToken, UnaryOperatorToken);
export const Star = operator("Star", "*", BinaryOperatorToken);
export const Slash = operator("Slash", "/", BinaryOperatorToken);
export const Percent = operator("Percent", "%", BinaryOperatorToken);
export const Exclamation = operator("Exclamation", "!", UnaryOperatorToken);
export const Tilde = operator("Tilde", "~", UnaryOperatorToken);

// ---- comments ----

/** `///` up to the end of the line, but not rulers such as `////////`. */
export const Documentation = createToken({
  name: "Documentation",
  pattern: /\/\/\/(?!\/)[^\r\n]*/,
  group: documentationGroup,
});
export const LineComment = createToken({ name: "LineComment", pattern: /\/\/[^\r\n]*/, group: commentGroup });

function blockCommentPattern(isDocumentation: boolean): CustomPatternMatcherFunc {
  return (text, offset) => {
    if (!text.startsWith("/*", offset)) return null;
    const documents =
      text.startsWith("/**", offset) && !text.startsWith("/***", offset) && !text.startsWith("/**/", offset);
    if (documents !== isDocumentation) return null;
    const end = commentEnd(text, offset);
    return end.isClosed ? match(text.slice(offset, end.offset)) : null;
  };
}

const closingOrNested = /\*\/|(?<=\s)\/\*/g;

/** Where a comment is closed, or another one begins inside of it, or the file ends. */
function commentEnd(text: string, start: number): { readonly offset: number; readonly isClosed: boolean } {
  closingOrNested.lastIndex = start + 2;
  const found = closingOrNested.exec(text);
  if (found === null) return { offset: text.length, isClosed: false };
  return found[0] === "*/" ? { offset: found.index + 2, isClosed: true } : { offset: found.index, isClosed: false };
}

/** A line that is no prose: what is on it is read, although the comment in front of it is never closed. */
const codeLine = /[;{,]$|^[ \t]*(?:\}|#[ \t]*define)/;

/** A comment that another one closes is read as if it ended where code goes on; one that nothing closes, at the end. */
const unterminatedPattern: CustomPatternMatcherFunc = (text, offset) => {
  if (!text.startsWith("/*", offset)) return null;
  const { offset: end } = commentEnd(text, offset);
  if (end === text.length) return match(text.slice(offset));
  let length = offset;
  for (const line of text.slice(offset, end).split(/(?<=\n)/)) {
    if (length > offset && codeLine.test(line.trimEnd())) break;
    length += line.length;
  }
  return match(text.slice(offset, length).trimEnd());
};
export const BlockDocumentation = createToken({
  name: "BlockDocumentation",
  pattern: blockCommentPattern(true),
  start_chars_hint: ["/"],
  line_breaks: true,
  group: documentationGroup,
});
export const BlockComment = createToken({
  name: "BlockComment",
  pattern: blockCommentPattern(false),
  start_chars_hint: ["/"],
  line_breaks: true,
  group: commentGroup,
});
export const UnterminatedComment = createToken({
  name: "UnterminatedComment",
  pattern: unterminatedPattern,
  start_chars_hint: ["/"],
  line_breaks: true,
  group: commentGroup,
});

// ---- #define ----

export const Define = createToken({
  name: "Define",
  pattern: /#[ \t]*define(?![A-Za-z0-9_])/,
  push_mode: defineMode,
  categories: [AnyToken],
  label: "`#define`",
});
/** `#include` and the like: one complaint, and the line is forgotten. */
export const OtherDirective = createToken({
  name: "OtherDirective",
  pattern: /#[ \t]*[A-Za-z_](?:[^\r\n\\]|\\(?:\r\n|[^]))*/,
  line_breaks: true,
  group: "directives",
});
export const EndOfDefine = createToken({
  name: "EndOfDefine",
  pattern: /\r?\n|\r/,
  line_breaks: true,
  pop_mode: true,
  categories: [AnyToken],
  label: "end of line",
});
const Continuation = createToken({
  name: "Continuation",
  pattern: /\\[ \t]*(?:\r\n|\n|\r)/,
  line_breaks: true,
  group: Lexer.SKIPPED,
});
/** The lexer sorts characters above 255 into buckets of 255; one character of each says that all are possible. */
const everyCharacter = [
  ...Array.from({ length: 256 }, (_, code) => code),
  ...Array.from({ length: 257 }, (_, bucket) => Math.min(256 + bucket * 255, 0xffff)),
];
/** Whatever else may stand behind the value of a `#define`. */
export const Prose = createToken({
  name: "Prose",
  pattern: /[^\r\n]/,
  start_chars_hint: everyCharacter,
  categories: [AnyToken],
});

/** A run of characters that start no token: one complaint for all of them. */
export const Stray = createToken({
  name: "Stray",
  pattern: /[^\s\w"(){}[\];,:?@.=|&<>!^+\-*/%~]+/,
  start_chars_hint: everyCharacter,
  group: "stray",
});

const whitespaceOptions = { group: Lexer.SKIPPED } as const;
const Whitespace = createToken({
  name: "Whitespace",
  pattern: /[ \t\r\n\f\v\u00a0\ufeff]+/,
  line_breaks: true,
  ...whitespaceOptions,
});
const WhitespaceInLine = createToken({
  name: "WhitespaceInLine",
  pattern: /[ \t\f\v\u00a0\ufeff]+/,
  ...whitespaceOptions,
});

// ---- the vocabulary ----

const comments = [Documentation, BlockDocumentation, LineComment, BlockComment, UnterminatedComment];
const operators = [
  LogicalOr, LogicalAnd, ShiftLeft, ShiftRight, LessOrEqual, GreaterOrEqual, EqualTo, NotEqualTo, Arrow, Less, Greater,
  Bar, Caret, Ampersand, Plus, Minus, Star, Slash, Percent, Exclamation, Tilde,
]; // prettier-ignore
const literals = [VersionNumber, NumberLiteral, CharacterLiteral, StringLiteral, UnterminatedString];
const inExpressions = [LeftParenthesis, RightParenthesis, Comma, Colon, Question, DotDot, Dot];
const words = [...keywordTokens.values(), Identifier];
const categories = [AnyToken, BinaryOperatorToken, UnaryOperatorToken];

export const lexerModes = {
  modes: {
    [mainMode]: [
      Whitespace,
      ...comments,
      ...words,
      ...literals,
      ...operators,
      ...inExpressions,
      LeftBrace,
      RightBrace,
      LeftBracket,
      RightBracket,
      Semicolon,
      At,
      Equals,
      Define,
      OtherDirective,
      Stray,
      ...categories,
    ],
    [defineMode]: [
      Continuation,
      EndOfDefine,
      WhitespaceInLine,
      ...comments,
      ...words,
      ...literals,
      ...operators,
      ...inExpressions,
      Prose,
      ...categories,
    ],
  },
  defaultMode: mainMode,
};
