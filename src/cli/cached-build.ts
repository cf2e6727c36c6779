import { basename } from "node:path";
import { emitOutputs, type BuildTimes } from "../compiler/build.js";
import { compile } from "../compiler/compile.js";
import type { EmitTarget } from "../compiler/emit-targets.js";
import type { ParseCache } from "../compiler/parse-sources.js";
import type { Source } from "../diagnostics/source.js";
import type { EmittedFile } from "../emit/typescript/index.js";
import type { DeviceModel, Model, SpecVersion } from "../model/device-model.js";
import { hashOf, type BuildCache } from "./build-cache.js";
import { isFileFacts, isStoredUnit, type FileFacts, type StoredUnit } from "./cache-entries.js";
import type { SourceReader } from "./source-reader.js";
import { countsOf, type ModelCounts } from "./summary.js";

export interface CachedBuildOptions {
  readonly cache: BuildCache;
  readonly reader: SourceReader;
  readonly parsed: ParseCache;
  readonly emit: readonly EmitTarget[];
  readonly specVersion: SpecVersion | undefined;
}

export interface CachedBuildResult {
  /** Sorted by path. */
  readonly outputs: readonly EmittedFile[];
  readonly counts: ModelCounts;
  /** Without reading and writing. */
  readonly times: BuildTimes;
  readonly reused: number;
  readonly files: number;
}

/** A file, and what is known of it without checking it. */
interface File {
  readonly source: Source;
  readonly hash: string;
  readonly facts: FileFacts;
}

/**
 * Builds only what is not known from an earlier build. A file that declares nothing but devices (but not `core`) matters to
 * no other file; what it gives depends on its text and on the files that are not like that. What several devices of
 * different files can get wrong together (a name, a number twice) is checked over all of them.
 *
 * Gives `undefined` where only a build of everything tells what is to be said: something is wrong somewhere, or the target
 * needs the whole model.
 */
export async function cachedBuild(
  sources: readonly Source[],
  options: CachedBuildOptions,
): Promise<CachedBuildResult | undefined> {
  const { cache, emit, specVersion } = options;
  if (emit.includes("json")) return undefined;
  const started = performance.now();
  const files = findFiles(sources, options);
  if (!files) return undefined;
  const common = files.filter(({ facts }) => facts.isCommon);
  const leaves = files.filter(({ facts }) => !facts.isCommon);
  const settings = JSON.stringify([emit, specVersion ?? null]);
  const nameOf = ({ source, hash }: File): string => `${basename(source.name)} ${hash}`;
  const commonKey = cache.key("unit", settings, ...common.map(nameOf));
  const keyOf = (leaf: File): string => cache.key("unit", commonKey, nameOf(leaf));
  const known = new Map<string, StoredUnit>();
  for (const key of [commonKey, ...leaves.map(keyOf)]) {
    const entry = cache.get(key);
    if (isStoredUnit(entry)) known.set(key, entry);
  }
  const missing = leaves.filter((leaf) => !known.has(keyOf(leaf)));
  const reused = files.length - missing.length - (known.has(commonKey) ? 0 : common.length);
  const needed = missing.length > 0 || !known.has(commonKey);
  const parse = performance.now() - started;
  let times: BuildTimes = { parse, check: 0, emit: 0, format: 0 };
  if (needed) {
    // Common files are needed to check the others; what they give themselves may be known.
    const isCommonKnown = known.has(commonKey);
    const made = await buildSome([...common, ...missing], isCommonKnown ? missing : undefined, options);
    if (!made) return undefined;
    times = { ...made.times, parse: made.times.parse + parse };
    const store = (key: string, own: readonly File[], shared: boolean): void => {
      const unit = unitOf(made, own, shared);
      cache.put(key, unit);
      known.set(key, unit);
    };
    if (!isCommonKnown) store(commonKey, common, true);
    for (const leaf of missing) store(keyOf(leaf), [leaf], false);
    cache.prune();
  }
  const units = [commonKey, ...leaves.map(keyOf)].flatMap((key) => known.get(key) ?? []);
  if (clash(units)) return undefined;
  const outputs = units.flatMap((unit) => unit.outputs).sort((a, b) => (a.path < b.path ? -1 : 1));
  const sum = (of: keyof ModelCounts): number => units.reduce((total, { counts }) => total + counts[of], 0);
  const counts = { devices: sum("devices"), features: sum("features"), structs: sum("structs") };
  return { outputs, counts, times, reused, files: files.length };
}

