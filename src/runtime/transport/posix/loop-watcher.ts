import type { NativeBlock, Pointer, SystemCalls } from "./system-calls.js";
import { SystemCallError } from "./system-error.js";
import type { Watch, Watcher } from "./watcher.js";

/** Of libuv's handle types; part of its binary interface. */
const UV_POLL = 8;
const UV_READABLE = 1;
const UV_DISCONNECT = 4;

interface Libuv {
  readonly loop: Pointer;
  readonly handleBytes: number;
  init(loop: Pointer, handle: Pointer, fd: number): number;
  start(handle: Pointer, events: number, called: Pointer): number;
  close(handle: Pointer, closed: Pointer): void;
}

/**
 * Watches descriptors in Node's own event loop, by the functions of libuv that Node exports for its extensions: a
 * descriptor that becomes readable costs what a socket of Node's costs, and no thread. For the main thread.
 */
export class LoopWatcher implements Watcher {
  readonly #system: SystemCalls;
  readonly #uv: Libuv;
  /** By the address of the handle. */
  readonly #watched = new Map<Pointer, () => void>();
  readonly #closing = new Map<Pointer, NativeBlock>();
  readonly #called: Pointer;
  readonly #closed: Pointer;

  private constructor(system: SystemCalls, uv: Libuv) {
    this.#system = system;
    this.#uv = uv;
    const { koffi } = system;
    const called = koffi.proto("void", ["void *", "int", "int"]);
    const closed = koffi.proto("void", ["void *"]);
    // What libuv calls must never throw.
    this.#called = koffi.register((handle: Pointer) => this.#watched.get(handle)?.(), koffi.pointer(called));
    this.#closed = koffi.register((handle: Pointer) => this.#handleClosed(handle), koffi.pointer(closed));
  }

  /** Undefined where libuv cannot be reached. */
  static open(system: SystemCalls): LoopWatcher | undefined {
    try {
      const node = system.koffi.load(null);
      const loop: unknown = node.func("void *uv_default_loop()")();
      const handleBytes = Number(node.func("size_t uv_handle_size(int type)")(UV_POLL));
      if (typeof loop !== "bigint" || !(handleBytes > 0)) return undefined;
      const uv: Libuv = {
        loop,
        handleBytes,
        init: node.func("int uv_poll_init(void *loop, void *handle, int fd)"),
        start: node.func("int uv_poll_start(void *handle, int events, void *called)"),
        close: node.func("void uv_close(void *handle, void *closed)"),
      };
      return new LoopWatcher(system, uv);
    } catch {
      return undefined;
    }
  }

  watch(fd: number, onReadable: () => void): Watch {
    const handle = this.#system.allocate(this.#uv.handleBytes);
    const failed = this.#uv.init(this.#uv.loop, handle.pointer, fd);
    if (failed < 0) {
      this.#system.free(handle);
      throw new SystemCallError("uv_poll_init", -failed);
    }
    let isWatched = true;
    const stop = (): void => {
      // By the time of a second call the address may be that of somebody else's handle.
      if (!isWatched) return;
      isWatched = false;
      this.#watched.delete(handle.pointer);
      // The loop uses the handle until it says that it is closed. The descriptor it lets go of at once.
      this.#closing.set(handle.pointer, handle);
      this.#uv.close(handle.pointer, this.#closed);
    };
    this.#watched.set(handle.pointer, onReadable);
    const refused = this.#uv.start(handle.pointer, UV_READABLE | UV_DISCONNECT, this.#called);
    if (refused < 0) {
      stop();
      throw new SystemCallError("uv_poll_start", -refused);
    }
    return { close: stop };
  }

  #handleClosed(pointer: Pointer): void {
    const block = this.#closing.get(pointer);
    if (block === undefined) return;
    this.#closing.delete(pointer);
    this.#system.free(block);
  }
}
