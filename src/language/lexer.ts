import { Lexer, type IToken } from "chevrotain";
import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Source, Span } from "../diagnostics/source.js";
import { maximumComplaints } from "./limits.js";
import {
  BlockDocumentation,
  commentGroup,
  documentationGroup,
  LineComment,
  lexerModes,
  OtherDirective,
  UnterminatedComment,
  UnterminatedString,
} from "./tokens.js";

/** What a source consists of. Every character but white space is in exactly one of these. */
export interface Tokens {
  readonly tokens: readonly IToken[];
  /** Comments and directives that mean nothing to the language, in order. */
  readonly comments: readonly IToken[];
  /** `///` lines and `/**` blocks, in order. */
  readonly documentation: readonly IToken[];
  /** Runs of characters that start no token. */
  readonly strays: readonly IToken[];
}

const lexer = new Lexer(lexerModes, { positionTracking: "full", ensureOptimizations: true, skipValidations: true });

/** Cuts a text into tokens; never throws. */
export function tokenize(source: Source, bag: DiagnosticBag): Tokens {
  const result = lexer.tokenize(source.text);
  const strays = result.groups["stray"] ?? [];
  strays.slice(0, maximumComplaints).forEach((stray, index) => {
    const isFirstOfLine = stray.startLine !== strays[index - 1]?.startLine;
    if (isFirstOfLine) reportStray(source, stray.startOffset, stray.image.length, bag);
  });
  for (const error of result.errors) reportStray(source, error.offset, error.length, bag);
  for (const token of result.tokens) {
    if (token.tokenType === UnterminatedString) bag.report("unterminated-string", tokenSpan(source, token), {});
  }
  const comments = result.groups[commentGroup] ?? [];
  const unterminated = comments.filter((comment) => comment.tokenType === UnterminatedComment);
  for (const { startOffset: start } of unterminated.slice(0, maximumComplaints)) {
    bag.report("unterminated-comment", { source, start, end: start + 2 }, {});
  }
  const directives = result.groups["directives"] ?? [];
  for (const directive of directives) {
    const name = /[A-Za-z_]\w*/.exec(directive.image)?.[0] ?? "";
    bag.report("unknown-directive", tokenSpan(source, directive), { directive: `\`#${name}\`` });
  }
  return {
    tokens: result.tokens,
    comments: directives.length === 0 ? comments : inOrder([...comments, ...directives]),
    documentation: result.groups[documentationGroup] ?? [],
    strays,
  };
}

/** Tokens by where they start. */
export function inOrder(tokens: readonly IToken[]): readonly IToken[] {
  return [...tokens].sort((a, b) => a.startOffset - b.startOffset);
}

export function tokenEnd(token: IToken): number {
  return token.startOffset + token.image.length;
}

export function tokenSpan(source: Source, token: IToken): Span {
  return { source, start: token.startOffset, end: tokenEnd(token) };
}

/** Whether a comment goes on to the end of its line, so that nothing may follow it there. */
export function endsItsLine(comment: IToken): boolean {
  return comment.tokenType === LineComment || comment.image.startsWith("//") || comment.tokenType === OtherDirective;
}

/** The lines of a piece of documentation without slashes, stars and margins. */
export function documentationLines(token: IToken): readonly string[] {
  if (token.tokenType !== BlockDocumentation) return [token.image.slice(3).replace(/^ /, "").trimEnd()];
  const lines = token.image
    .slice(3, -2)
    .split(/\r\n|\n|\r/)
    .map((line, index) => (index === 0 ? line : line.replace(/^[ \t]*\*?/, "")).replace(/^ /, "").trimEnd());
  while (lines.length > 0 && lines[0] === "") lines.shift();
  while (lines.length > 0 && lines.at(-1) === "") lines.pop();
  return lines;
}

function reportStray(source: Source, start: number, length: number, bag: DiagnosticBag): void {
  const span = { source, start, end: start + length };
  bag.report("unexpected-character", span, { character: describeCharacter(source.text, start) });
}

function describeCharacter(text: string, offset: number): string {
  const code = text.codePointAt(offset) ?? 0;
  const hex = code.toString(16).toUpperCase().padStart(4, "0");
  return code > 0x20 && code < 0x7f ? `\`${String.fromCodePoint(code)}\`` : `U+${hex}`;
}
