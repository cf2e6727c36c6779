import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import type { ImportResolver } from "../compiler/parse-sources.js";
import { DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import type { Source } from "../diagnostics/source.js";
import { decodeSource } from "./decode-utf8.js";
import { fileErrorCode, reasonOrThrow } from "./file-errors.js";
import { fileSpan, shownPath } from "./file-span.js";

/** No definition comes near; what is larger is something else. */
export const MAXIMUM_MIB = 16;
const MAXIMUM_BYTES = MAXIMUM_MIB << 20;

export interface ReadSource {
  readonly source: Source;
  readonly diagnostics: readonly Diagnostic[];
}

interface KnownFile {
  readonly read: ReadSource;
  readonly bytes: Uint8Array;
}

/**
 * Reads definitions, each file once however many paths lead to it. Between compilations `refresh` makes it look at the
 * disk again; a file whose bytes are the same stays the same `Source` object.
 */
export class SourceReader {
  readonly #cwd: string;
  readonly #files = new Map<string, KnownFile>();
  readonly #pathOf = new WeakMap<Source, string>();
  readonly #fresh = new Set<string>();
  readonly #wanted = new Set<string>();

  constructor(cwd: string) {
    this.#cwd = realpathOr(cwd);
  }

  /** The file at a path, or what is wrong with it. */
  read(path: string): ReadSource | { readonly source: undefined; readonly diagnostics: readonly Diagnostic[] } {
    const shown = shownPath(resolve(this.#cwd, path), this.#cwd);
    const bag = new DiagnosticBag();
    this.#wanted.add(path);
    try {
      return this.#readReal(realpathSync(path));
    } catch (error) {
      if (error instanceof TooLarge) bag.report("file-too-large", fileSpan(shown), { path: shown, limit: MAXIMUM_MIB });
      else if (fileErrorCode(error) === "ENOENT") bag.report("path-missing", fileSpan(shown), { path: shown });
      else bag.report("path-unreadable", fileSpan(shown), { path: shown, reason: readReason(error) });
      return { source: undefined, diagnostics: bag.sorted() };
    }
  }

  /** Text that does not come from a file, such as the standard input. Its imports are found from the working directory. */
  readText(name: string, bytes: Uint8Array): ReadSource {
    return decodeSource(name, bytes);
  }

  /** Finds imports from the file that they stand in. */
  readonly resolve: ImportResolver = (path, from) => {
    const importer = this.#pathOf.get(from);
    const target = resolve(importer === undefined ? this.#cwd : dirname(importer), path);
    if (!path.endsWith(".virtio")) {
      return { kind: "failure", reason: "the name of a definition ends in .virtio" };
    }
    this.#wanted.add(target);
    try {
      const { source, diagnostics } = this.#readReal(realpathSync(target));
      return diagnostics.length > 0 ? { kind: "invalid", diagnostics } : source;
    } catch (error) {
      const shown = shownPath(target, this.#cwd);
      const reason = error instanceof TooLarge ? `it is larger than ${MAXIMUM_MIB} MiB` : readReason(error);
      return { kind: "failure", reason, help: `looked for ${shown}` };
    }
  };

  /**
   * The same wherever the command runs and wherever the files were checked out to: by folder, then by name, from the
   * root down.
   */
  readonly compare = (a: Source, b: Source): number => {
    const left = (this.#pathOf.get(a) ?? a.name).split(sep);
    const right = (this.#pathOf.get(b) ?? b.name).split(sep);
    for (let index = 0; index < Math.min(left.length, right.length); index++) {
      const x = left[index] ?? "";
      const y = right[index] ?? "";
      if (x !== y) return x < y ? -1 : 1;
    }
    return left.length - right.length;
  };

  /** The real path of a source, whatever path led to it; text that was piped in has none. */
  pathOf(source: Source): string | undefined {
    return this.#pathOf.get(source);
  }

  /** Paths of all files that somebody asked for since the last `refresh`, there or not. */
  get paths(): readonly string[] {
    return [...new Set([...this.#wanted, ...this.#fresh])];
  }

  refresh(): void {
    this.#fresh.clear();
    this.#wanted.clear();
  }

  #readReal(path: string): ReadSource {
    const known = this.#files.get(path);
    if (known && this.#fresh.has(path)) return known.read;
    const bytes = readBytes(path);
    this.#fresh.add(path);
    if (known && Buffer.compare(known.bytes, bytes) === 0) return known.read;
    const read = decodeSource(shownPath(path, this.#cwd), bytes);
    this.#files.set(path, { read, bytes });
    this.#pathOf.set(read.source, path);
    return read;
  }
}

class TooLarge extends Error {}
class NotAFile extends Error {}

function readReason(error: unknown): string {
  return error instanceof NotAFile ? "it is not a file" : reasonOrThrow(error);
}

/** Reads a regular file, but never more than the limit, whatever size it claims to have. */
function readBytes(path: string): Uint8Array {
  // Opening a pipe would wait for somebody to write to it.
  if (!statSync(path).isFile()) throw new NotAFile();
  const file = openSync(path, "r");
  try {
    const stat = fstatSync(file);
    if (stat.size > MAXIMUM_BYTES) throw new TooLarge();
    const chunks: Buffer[] = [];
    let size = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(Math.max(4096, stat.size - size + 1));
      const count = readSync(file, chunk, 0, chunk.length, null);
      if (count === 0) return Buffer.concat(chunks, size);
      chunks.push(chunk.subarray(0, count));
      size += count;
      if (size > MAXIMUM_BYTES) throw new TooLarge();
    }
  } finally {
    closeSync(file);
  }
}

function realpathOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
