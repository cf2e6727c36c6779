import type { EmitTarget } from "../compiler/emit-targets.js";
import { countOf, hasErrors } from "../diagnostics/render-text.js";
import type { SpecVersion } from "../model/device-model.js";
import { BuildSession, type BuildOutcome, type BuildRequest } from "./build-session.js";
import { ExitCode } from "./exit-code.js";
import { shownPath } from "./file-span.js";
import type { Io } from "./io.js";
import { refuseStandardInput } from "./load.js";
import { Reporter, type ReportOptions } from "./reporter.js";
import { countsOf, countsText, roundedTimes, timesText } from "./summary.js";
import { watchSources, type Watched } from "./watch.js";

export interface BuildFlags extends ReportOptions {
  readonly out: string;
  readonly emit: readonly EmitTarget[];
  readonly check?: boolean;
  readonly watch?: boolean;
  readonly specVersion?: SpecVersion;
}

/** `virtio-gen build`. */
export async function buildCommand(paths: readonly string[], flags: BuildFlags, io: Io): Promise<ExitCode> {
  refuseStandardInput(paths, "build");
  const { out, emit, check = false, specVersion } = flags;
  const request: BuildRequest = { paths, out, emit, check, specVersion };
  const session = new BuildSession(request, io);
  const reporter = new Reporter(io, flags);
  const first = await session.build();
  const exitCode = first ? report(first, request, reporter, io) : ExitCode.OK;
  if (!flags.watch) return exitCode;
  const ready = (): void => reporter.note(watchingText(session));
  const onChange = async (): Promise<Watched> => {
    const outcome = await session.build();
    if (outcome) {
      report(outcome, request, reporter, io);
      ready();
    }
    return session.watched;
  };
  const problems = await watchSources(session.watched, io, { ready, onChange });
  return reporter.diagnostics(problems);
}

function watchingText(session: BuildSession): string {
  return `watching ${countOf(session.watched.files.length, "file")} for changes; Ctrl-C stops`;
}

function report(outcome: BuildOutcome, request: BuildRequest, reporter: Reporter, io: Io): ExitCode {
  const { diagnostics, result, files, times } = outcome;
  const counts = result?.model ? countsOf(result.model) : undefined;
  const exitCode = reporter.diagnostics(diagnostics, {
    ...counts,
    files: files.map(({ path, state }) => ({
      path: shownPath(path, io.cwd),
      state: request.check || state === "unchanged" || state === "orphaned" ? state : "written",
    })),
    ...(times ? { milliseconds: roundedTimes(times) } : {}),
  });
  if (!counts || !times || hasErrors(diagnostics)) return exitCode;
  const unchanged = files.filter(({ state }) => state === "unchanged").length;
  const written = files.filter(({ state }) => state === "stale" || state === "missing").length;
  const { success, faint } = reporter.palette;
  const done = request.check
    ? `${countOf(unchanged, "file")} in ${request.out} up to date`
    : `${countOf(written, "file")} written to ${request.out}, ${unchanged} unchanged`;
  reporter.note(`${success(countsText(counts))}: ${done}`);
  reporter.note(faint(timesText(times)));
  return exitCode;
}
