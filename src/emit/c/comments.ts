import type { FieldModel } from "../../model/device-model.js";
import { formulaText } from "../../model/formula-text.js";

const WIDTH = 100;

/** What is known about a declaration. */
export interface Described {
  readonly doc: string;
  readonly spec?: string | null;
  readonly since?: string | null;
  readonly until?: string | null;
}

/** One paragraph: the documentation, then where it comes from. `within`: the version of what encloses it. */
export function describe(
  { doc, spec, since, until, within }: Described & { readonly within?: string },
  ...more: readonly string[]
): string {
  const origin = [
    ...(spec ? [`VIRTIO ${spec}`] : []),
    ...(since && since !== (within ?? "1.0") ? [`since ${since}`] : []),
    ...(until ? [`until ${until}`] : []),
  ];
  return [sentence(oneParagraph(doc)), ...more.map(sentence), origin.length > 0 ? `(${origin.join(", ")})` : ""]
    .filter((part) => part !== "")
    .join(" ");
}

/** What a reader of the header has to know about a field beside its place. */
export function fieldComment(field: FieldModel): string {
  const facts: string[] = [];
  if (field.unit !== null) facts.push(`Unit: ${field.unit}`);
  if (field.condition !== null) facts.push(`If ${field.condition}`);
  if (field.validTree !== null) facts.push(`Valid if ${formulaText(field.validTree)}`);
  if (field.access === "rw") facts.push("The driver may write it");
  if (field.access === "wo") facts.push("The driver writes it");
  if (field.access === "w1c") facts.push(`Writing 1 clears a bit${field.clears === null ? "" : ` of ${field.clears}`}`);
  if (field.constraint !== null) facts.push(`Holds: ${field.constraint}`);
  if (field.reserved) facts.push("Zero");
  if (field.was !== null) facts.push(`Earlier name: ${field.was}`);
  const values = field.enum ?? field.flags;
  if (values !== null) facts.push(`Values: ${values}`);
  if (field.bitset !== null) facts.push(`A bit for each ${field.bitset}`);
  const doc = field.doc === "" ? [] : [oneParagraph(field.doc)];
  return [...doc, ...facts].map(sentence).join(" ");
}

/** Where lines end in the definition says nothing. */
function oneParagraph(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return trimmed === "" || /[.!?:)]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** A comment of as many lines as it needs, each ended; nothing for an empty text. */
export function blockComment(text: string, indent = ""): string {
  const safe = text.replaceAll("*/", "* /").replaceAll("/*", "/ *").trim();
  if (safe === "") return "";
  const lines = safe.split("\n").flatMap((line) => wrap(line, WIDTH - indent.length - 3));
  const [only] = lines;
  if (lines.length === 1 && only !== undefined && only.length + indent.length + 6 <= WIDTH) {
    return `${indent}/* ${only} */\n`;
  }
  return `${indent}/*\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
