import type { Diagnostic } from "./diagnostic.js";
import { placeOf } from "./render-text.js";
import { positionAt } from "./source.js";

/**
 * Workflow commands, which GitHub Actions turns into annotations at the lines of a change:
 * `::error file=...,line=...::message`.
 */
export function renderGithub(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => renderOne(diagnostic)).join("");
}

function renderOne({ severity, code, name, message, span, labels, help }: Diagnostic): string {
  const start = positionAt(span.source, span.start);
  const end = positionAt(span.source, span.end);
  const properties = [
    ["file", span.source.name],
    ["line", String(start.line)],
    ["endLine", String(end.line)],
    // Columns are taken for a range in one line only.
    ...(start.line === end.line
      ? [
          ["col", String(start.column)],
          ["endColumn", String(end.column)],
        ]
      : []),
    ["title", `${code} ${name}`],
  ].map(([key = "", value = ""]) => `${key}=${escapeProperty(value)}`);
  const lines = [
    message,
    ...labels.map((label) => `${placeOf(label.span)}: ${label.message}`),
    ...(help === undefined ? [] : [`help: ${help}`]),
  ];
  return `::${severity} ${properties.join(",")}::${escapeData(lines.join("\n"))}\n`;
}

function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
