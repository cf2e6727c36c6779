import type { Diagnostic } from "./diagnostic.js";
import { paletteOf, type Palette } from "./render-colour.js";
import { excerptAt, type Excerpt } from "./render-excerpt.js";
import { placeOf, visible } from "./render-text.js";
import { positionAt, type Source, type Span } from "./source.js";

export interface PrettyOptions {
  readonly colour: boolean;
  /** Columns of the terminal; lines of source are cut to fit. Texts of messages are not. */
  readonly columns?: number;
}

/** A place that is underlined, with what is written beside it. */
interface Mark {
  readonly span: Span;
  readonly message: string;
  readonly primary: boolean;
}

/** Findings as people read them, each with the lines that it is about. An empty line stands after each. */
export function renderPretty(diagnostics: readonly Diagnostic[], options: PrettyOptions): string {
  const palette = paletteOf(options.colour);
  const columns = Math.max(40, options.columns ?? 100);
  return diagnostics.map((diagnostic) => `${renderOne(diagnostic, palette, columns)}\n`).join("");
}

function renderOne(diagnostic: Diagnostic, palette: Palette, columns: number): string {
  const { severity, code, message, span, labels, help } = diagnostic;
  const marks: Mark[] = [
    { span, message: "", primary: true },
    ...labels.map((label) => ({ ...label, primary: false })),
  ];
  const gutter = gutterOf(marks);
  let text = `${palette[severity](`${severity}[${code}]`)}${palette.strong(`: ${visible(message)}`)}\n`;
  let arrow = "-->";
  for (const group of bySource(marks)) {
    const [first] = group;
    if (!first) continue;
    text += `${" ".repeat(gutter)}${palette.label(arrow)} ${placeText(first.span)}\n`;
    text += renderFrame(group, severity, palette, gutter, columns);
    arrow = ":::";
  }
  const edge = `${" ".repeat(gutter + 1)}${palette.label("=")}`;
  if (help !== undefined) text += `${edge} ${palette.strong("help")}: ${visible(help)}\n`;
  text += `${edge} ${palette.faint(`to learn more: virtio-gen explain ${code}`)}\n`;
  return text;
}

/** A file that is not there or cannot be read has no lines to point at. */
function placeText(span: Span): string {
  return span.source.text === "" ? visible(span.source.name) : placeOf(span);
}

function gutterOf(marks: readonly Mark[]): number {
  return Math.max(...marks.map((mark) => String(positionAt(mark.span.source, mark.span.start).line).length));
}

/** Marks of the same file together, the file of the finding itself first, labels in the order in which they came. */
function bySource(marks: readonly Mark[]): readonly (readonly Mark[])[] {
  const groups = new Map<Source, Mark[]>();
  for (const mark of marks) {
    const group = groups.get(mark.span.source);
    if (group) group.push(mark);
    else groups.set(mark.span.source, [mark]);
  }
  return [...groups.values()];
}

function renderFrame(
  marks: readonly Mark[],
  severity: Diagnostic["severity"],
  palette: Palette,
  gutter: number,
  columns: number,
): string {
  const [first] = marks;
  if (!first || first.span.source.text === "") return "";
  const empty = `${" ".repeat(gutter + 1)}${palette.label("|")}`;
  let text = `${empty}\n`;
  let excerpt: Excerpt | undefined;
  for (const mark of [...marks].sort((a, b) => a.span.start - b.span.start || a.span.end - b.span.end)) {
    const own = excerptAt(mark.span.source, mark.span.start, columns - gutter - 4);
    const shared = excerpt?.line === own.line && mark.span.start >= excerpt.start && mark.span.start < excerpt.end;
    if (!excerpt || !shared) {
      if (excerpt && own.line > excerpt.line + 1) text += `${palette.label("...")}\n`;
      excerpt = own;
      const edge = palette.label(`${String(own.line).padStart(gutter)} |`);
      text += `${edge} ${own.text}`.trimEnd() + "\n";
    }
    const paint = mark.primary ? palette[severity] : palette.label;
    text += `${empty} ${underline(excerpt, mark, paint)}\n`;
  }
  return text;
}

/** The line below a line of source. A span that goes on in the next lines is underlined to the end of its first one. */
function underline(excerpt: Excerpt, mark: Mark, paint: (text: string) => string): string {
  const from = excerpt.columnOf(mark.span.start);
  const to = excerpt.columnOf(mark.span.end);
  const line = (mark.primary ? "^" : "-").repeat(Math.max(1, to - from));
  return " ".repeat(from) + paint(mark.message === "" ? line : `${line} ${visible(mark.message)}`);
}
