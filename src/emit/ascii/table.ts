/** A column is never wider than this: longer texts move what follows in their line. */
const WIDEST = 32;

/** Columns side by side. Lines that get too long continue below, indented as far as the column that did not fit. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.min(Math.max(...all.map((row) => (row[column] ?? "").length)), WIDEST));
  return all.flatMap((row) => lineOf(row, widths, width));
}

function lineOf(row: readonly string[], widths: readonly number[], width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  let column = 0;
  for (const [index, text] of row.entries()) {
    const start = column;
    column += (widths[index] ?? 0) + 2;
    if (text === "") continue;
    const padded = line.length === 0 || line.length + 2 <= start ? line.padEnd(start) : `${line}  `;
    if (padded.length + text.length > width && line.trim() !== "") {
      lines.push(line.trimEnd());
      line = " ".repeat(Math.max(Math.min(start, width - text.length), 4)) + text;
    } else line = padded + text;
  }
  return [...lines, line.trimEnd()];
}
