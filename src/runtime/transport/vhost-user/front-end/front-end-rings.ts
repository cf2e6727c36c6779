import type { QueueAddresses } from "../../../ring/index.js";
import type { SystemCalls, Watcher } from "../../posix/index.js";
import { FrontEndRing } from "./front-end-ring.js";
import { RingEvents } from "./ring-events.js";

export interface RingsOptions {
  readonly system: SystemCalls;
  readonly watcher: Watcher;
  /** A ring may have used buffers. */
  onUsed(index: number): void;
  /** A ring does not work any more. */
  onFailure(): void;
}

/** The rings that are set up, by their numbers. What a back end tells of any other is not passed on. */
export class FrontEndRings {
  readonly #options: RingsOptions;
  readonly #rings = new Map<number, FrontEndRing>();

  constructor(options: RingsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#rings.size;
  }
  get all(): readonly FrontEndRing[] {
    return [...this.#rings.values()];
  }
  at(index: number): FrontEndRing | undefined {
    return this.#rings.get(index);
  }

  /**
   * One more. Whoever ends the connection closes it.
   * @param hasEvents notifications are not messages
   * @throws SystemCallError
   */
  add(index: number, addresses: QueueAddresses, hasEvents: boolean): FrontEndRing {
    const { system, watcher } = this.#options;
    // One that is taken out is silent, although its back end has its eventfds until it has stopped.
    const isThere = (): boolean => this.at(index) === ring;
    const news = {
      onUsed: (): void => {
        if (isThere()) this.#options.onUsed(index);
      },
      onFailure: (): void => {
        if (isThere()) this.#options.onFailure();
      },
    };
    const ring = new FrontEndRing(index, addresses, hasEvents ? new RingEvents(system, watcher, news) : undefined);
    this.#rings.set(index, ring);
    return ring;
  }

  /** Takes one out, for the caller to close. */
  take(index: number): FrontEndRing | undefined {
    const ring = this.#rings.get(index);
    this.#rings.delete(index);
    return ring;
  }
  /** All of them. */
  takeAll(): readonly FrontEndRing[] {
    const { all } = this;
    this.#rings.clear();
    return all;
  }
  close(): void {
    for (const ring of this.takeAll()) ring.close();
  }

  /** Passes it on, as it came in a message. */
  used(index: number): void {
    if (this.#rings.has(index)) this.#options.onUsed(index);
  }
  /** The same. */
  failed(index: number): void {
    if (this.#rings.has(index)) this.#options.onFailure();
  }
}
