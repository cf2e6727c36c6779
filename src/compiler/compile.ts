import { compareText, DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import { hasErrors, sortDiagnostics } from "../diagnostics/render-text.js";
import type { Source } from "../diagnostics/source.js";
import type { SourceFile } from "../language/syntax-tree.js";
import { check } from "../model/check.js";
import type { Model, SpecVersion } from "../model/device-model.js";
import { ParseCache, parseSources, type ImportResolver } from "./parse-sources.js";
import { restrictToVersion } from "./spec-version.js";
import { withoutSuperseded } from "./superseded.js";

export interface CompileOptions {
  /** Finds imported files; without it what is imported has to be among the sources, by name. */
  readonly resolve?: ImportResolver;
  /**
   * Order of the sources, on which the order of devices in the model depends. By name if it is missing. Names that
   * depend on where the compiler was started need an order that does not.
   */
  readonly compare?: (a: Source, b: Source) => number;
  /** Trees of an earlier call, to be used again where the source is the same object. */
  readonly cache?: ParseCache;
  /** Leave out what came after this release of the specification. */
  readonly specVersion?: SpecVersion;
}

/** Milliseconds that each phase took. */
export interface CompileTimes {
  readonly parse: number;
  readonly check: number;
}

export interface CompileResult {
  /** Missing if there are errors. */
  readonly model: Model | undefined;
  /** All files, imported ones too, in the order that `compare` gives. */
  readonly files: readonly SourceFile[];
  readonly diagnostics: readonly Diagnostic[];
  readonly times: CompileTimes;
}

/**
 * Turns sources into a checked model. Bad input gives diagnostics, never an exception. The result depends on the
 * sources alone, not on the order in which they are given.
 */
export function compile(sources: readonly Source[], options: CompileOptions = {}): CompileResult {
  const compare = options.compare ?? ((a, b) => compareText(a.name, b.name));
  const started = performance.now();
  const ordered = [...sources].sort(compare);
  const parsed = parseSources(ordered, options.resolve, options.cache ?? new ParseCache());
  const files = [...parsed.files].sort((a, b) => compare(a.span.source, b.span.source));
  const parseEnd = performance.now();
  // What does not parse is only partly there; checking it would report what is missing a second time.
  if (hasErrors(parsed.diagnostics)) {
    const times = { parse: parseEnd - started, check: 0 };
    return { model: undefined, files, diagnostics: sortDiagnostics(parsed.diagnostics), times };
  }
  const bag = new DiagnosticBag();
  const whole = check(files, bag, { importsResolved: options.resolve !== undefined });
  const { specVersion } = options;
  const asOf = (model: Model): Model =>
    specVersion === undefined ? withoutSuperseded(model) : restrictToVersion(model, specVersion);
  const model = bag.hasErrors ? whole : asOf(whole);
  const times = { parse: parseEnd - started, check: performance.now() - parseEnd };
  const diagnostics = sortDiagnostics([...parsed.diagnostics, ...bag.sorted()]);
  return { model: bag.hasErrors ? undefined : model, files, diagnostics, times };
}
