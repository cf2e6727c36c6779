/**
 * The compiler, without a file system: sources in; a checked model, diagnostics and generated files out. Runs in Node and
 * in a browser.
 */
export {
  build,
  emitOutputs,
  FormatCache,
  type EmitOptions,
  type BuildOptions,
  type BuildResult,
  type BuildTimes,
} from "./build.js";
export { emitTargets, type EmitTarget } from "./emit-targets.js";
export { compile, type CompileOptions, type CompileResult, type CompileTimes } from "./compile.js";
export { ParseCache, type ImportFailure, type ImportResolver } from "./parse-sources.js";
export { VERSION } from "./version.js";
export { type Diagnostic, type Label } from "../diagnostics/diagnostic.js";
export { renderGithub } from "../diagnostics/render-github.js";
export { jsonDiagnostics, type JsonDiagnostic } from "../diagnostics/render-json.js";
export { renderPlain } from "../diagnostics/render-plain.js";
export { renderPretty, type PrettyOptions } from "../diagnostics/render-pretty.js";
export { hasErrors } from "../diagnostics/render-text.js";
export { positionAt, type Position, type Source, type Span } from "../diagnostics/source.js";
export { type EmittedFile } from "../emit/typescript/index.js";
export * from "../model/device-model.js";
