import { DiagnosticBag } from "../diagnostics/diagnostic.js";
import { sortDiagnostics } from "../diagnostics/render-text.js";
import type { Source } from "../diagnostics/source.js";
import { emitJson } from "../emit/json/index.js";
import { EmitError, emitTypeScript, type EmittedFile } from "../emit/typescript/index.js";
import type { Model } from "../model/device-model.js";
import { compile, type CompileOptions, type CompileResult, type CompileTimes } from "./compile.js";
import { VERSION } from "./version.js";

/** What can be made of a model: TypeScript, one file a device, or the model itself as JSON. */
export const emitTargets = ["ts", "json"] as const;
export type EmitTarget = (typeof emitTargets)[number];

export interface BuildOptions extends CompileOptions {
  /** `ts` alone if missing. */
  readonly emit?: readonly EmitTarget[];
}

/** Milliseconds that each phase took. */
export interface BuildTimes extends CompileTimes {
  readonly emit: number;
  /** Of which nothing is in `emit`: laying out what was emitted. */
  readonly format: number;
}

export interface BuildResult extends Omit<CompileResult, "times"> {
  /** Sorted by path; empty if there are errors. Paths are relative to the output folder. */
  readonly outputs: readonly EmittedFile[];
  readonly times: BuildTimes;
}

/** Compiles, and makes files of the model. Writes nothing: the files are in the result. */
export async function build(sources: readonly Source[], options: BuildOptions = {}): Promise<BuildResult> {
  return emitOutputs(compile(sources, options), options.emit);
}

/** The second half of `build`: makes files of what `compile` gave. */
export async function emitOutputs(
  compiled: CompileResult,
  targets: readonly EmitTarget[] = ["ts"],
): Promise<BuildResult> {
  const { model } = compiled;
  if (!model) return { ...compiled, outputs: [], times: { ...compiled.times, emit: 0, format: 0 } };
  const bag = new DiagnosticBag();
  const started = performance.now();
  const outputs = await emit(model, targets, bag);
  findCollisions(outputs, bag);
  const times = { ...compiled.times, emit: performance.now() - started, format: 0 };
  const diagnostics = sortDiagnostics([...compiled.diagnostics, ...bag.sorted()]);
  return { ...compiled, diagnostics, outputs: bag.hasErrors ? [] : outputs, times };
}

async function emit(model: Model, targets: readonly EmitTarget[], bag: DiagnosticBag): Promise<readonly EmittedFile[]> {
  const outputs: EmittedFile[] = [];
  try {
    if (targets.includes("ts")) outputs.push(...(await emitTypeScript(model, { version: VERSION })));
  } catch (error) {
    if (!(error instanceof EmitError)) throw error;
    const source = { name: error.place, text: "" };
    bag.report("cannot-emit", { source, start: 0, end: 0 }, { construct: error.construct, place: error.place });
  }
  if (targets.includes("json")) outputs.push({ path: "model.json", text: emitJson(model) });
  return outputs.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Two devices whose names differ in case only are one file on some systems. */
function findCollisions(outputs: readonly EmittedFile[], bag: DiagnosticBag): void {
  const seen = new Set<string>();
  for (const { path } of outputs) {
    const folded = path.toLowerCase();
    if (seen.has(folded)) {
      bag.report("output-collision", { source: { name: path, text: "" }, start: 0, end: 0 }, { path });
    }
    seen.add(folded);
  }
}
