import type { Code } from "./code.js";

/** What is known about a declaration and belongs in its documentation. */
export interface Documented {
  readonly doc?: string;
  readonly unit?: string | null;
  readonly spec?: string | null;
  readonly since?: string | null;
  readonly until?: string | null;
  readonly specName?: string | null;
  readonly was?: string | null;
  /** Version of what encloses the item: the same one is not said again. */
  readonly within?: string;
}

const WIDTH = 114;

/** A doc comment with one sentence for each thing known; empty if nothing is. */
export function docComment(item: Documented, ...more: readonly string[]): Code {
  const paragraphs: string[] = [];
  if (item.doc !== undefined && item.doc !== "") paragraphs.push(sentence(item.doc));
  if (item.unit) paragraphs.push(`Unit: ${item.unit}.`);
  paragraphs.push(...more.filter((text) => text !== ""));
  if (item.was) paragraphs.push(`Earlier name: \`${item.was}\`.`);
  const reference = specReference(item);
  if (reference !== "") paragraphs.push(reference);
  return blockComment(paragraphs.join(" "));
}

/** `virtio_blk_req; VIRTIO 1.4, 5.2.6, since 1.1`. */
function specReference(item: Documented): string {
  const parts: string[] = [];
  if (item.specName) parts.push(`\`${item.specName}\``);
  if (item.spec) parts.push(`section ${item.spec}`);
  if (item.since && item.since !== (item.within ?? "1.0")) parts.push(`since ${item.since}`);
  if (item.until) parts.push(`until ${item.until}`);
  return parts.length === 0 ? "" : `(${parts.join(", ")})`;
}

function sentence(doc: string): string {
  const text = doc.trim();
  return /[.!?:)]$/.test(text) ? text : `${text}.`;
}

/** A comment of as many lines as it needs. */
export function blockComment(text: string): Code {
  const safe = text.replaceAll("*/", "*\\/").trim();
  if (safe === "") return { kind: "code", parts: [] };
  const lines = safe.split("\n").flatMap((line) => wrap(line, WIDTH));
  if (lines.length === 1) return { kind: "code", parts: [`/** ${lines[0] ?? ""} */\n`] };
  return { kind: "code", parts: [`/**\n${lines.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */\n`] };
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}
