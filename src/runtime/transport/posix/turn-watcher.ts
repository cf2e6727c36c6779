import type { NativeBlock, Pointer, SystemCalls } from "./system-calls.js";
import type { Watch, Watcher } from "./watcher.js";

const POLLIN = 1;
const entryBytes = 8;
/** Turns after which an event loop that has always had something to do is not believed any more. */
const credulousTurns = 1000;

interface Watched {
  readonly fd: number;
  readonly onReadable: () => void;
  active: boolean;
}

/** libuv's functions for who polls an event loop by other means than its own. */
interface Loop {
  readonly pointer: Pointer;
  /** Readable when the event loop has something to do. */
  readonly fd: number;
  /** Milliseconds until the event loop has something to do; 0: at once; -1: when its descriptor says so. */
  timeout(loop: Pointer): number;
}

/**
 * Watches descriptors in the event loop of a Worker: in each of its turns the thread sleeps in a poll of its own, over the
 * descriptors and that of the event loop, for no longer than the event loop would. So promises, timers, messages
 * and input get their turns as ever, a wake-up costs a system call, and nothing is done while nothing happens. libuv's handles,
 * as the main thread uses them, would have to be closed before a Worker is ended, which nobody can see to.
 */
export class TurnWatcher implements Watcher {
  readonly #system: SystemCalls;
  readonly #loop: Loop;
  #watched: Watched[] = [];
  /** What is watched has changed since {@link #entries} were written. */
  #changed = true;
  #entries: NativeBlock | undefined;
  #running = false;
  /** Turns while the event loop was never at rest; -1: it has been. */
  #restless = 0;

  private constructor(system: SystemCalls, loop: Loop) {
    this.#system = system;
    this.#loop = loop;
    this.#entries = undefined;
  }

  /** Undefined where the thread's event loop cannot be reached. */
  static open(system: SystemCalls): TurnWatcher | undefined {
    try {
      const node = system.koffi.load(null);
      // v8::Isolate::GetCurrent() and node::GetCurrentEventLoop(v8::Isolate *), which Node has for its extensions.
      const isolate: unknown = node.func("void *_ZN2v87Isolate10GetCurrentEv()")();
      const loop: unknown = node.func("void *_ZN4node19GetCurrentEventLoopEPN2v87IsolateE(void *isolate)")(isolate);
      if (typeof loop !== "bigint") return undefined;
      const fd = Number(node.func("int uv_backend_fd(void *loop)")(loop));
      if (!(fd >= 0)) return undefined;
      return new TurnWatcher(system, { pointer: loop, fd, timeout: node.func("int uv_backend_timeout(void *loop)") });
    } catch {
      return undefined;
    }
  }

  watch(fd: number, onReadable: () => void): Watch {
    const watched: Watched = { fd, onReadable, active: true };
    this.#watched = [...this.#watched, watched];
    this.#changed = true;
    if (!this.#running) {
      this.#running = true;
      setImmediate(this.#turn);
    }
    return {
      close: () => {
        if (!watched.active) return;
        watched.active = false;
        this.#watched = this.#watched.filter((other) => other !== watched);
        this.#changed = true;
      },
    };
  }

  readonly #turn = (): void => {
    const watched = this.#watched;
    if (watched.length === 0) {
      this.#running = false;
      if (this.#entries !== undefined) this.#system.free(this.#entries);
      this.#entries = undefined;
      return;
    }
    const entries = this.#filled(watched);
    const ready = this.#system.poll(entries.pointer, watched.length + 1, this.#patience());
    if (ready > 0) {
      for (let index = 0; index < watched.length; index++) {
        const one = watched[index];
        if (one?.active === true && entries.view.getInt16((index + 1) * entryBytes + 6, true) !== 0) one.onReadable();
      }
    }
    setImmediate(this.#turn);
  };

  /** How long the thread may sleep. */
  #patience(): number {
    // Node tells libuv that no other immediate waits when the last one ceases to count; so this is the last one. Should
    // another version of Node not do so, a processor is not kept busy for it.
    clearImmediate(setImmediate(nothing).unref());
    const timeout = this.#loop.timeout(this.#loop.pointer);
    if (timeout !== 0) this.#restless = -1;
    else if (this.#restless >= 0 && this.#restless++ > credulousTurns) return 1;
    return timeout;
  }

  /** The event loop's descriptor and those that are watched. */
  #filled(watched: readonly Watched[]): NativeBlock {
    let entries = this.#entries;
    if (entries !== undefined && !this.#changed) return entries;
    const count = watched.length + 1;
    if (entries === undefined || entries.bytes.length < count * entryBytes) {
      if (entries !== undefined) this.#system.free(entries);
      entries = this.#entries = this.#system.allocate(Math.max(16, 2 * count) * entryBytes);
    }
    this.#changed = false;
    for (let index = 0; index < count; index++) {
      const fd = index === 0 ? this.#loop.fd : (watched[index - 1]?.fd ?? -1);
      entries.view.setInt32(index * entryBytes, fd, true);
      entries.view.setInt16(index * entryBytes + 4, POLLIN, true);
      entries.view.setInt16(index * entryBytes + 6, 0, true);
    }
    return entries;
  }
}

function nothing(): void {
  // Never called.
}
