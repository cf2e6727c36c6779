import type { CstNode } from "chevrotain";
import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Source } from "../diagnostics/source.js";
import { balanceBraces } from "./braces.js";
import { buildTree } from "./build-tree.js";
import { Grammar } from "./grammar.js";
import { tokenize, tokenSpan, type Tokens } from "./lexer.js";
import { maximumNesting } from "./limits.js";
import { findExcessiveNesting } from "./nesting.js";
import { describe, reportSyntaxErrors } from "./syntax-errors.js";
import type { SourceFile } from "./syntax-tree.js";

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
  reportSyntaxErrors(source, { tokens, braces: balanced.problems, complaints: grammar.complaints }, bag);
  if (grammar.complaints.length === 0) {
    for (const error of grammar.errors) {
      const span = tokenSpan(source, error.token);
      bag.report("unexpected-token", span, { expected: "something else", found: describe(error.token) });
    }
  }
  grammar.begin([]);
  return { file: buildTree(source, cst, tokens, bag), tokens, cst };
}
