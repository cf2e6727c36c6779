import { DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import { countOf, hasErrors } from "../diagnostics/render-text.js";
import type { Source } from "../diagnostics/source.js";
import { parse } from "../language/parse.js";
import { format } from "../language/printer/index.js";
import type { ExitCode } from "./exit-code.js";
import { fileSpan } from "./file-span.js";
import type { Io } from "./io.js";
import { load } from "./load.js";
import { Reporter, type ReportOptions } from "./reporter.js";
import { SourceReader } from "./source-reader.js";
import { readText, writeFiles, type FileText } from "./write-files.js";

export interface FormatFlags extends ReportOptions {
  readonly check?: boolean;
}

/** `virtio-gen fmt`. Files that do not parse are left as they are, and so are the others then. */
export async function fmtCommand(paths: readonly string[], flags: FormatFlags, io: Io): Promise<ExitCode> {
  const printed = paths.includes("-") && !flags.check;
  // The formatted text has the standard output to itself.
  const reporter = printed ? new Reporter({ ...io, stdout: io.stderr }, flags) : new Reporter(io, flags);
  const reader = new SourceReader(io.cwd);
  const { sources, diagnostics } = await load(paths, reader, io);
  const problems = [...diagnostics, ...sources.flatMap((source) => syntaxErrors(source))];
  if (hasErrors(problems)) return reporter.diagnostics(problems);

  const changed: FileText[] = [];
  const bag = new DiagnosticBag();
  for (const source of sources) {
    const text = await format(source.text, source.name);
    const path = reader.pathOf(source);
    if (path === undefined && printed) io.stdout.write(text);
    // A byte order mark is not part of the source's text, but it goes too.
    else if ((path === undefined ? source.text : readText(path)) !== text) {
      if (path !== undefined) changed.push({ path, text });
      bag.report("not-formatted", fileSpan(source.name), { path: source.name }, { help: "run `virtio-gen fmt`" });
    }
  }
  const unformatted = bag.sorted();
  const details = { files: unformatted.map((diagnostic) => diagnostic.span.source.name) };
  if (flags.check) {
    const exitCode = reporter.diagnostics(unformatted, details);
    if (unformatted.length === 0) reporter.note(`${countOf(sources.length, "file")} formatted`);
    return exitCode;
  }
  const exitCode = reporter.diagnostics(writeFiles(changed, io.cwd), details);
  if (!printed)
    reporter.note(`${countOf(changed.length, "file")} changed, ${sources.length - changed.length} unchanged`);
  return exitCode;
}

function syntaxErrors(source: Source): readonly Diagnostic[] {
  const bag = new DiagnosticBag();
  parse(source, bag);
  return bag.sorted();
}
