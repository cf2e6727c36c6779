import { EventFd, type SystemCalls, type Watch, type Watcher } from "../../../posix/index.js";

/**
 * A Worker that works on a ring rings it to call the driver, and the main thread, which has the front end's channel, hears it. An
 * eventfd, so that however often it rings, nothing piles up. Owns it.
 */
export class WorkerBell {
  readonly #event: EventFd;
  readonly #watch: Watch;

  constructor(system: SystemCalls, watcher: Watcher, onCall: () => void) {
    const event = EventFd.create(system);
    this.#event = event;
    this.#watch = watcher.watch(event.fd, () => {
      event.drain();
      onCall();
    });
  }

  /** For the Worker; it stays this one's. */
  get fd(): number {
    return this.#event.fd;
  }

  close(): void {
    this.#watch.close();
    this.#event.close();
  }
}
