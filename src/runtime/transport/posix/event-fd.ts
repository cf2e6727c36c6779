import type { NativeBlock, SystemCalls } from "./system-calls.js";

const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

/** A counter of the system that wakes who waits for it. Owns its descriptor, which may be one of the peer's, or borrows it. */
export class EventFd {
  readonly #system: SystemCalls;
  readonly #block: NativeBlock;
  readonly #isOwn: boolean;
  #fd: number;

  /**
   * Takes over a descriptor that may come from a peer: whatever it is, nothing blocks.
   * @param isOwn false: another thread has taken it over, and closes it when this one has let go of it
   */
  constructor(system: SystemCalls, fd: number, isOwn = true) {
    if (isOwn) system.setNonBlocking(fd);
    this.#isOwn = isOwn;
    this.#system = system;
    this.#fd = fd;
    this.#block = system.allocate(16);
    this.#block.view.setBigUint64(0, 1n, true);
  }

  static create(system: SystemCalls): EventFd {
    return new EventFd(system, system.eventfd(EFD_NONBLOCK | EFD_CLOEXEC));
  }

  /** -1 when closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Wakes who waits. False when the system refuses. */
  signal(): boolean {
    if (this.#fd < 0) return false;
    try {
      // When nothing can be written, the counter is full: who waits is awake.
      this.#system.write(this.#fd, this.#block.pointer, 8);
      return true;
    } catch {
      return false;
    }
  }

  /** Back to 0. To be called when it is known to be readable. False when the system refuses. */
  drain(): boolean {
    if (this.#fd < 0) return false;
    try {
      return this.#system.read(this.#fd, this.#block.pointer + 8n, 8) !== 0;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.#fd < 0) return;
    if (this.#isOwn) this.#system.close(this.#fd);
    this.#fd = -1;
    this.#system.free(this.#block);
  }
}
