import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { DriverTransport } from "../transport/driver-transport.js";
import { nextTurn } from "../transport/next-turn.js";
import type { DriverQueuePlan, RequestCut } from "./driver-definition.js";
import { OwnQueue, type QueueSurroundings } from "./own-queue.js";

/** How the queues of a driver are set up. */
export interface QueueSetOptions {
  readonly transport: DriverTransport;
  /** The negotiated features. */
  readonly features: FeatureSet;
  readonly defaultSize: number;
  /** How long the reset of a queue may take, in milliseconds. */
  readonly resetTimeout: number;
  readonly cut: RequestCut;
  report(error: Error): void;
}

/** The queues of a driver from their set-up to the reset of the device, and which notifications go where. */
export class DriverQueueSet {
  readonly #around: QueueSurroundings;
  readonly #report: (error: Error) => void;
  readonly #queues = new Map<number, OwnQueue>();
  /** Queues that a later turn will look at: once, however often a device that never stops has notified. */
  readonly #due = new Set<number>();
  /** Queues with something to tell, before DRIVER_OK, and how far they are. */
  #early: Map<number, number> | undefined = new Map<number, number>();

  constructor(options: QueueSetOptions) {
    this.#report = (error) => options.report(error);
    this.#around = {
      transport: options.transport,
      features: options.features,
      defaultSize: options.defaultSize,
      resetTimeout: options.resetTimeout,
      cut: options.cut,
      report: this.#report,
      notify: (index, next) => {
        if (this.#early === undefined) options.transport.notify(index, next);
        else this.#early.set(index, next);
      },
      look: (index) => this.used(index),
    };
  }

  /** Allocates the ring of a queue, enables it and starts its handler. */
  async add(plan: DriverQueuePlan): Promise<void> {
    const queue = new OwnQueue(plan, this.#around);
    this.#queues.set(plan.index, queue);
    await queue.enable();
  }

  /** The queue with this name; throws a ProtocolError if there is none. */
  find(name: string, position: number): OwnQueue {
    for (const queue of this.#queues.values()) {
      if (queue.plan.name === name && queue.plan.position === position) return queue;
    }
    const text = `there is no queue ${name}${position === 0 ? "" : ` ${String(position)}`}`;
    throw new ProtocolError("queue-unknown", Clause.queues, text);
  }

  /** DRIVER_OK is set: sends the notifications that had to wait for it. */
  release(): void {
    const early = this.#early;
    this.#early = undefined;
    for (const [index, next] of early ?? []) this.#around.notify(index, next);
  }

  /** The device may have used buffers of this queue. */
  used(index: number): void {
    const queue = this.#queues.get(index);
    if (queue === undefined) return;
    this.#guard(queue.label, () => {
      if (!queue.used() || this.#due.has(index)) return;
      this.#due.add(index);
      nextTurn(() => {
        this.#due.delete(index);
        this.used(index);
      });
    });
  }

  /**
   * Nothing is made available any more, and no notification sent. Done when no queue is being reset or set up any more, which
   * would start it again.
   */
  async pause(): Promise<void> {
    const queues = [...this.#queues.values()];
    for (const queue of queues) queue.pause();
    for (const queue of queues) {
      await queue.settled;
      queue.pause();
    }
  }
  /** Goes on after {@link pause}. */
  resume(): void {
    for (const queue of this.#queues.values()) this.#guard(queue.label, () => queue.resume());
  }

  /** Nothing comes back any more. */
  fail(reason: Error): void {
    for (const queue of this.#queues.values()) this.#guard(queue.label, () => queue.fail(reason));
  }

  /** The device was reset: rejects what is outstanding and frees all memory. */
  stop(reason: Error): void {
    const queues = [...this.#queues.values()];
    this.#queues.clear();
    for (const queue of queues) queue.stop(reason);
  }

  #guard(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#report(new HandlerError(what, error));
    }
  }
}
