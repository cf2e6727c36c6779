import { DiagnosticBag } from "../diagnostics/diagnostic.js";
import { sortDiagnostics } from "../diagnostics/render-text.js";
import type { Source } from "../diagnostics/source.js";
import { emitC } from "../emit/c/index.js";
import { emitJson } from "../emit/json/index.js";
import { EmitError, formatTypeScript, printTypeScript, type EmittedFile } from "../emit/typescript/index.js";
import type { SourceFile } from "../language/syntax-tree.js";
import type { Model } from "../model/device-model.js";
import { withoutMessageStructs } from "../model/message-structs.js";
import { compile, type CompileOptions, type CompileResult, type CompileTimes } from "./compile.js";
import type { EmitTarget } from "./emit-targets.js";
import { placeInSource } from "./place-in-source.js";
import { VERSION } from "./version.js";

export interface EmitOptions {
  /** `ts` alone if missing. */
  readonly emit?: readonly EmitTarget[];
  /** Remembers files that were laid out in an earlier call: laying out takes most of the time. */
  readonly formatCache?: FormatCache;
}

export interface BuildOptions extends CompileOptions, EmitOptions {}

/** Milliseconds that each phase took. */
export interface BuildTimes extends CompileTimes {
  /** Making text of the model. */
  readonly emit: number;
  /** Laying that text out. */
  readonly format: number;
}

export interface BuildResult extends Omit<CompileResult, "times"> {
  /** Sorted by path; empty if there are errors. Paths are relative to the output folder. */
  readonly outputs: readonly EmittedFile[];
  readonly times: BuildTimes;
}

/** Files as they were laid out the last time, by what they were before. */
export class FormatCache {
  #files = new Map<string, EmittedFile>();

  /** Lays files out that are not known yet, and forgets those that are not among these. */
  async format(files: readonly EmittedFile[]): Promise<readonly EmittedFile[]> {
    const formatted = await Promise.all(
      files.map(async (file) => {
        const known = this.#files.get(file.text);
        return known?.path === file.path ? known : formatTypeScript(file);
      }),
    );
    this.#files = new Map(formatted.map((file, index) => [files[index]?.text ?? "", file]));
    return formatted;
  }
}

/** Compiles, and makes files of the model. Writes nothing: the files are in the result. */
export async function build(sources: readonly Source[], options: BuildOptions = {}): Promise<BuildResult> {
  return emitOutputs(compile(sources, options), options);
}

/** The second half of `build`: makes files of what `compile` gave. */
export async function emitOutputs(compiled: CompileResult, options: EmitOptions = {}): Promise<BuildResult> {
  const { model } = compiled;
  if (!model) return { ...compiled, outputs: [], times: { ...compiled.times, emit: 0, format: 0 } };
  const targets = options.emit ?? ["ts"];
  const bag = new DiagnosticBag();
  const started = performance.now();
  const printed = targets.includes("ts") ? printChecked(model, compiled.files, bag) : [];
  const json = targets.includes("json") ? [{ path: "model.json", text: emitJson(model) }] : [];
  const headers = targets.includes("c") ? emitC(model, { version: VERSION }) : [];
  findCollisions([...printed, ...headers, ...json], bag);
  const emitEnd = performance.now();
  const formatted = bag.hasErrors ? [] : await (options.formatCache ?? new FormatCache()).format(printed);
  const times = { ...compiled.times, emit: emitEnd - started, format: performance.now() - emitEnd };
  const diagnostics = sortDiagnostics([...compiled.diagnostics, ...bag.sorted()]);
  const outputs = bag.hasErrors ? [] : [...formatted, ...headers, ...json].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { ...compiled, diagnostics, outputs, times };
}

/** TypeScript of the model, device by device. A construct that cannot be written yet is a finding, not a crash. */
function printChecked(model: Model, files: readonly SourceFile[], bag: DiagnosticBag): readonly EmittedFile[] {
  const printable = withoutMessageStructs(model);
  return printable.devices.flatMap((device) => {
    try {
      return printTypeScript({ ...printable, devices: [device] }, { version: VERSION });
    } catch (error) {
      if (!(error instanceof EmitError)) throw error;
      const { construct, place } = error;
      const nowhere = { source: { name: device.source, text: "" }, start: 0, end: 0 };
      bag.report(
        "cannot-emit",
        placeInSource(place, device, model, files) ?? nowhere,
        { construct, place },
        { help: WAY_OUT },
      );
      return [];
    }
  });
}

const WAY_OUT = "say the same in another way; `--emit json,c` makes the model and the C header of it as it is";

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
