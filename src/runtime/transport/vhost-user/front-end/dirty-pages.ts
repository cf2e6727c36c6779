import {
  createMemoryFile,
  EventFd,
  SharedMapping,
  type SystemCalls,
  type Watch,
  type Watcher,
} from "../../posix/index.js";
import { encodePayload, logBytes, logPageBytes } from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";

/** The pages that back ends have written: a bit for each, which they set and we take. */
export class DirtyPages {
  /** Bytes of a page. */
  readonly pageSize = logPageBytes;
  readonly #system: SystemCalls;
  readonly #size: number;
  /** The first page of the memory. */
  readonly #first: number;
  readonly #end: number;
  readonly #fd: number;
  readonly #mapping: SharedMapping;
  readonly #bits: Uint8Array;
  readonly #event: EventFd;
  readonly #watch: Watch;
  #isOpen = true;

  /** Of memory from `start` to `end`. `onWritten` is told when there is something new. */
  constructor(system: SystemCalls, watcher: Watcher, start: number, end: number, onWritten?: () => void) {
    this.#system = system;
    this.#first = Math.floor(start / logPageBytes);
    this.#end = end;
    // In words of 64 bits, as other front ends have it.
    this.#size = Math.ceil(logBytes(end) / 8) * 8;
    this.#fd = createMemoryFile(system, "dirty-log", this.#size);
    let mapping: SharedMapping | undefined;
    let event: EventFd | undefined;
    try {
      this.#mapping = mapping = new SharedMapping(system, this.#fd, 0, this.#size);
      this.#bits = mapping.view(0, this.#size);
      const written = (event = EventFd.create(system));
      this.#event = written;
      this.#watch = watcher.watch(written.fd, () => {
        written.drain();
        onWritten?.();
      });
    } catch (error) {
      event?.close();
      mapping?.release();
      system.close(this.#fd);
      throw error;
    }
  }

  /** Addresses of the pages written since the last time, in order. */
  take(): number[] {
    const bits = this.#bits;
    const found: number[] = [];
    for (let at = this.#first >>> 3; at < bits.length; at++) {
      if (bits[at] === 0) continue;
      // Back ends set bits at the same time.
      const taken = Atomics.exchange(bits, at, 0);
      for (let bit = 0; bit < 8; bit++) {
        const address = (8 * at + bit) * logPageBytes;
        if ((taken & (1 << bit)) !== 0 && address < this.#end) found.push(address);
      }
    }
    return found;
  }

  /** All of them, where nobody knows. */
  markAll(): void {
    const last = Math.ceil(this.#end / logPageBytes);
    for (let page = this.#first; page < last; page++) Atomics.or(this.#bits, page >>> 3, 1 << (page & 7));
  }

  /** Tells a back end where to mark, not yet that it shall. */
  async give({ channel }: BackEndLink): Promise<void> {
    await channel.ask("SET_LOG_BASE", encodePayload("log", { size: this.#size, offset: 0 }), { fds: [this.#fd] });
    await channel.tell("SET_LOG_FD", undefined, [this.#event.fd]);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch.close();
    this.#event.close();
    this.#mapping.release();
    this.#system.close(this.#fd);
  }
}
