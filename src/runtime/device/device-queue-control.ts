import type { GuestMemory } from "../memory/index.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import type { InFlightChain, QueueAddresses, QueuePosition } from "../ring/index.js";
import type { QueueIdentity, QueuePlan } from "./device-definition.js";
import type { SavedQueue } from "./device-state.js";
import { OpenQueue } from "./open-queue.js";
import { queueLabel, type QueueOwner } from "./queue-owner.js";

/** Where a queue was stopped. */
export interface StoppedQueue {
  readonly position: QueuePosition;
  /** Requests that were taken and will never be used. */
  readonly unanswered: number;
  /** Done when nobody holds on to guest memory any more; undefined if nobody does. */
  readonly held?: Promise<void> | undefined;
}

/**
 * The transport's handle on one queue of a device: configure, enable, notify, reset. What a hostile driver asks for is
 * checked and refused by returning false; the reason goes to the device's `onProtocolError`.
 *
 * As registers: `enabled` is what queue_enable (QueueReady) reads, `resetting` what queue_reset (QueueReset) reads. Both
 * read 1 from the start of a reset to its end, and 0 after it. What the driver selected before it is configured (size,
 * addresses, vector) is the transport's to keep.
 */
export class DeviceQueueControl implements QueueIdentity {
  readonly name: string;
  readonly index: number;
  readonly position: number;
  /** Largest size that the driver may configure, in descriptors. */
  readonly maxSize: number;
  readonly #owner: QueueOwner;
  readonly #plan: QueuePlan;
  #addresses: QueueAddresses | undefined;
  #open: OpenQueue | undefined;
  /** See {@link enableIn}. */
  #ownMemory: GuestMemory | undefined;
  /** A reset is under way: done when this settles. */
  #ending: Promise<void> | undefined;
  /** The queue stands still because guest memory is out of reach or has moved: how it goes on, and what that waits for. */
  #halted: { readonly queue: SavedQueue; readonly settled: Promise<void> | undefined } | undefined;
  #epoch = 0;
  /** The device was reset: another object stands for the queue now. */
  #released = false;

  constructor(owner: QueueOwner, plan: QueuePlan, maxSize: number) {
    this.#owner = owner;
    this.#plan = plan;
    this.name = plan.name;
    this.index = plan.index;
    this.position = plan.position;
    this.maxSize = maxSize;
    this.#addresses = undefined;
    this.#open = undefined;
    this.#ownMemory = undefined;
    this.#ending = undefined;
    this.#halted = undefined;
  }

  /** The queue is in use. Stays true until a reset is complete. */
  get enabled(): boolean {
    return this.#open !== undefined || this.#halted !== undefined || this.resetting;
  }
  /** A reset was accepted and is not complete: somebody still holds on to guest memory. */
  get resetting(): boolean {
    return this.#ending !== undefined;
  }
  /** Counts how often the chains in flight became stale since the last reset of the device, by a reset of the queue mostly. */
  get epoch(): number {
    return this.#epoch;
  }
  /** What the driver configured. */
  get addresses(): QueueAddresses | undefined {
    return this.#addresses;
  }

  /** Takes over size and addresses. They are checked against guest memory when the queue is enabled. */
  configure(addresses: QueueAddresses): boolean {
    if (!this.#mayBeSetUp()) return false;
    const { size } = addresses;
    if (!Number.isInteger(size) || size < 1 || size > this.maxSize) {
      return this.#refuse("queue-size", Clause.queues, `size ${String(size)} is not in 1 ... ${String(this.maxSize)}`);
    }
    if (!this.#owner.ringFeatures.packed && (size & (size - 1)) !== 0) {
      return this.#refuse("queue-size", Clause.splitQueues, `size ${String(size)} is not a power of two`);
    }
    this.#addresses = addresses;
    return true;
  }

  /**
   * Enables the queue; it is served from DRIVER_OK on. A ring that does not lie in guest memory breaks the device.
   *
   * @param start where to go on in a ring that was in use before (vhost-user's vring base)
   * @param resubmit what was in flight there
   */
  enable(start?: QueuePosition, resubmit: readonly InFlightChain[] = []): boolean {
    if (!this.#mayBeSetUp()) return false;
    this.#ownMemory = undefined;
    return this.#begin(start, resubmit);
  }

  /**
   * Enables the queue with a ring that is not in guest memory but in memory of the transport's own: for requests that reach
   * the device by another way than a ring of the driver's.
   */
  enableIn(memory: GuestMemory): boolean {
    if (!this.#mayBeSetUp()) return false;
    this.#ownMemory = memory;
    return this.#begin(undefined, []);
  }

  #begin(start: QueuePosition | undefined, resubmit: readonly InFlightChain[]): boolean {
    const { transport } = this.#owner;
    const addresses = this.#addresses;
    if (addresses === undefined || transport === undefined) {
      return this.#refuse("queue-not-configured", Clause.queues, "it has no size and addresses yet");
    }
    const memory = this.#ownMemory ?? transport.memory;
    try {
      this.#open = new OpenQueue(this.#owner, this, this.#plan.handler, {
        transport,
        memory,
        addresses,
        start,
        resubmit,
      });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#owner.needsReset(
        new ProtocolError("queue-address", Clause.queues, `${queueLabel(this)}: ${message}`, { cause: error }),
      );
      return false;
    }
    if (this.#owner.live) this.start();
    return true;
  }

