import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import { fileErrorCode, reasonOrThrow } from "./file-errors.js";
import { fileSpan, shownPath } from "./file-span.js";

/** Text for a file at an absolute path. */
export interface FileText {
  readonly path: string;
  readonly text: string;
}

/** A file that is written beside its place, and where it belongs. */
interface Prepared {
  readonly temporary: string;
  readonly path: string;
}

/**
 * Replaces files: all of them, or none if one cannot be written. Each is written beside its place first and then renamed
 * into it, so that nobody ever sees half a file.
 */
export function writeFiles(files: readonly FileText[], cwd: string): readonly Diagnostic[] {
  const bag = new DiagnosticBag();
  makeFolders(files, cwd, bag);
  const prepared: Prepared[] = [];
  const steps = [
    ...files.map((file) => () => prepare(file, prepared, cwd, bag)),
    () => prepared.forEach((file) => putInPlace(file, cwd, bag)),
  ];
  // What stops one file (a full disk, no permission) mostly stops all: once is enough to say so.
  for (const step of steps) if (!bag.hasErrors) step();
  if (bag.hasErrors) for (const { temporary } of prepared) rmSync(temporary, { force: true });
  return bag.sorted();
}

function makeFolders(files: readonly FileText[], cwd: string, bag: DiagnosticBag): void {
  for (const folder of new Set(files.map((file) => dirname(file.path)))) {
    try {
      makeFolder(folder);
    } catch (error) {
      const shown = shownPath(folder, cwd);
      // What stands in the way exists, whatever it is.
      const reason = fileErrorCode(error) === "EEXIST" ? "it is a file" : reasonOrThrow(error);
      bag.report("output-folder-unusable", fileSpan(shown), { path: shown, reason });
    }
  }
}

/** Creates a folder and those above it. (`recursive` of `mkdirSync` never returns where the system refuses with ENOENT.) */
function makeFolder(folder: string): void {
  const missing: string[] = [];
  for (let at = folder; !statSync(at, { throwIfNoEntry: false }); at = dirname(at)) missing.push(at);
  for (const path of missing.reverse()) mkdirSync(path);
  if (!statSync(folder).isDirectory()) throw Object.assign(new Error(), { code: "EEXIST" });
}

function prepare({ path, text }: FileText, prepared: Prepared[], cwd: string, bag: DiagnosticBag): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const old = statSync(path, { throwIfNoEntry: false });
    if (old?.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    prepared.push({ temporary, path });
    writeFileSync(temporary, text);
    if (old) chmodSync(temporary, old.mode & 0o7777);
  } catch (error) {
    reportUnwritable(path, error, cwd, bag);
  }
}

function putInPlace({ temporary, path }: Prepared, cwd: string, bag: DiagnosticBag): void {
  try {
    renameSync(temporary, path);
  } catch (error) {
    reportUnwritable(path, error, cwd, bag);
  }
}

function reportUnwritable(path: string, error: unknown, cwd: string, bag: DiagnosticBag): void {
  const shown = shownPath(path, cwd);
  bag.report("output-unwritable", fileSpan(shown), { path: shown, reason: reasonOrThrow(error) });
}

/** The text of a file, or `undefined` if there is none. Errors of the file system are thrown. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (fileErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
