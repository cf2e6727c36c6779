import { relative, sep } from "node:path";
import type { Span } from "../diagnostics/source.js";

/** A place for findings about a file as a whole, which may not even be there. */
export function fileSpan(name: string): Span {
  return { source: { name, text: "" }, start: 0, end: 0 };
}

/** How messages name an absolute path: seen from the working directory, with `/` whatever the platform. */
export function shownPath(path: string, cwd: string): string {
  const shown = relative(cwd, path);
  return shown === "" ? "." : withSlashes(shown);
}

function withSlashes(path: string): string {
  return sep === "/" ? path : path.replaceAll(sep, "/");
}
