import { escapeOf, visible } from "./render-text.js";
import { columnsOf } from "./render-width.js";
import { lineStarts, positionAt, type Source } from "./source.js";

/** Part of one line as it is shown: control characters escaped, tabs filled up, cut to what fits. */
export interface Excerpt {
  readonly line: number;
  readonly text: string;
  /** Range of offsets that the text stands for. */
  readonly start: number;
  readonly end: number;
  /** Column, from 0, at which the character at an offset is shown; offsets outside count as the nearest end. */
  columnOf(offset: number): number;
}

const TAB = 4;
const CUT = "…";

/** Offsets of the first character of a line and of the end of its text, without its line feed. */
function lineRange(source: Source, line: number): readonly [number, number] {
  const starts = lineStarts(source);
  const start = starts[line - 1] ?? source.text.length;
  let end = (starts[line] ?? source.text.length + 1) - 1;
  if (end > start && source.text[end - 1] === "\r") end -= 1;
  return [start, end];
}

/**
 * The line at an offset, at most `width` columns of it. A line that is longer is cut so that the offset is seen with
 * some of what is before it. Looks at no more of the line than that: a line may be as long as the file.
 */
export function excerptAt(source: Source, offset: number, width: number): Excerpt {
  const { line } = positionAt(source, offset);
  const [lineStart, lineEnd] = lineRange(source, line);
  const whole = layOut(source.text, lineStart, lineEnd, width, "");
  if (whole.end === lineEnd) return { line, ...whole };
  const lead = Math.floor(width / 3);
  // Near the start of the line the cut at the left would hide next to nothing: do without.
  if (Math.min(offset, lineEnd) - lineStart <= lead + 1) {
    return { line, ...layOut(source.text, lineStart, lineEnd, width - 1, "") };
  }
  const start = characterStart(source.text, Math.min(offset, lineEnd) - lead);
  return { line, ...layOut(source.text, start, lineEnd, width - 2, CUT) };
}

function characterStart(text: string, offset: number): number {
  const unit = text.charCodeAt(offset);
  return unit >= 0xdc00 && unit <= 0xdfff ? offset - 1 : offset;
}

/** Lays out characters from `start` until the text ends or the columns are used up. */
function layOut(text: string, start: number, lineEnd: number, width: number, prefix: string): Omit<Excerpt, "line"> {
  // Characters without a width of their own could go on for ever.
  const limit = Math.min(lineEnd, start + 4 * width);
  const columns: number[] = [];
  let column = prefix.length;
  let shown = prefix;
  let at = start;
  while (at < limit) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const cell = character === "\t" ? " ".repeat(TAB - (column % TAB)) : printable(character);
    const cellColumns = cell === character ? columnsOf(character) : cell.length;
    if (column - prefix.length + cellColumns > width) break;
    for (let unit = 0; unit < character.length; unit++) columns.push(column);
    shown += cell;
    column += cellColumns;
    at += character.length;
  }
  columns.push(column);
  if (at < lineEnd) shown += CUT;
  return {
    text: shown,
    start,
    end: at,
    columnOf: (offset) => columns[Math.max(0, Math.min(offset, at) - start)] ?? column,
  };
}

/** A character as it is shown; half a surrogate pair has no form of its own. */
function printable(character: string): string {
  const unit = character.charCodeAt(0);
  if (character.length === 1 && unit >= 0xd800 && unit <= 0xdfff) return escapeOf(character);
  return visible(character);
}
