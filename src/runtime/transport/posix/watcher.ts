import { isMainThread } from "node:worker_threads";
import { LoopWatcher } from "./loop-watcher.js";
import type { SystemCalls } from "./system-calls.js";
import { ThreadWatcher } from "./thread-watcher.js";
import { TurnWatcher } from "./turn-watcher.js";

/** A descriptor that is watched. */
export interface Watch {
  /** Ends it: nobody is called any more, and the descriptor may be closed. May be called again. */
  close(): void;
}

/** Calls back when descriptors can be read, from the event loop. */
export interface Watcher {
  /**
   * `onReadable` is called as long as there is something to read, or the other side is gone. It must not throw.
   * @throws SystemCallError when the descriptor cannot be watched, such as that of a file.
   */
  watch(fd: number, onReadable: () => void): Watch;
}

/** The way that suits this thread; all of its descriptors are watched by one watcher. */
export function watcherOf(system: SystemCalls): Watcher {
  return (shared ??= (isMainThread ? LoopWatcher : TurnWatcher).open(system) ?? new ThreadWatcher(system));
}

let shared: Watcher | undefined;
