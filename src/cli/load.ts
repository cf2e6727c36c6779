import { DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import type { Source } from "../diagnostics/source.js";
import { UsageError } from "./exit-code.js";
import { fileSpan } from "./file-span.js";
import { findSources } from "./find-sources.js";
import type { Io } from "./io.js";
import { MAXIMUM_MIB, type SourceReader } from "./source-reader.js";

/** The definitions that a command works on. */
export interface Loaded {
  readonly sources: readonly Source[];
  /** Folders that were searched. */
  readonly folders: readonly string[];
  /** What could not be read. If there is anything, the sources are not complete. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads what the paths on the command line stand for; `-` is the standard input. */
export async function load(paths: readonly string[], reader: SourceReader, io: Io): Promise<Loaded> {
  const sources = new Set<Source>();
  const found = findSources(
    paths.filter((path) => path !== "-"),
    io.cwd,
  );
  const diagnostics = [...found.diagnostics];
  if (paths.includes("-")) {
    const { source, diagnostics: problems } = await readStandardInput(reader, io);
    if (source) sources.add(source);
    diagnostics.push(...problems);
  }
  for (const path of found.files) {
    const { source, diagnostics: problems } = reader.read(path);
    // The same file by another path, or imported before.
    if (source && sources.has(source)) continue;
    diagnostics.push(...problems);
    if (source) sources.add(source);
  }
  return { sources: [...sources], folders: found.folders, diagnostics };
}

async function readStandardInput(
  reader: SourceReader,
  io: Io,
): Promise<{ readonly source: Source | undefined; readonly diagnostics: readonly Diagnostic[] }> {
  const name = "<stdin>";
  const bytes = await io.readStdin(MAXIMUM_MIB << 20);
  if (bytes) return reader.readText(name, bytes);
  const bag = new DiagnosticBag();
  bag.report("file-too-large", fileSpan(name), { path: "the standard input", limit: MAXIMUM_MIB });
  return { source: undefined, diagnostics: bag.sorted() };
}

/** For commands that write next to what they read. */
export function refuseStandardInput(paths: readonly string[], command: string): void {
  if (paths.includes("-")) throw new UsageError(`${command} cannot take a definition from the standard input`);
}
