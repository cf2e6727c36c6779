import type { GuestMemory } from "../memory/index.js";
import { HandlerError } from "../negotiation/errors.js";
import {
  createDeviceQueue,
  type DeviceQueue,
  type InFlightChain,
  type QueueAddresses,
  type QueuePosition,
} from "../ring/index.js";
import type { DeviceTransport } from "../transport/device-transport.js";
import { nextTurn } from "../transport/next-turn.js";
import type { QueueHandler, QueueIdentity } from "./device-definition.js";
import { allDone } from "./pending-work.js";
import { queueLabel, type QueueOwner } from "./queue-owner.js";
import { TracedDeviceQueue } from "./traced-device-queue.js";

/** The ring that a queue is opened with. */
export interface RingToOpen {
  readonly transport: DeviceTransport;
  readonly memory: GuestMemory;
  readonly addresses: QueueAddresses;
  readonly start: QueuePosition | undefined;
  readonly resubmit: readonly InFlightChain[];
}

/** A queue in use, from its enabling to its end: its ring, and the handler that serves it once the device is live. */
export class OpenQueue {
  readonly ring: DeviceQueue;
  readonly #owner: QueueOwner;
  readonly #identity: QueueIdentity;
  readonly #handler: QueueHandler;
  #started = false;
  /** A later turn will look: more of them, one for each notification of a driver that never stops, would starve all others. */
  #isDue = false;

  /** Throws a RingError or a MemoryError if there can be no such ring. */
  constructor(owner: QueueOwner, identity: QueueIdentity, handler: QueueHandler, opened: RingToOpen) {
    const { transport, memory, addresses, start, resubmit } = opened;
    this.#owner = owner;
    this.#identity = identity;
    this.#handler = handler;
    const queue = createDeviceQueue({
      index: identity.index,
      memory,
      addresses,
      features: owner.ringFeatures,
      notifyDriver: () => {
        if (this.#started) transport.notifyDriver(identity.index);
      },
      onBroken: (error) => owner.needsReset(error),
      ...(start === undefined ? {} : { start }),
      ...(resubmit.length === 0 ? {} : { resubmit }),
    });
    const used = transport.queueEnabled?.(queue, addresses) ?? queue;
    this.ring = owner.trace === undefined ? used : new TracedDeviceQueue(used, owner.trace);
  }

  /** The handler has the queue. */
  get started(): boolean {
    return this.#started;
  }

  /** The device is live: lets the handler at the queue; not before it is resumed, if it is on its way to its suspension. */
  start(): void {
    if (this.#started || !this.#owner.memoryAccess || this.#owner.suspending) return;
    this.#started = true;
    try {
      this.#handler.start(this.ring, this.#owner.negotiated, this.#owner.trace);
    } catch (error) {
      this.#owner.report(new HandlerError(`start of ${queueLabel(this.#identity)}`, error));
    }
    this.#lookSoon();
  }

  /** The driver may have made buffers available. A bounded amount of work; what is left is done in later turns. */
  readonly look = (): void => {
    if (!this.#started || !this.#owner.live) return;
    try {
      if (this.#handler.notified() && !this.#isDue) {
        this.#isDue = true;
        nextTurn(this.#lookAgain);
      }
    } catch (error) {
      this.#owner.report(new HandlerError(`handler of ${queueLabel(this.#identity)}`, error));
    }
  };
  readonly #lookAgain = (): void => {
    this.#isDue = false;
    this.look();
  };

  /**
   * The driver may have made buffers available before, and need not notify again. Not now: the driver is writing a register
   * and does not expect its requests to be served before it is done with that.
   */
  #lookSoon(): void {
    queueMicrotask(this.look);
  }

  /** Stops taking buffers; done when those being worked on have been used. */
  pause(): void | Promise<void> {
    return this.#started ? this.#handler.pause() : undefined;
  }
  /** The device is live again. */
  resume(): void {
    if (!this.#started) this.start();
    else {
      this.#handler.resume();
      this.#lookSoon();
    }
  }

  /** The queue is in use no more: chains are stale, windows empty. Returns what is left to wait for. */
  end(reason: Error): Promise<void> | undefined {
    this.ring.dispose();
    const started = this.#started;
    this.#started = false;
    const stop = (): void | Promise<void> => (started ? this.#handler.stop(reason) : undefined);
    const hook = (): void | Promise<void> => this.#owner.queueReset(this.#identity);
    return allDone([this.#attempt(stop), this.#attempt(hook)]);
  }

  /** What is thrown becomes a rejection. */
  #attempt(work: () => void | Promise<void>): void | Promise<void> {
    try {
      return work();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new HandlerError(queueLabel(this.#identity), error));
    }
  }
}
