import { EOF, type IToken } from "chevrotain";
import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import { positionAt, type Source, type Span } from "../diagnostics/source.js";
import { suggest } from "../diagnostics/suggest.js";
import type { BraceProblem } from "./braces.js";
import type { Complaint } from "./grammar-base.js";
import { tokenEnd, tokenSpan, type Tokens } from "./lexer.js";
import { maximumComplaints } from "./limits.js";
import { nameTypes, UnterminatedComment, UnterminatedString } from "./tokens.js";

/** What those who read a file one after the other did not like about it. */
export interface SyntaxFindings {
  readonly tokens: Tokens;
  readonly braces: readonly BraceProblem[];
  readonly complaints: readonly Complaint[];
}

/** Reports what is wrong, but for what something else that is wrong explains. */
export function reportSyntaxErrors(
  source: Source,
  { tokens, braces, complaints }: SyntaxFindings,
  bag: DiagnosticBag,
): void {
  // A comment that swallowed the rest of the file explains everything that is missing there.
  const last = tokens.comments.at(-1);
  const endsEarly = last?.tokenType === UnterminatedComment && tokenEnd(last) === source.text.length;
  const broken = brokenPlaces(tokens);
  const brokenLines = new Set(tokens.tokens.filter(isBroken).map((token) => token.startLine));
  const swallowed = linesBelow(tokens, brokenLines);
  const reported = new Set<Complaint>();
  const linesWithBraces = new Set<number | undefined>();
  for (const problem of endsEarly ? [] : braces.slice(0, maximumComplaints)) {
    linesWithBraces.add(problem.token.startLine).add(problem.previous?.endLine);
    if (brokenLines.has(problem.token.startLine) || brokenLines.has(problem.previous?.startLine)) continue;
    const exact = complaints.find((complaint) => !reported.has(complaint) && isAboutSameBrace(complaint, problem));
    if (exact === undefined) {
      reportBrace(source, problem, bag);
      continue;
    }
    reported.add(exact);
    linesWithBraces.add(exact.found.startLine);
    reportComplaint(source, exact, bag);
  }
  let lastLine = 0;
  for (const complaint of complaints) {
    const { found } = complaint;
    const isExplained =
      reported.has(complaint) ||
      (endsEarly && found.tokenType === EOF) ||
      linesWithBraces.has(found.startLine) ||
      swallowed.has(found.startLine) ||
      isInserted(found) ||
      hasBetween(broken, complaint.memberStart, found.startOffset);
    // The rest of a line on which something is wrong often makes no sense either.
    const { line } = positionAt(source, complaintSpan(source, complaint).start);
    if (!isExplained && !linesWithBraces.has(line) && line !== lastLine) reportComplaint(source, complaint, bag);
    lastLine = line;
  }
}

/** Whether the grammar missed a `{` where a brace problem follows from that. */
function isAboutSameBrace({ expected, found }: Complaint, { kind, token, previous }: BraceProblem): boolean {
  if (expected !== "`{`" || isInserted(found)) return false;
  if (kind === "unopened") return found.startLine === token.startLine && found.startOffset < token.startOffset;
  return kind === "missing" && previous !== undefined && found.startLine === previous.startLine;
}

/** Lines that are indented deeper than one of these lines above them: the block whose head something took. */
function linesBelow({ tokens }: Tokens, heads: ReadonlySet<number | undefined>): ReadonlySet<number | undefined> {
  const below = new Set<number | undefined>();
  let indent = Infinity;
  let line: number | undefined;
  for (const token of tokens) {
    if (token.startLine === line) continue;
    line = token.startLine;
    const column = token.startColumn ?? 1;
    if (column <= indent) indent = heads.has(line) ? column : Infinity;
    else below.add(line);
  }
  return below;
}

/** A token that was put in to repair the braces. */
function isInserted(token: IToken): boolean {
  return token.image === "" && token.tokenType !== EOF;
}

/** Runs to the end of its line, and took what should have followed. */
function isBroken(token: IToken): boolean {
  return token.tokenType === UnterminatedString;
}

/** Offsets of what has been reported as unreadable, in order. */
function brokenPlaces({ tokens, strays }: Tokens): readonly number[] {
  const strings = tokens.filter(isBroken);
  return [...strays, ...strings].map((token) => token.startOffset).sort((a, b) => a - b);
}

function hasBetween(offsets: readonly number[], from: number, to: number): boolean {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? Infinity) < from) low = middle + 1;
    else high = middle;
  }
  return (offsets[low] ?? Infinity) < (Number.isNaN(to) ? Infinity : to);
}

function reportComplaint(source: Source, complaint: Complaint, bag: DiagnosticBag): void {
  const { expected, found, candidates } = complaint;
  const suggestion = nameTypes.has(found.tokenType) ? suggest(found.image, candidates) : undefined;
  bag.report(
    "unexpected-token",
    complaintSpan(source, complaint),
    { expected, found: describe(found) },
    { help: suggestion === undefined ? undefined : `did you mean \`${suggestion}\`?` },
  );
}

/** At what was found; but behind the last token if something is missing at the end of its line, or of the file. */
function complaintSpan(
  source: Source,
  { found, previous, memberStart }: Omit<Complaint, "expected" | "candidates">,
): Span {
  const isEnd = found.tokenType === EOF;
  if (
    previous !== undefined &&
    (isEnd || (found.startLine !== previous.endLine && found.startOffset !== memberStart))
  ) {
    const end = tokenEnd(previous);
    return { source, start: end, end };
  }
  return isEnd ? { source, start: source.text.length, end: source.text.length } : tokenSpan(source, found);
}

function reportBrace(source: Source, problem: BraceProblem, bag: DiagnosticBag): void {
  const { kind, token, previous } = problem;
  const span = tokenSpan(source, token);
  switch (kind) {
    case "unclosed":
      bag.report("unclosed-bracket", span, { bracket: "`{`" });
      return;
    case "unopened":
      bag.report("unopened-bracket", span, { bracket: "`}`" });
      return;
    case "missing": {
      const place = complaintSpan(source, { found: token, previous, memberStart: NaN });
      bag.report("unexpected-token", place, { expected: "`{`", found: describe(token) });
      return;
    }
    case "instead of {":
    case "instead of }":
      bag.report("unexpected-token", span, { expected: `\`${kind.slice(-1)}\``, found: describe(token) });
      return;
    case "doubled":
      bag.report("unexpected-token", span, { expected: "a declaration", found: "`{`" });
  }
}

/** A token as a message shows it. */
export function describe(token: IToken): string {
  if (token.tokenType === EOF) return "the end of the file";
  if (/^[\r\n]/.test(token.image)) return "the end of the line";
  const image = token.image.length > 40 ? `${token.image.slice(0, 40)}...` : token.image;
  return `\`${image}\``;
}
