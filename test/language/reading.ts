import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DiagnosticBag, type Diagnostic } from "../../src/diagnostics/diagnostic.js";
import { positionAt } from "../../src/diagnostics/source.js";
import { parse } from "../../src/language/parse.js";
import type { SourceFile } from "../../src/language/syntax-tree.js";

/** Reads a text; errors as `2:7 expected ..., found ...`, with the help if there is one. */
export function readAll(text: string): { file: SourceFile; diagnostics: readonly Diagnostic[]; errors: string[] } {
  const bag = new DiagnosticBag();
  const file = parse({ name: "input.virtio", text }, bag);
  const diagnostics = bag.sorted();
  const errors = diagnostics.map(({ span, message, help }) => {
    const { line, column } = positionAt(span.source, span.start);
    return `${String(line)}:${String(column)} ${message}${help === undefined ? "" : ` (${help})`}`;
  });
  return { file, diagnostics, errors };
}

/** What a text without mistakes declares, without places and without what is empty. */
export function read(text: string): unknown[] {
  const { file, errors } = readAll(text);
  if (errors.length > 0) throw new Error(errors.join("\n"));
  return file.items.map(simplified);
}

/** What a struct with this text between its braces holds. */
export function readFields(text: string): unknown[] {
  const [struct] = read(`struct s {\n${text}\n}`);
  const hasMembers = typeof struct === "object" && struct !== null && "members" in struct;
  return hasMembers && Array.isArray(struct.members) ? struct.members : [];
}

/** The definitions below folders of the package. */
export function definitionsIn(...folders: readonly string[]): { name: string; text: string }[] {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  return folders.flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".virtio") && !path.includes("node_modules"))
      .sort()
      .map((path) => ({ name: `${folder}/${path}`, text: readFileSync(`${root}${folder}/${path}`, "utf8") })),
  );
}

function simplified(node: unknown): unknown {
  if (typeof node === "bigint") return Number(node);
  if (Array.isArray(node)) return node.map(simplified);
  if (typeof node !== "object" || node === null) return node;
  if ("text" in node && Object.keys(node).every((key) => key === "text" || key === "span")) return node.text;
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => key !== "span" && value !== undefined && !(Array.isArray(value) && value.length === 0))
      .map(([key, value]) => [key, simplified(value)]),
  );
}
