import { compareText, type Diagnostic } from "./diagnostic.js";
import { positionAt, type Span } from "./source.js";

/** `file.virtio:3:7`: where a span starts, as editors and terminals make it a link. */
export function placeOf(span: Span): string {
  const { line, column } = positionAt(span.source, span.start);
  return `${visible(span.source.name)}:${String(line)}:${String(column)}`;
}

// Control characters, the separators that some programs take for line ends, and what reorders text.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** The text with everything escaped that would move the cursor or reorder a line: input may come from anywhere. */
export function visible(text: string): string {
  return text.replace(unprintable, (character) => escapeOf(character));
}

/** `\u{1b}`. */
export function escapeOf(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** How many findings of each severity there are. */
export interface Tally {
  readonly errors: number;
  readonly warnings: number;
}

export function tally(diagnostics: readonly Diagnostic[]): Tally {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error").length;
  return { errors, warnings: diagnostics.length - errors };
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}

/** `2 errors`, `1 error`. */
export function countOf(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `2 errors and 1 warning`; empty if there is nothing. */
export function tallyText({ errors, warnings }: Tally): string {
  const parts: string[] = [];
  if (errors > 0) parts.push(countOf(errors, "error"));
  if (warnings > 0) parts.push(countOf(warnings, "warning"));
  return parts.join(" and ");
}

/** By source name, then by position: the order of `DiagnosticBag.sorted`, for findings of several bags. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return [...diagnostics].sort(
    (a, b) =>
      compareText(a.span.source.name, b.span.source.name) || a.span.start - b.span.start || a.span.end - b.span.end,
  );
}
