import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import { suggest } from "../diagnostics/suggest.js";
import type { SourceFile } from "../language/syntax-tree.js";

/** An import says that a file is needed; which files are read is up to the caller. */
export function checkImports(files: readonly SourceFile[], bag: DiagnosticBag): void {
  const names = new Set(files.map((file) => normalized(file.span.source.name)));
  for (const file of files) {
    for (const item of file.items) {
      if (item.kind !== "import") continue;
      const path = resolveImport(file.span.source.name, item.path);
      if (names.has(path)) continue;
      const found = suggest(path, names);
      bag.report(
        "unresolved-import",
        item.span,
        { path },
        { help: found === undefined ? "give it to the compiler together with this one" : `did you mean ${found}?` },
      );
    }
  }
}

/** The name of the file that an import means, seen from the file that it stands in. */
export function resolveImport(from: string, path: string): string {
  if (path.startsWith("/")) return normalized(path);
  const folder = from.slice(0, from.lastIndexOf("/") + 1);
  return normalized(folder + path);
}

function normalized(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "." || (part === "" && parts.length > 0)) continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== ".." && parts.at(-1) !== "") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}
