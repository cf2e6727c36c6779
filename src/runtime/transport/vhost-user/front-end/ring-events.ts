import { EventFd, type SystemCalls, type Watch, type Watcher } from "../../posix/index.js";

/** The two eventfds of a ring: over one the driver kicks, over the other it is called. Owns both of them. */
export class RingEvents {
  readonly kick: EventFd;
  readonly call: EventFd;
  readonly #watch: Watch;

  constructor(system: SystemCalls, watcher: Watcher, onUsed: () => void) {
    this.kick = EventFd.create(system);
    const call = EventFd.create(system);
    this.call = call;
    this.#watch = watcher.watch(call.fd, () => {
      call.drain();
      onUsed();
    });
  }

  close(): void {
    this.#watch.close();
    this.kick.close();
    this.call.close();
  }
}
