import { compile } from "../compiler/compile.js";
import { emitJson } from "../emit/json/index.js";
import type { Model, SpecVersion } from "../model/device-model.js";
import type { ExitCode } from "./exit-code.js";
import { hasErrors } from "../diagnostics/render-text.js";
import type { Io } from "./io.js";
import { load } from "./load.js";
import { Reporter, type ReportOptions } from "./reporter.js";
import { SourceReader } from "./source-reader.js";
import { countsOf, countsText } from "./summary.js";

interface Checked {
  readonly exitCode: ExitCode;
  readonly model: Model | undefined;
}

export interface ModelFlags extends Pick<ReportOptions, "color"> {
  readonly specVersion?: SpecVersion;
}

/** `virtio-gen check`. */
export async function checkCommand(paths: readonly string[], flags: ReportOptions, io: Io): Promise<ExitCode> {
  const reporter = new Reporter(io, flags);
  const { exitCode, model } = await checkPaths(paths, reporter, io);
  if (model) reporter.note(`${reporter.palette.success(countsText(countsOf(model)))}: no errors`);
  return exitCode;
}

/** `virtio-gen model`. The model goes to the standard output, so findings go to the standard error, as people read them. */
export async function modelCommand(paths: readonly string[], flags: ModelFlags, io: Io): Promise<ExitCode> {
  const reporter = new Reporter({ ...io, stdout: io.stderr }, { ...flags, format: "pretty" });
  const { exitCode, model } = await checkPaths(paths, reporter, io, flags.specVersion);
  if (model) io.stdout.write(emitJson(model));
  return exitCode;
}

/** Reads and checks definitions, and shows what was found. */
export async function checkPaths(
  paths: readonly string[],
  reporter: Reporter,
  io: Io,
  specVersion?: SpecVersion,
): Promise<Checked> {
  const reader = new SourceReader(io.cwd);
  const loaded = await load(paths, reader, io);
  if (hasErrors(loaded.diagnostics)) return { exitCode: reporter.diagnostics(loaded.diagnostics), model: undefined };
  const { model, diagnostics, files } = compile(loaded.sources, {
    resolve: reader.resolve,
    compare: reader.compare,
    ...(specVersion === undefined ? {} : { specVersion }),
  });
  const details = { ...(model ? countsOf(model) : {}), files: files.map((file) => file.span.source.name) };
  return { exitCode: reporter.diagnostics(diagnostics, details), model };
}
