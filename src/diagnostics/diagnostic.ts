import { formatMessage, type MessageValues } from "./message.js";
import type { Span } from "./source.js";
import {
  diagnosticTable,
  type DiagnosticName,
  type DiagnosticParameters,
  type Severity,
  type TableEntry,
} from "./table.js";

/** A second place that a diagnostic points at, such as the first of two declarations. */
export interface Label {
  readonly span: Span;
  readonly message: string;
}

/** One finding, ready to be rendered. */
export interface Diagnostic {
  readonly name: DiagnosticName;
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly span: Span;
  readonly labels: readonly Label[];
  /** A way out, such as `did you mean le32?`. */
  readonly help: string | undefined;
}

/** What a call site may add to a message. */
export interface DiagnosticExtras {
  readonly labels?: readonly Label[];
  readonly help?: string | undefined;
}

/** Collects what the passes find. One mistake, one error: the same rule at the same place is kept once. */
export class DiagnosticBag {
  readonly #found: Diagnostic[] = [];
  readonly #seen = new Set<string>();

  report<Name extends DiagnosticName>(
    name: Name,
    span: Span,
    values: MessageValues<DiagnosticParameters<Name>>,
    extras: DiagnosticExtras = {},
  ): void {
    const key = `${name}\0${span.source.name}\0${String(span.start)}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const entry: TableEntry = diagnosticTable[name];
    this.#found.push({
      name,
      code: entry.code,
      severity: entry.severity,
      message: formatMessage<string>(entry.message, values),
      span,
      labels: extras.labels ?? [],
      help: extras.help,
    });
  }

  get hasErrors(): boolean {
    return this.#found.some((diagnostic) => diagnostic.severity === "error");
  }

  /** All findings, by source name and then by position. */
  sorted(): readonly Diagnostic[] {
    return [...this.#found].sort(
      (a, b) =>
        compareText(a.span.source.name, b.span.source.name) || a.span.start - b.span.start || a.span.end - b.span.end,
    );
  }
}

/** Order by code unit, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
