import { readdirSync, statSync, type Dirent } from "node:fs";
import { join, resolve } from "node:path";
import { compareText, DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import { fileErrorCode, reasonOrThrow } from "./file-errors.js";
import { fileSpan, shownPath } from "./file-span.js";

export interface FoundSources {
  /** Absolute paths, each once, sorted. */
  readonly files: readonly string[];
  /** Every folder that was searched. */
  readonly folders: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The definitions that paths stand for: files, and folders with everything below them. Folders named `node_modules`,
 * those whose names start with a dot, and symbolic links to folders are not looked into.
 */
export function findSources(paths: readonly string[], cwd: string): FoundSources {
  const bag = new DiagnosticBag();
  const files = new Set<string>();
  const folders = new Set<string>();
  for (const path of paths) {
    const absolute = resolve(cwd, path);
    const shown = shownPath(absolute, cwd);
    try {
      if (!statSync(absolute).isDirectory()) {
        if (path.endsWith(".virtio")) files.add(absolute);
        else bag.report("path-not-definition", fileSpan(shown), { path: shown });
        continue;
      }
    } catch (error) {
      if (fileErrorCode(error) === "ENOENT") bag.report("path-missing", fileSpan(shown), { path: shown });
      else bag.report("path-unreadable", fileSpan(shown), { path: shown, reason: reasonOrThrow(error) });
      continue;
    }
    const found = searchFolder(absolute, cwd, bag);
    if (found.files.length === 0 && !bag.hasErrors) {
      const help = "virtio-gen new <name> writes a first one";
      bag.report("folder-without-definitions", fileSpan(shown), { path: shown }, { help });
    }
    for (const file of found.files) files.add(file);
    for (const folder of found.folders) folders.add(folder);
  }
  return { files: [...files].sort(compareText), folders: [...folders].sort(compareText), diagnostics: bag.sorted() };
}

function searchFolder(
  top: string,
  cwd: string,
  bag: DiagnosticBag,
): { readonly files: readonly string[]; readonly folders: readonly string[] } {
  const files: string[] = [];
  const folders: string[] = [];
  const waiting = [top];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    folders.push(folder);
    let entries: readonly Dirent[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      const shown = shownPath(folder, cwd);
      bag.report("path-unreadable", fileSpan(shown), { path: shown, reason: reasonOrThrow(error) });
      continue;
    }
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules" && !entry.name.startsWith(".")) waiting.push(path);
      } else if (entry.name.endsWith(".virtio") && !isFolderLink(entry, path)) files.push(path);
    }
  }
  return { files, folders };
}

function isFolderLink(entry: Dirent, path: string): boolean {
  if (!entry.isSymbolicLink()) return false;
  try {
    return statSync(path).isDirectory();
  } catch {
    // Whoever reads it will say what is wrong.
    return false;
  }
}
