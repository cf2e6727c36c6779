import { EventFd } from "./event-fd.js";
import type { NativeBlock, SystemCalls } from "./system-calls.js";
import type { Watch, Watcher } from "./watcher.js";

const POLLIN = 1;
const entryBytes = 8;
/** Milliseconds that a poll takes at most: a Worker that ends waits for it. */
const longestPoll = 1000;

interface Watched {
  readonly fd: number;
  readonly onReadable: () => void;
  active: boolean;
}

/**
 * Watches descriptors with a blocking poll in one of libuv's threads. Slower to wake than the event loop itself, and needs
 * nothing of Node but koffi: for where Node's libuv cannot be reached. Each one keeps a thread of the pool, which has four.
 */
export class ThreadWatcher implements Watcher {
  readonly #system: SystemCalls;
  #watched: Watched[] = [];
  #entries: NativeBlock | undefined;
  /** What interrupts the poll that is under way. Exists while there is something to watch. */
  #wake: EventFd | undefined;
  #polling = false;

  constructor(system: SystemCalls) {
    this.#system = system;
    this.#entries = undefined;
    this.#wake = undefined;
  }

  watch(fd: number, onReadable: () => void): Watch {
    const watched: Watched = { fd, onReadable, active: true };
    this.#watched.push(watched);
    this.#changed();
    return {
      close: () => {
        if (!watched.active) return;
        watched.active = false;
        this.#watched = this.#watched.filter((other) => other !== watched);
        this.#changed();
      },
    };
  }

  #changed(): void {
    if (this.#polling) this.#wake?.signal();
    else queueMicrotask(() => this.#poll());
  }

  #poll(): void {
    if (this.#polling) return;
    const watched = this.#watched;
    if (watched.length === 0) {
      this.#wake?.close();
      this.#wake = undefined;
      if (this.#entries !== undefined) this.#system.free(this.#entries);
      this.#entries = undefined;
      return;
    }
    this.#wake ??= EventFd.create(this.#system);
    const entries = this.#fill([this.#wake.fd, ...watched.map(({ fd }) => fd)]);
    this.#polling = true;
    const done = (): void => {
      this.#polling = false;
      if (entries.view.getInt16(6, true) !== 0) this.#wake?.drain();
      watched.forEach((one, index) => {
        if (one.active && entries.view.getInt16((index + 1) * entryBytes + 6, true) !== 0) one.onReadable();
      });
      this.#poll();
    };
    this.#system.pollAsync(entries.pointer, watched.length + 1, longestPoll, done);
  }

  #fill(fds: readonly number[]): NativeBlock {
    let entries = this.#entries;
    if (entries === undefined || entries.bytes.length < fds.length * entryBytes) {
      if (entries !== undefined) this.#system.free(entries);
      entries = this.#entries = this.#system.allocate(Math.max(16, 2 * fds.length) * entryBytes);
    }
    for (const [index, fd] of fds.entries()) {
      entries.view.setInt32(index * entryBytes, fd, true);
      entries.view.setInt16(index * entryBytes + 4, POLLIN, true);
      entries.view.setInt16(index * entryBytes + 6, 0, true);
    }
    return entries;
  }
}
