import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DiagnosticBag, type Diagnostic } from "../../src/diagnostics/diagnostic.js";
import type { Source } from "../../src/diagnostics/source.js";
import { tokenEnd, tokenize } from "../../src/language/lexer.js";
import { parse } from "../../src/language/parse.js";
import type { SourceFile } from "../../src/language/syntax-tree.js";
import { check } from "../../src/model/check.js";
import { processorTime } from "./processor-time.js";

export interface Definition extends Source {
  /** Files that it imports or that import it; compiled with it. */
  readonly others: readonly SourceFile[];
  readonly tokens: readonly { readonly start: number; readonly end: number }[];
}

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Every definition in `dsl/` and `examples/`, each with what it is compiled with. */
export function allDefinitions(): readonly Definition[] {
  const sources = ["dsl", "examples"].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" })
      .map((path) => `${folder}/${path.replaceAll("\\", "/")}`)
      .filter((path) => path.endsWith(".virtio") && !path.includes("node_modules"))
      .sort()
      .map((name): Source => ({ name, text: readFileSync(root + name, "utf8") })),
  );
  const trees = new Map(sources.map((source) => [source.name, parse(source, new DiagnosticBag())]));
  const imported = (name: string) =>
    (trees.get(name)?.items ?? []).flatMap((item) => (item.kind === "import" ? [resolve(name, item.path)] : []));
  return sources.map((source) => {
    const partners = sources.filter(
      ({ name }) => imported(source.name).includes(name) || imported(name).includes(source.name),
    );
    const { tokens } = tokenize(source, new DiagnosticBag());
    return {
      ...source,
      others: partners.flatMap(({ name }) => trees.get(name) ?? []),
      tokens: tokens.map((token) => ({ start: token.startOffset, end: tokenEnd(token) })),
    };
  });
}

function resolve(from: string, path: string): string {
  return from.slice(0, from.lastIndexOf("/") + 1) + path;
}

/** Reads and checks a text, together with other files. */
export function compile(
  text: string,
  others: readonly SourceFile[] = [],
  name = "input.virtio",
): readonly Diagnostic[] {
  const bag = new DiagnosticBag();
  check([parse({ name, text }, bag), ...others], bag);
  return bag.sorted();
}

/** Milliseconds of processor time that compiling takes; `enough` as in `processorTime`. */
export function costToCompile(text: string, enough = 0): number {
  return processorTime(() => void compile(text), enough);
}
