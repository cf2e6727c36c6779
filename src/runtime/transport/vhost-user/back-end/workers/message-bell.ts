import { EventFd, type SystemCalls, type Watch, type Watcher } from "../../../posix/index.js";

/**
 * Between the main thread, which has the front end's messages, and the Worker that works on a ring: kicks and calls as eventfds,
 * which count nothing and keep nobody waiting. Owns both of them.
 */
export class MessageBell {
  /** The main thread rings it, the Worker hears it. */
  readonly kick: EventFd;
  /** The other way around. */
  readonly call: EventFd;
  readonly #watch: Watch;

  constructor(system: SystemCalls, watcher: Watcher, onCall: () => void) {
    this.kick = EventFd.create(system);
    const call = EventFd.create(system);
    this.call = call;
    this.#watch = watcher.watch(call.fd, () => {
      call.drain();
      onCall();
    });
  }

  close(): void {
    this.#watch.close();
    this.kick.close();
    this.call.close();
  }
}
