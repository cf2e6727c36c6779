import type { Diagnostic } from "./diagnostic.js";
import { positionAt, type Span } from "./source.js";
import type { Severity } from "./table.js";

/** A range in a file. Lines and columns count from 1, columns and offsets in UTF-16 units; `end` is exclusive. */
export interface JsonPlace {
  readonly file: string;
  readonly start: JsonPosition;
  readonly end: JsonPosition;
}
export interface JsonPosition {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** A finding as `--format json` prints it. */
export interface JsonDiagnostic {
  readonly code: string;
  /** Name of the rule, such as `unknown-name`. */
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  readonly place: JsonPlace;
  readonly labels: readonly { readonly place: JsonPlace; readonly message: string }[];
  readonly help: string | null;
}

/** Findings as plain data. */
export function jsonDiagnostics(diagnostics: readonly Diagnostic[]): readonly JsonDiagnostic[] {
  return diagnostics.map(({ code, name, severity, message, span, labels, help }) => ({
    code,
    rule: name,
    severity,
    message,
    place: jsonPlace(span),
    labels: labels.map((label) => ({ place: jsonPlace(label.span), message: label.message })),
    help: help ?? null,
  }));
}

function jsonPlace({ source, start, end }: Span): JsonPlace {
  return {
    file: source.name,
    start: { ...positionAt(source, start), offset: start },
    end: { ...positionAt(source, end), offset: end },
  };
}
