import { EventFd, type SystemCalls, type Watch, type Watcher } from "../../posix/index.js";

/** The two eventfds of a ring: over one the driver kicks, over the other it is called. Owns both of them. */
export class RingEvents {
  readonly kick: EventFd;
  readonly call: EventFd;
  readonly #watch: Watch;

  constructor(system: SystemCalls, watcher: Watcher, onUsed: () => void) {
    const made: EventFd[] = [];
    try {
      const kick = EventFd.create(system);
      made.push(kick);
      const call = EventFd.create(system);
      made.push(call);
      this.kick = kick;
      this.call = call;
      this.#watch = watcher.watch(call.fd, () => {
        call.drain();
        onUsed();
      });
    } catch (error) {
      for (const event of made) event.close();
      throw error;
    }
  }

  close(): void {
    this.#watch.close();
    this.kick.close();
    this.call.close();
  }
}
