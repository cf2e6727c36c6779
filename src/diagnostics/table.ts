import { message, type MessageTemplate } from "./message.js";

export type Severity = "error" | "warning";

interface TableEntry {
  /** Never reused and never changed: scripts and pages refer to it. */
  readonly code: `VG${number}`;
  readonly severity: Severity;
  readonly message: MessageTemplate<string>;
}

function entries<const Table extends Record<string, TableEntry>>(table: Table): Table {
  return table;
}

/**
 * Every message that the compiler can print. The key names the rule, the code is stable, and
 * `docs/diagnostics/<code>.md` explains it. VG1xxx: reading text; VG2xxx: names and types; VG3xxx: layout;
 * VG4xxx: features; VG5xxx: queues and requests; VG9xxx: files and options.
 */
export const diagnosticTable = entries({
  "unexpected-character": { code: "VG1001", severity: "error", message: message`unexpected character ${"character"}` },
  "unexpected-token": { code: "VG1002", severity: "error", message: message`expected ${"expected"}, found ${"found"}` },
  "unterminated-comment": { code: "VG1003", severity: "error", message: message`comment is never closed` },
  "unterminated-string": { code: "VG1004", severity: "error", message: message`string is never closed` },
  "nesting-too-deep": { code: "VG1005", severity: "error", message: message`nested deeper than ${"limit"} levels` },
  "invalid-utf8": { code: "VG1006", severity: "error", message: message`the file is not valid UTF-8` },
  "unknown-name": { code: "VG2001", severity: "error", message: message`unknown ${"what"} ${"name"}` },
  "duplicate-name": { code: "VG2002", severity: "error", message: message`${"what"} ${"name"} is declared twice` },
  "field-overlap": {
    code: "VG3001",
    severity: "error",
    message: message`field ${"name"} is asserted at offset ${"asserted"}, but the fields before it end at ${"actual"}`,
  },
});

export type DiagnosticTable = typeof diagnosticTable;
export type DiagnosticName = keyof DiagnosticTable;

/** Names of the holes in the message of a rule. */
export type DiagnosticParameters<Name extends DiagnosticName> =
  DiagnosticTable[Name]["message"] extends MessageTemplate<infer Parameter> ? Parameter : never;
