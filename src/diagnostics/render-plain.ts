import type { Diagnostic } from "./diagnostic.js";
import { placeOf, visible } from "./render-text.js";

/**
 * One line a finding, `file:line:column: error[VG2001]: message`, with its other places and its help indented below.
 * Ends with a line feed; empty if there is nothing to say.
 */
export function renderPlain(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => renderOne(diagnostic)).join("");
}

function renderOne(diagnostic: Diagnostic): string {
  const { severity, code, message, span, labels, help } = diagnostic;
  let text = `${placeOf(span)}: ${severity}[${code}]: ${visible(message)}\n`;
  for (const label of labels) text += `  ${placeOf(label.span)}: ${visible(label.message)}\n`;
  if (help !== undefined) text += `  help: ${visible(help)}\n`;
  return text;
}