/** The sources and all that they import, in the order of a build; undefined if one does not parse or cannot be found. */
function findFiles(
  sources: readonly Source[],
  { cache, reader, parsed }: CachedBuildOptions,
): readonly File[] | undefined {
  const files: File[] = [];
  const waiting = [...sources];
  const seen = new Set<Source>(sources);
  for (let source = waiting.shift(); source; source = waiting.shift()) {
    const hash = hashOf(source.text);
    const key = cache.key("file", hash);
    const entry = cache.get(key);
    let facts: FileFacts;
    if (isFileFacts(entry)) facts = entry;
    else {
      const { file, diagnostics } = parsed.parse(source);
      if (diagnostics.length > 0) return undefined;
      facts = {
        imports: file.items.flatMap((item) => (item.kind === "import" ? [item.path] : [])),
        devices: file.items.flatMap((item) => (item.kind === "device" ? [item.name.text] : [])),
        isCommon: file.items.some(
          (item) => item.kind !== "import" && (item.kind !== "device" || item.keyword === "core"),
        ),
      };
      cache.put(key, facts);
    }
    files.push({ source, hash, facts });
    for (const path of facts.imports) {
      const imported = reader.resolve(path, source);
      if ("kind" in imported) return undefined;
      if (!seen.has(imported)) {
        seen.add(imported);
        waiting.push(imported);
      }
    }
  }
  return files.sort((a, b) => reader.compare(a.source, b.source));
}

interface Made {
  readonly model: Model;
  readonly outputs: readonly EmittedFile[];
  readonly times: BuildTimes;
}

/** Checks some files, and emits those devices that `emitted` declare: all, if it is missing. */
async function buildSome(
  files: readonly File[],
  emitted: readonly File[] | undefined,
  options: CachedBuildOptions,
): Promise<Made | undefined> {
  const { reader, parsed, emit, specVersion } = options;
  const compiled = compile(
    files.map(({ source }) => source),
    {
      resolve: reader.resolve,
      compare: reader.compare,
      cache: parsed,
      ...(specVersion === undefined ? {} : { specVersion }),
    },
  );
  if (!compiled.model || compiled.diagnostics.length > 0) return undefined;
  const { model } = compiled;
  const names = new Set((emitted ?? files).flatMap(({ facts }) => facts.devices));
  const devices = model.devices.filter(({ name }) => names.has(name));
  const { outputs, diagnostics, times } = await emitOutputs({ ...compiled, model: { ...model, devices } }, { emit });
  return diagnostics.length > 0 ? undefined : { model, outputs, times };
}

/** What came of some files. `shared`: and of what belongs to no device. */
function unitOf({ model, outputs }: Made, files: readonly File[], shared: boolean): StoredUnit {
  const names = new Set(files.flatMap(({ facts }) => facts.devices));
  const devices = model.devices.filter(({ name }) => names.has(name));
  const none = { enums: [], structs: [], externals: [], constants: [] };
  return {
    devices: devices.map(({ name, id }) => ({ name, id })),
    counts: countsOf({ ...model, devices, shared: shared ? model.shared : none }),
    outputs: outputs.filter(({ device }) => (device === undefined ? shared : isOf(device, devices))),
  };
}

function isOf(name: string, devices: readonly DeviceModel[]): boolean {
  return devices.some((device) => device.name === name);
}

/** Do files that have nothing to do with each other have the same name, number or output? */
function clash(units: readonly StoredUnit[]): boolean {
  const seen = new Set<string>();
  const isNew = (what: string): boolean => seen.size !== seen.add(what).size;
  return !units.every(
    ({ devices, outputs }) =>
      devices.every(({ name, id }) => isNew(`name ${name}`) && (id === null || isNew(`id ${id}`))) &&
      outputs.every(({ path }) => isNew(`path ${path.toLowerCase()}`)),
  );
}
