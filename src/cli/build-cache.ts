import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fileErrorReason } from "./file-errors.js";
import { packageFolder } from "./package-files.js";

/** More entries than that are the leftovers of earlier inputs: the oldest go. */
const MOST_ENTRIES = 2000;

/**
 * Results of earlier builds, in files named by a hash of everything that they depend on. An entry that is damaged, or that
 * cannot be read or written, is as good as none: the cache never fails a build.
 */
export class BuildCache {
  readonly #folder: string;
  readonly #compiler: string;

  /** @param compiler What changes whenever the compiler may give something else. */
  constructor(folder: string, compiler: string = compilerFingerprint()) {
    this.#folder = folder;
    this.#compiler = compiler;
  }

  /** A key of all that a result depends on, the compiler included. */
  key(...parts: readonly string[]): string {
    return hashOf(JSON.stringify([this.#compiler, ...parts]));
  }

  /** What was stored under a key; undefined if there is nothing, or nothing whole. */
  get(key: string): unknown {
    try {
      const text = readFileSync(this.#path(key), "utf8");
      const end = text.indexOf("\n");
      const payload = text.slice(end + 1);
      return end > 0 && text.slice(0, end) === checksum(key, payload) ? JSON.parse(payload) : undefined;
    } catch (error) {
      if (fileErrorReason(error) === undefined && !(error instanceof SyntaxError)) throw error;
      return undefined;
    }
  }

  put(key: string, value: unknown): void {
    const path = this.#path(key);
    const temporary = `${path}.${process.pid}.tmp`;
    const payload = JSON.stringify(value);
    try {
      mkdirSync(this.#folder, { recursive: true });
      writeFileSync(temporary, `${checksum(key, payload)}\n${payload}`);
      renameSync(temporary, path);
    } catch (error) {
      if (fileErrorReason(error) === undefined) throw error;
    }
  }

  /** Throws the oldest entries away if there are too many. */
  prune(most: number = MOST_ENTRIES): void {
    try {
      const paths = readdirSync(this.#folder).map((name) => join(this.#folder, name));
      if (paths.length <= most) return;
      const dated = paths.map((path) => ({ path, time: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }));
      dated.sort((a, b) => a.time - b.time);
      for (const { path } of dated.slice(0, dated.length - most)) rmSync(path, { force: true });
    } catch (error) {
      if (fileErrorReason(error) === undefined) throw error;
    }
  }

  #path(key: string): string {
    return join(this.#folder, `${key}.json`);
  }
}

export function hashOf(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}

function checksum(key: string, payload: string): string {
  return hashOf(`${key}\n${payload}`);
}

/** `node_modules/.cache/virtio-gen` of the package that a folder belongs to, as other tools have it; undefined without one. */
export function defaultCacheFolder(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const modules = join(folder, "node_modules");
    if (existsSync(modules)) return join(modules, ".cache", "virtio-gen");
    if (dirname(folder) === folder) return undefined;
  }
}

/** Of the compiler's own code and of what it lays text out with: not of a version that is the same while it is developed. */
function compilerFingerprint(): string {
  const hash = createHash("sha256");
  const root = join(dirname(fileURLToPath(import.meta.url)), "..");
  for (const room of ["compiler", "diagnostics", "emit", "language", "model", "cli"]) {
    const entries = readdirSync(join(root, room), { withFileTypes: true, recursive: true });
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const path of paths.sort()) hash.update(path.slice(root.length)).update("\0").update(readFileSync(path));
  }
  hash.update(readFileSync(join(packageFolder(), "package.json")));
  hash.update(readFileSync(fileURLToPath(import.meta.resolve("prettier/package.json"))));
  return hash.digest("hex");
}
