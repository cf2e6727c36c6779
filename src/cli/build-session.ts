import { join, resolve } from "node:path";
import { emitOutputs, FormatCache, type BuildResult } from "../compiler/build.js";
import { compile, type CompileResult } from "../compiler/compile.js";
import type { EmitTarget } from "../compiler/emit-targets.js";
import { ParseCache } from "../compiler/parse-sources.js";
import type { Diagnostic } from "../diagnostics/diagnostic.js";
import type { SourceFile } from "../language/syntax-tree.js";
import type { SpecVersion } from "../model/device-model.js";
import { hasErrors } from "../diagnostics/render-text.js";
import type { BuildCache } from "./build-cache.js";
import { cachedBuild, type CachedBuildResult } from "./cached-build.js";
import type { Io } from "./io.js";
import { load, type Loaded } from "./load.js";
import { compareOutputs, staleness, type ComparedFile } from "./output-folder.js";
import { SourceReader } from "./source-reader.js";
import { countsOf, type ModelCounts, type PhaseTimes } from "./summary.js";
import { writeFiles, type FileText } from "./write-files.js";

export interface BuildRequest {
  readonly paths: readonly string[];
  /** Output folder, as given. */
  readonly out: string;
  readonly emit: readonly EmitTarget[];
  /** Compare only; write nothing. */
  readonly check: boolean;
  /** Release of the specification to keep to. */
  readonly specVersion: SpecVersion | undefined;
}

/** What one build found and did. */
export interface BuildOutcome {
  readonly diagnostics: readonly Diagnostic[];
  /** Missing if there are errors. */
  readonly counts: ModelCounts | undefined;
  /** How many of the files were known from an earlier build; undefined if nobody asked. */
  readonly reuse: { readonly reused: number; readonly files: number } | undefined;
  /** Orphans among them; `stale` and `missing` ones are written by now unless this was a check. */
  readonly files: readonly ComparedFile[];
  readonly times: PhaseTimes | undefined;
}

/** Builds the same paths again and again, reading and parsing only what has changed since. */
export class BuildSession {
  readonly #request: BuildRequest;
  readonly #io: Io;
  readonly #reader: SourceReader;
  readonly #cache = new ParseCache();
  readonly #formatted = new FormatCache();
  readonly #disk: BuildCache | undefined;
  #folders: readonly string[] = [];
  #last: readonly unknown[] | undefined;

  /** @param disk Results of earlier runs of the command. */
  constructor(request: BuildRequest, io: Io, disk?: BuildCache) {
    this.#request = request;
    this.#disk = disk;
    this.#io = io;
    this.#reader = new SourceReader(io.cwd);
  }

  /** Folders that were searched, and paths of files that were read or looked for. */
  get watched(): { readonly folders: readonly string[]; readonly files: readonly string[] } {
    return { folders: this.#folders, files: this.#reader.paths };
  }

  /** Builds. `undefined` if nothing that goes in has changed since the last time. */
  async build(): Promise<BuildOutcome | undefined> {
    const started = performance.now();
    this.#reader.refresh();
    const loaded = await load(this.#request.paths, this.#reader, this.#io);
    this.#folders = loaded.folders;
    const read = performance.now() - started;
    const fromDisk = await this.#fromDisk(loaded);
    if (fromDisk) {
      const { outputs, counts, times, reused, files } = fromDisk;
      return { ...this.#finish(outputs, [], { ...times, read }), counts, reuse: { reused, files } };
    }
    const compiled = this.#compile(loaded);
    if (!this.#isNew(compiled)) return undefined;
    const failed = { counts: undefined, reuse: undefined, files: [], times: undefined };
    if (!compiled.result) return { ...failed, diagnostics: compiled.diagnostics };
    const result = await emitOutputs(compiled.result, { emit: this.#request.emit, formatCache: this.#formatted });
    const counts = result.model && countsOf(result.model);
    if (hasErrors(result.diagnostics)) return { ...failed, counts, diagnostics: result.diagnostics };
    const finished = this.#finish(result.outputs, result.diagnostics, { ...result.times, read });
    return { ...finished, counts, reuse: undefined };
  }

  async #fromDisk({ sources, diagnostics }: Loaded): Promise<CachedBuildResult | undefined> {
    if (!this.#disk || diagnostics.length > 0) return undefined;
    const { emit, specVersion } = this.#request;
    const own = { cache: this.#disk, reader: this.#reader, parsed: this.#cache };
    return cachedBuild(sources, { ...own, emit, specVersion });
  }

  /** Writes what came out. */
  #finish(
    outputs: BuildResult["outputs"],
    found: readonly Diagnostic[],
    before: Omit<PhaseTimes, "write">,
  ): Pick<BuildOutcome, "diagnostics" | "files" | "times"> {
    const started = performance.now();
    const { files, diagnostics } = this.#write(outputs);
    const times = { ...before, write: performance.now() - started };
    return { diagnostics: [...found, ...diagnostics], files, times };
  }

  #compile({ sources, diagnostics }: Loaded): {
    readonly diagnostics: readonly Diagnostic[];
    readonly result: CompileResult | undefined;
    readonly files: readonly SourceFile[];
  } {
    // What could not be read is missing everywhere else: say that, and nothing that follows from it.
    if (diagnostics.length > 0) return { diagnostics, result: undefined, files: [] };
    const { resolve: find, compare } = this.#reader;
    const { specVersion } = this.#request;
    const only = specVersion === undefined ? {} : { specVersion };
    const result = compile(sources, { resolve: find, compare, cache: this.#cache, ...only });
    return { diagnostics: result.diagnostics, result, files: result.files };
  }

  #isNew({ files, diagnostics }: { files: readonly SourceFile[]; diagnostics: readonly Diagnostic[] }): boolean {
    // Trees of files that have not changed are the same objects; what else can change shows in the messages.
    const now = [...files, ...diagnostics.map(({ code, message, help }) => `${code} ${message} ${help ?? ""}`)];
    const last = this.#last;
    this.#last = now;
    return last?.length !== now.length || now.some((item, index) => item !== last[index]);
  }

  #write(outputs: BuildResult["outputs"]): { files: readonly ComparedFile[]; diagnostics: readonly Diagnostic[] } {
    const { out, check } = this.#request;
    const { cwd } = this.#io;
    const folder = resolve(cwd, out);
    const wanted: FileText[] = outputs.map(({ path, text }) => ({ path: join(folder, path), text }));
    const { files, diagnostics } = compareOutputs(folder, wanted, cwd);
    if (hasErrors(diagnostics)) return { files: [], diagnostics };
    if (check) return { files, diagnostics: staleness(files, cwd, rebuildCommand(this.#request)) };
    const changed = new Set(
      files.filter(({ state }) => state === "stale" || state === "missing").map(({ path }) => path),
    );
    const problems = writeFiles(
      wanted.filter(({ path }) => changed.has(path)),
      cwd,
    );
    return { files: hasErrors(problems) ? [] : files, diagnostics: problems };
  }
}

function rebuildCommand({ paths, out, emit, specVersion }: BuildRequest): string {
  const words = ["virtio-gen", "build", ...paths, "--out", out];
  if (emit.join() !== "ts") words.push("--emit", emit.join());
  if (specVersion !== undefined) words.push("--spec-version", specVersion);
  return `run \`${words.join(" ")}\``;
}
