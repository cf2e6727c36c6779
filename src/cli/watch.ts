import { watch as watchFolder, type FSWatcher } from "node:fs";
import { dirname, extname } from "node:path";
import { DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import { fileErrorCode, reasonOrThrow } from "./file-errors.js";
import { fileSpan, shownPath } from "./file-span.js";
import type { Io } from "./io.js";

/** Editors write a file in several steps; this is how long it must be quiet, in milliseconds. */
const QUIET = 80;

export interface Watched {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

export interface WatchCallbacks {
  /** From now on nothing is missed. */
  readonly ready: () => void;
  readonly onChange: () => Promise<Watched>;
}

/**
 * Calls `onChange` whenever a definition in the watched folders, or beside a watched file, has come, gone or changed.
 * `onChange` says what is to be watched from then on. Ends when the user asks to stop; gives what could not be watched.
 */
export async function watchSources(
  first: Watched,
  io: Io,
  { ready, onChange }: WatchCallbacks,
): Promise<readonly Diagnostic[]> {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  // One round after the other, however fast changes come.
  let rounds = Promise.resolve();
  return new Promise((resolve, reject) => {
    const finish = (problems: readonly Diagnostic[]): void => {
      stopped = true;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      resolve(problems);
    };
    const round = async (): Promise<void> => {
      try {
        if (!stopped) update(await onChange());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        finish([]);
      }
    };
    const changed = (name: string | null): void => {
      // A name without an extension may be a folder with definitions in it.
      if (stopped || (name !== null && extname(name) !== ".virtio" && extname(name) !== "")) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        rounds = rounds.then(round);
      }, QUIET);
    };
    const update = (watched: Watched): boolean => {
      if (stopped) return false;
      const problems = watchFolders(watched, watchers, io, changed);
      if (problems.length > 0) finish(problems);
      return problems.length === 0;
    };

    io.onStop(() => finish([]));
    if (update(first)) ready();
  });
}

/** Starts and stops watchers so that there is one for each folder that matters. */
function watchFolders(
  { folders, files }: Watched,
  watchers: Map<string, FSWatcher>,
  io: Io,
  changed: (name: string | null) => void,
): readonly Diagnostic[] {
  const bag = new DiagnosticBag();
  const wanted = new Set([...folders, ...files.map((file) => dirname(file))]);
  for (const [folder, watcher] of watchers) {
    if (wanted.has(folder)) continue;
    watcher.close();
    watchers.delete(folder);
  }
  for (const folder of wanted) {
    if (watchers.has(folder)) continue;
    try {
      const watcher = watchFolder(folder, (_event, name) => changed(name));
      // The folder is gone; if it comes back, its parent tells.
      watcher.on("error", () => watchers.delete(folder));
      watchers.set(folder, watcher);
    } catch (error) {
      if (fileErrorCode(error) === "ENOENT") continue;
      const shown = shownPath(folder, io.cwd);
      bag.report("cannot-watch", fileSpan(shown), { path: shown, reason: reasonOrThrow(error) });
    }
  }
  return bag.sorted();
}
