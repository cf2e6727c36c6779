import { DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import type { Source } from "../diagnostics/source.js";
import { parse } from "../language/parse.js";
import type { ImportDeclaration, SourceFile } from "../language/syntax-tree.js";

/** Why a file that an import names cannot be had. */
export type ImportFailure =
  /** The reason completes `cannot import x: ...`. */
  | { readonly kind: "failure"; readonly reason: string; readonly help?: string }
  /** The file is there, but something is wrong inside of it. */
  | { readonly kind: "invalid"; readonly diagnostics: readonly Diagnostic[] };

/** Finds the file that `import "path"` in `from` names. Gives the same object for the same file every time. */
export type ImportResolver = (path: string, from: Source) => Source | ImportFailure;

interface ParsedSource {
  readonly file: SourceFile;
  readonly diagnostics: readonly Diagnostic[];
}

/** Remembers trees by source, so that compiling again parses only what is a new `Source`. */
export class ParseCache {
  readonly #parsed = new WeakMap<Source, ParsedSource>();

  parse(source: Source): ParsedSource {
    const known = this.#parsed.get(source);
    if (known) return known;
    const bag = new DiagnosticBag();
    const file = parse(source, bag);
    const parsed = { file, diagnostics: bag.sorted() };
    this.#parsed.set(source, parsed);
    return parsed;
  }
}

export interface ParsedSources {
  /** Each source once, imports among them, in no order that means anything. */
  readonly files: readonly SourceFile[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Parses the sources and, if somebody can find it, all that they import; each once. */
export function parseSources(
  sources: readonly Source[],
  resolve: ImportResolver | undefined,
  cache: ParseCache,
): ParsedSources {
  const files: SourceFile[] = [];
  const diagnostics: Diagnostic[] = [];
  const waiting = [...sources];
  const seen = new Set<Source>(sources);
  for (let source = waiting.shift(); source; source = waiting.shift()) {
    const parsed = cache.parse(source);
    files.push(parsed.file);
    diagnostics.push(...parsed.diagnostics);
    for (const item of parsed.file.items) {
      // The parser has said so already if there is no path.
      if (!resolve || item.kind !== "import" || item.path === "") continue;
      const imported = isRelative(item.path) ? resolve(item.path, source) : notRelative;
      if ("kind" in imported) diagnostics.push(...importProblems(item, imported));
      else if (!seen.has(imported)) {
        seen.add(imported);
        waiting.push(imported);
      }
    }
  }
  return { files, diagnostics };
}

function importProblems({ path, span }: ImportDeclaration, failure: ImportFailure): readonly Diagnostic[] {
  if (failure.kind === "invalid") return failure.diagnostics;
  const bag = new DiagnosticBag();
  bag.report("import-failed", span, { path: `"${path}"`, reason: failure.reason }, { help: failure.help });
  return bag.sorted();
}

const notRelative: ImportFailure = {
  kind: "failure",
  reason: "the path is not relative",
  help: "write the path from the file that imports, with `/` between folders",
};

function isRelative(path: string): boolean {
  return !/^[/\\]|^[a-z]:|\\/i.test(path);
}
