import { EOF, type CstNode, type IToken } from "chevrotain";
import { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Source, Span } from "../diagnostics/source.js";
import { suggest } from "../diagnostics/suggest.js";
import { balanceBraces, type BraceProblem } from "./braces.js";
import { buildTree } from "./build-tree.js";
import type { Complaint } from "./grammar-base.js";
import { Grammar } from "./grammar.js";
import { tokenEnd, tokenize, tokenSpan, type Tokens } from "./lexer.js";
import { maximumComplaints, maximumNesting } from "./limits.js";
import { findExcessiveNesting } from "./nesting.js";
import type { SourceFile } from "./syntax-tree.js";
import { nameTypes, UnterminatedComment } from "./tokens.js";

/** What reading a source gives: the tree, and what it was made from for those who need every token. */
export interface ParseResult {
  readonly file: SourceFile;
  readonly tokens: Tokens;
  /** Missing if the text is nested too deep. */
  readonly cst: CstNode | undefined;
}

let grammar: Grammar | undefined;

/** Reads a source. Any text at all gives a tree; what is wrong with it goes into the bag. Never throws. */
export function parse(source: Source, bag: DiagnosticBag): SourceFile {
  return parseWithTokens(source, bag).file;
}

/** Like `parse`, for the printer, which needs the tokens too. */
export function parseWithTokens(source: Source, bag: DiagnosticBag): ParseResult {
  const tokens = tokenize(source, bag);
  const tooDeep = findExcessiveNesting(tokens.tokens);
  if (tooDeep !== undefined) {
    bag.report("nesting-too-deep", tokenSpan(source, tooDeep), { limit: maximumNesting });
    return { file: buildTree(source, undefined, tokens, bag), tokens, cst: undefined };
  }
  const balanced = balanceBraces(tokens.tokens);
  grammar ??= new Grammar();
  grammar.begin(balanced.tokens);
  const cst = grammar.parse();
  // A comment that swallowed the rest of the file explains everything that is missing there.
  const endsEarly = tokens.comments.at(-1)?.tokenType === UnterminatedComment;
  const braces = endsEarly ? [] : balanced.problems.slice(0, maximumComplaints);
  for (const problem of braces) reportBrace(source, problem, bag);
  const linesWithBraces = new Set(braces.map((problem) => problem.token.startLine));
  for (const complaint of grammar.complaints) {
    const isExplained = endsEarly && complaint.found.tokenType === EOF;
    if (!isExplained && !linesWithBraces.has(complaint.found.startLine)) reportComplaint(source, complaint, bag);
  }
  if (grammar.complaints.length === 0) {
    for (const error of grammar.errors) {
      const span = tokenSpan(source, error.token);
      bag.report("unexpected-token", span, { expected: "something else", found: describe(error.token) });
    }
  }
  grammar.begin([]);
  return { file: buildTree(source, cst, tokens, bag), tokens, cst };
}

function reportComplaint(source: Source, { expected, found, previous, candidates }: Complaint, bag: DiagnosticBag): void {
  const suggestion = nameTypes.has(found.tokenType) ? suggest(found.image, candidates) : undefined;
  bag.report(
    "unexpected-token",
    complaintSpan(source, found, previous),
    { expected, found: describe(found) },
    { help: suggestion === undefined ? undefined : `did you mean \`${suggestion}\`?` },
  );
}

/** At what was found; but behind the last token if what was found is on a later line, or is the end of the file. */
function complaintSpan(source: Source, found: IToken, previous: IToken | undefined): Span {
  const isFar = found.tokenType === EOF || found.startLine !== previous?.endLine;
  if (!isFar || previous === undefined) {
    return found.tokenType === EOF ? { source, start: source.text.length, end: source.text.length } : tokenSpan(source, found);
  }
  const end = tokenEnd(previous);
  return { source, start: end, end };
}

function reportBrace(source: Source, { kind, token }: BraceProblem, bag: DiagnosticBag): void {
  const span = tokenSpan(source, token);
  switch (kind) {
    case "unclosed":
      bag.report("unclosed-bracket", span, { bracket: "`{`" });
      return;
    case "unopened":
      bag.report("unopened-bracket", span, { bracket: "`}`" });
      return;
    case "missing":
      bag.report("unexpected-token", span, { expected: "`{`", found: describe(token) });
      return;
    case "doubled":
      bag.report("unexpected-token", span, { expected: "a declaration", found: "`{`" });
  }
}

/** A token as a message shows it. */
function describe(token: IToken): string {
  if (token.tokenType === EOF) return "the end of the file";
  if (/^[\r\n]/.test(token.image)) return "the end of the line";
  const image = token.image.length > 40 ? `${token.image.slice(0, 40)}...` : token.image;
  return `\`${image}\``;
}
