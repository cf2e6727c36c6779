import { EventFd, type SystemCalls, type Watch, type Watcher } from "../../posix/index.js";

/** What the back end tells of a ring. */
export interface RingNews {
  /** There may be used buffers. */
  onUsed(): void;
  /** The ring does not work any more. Told once at most. */
  onFailure(): void;
}

/**
 * The eventfds of a ring: over one the driver kicks, over another it is called, over the third it hears that the ring is broken.
 * Owns all of them.
 */
export class RingEvents {
  readonly kick: EventFd;
  readonly call: EventFd;
  readonly failure: EventFd;
  readonly #watches: readonly Watch[];

  constructor(system: SystemCalls, watcher: Watcher, news: RingNews) {
    const made: EventFd[] = [];
    const create = (): EventFd => {
      const event = EventFd.create(system);
      made.push(event);
      return event;
    };
    const watches: Watch[] = [];
    try {
      this.kick = create();
      const call = (this.call = create());
      this.failure = create();
      const called = watcher.watch(call.fd, () => {
        call.drain();
        news.onUsed();
      });
      watches.push(called);
      const failed = watcher.watch(this.failure.fd, () => {
        // It stays broken: however often a back end says it, nobody listens any more.
        failed.close();
        news.onFailure();
      });
      watches.push(failed);
      this.#watches = watches;
    } catch (error) {
      for (const watch of watches) watch.close();
      for (const event of made) event.close();
      throw error;
    }
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    for (const event of [this.kick, this.call, this.failure]) event.close();
  }
}
