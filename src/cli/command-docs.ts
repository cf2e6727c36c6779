import { join, resolve } from "node:path";
import { compile } from "../compiler/compile.js";
import { VERSION } from "../compiler/version.js";
import { countOf, hasErrors } from "../diagnostics/render-text.js";
import { emitDocs } from "../emit/docs/index.js";
import type { SpecVersion } from "../model/device-model.js";
import { ExitCode } from "./exit-code.js";
import { shownPath } from "./file-span.js";
import type { Io } from "./io.js";
import { load } from "./load.js";
import { Reporter, type ReportOptions } from "./reporter.js";
import { SourceReader } from "./source-reader.js";
import { countsOf, countsText } from "./summary.js";
import { readText, writeFiles } from "./write-files.js";

export interface DocsFlags extends ReportOptions {
  readonly out: string;
  readonly specVersion?: SpecVersion;
}

/** `virtio-gen docs`. Files that are the same already are left alone; nothing is written if there are errors. */
export async function docsCommand(paths: readonly string[], flags: DocsFlags, io: Io): Promise<ExitCode> {
  const { out, specVersion } = flags;
  const reporter = new Reporter(io, flags);
  const reader = new SourceReader(io.cwd);
  const loaded = await load(paths, reader, io);
  if (hasErrors(loaded.diagnostics)) return reporter.diagnostics(loaded.diagnostics);
  const { model, diagnostics } = compile(loaded.sources, {
    resolve: reader.resolve,
    compare: reader.compare,
    ...(specVersion === undefined ? {} : { specVersion }),
  });
  if (!model) return reporter.diagnostics(diagnostics);

  const folder = resolve(io.cwd, out);
  const files = emitDocs(model, { version: VERSION }).map(({ path, text }) => ({ path: join(folder, path), text }));
  const changed = files.filter(({ path, text }) => !isSame(path, text));
  const counts = countsOf(model);
  const details = { ...counts, files: files.map(({ path }) => shownPath(path, io.cwd)) };
  const exitCode = reporter.diagnostics([...diagnostics, ...writeFiles(changed, io.cwd)], details);
  if (exitCode === ExitCode.OK) {
    const unchanged = files.length - changed.length;
    const done = `${countOf(changed.length, "file")} written to ${out}, ${unchanged} unchanged`;
    reporter.note(`${reporter.palette.success(countsText(counts))}: ${done}`);
  }
  return exitCode;
}

/** What cannot be read is written, which tells what is wrong. */
function isSame(path: string, text: string): boolean {
  try {
    return readText(path) === text;
  } catch {
    return false;
  }
}
