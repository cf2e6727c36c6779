import { resolve } from "node:path";
import type { EmitTarget } from "../compiler/emit-targets.js";
import { countOf, hasErrors } from "../diagnostics/render-text.js";
import type { SpecVersion } from "../model/device-model.js";
import { BuildCache, defaultCacheFolder } from "./build-cache.js";
import { BuildSession, type BuildOutcome, type BuildRequest } from "./build-session.js";
import { ExitCode } from "./exit-code.js";
import { shownPath } from "./file-span.js";
import type { Io } from "./io.js";
import { refuseStandardInput } from "./load.js";
import { Reporter, type ReportOptions } from "./reporter.js";
import { countsText, roundedTimes, timesText } from "./summary.js";
import { watchSources, type Watched } from "./watch.js";

export interface BuildFlags extends ReportOptions {
  readonly out: string;
  readonly emit: readonly EmitTarget[];
  readonly check?: boolean;
  readonly watch?: boolean;
  readonly specVersion?: SpecVersion;
  /** False: neither use nor keep results of earlier builds. */
  readonly cache?: boolean;
  readonly cacheDir?: string;
}

/** `virtio-gen build`. */
export async function buildCommand(paths: readonly string[], flags: BuildFlags, io: Io): Promise<ExitCode> {
  refuseStandardInput(paths, "build");
  const { out, emit, check = false, specVersion } = flags;
  const request: BuildRequest = { paths, out, emit, check, specVersion };
  const session = new BuildSession(request, io, cacheOf(flags, io));
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

/** While it watches, a session remembers by itself what has not changed. */
function cacheOf({ watch = false, cache = true, cacheDir }: BuildFlags, { cwd }: Io): BuildCache | undefined {
  if (watch || !cache) return undefined;
  const folder = cacheDir === undefined ? defaultCacheFolder(cwd) : resolve(cwd, cacheDir);
  return folder === undefined ? undefined : new BuildCache(folder);
}

function watchingText(session: BuildSession): string {
  return `watching ${countOf(session.watched.files.length, "file")} for changes; Ctrl-C stops`;
}

function report(outcome: BuildOutcome, request: BuildRequest, reporter: Reporter, io: Io): ExitCode {
  const { diagnostics, counts, reuse, files, times } = outcome;
  const exitCode = reporter.diagnostics(diagnostics, {
    ...counts,
    files: files.map(({ path, state }) => ({
      path: shownPath(path, io.cwd),
      state: request.check || state === "unchanged" || state === "orphaned" ? state : "written",
    })),
    ...(reuse ? { reused: reuse.reused } : {}),
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
  const known = reuse && reuse.reused > 0 ? `; ${reuse.reused} of ${countOf(reuse.files, "file")} from the cache` : "";
  reporter.note(faint(`${timesText(times)}${known}`));
  return exitCode;
}
