import { type EventFd, SharedMapping, SystemCallError, type SystemCalls } from "../../posix/index.js";
import { logBytes, logPageBytes as pageBytes, VhostUserError, type LogArea } from "../protocol/index.js";

/** The pages that the device writes, one bit each, for live migration. */
export class DirtyLog {
  /** The front end wants to know. */
  isOn = false;
  readonly #system: SystemCalls;
  #mapping: SharedMapping | undefined;
  #bytes: Uint8Array | undefined;
  #event: EventFd | undefined;

  constructor(system: SystemCalls) {
    this.#system = system;
    this.#mapping = undefined;
    this.#bytes = undefined;
    this.#event = undefined;
  }

  /** Writes are to be marked now. */
  get isActive(): boolean {
    return this.isOn && this.#bytes !== undefined;
  }

  /**
   * Returns the mapping of the log before, for the caller to release when nobody marks pages there any more.
   * @throws VhostUserError unless the log is in its file and covers memory up to `end`.
   */
  setArea({ size, offset }: LogArea, fd: number, end: number): SharedMapping | undefined {
    if (size < logBytes(end)) throw new VhostUserError("log-range", `${size} bytes, ${logBytes(end)} are needed`);
    let mapping;
    try {
      mapping = new SharedMapping(this.#system, fd, offset, size);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      throw new VhostUserError("log-range", error.message, { cause: error });
    }
    const old = this.#mapping;
    this.#mapping = mapping;
    this.#bytes = mapping.view(0, size);
    return old;
  }

  /** The log of another thread of this process, viewed from this one. */
  view(bytes: Uint8Array | undefined): void {
    this.#bytes = bytes;
  }

  /** What tells the front end that there is something new in the log. Returns the one before, for the caller to close. */
  replaceEvent(event: EventFd | undefined): EventFd | undefined {
    const old = this.#event;
    this.#event = event;
    return old;
  }

  /** For other threads: where it is, and what tells of news. */
  get mapping(): SharedMapping | undefined {
    return this.#mapping;
  }
  get eventDescriptor(): number | undefined {
    return this.#event?.fd;
  }

  /** [address, address + length) was written. What the log does not cover is left out. */
  mark(address: number, length: number): void {
    const bytes = this.#bytes;
    if (!this.isOn || bytes === undefined || length <= 0) return;
    const last = Math.floor((address + length - 1) / pageBytes);
    for (let page = Math.floor(address / pageBytes); page <= last; page++) {
      const at = Math.floor(page / 8);
      // The front end takes bits away at the same time.
      if (at < bytes.length) Atomics.or(bytes, at, 1 << (page % 8));
    }
  }

  signal(): void {
    this.#event?.signal();
  }

  close(): void {
    this.replaceEvent(undefined)?.close();
    this.#mapping?.release();
    this.#mapping = undefined;
    this.#bytes = undefined;
  }
}