  /** A reset under way is complete. */
  get settled(): Promise<void> | undefined {
    return this.#ending;
  }

  /** The device is live: lets the handler at the queue. */
  start(): void {
    this.#open?.start();
  }

  /**
   * An available buffer notification. Before DRIVER_OK it is ignored: what the driver made available until then is
   * looked at when DRIVER_OK comes. After the device has asked for a reset it is ignored, too.
   */
  notify(): void {
    if (this.#open?.started === true) this.#open.look();
    else if (this.#owner.suspended || this.#owner.suspending)
      this.#refuse("suspended", Clause.suspend, "notified while the device is suspended");
    else if (!this.#owner.live)
      this.#refuse("notify-before-driver-ok", Clause.initialization, "the device is not live");
    else if (!this.#owner.memoryAccess)
      this.#refuse("no-memory-access", Clause.queues, "the device may not reach guest memory");
    else this.#refuse("notify-disabled-queue", Clause.queues, "notified, but not enabled");
  }

  /**
   * The driver resets this queue alone (2.6.1). From here on the device neither looks at the ring nor notifies, the chains
   * in flight are stale, and their windows empty. When nobody holds on to guest memory any more, the queue is as it was
   * before it was configured, and the transport is told (`queueReset`): mostly at once, otherwise `resetting` is true until
   * then. A queue that was not enabled forgets what was configured. Another reset during one changes nothing.
   *
   * False, and nothing happens, unless RING_RESET was negotiated. If what the author does for the reset fails, nobody can
   * say that guest memory is left alone: the device needs a reset then, and this one stays incomplete.
   */
  reset(): boolean {
    if (this.#released || !this.#owner.ringReset) {
      return this.#refuse("queue-reset-refused", Clause.queueReset, "RING_RESET was not negotiated");
    }
    this.#beginEnd();
    return true;
  }

  /**
   * The driver stops using the queue by itself, as MMIO lets it (QueueReady 0, VIRTIO 1.4, 4.2.2.2): as {@link reset}, but
   * for the feature.
   */
  disable(): void {
    if (!this.#released) this.#beginEnd();
  }

  #beginEnd(): void {
    if (this.resetting) return;
    this.#owner.trace?.({ kind: "queue-reset", queue: this.index, state: "started" });
    const halted = this.#halted;
    this.#halted = undefined;
    const ending =
      halted === undefined
        ? this.#end(new ProtocolError("queue-reset", Clause.queueReset, `${queueLabel(this)} was reset`))
        : halted.settled;
    if (ending === undefined) {
      this.#ended();
      return;
    }
    this.#ending = ending;
    ending.then(
      () => {
        if (!this.#released) this.#ended();
      },
      (error: unknown) => {
        if (!this.#released) this.#owner.needsReset(new HandlerError(`reset of ${queueLabel(this)}`, error));
      },
    );
  }

  /** The device may reach guest memory again, or not any more. */
  memoryAccessChanged(): void {
    if (this.#owner.memoryAccess) this.#goOn();
    else this.#halt();
  }

  /**
   * The device may not reach guest memory any more: what was completed is published, the chains in flight become stale, and
   * the queue stands still until {@link #goOn}. Work in `request.hold` is told to end and cannot be kept from finishing.
   */
  #halt(): void {
    if (this.#open?.started !== true || this.#halted !== undefined) return;
    const queue = this.save();
    this.#standStill(queue, `${queueLabel(this)} lost its memory`);
  }

  #standStill(queue: SavedQueue, text: string): void {
    const settled = this.#end(new ProtocolError("no-memory-access", Clause.queues, text));
    this.#halted = { queue, settled };
    // Whoever goes on with the queue or resets it is told of a failure. Until then it concerns nobody.
    settled?.catch(() => undefined);
  }

  /**
   * Guest memory has other bytes now, with the same contents, and the old ones are gone: the ring is found anew, and what is
   * in flight is served again, once.
   */
  memoryMoved(): void {
    // One that is halted or being reset has let go of its ring already.
    if (this.#open === undefined) return;
    const queue = this.#saved(this.#open);
    this.#standStill(queue, `the memory of ${queueLabel(this)} has moved`);
    if (this.#owner.memoryAccess) this.#goOn();
  }

  /** The device may reach guest memory again: what was in flight is served again, once. */
  #goOn(): void {
    const halted = this.#halted;
    if (halted === undefined) {
      if (this.#owner.live) this.start();
      return;
    }
    const begin = (): void => {
      if (this.#halted !== halted || !this.#owner.memoryAccess) return;
      this.#halted = undefined;
      this.#begin(halted.queue.position ?? undefined, halted.queue.inFlight);
    };
    if (halted.settled === undefined) begin();
    else {
      halted.settled.then(begin, (error: unknown) => {
        if (this.#halted === halted) this.#owner.needsReset(new HandlerError(queueLabel(this), error));
      });
    }
  }

  /**
   * Stops the queue without a reset (vhost-user's GET_VRING_BASE): takes nothing more, waits until the requests in flight
   * have been used, and says where to go on with `enable(position)`. What was configured stays. Undefined if the queue is
   * not enabled, or was reset meanwhile.
   *
   * @param patience when this settles, requests that are still in flight are not waited for any more: they are stale, the
   * position is behind them, and `unanswered` says how many there are. What the author does for the reset may go on then;
   * if it fails, the device needs a reset
   */
  async stop(patience?: Promise<void>): Promise<StoppedQueue | undefined> {
    const open = this.#open;
    if (open === undefined) return undefined;
    const pausing = this.pause();
    const answered = pausing?.then(() => true) ?? true;
    const isPatient = await (patience === undefined ? answered : Promise.race([answered, patience.then(() => false)]));
    if (this.#open !== open) return undefined;
    open.ring.flush();
    const { position } = open.ring;
    const left = open.ring.inFlight().length;
    const ending = this.#end(new ProtocolError("queue-reset", Clause.queues, `${queueLabel(this)} was stopped`));
    if (isPatient) await ending;
    else {
      ending?.catch((error: unknown) => {
        if (!this.#released) this.#owner.needsReset(new HandlerError(`stop of ${queueLabel(this)}`, error));
      });
    }
    if (left === 0 || !isPatient) return { position, unanswered: left, held: isPatient ? undefined : ending };
    // Empty buffers at hand were taken in order, and last: with them given back, all that was taken has been used.
    return {
      position: { ...position, available: position.used, availableWrap: position.usedWrap },
      unanswered: 0,
    };
  }

  /** The queue as plain data, and nothing in it is known to the device only. */
  save(): SavedQueue {
    if (this.#halted !== undefined) return this.#halted.queue;
    this.#open?.ring.flush();
    return this.#saved(this.#open);
  }

  #saved(open: OpenQueue | undefined): SavedQueue {
    return {
      name: this.name,
      index: this.index,
      addresses: this.#addresses ?? null,
      position: open?.ring.position ?? null,
      inFlight: open?.ring.inFlight() ?? [],
    };
  }

  /** Lets go of the ring for good, as part of a reset of the device. A promise: somebody still holds on to memory. */
  release(reason: Error): Promise<void> | undefined {
    this.#released = true;
    const halted = this.#halted;
    this.#halted = undefined;
    return this.#ending ?? halted?.settled ?? this.#end(reason);
  }

  /** Stops taking buffers; done when those being worked on have been used. */
  pause(): void | Promise<void> {
    return this.#open?.pause();
  }
  /** The device is live again. */
  resume(): void {
    this.#open?.resume();
  }

  /** The epoch is over: chains are stale, windows empty. Returns what is left to wait for. */
  #end(reason: Error): Promise<void> | undefined {
    const open = this.#open;
    this.#epoch++;
    this.#open = undefined;
    return open?.end(reason);
  }

  #ended(): void {
    this.#ending = undefined;
    this.#addresses = undefined;
    this.#owner.trace?.({ kind: "queue-reset", queue: this.index, state: "complete" });
    this.#owner.transport?.queueReset?.(this.index);
  }

  #mayBeSetUp(): boolean {
    if (this.#released || !this.#owner.featuresOk) {
      return this.#refuse("queue-phase", Clause.initialization, "FEATURES_OK is not set");
    }
    if (this.resetting) return this.#refuse("queue-resetting", Clause.queueReset, "its reset is not complete");
    if (this.enabled) return this.#refuse("queue-already-enabled", Clause.queues, "it is enabled");
    return true;
  }

  #refuse(rule: ProtocolError["rule"], clause: string, text: string): false {
    this.#owner.report(new ProtocolError(rule, clause, `${queueLabel(this)}: ${text}`));
    return false;
  }
}
