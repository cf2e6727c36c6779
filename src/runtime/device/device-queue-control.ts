import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import type { GuestMemory } from "../memory/index.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import {
  createDeviceQueue,
  type DeviceQueue,
  type InFlightChain,
  type QueueAddresses,
  type QueuePosition,
  type RingFeatures,
} from "../ring/index.js";
import type { DeviceTransport } from "../transport/device-transport.js";
import type { QueueIdentity, QueuePlan } from "./device-definition.js";
import type { SavedQueue } from "./device-state.js";
import { nextTurn } from "../transport/next-turn.js";
import { allDone } from "./pending-work.js";
import { TracedDeviceQueue } from "./traced-device-queue.js";

/** Where a queue was stopped. */
export interface StoppedQueue {
  readonly position: QueuePosition;
  /** Requests that were taken and will never be used. */
  readonly unanswered: number;
  /** Done when nobody holds on to guest memory any more; undefined if nobody does. */
  readonly held?: Promise<void> | undefined;
}

/** What a queue asks of the device it belongs to. */
export interface QueueOwner {
  readonly transport: DeviceTransport | undefined;
  /** Negotiation is complete, so queues may be set up. */
  readonly featuresOk: boolean;
  /** The driver is ready and nobody has given up. */
  readonly live: boolean;
  /** The driver suspended the device. */
  readonly suspended: boolean;
  /** The transport lets the device at guest memory. */
  readonly memoryAccess: boolean;
  readonly negotiated: FeatureSet;
  readonly ringFeatures: RingFeatures;
  readonly ringReset: boolean;
  report(error: Error): void;
  /** The device cannot go on without a reset. */
  needsReset(error: Error): void;
  /** What the author does when a queue is reset. */
  queueReset(queue: QueueIdentity): void | Promise<void>;
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
  #queue: DeviceQueue | undefined;
  /** See {@link enableIn}. */
  #ownMemory: GuestMemory | undefined;
  #started = false;
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
    this.#queue = undefined;
    this.#ownMemory = undefined;
    this.#ending = undefined;
    this.#halted = undefined;
  }

  /** The queue is in use. Stays true until a reset is complete. */
  get enabled(): boolean {
    return this.#queue !== undefined || this.#halted !== undefined || this.resetting;
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
    return this.#open(start, resubmit);
  }

  /**
   * Enables the queue with a ring that is not in guest memory but in memory of the transport's own: for requests that reach
   * the device by another way than a ring of the driver's.
   */
  enableIn(memory: GuestMemory): boolean {
    if (!this.#mayBeSetUp()) return false;
    this.#ownMemory = memory;
    return this.#open(undefined, []);
  }

  #open(start: QueuePosition | undefined, resubmit: readonly InFlightChain[]): boolean {
    const { transport } = this.#owner;
    const addresses = this.#addresses;
    if (addresses === undefined || transport === undefined) {
      return this.#refuse("queue-not-configured", Clause.queues, "it has no size and addresses yet");
    }
    const epoch = this.#epoch;
    try {
      const queue = createDeviceQueue({
        index: this.index,
        memory: this.#ownMemory ?? transport.memory,
        addresses,
        features: this.#owner.ringFeatures,
        notifyDriver: () => {
          if (this.#started && this.#epoch === epoch) transport.notifyDriver(this.index);
        },
        onBroken: (error) => this.#owner.needsReset(error),
        ...(start === undefined ? {} : { start }),
        ...(resubmit.length === 0 ? {} : { resubmit }),
      });
      const used = transport.queueEnabled?.(queue, addresses) ?? queue;
      this.#queue = transport.trace === undefined ? used : new TracedDeviceQueue(used, transport.trace);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#owner.needsReset(
        new ProtocolError("queue-address", Clause.queues, `${this.#label()}: ${message}`, { cause: error }),
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
    if (this.#queue === undefined || this.#started || !this.#owner.memoryAccess) return;
    this.#started = true;
    try {
      this.#plan.handler.start(this.#queue, this.#owner.negotiated, this.#owner.transport?.trace);
    } catch (error) {
      this.#owner.report(new HandlerError(`start of ${this.#label()}`, error));
    }
    // The driver may have made buffers available before, and need not notify again. Not now: the driver is writing a
    // register and does not expect its requests to be served before it is done with that.
    queueMicrotask(this.#look);
  }

  /**
   * An available buffer notification. Before DRIVER_OK it is ignored: what the driver made available until then is
   * looked at when DRIVER_OK comes. After the device has asked for a reset it is ignored, too.
   */
  notify(): void {
    if (this.#started) this.#look();
    else if (this.#owner.suspended) this.#refuse("suspended", Clause.suspend, "notified while the device is suspended");
    else if (!this.#owner.live)
      this.#refuse("notify-before-driver-ok", Clause.initialization, "the device is not live");
    else if (!this.#owner.memoryAccess)
      this.#refuse("no-memory-access", Clause.queues, "the device may not reach guest memory");
    else this.#refuse("notify-disabled-queue", Clause.queues, "notified, but not enabled");
  }

  /** A bounded amount of work; what is left is done in later turns of the event loop. */
  readonly #look = (): void => {
    if (!this.#started || !this.#owner.live) return;
    try {
      if (this.#plan.handler.notified()) nextTurn(this.#look);
    } catch (error) {
      this.#owner.report(new HandlerError(`handler of ${this.#label()}`, error));
    }
  };

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
    this.#owner.transport?.trace?.({ kind: "queue-reset", queue: this.index, state: "started" });
    const halted = this.#halted;
    this.#halted = undefined;
    const ending =
      halted === undefined
        ? this.#end(new ProtocolError("queue-reset", Clause.queueReset, `${this.#label()} was reset`))
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
        if (!this.#released) this.#owner.needsReset(new HandlerError(`reset of ${this.#label()}`, error));
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
    if (!this.#started || this.#halted !== undefined) return;
    const queue = this.save();
    const reason = new ProtocolError("no-memory-access", Clause.queues, `${this.#label()} lost its memory`);
    this.#halted = { queue, settled: this.#end(reason) };
  }

  /**
   * Guest memory has other bytes now, with the same contents, and the old ones are gone: the ring is found anew, and what is
   * in flight is served again, once.
   */
  memoryMoved(): void {
    const queue = this.#queue;
    // One that is halted or being reset has let go of its ring already.
    if (queue === undefined) return;
    const saved: SavedQueue = {
      name: this.name,
      index: this.index,
      addresses: this.#addresses ?? null,
      position: queue.position,
      inFlight: queue.inFlight(),
    };
    const reason = new ProtocolError("no-memory-access", Clause.queues, `the memory of ${this.#label()} has moved`);
    this.#halted = { queue: saved, settled: this.#end(reason) };
    if (this.#owner.memoryAccess) this.#goOn();
  }

  /** The device may reach guest memory again: what was in flight is served again, once. */
  #goOn(): void {
    const halted = this.#halted;
    if (halted === undefined) {
      if (this.#owner.live) this.start();
      return;
    }
    const open = (): void => {
      if (this.#halted !== halted || !this.#owner.memoryAccess) return;
      this.#halted = undefined;
      this.#open(halted.queue.position ?? undefined, halted.queue.inFlight);
    };
    if (halted.settled === undefined) open();
    else {
      halted.settled.then(open, (error: unknown) => {
        if (this.#halted === halted) this.#owner.needsReset(new HandlerError(this.#label(), error));
      });
    }
  }

  /**
   * Stops the queue without a reset (vhost-user's GET_VRING_BASE): takes nothing more, waits until the requests in flight
   * have been used, and says where to go on with `enable(position)`. What was configured stays. Undefined if the queue is
   * not enabled, or was reset meanwhile.
   *
   * @param patience when this settles, requests that are still in flight are not waited for any more: they are stale, the
   * position is behind them, and `unanswered` says how many there are
   */
  async stop(patience?: Promise<void>): Promise<StoppedQueue | undefined> {
    const queue = this.#queue;
    if (queue === undefined) return undefined;
    const pausing = this.pause();
    const answered = pausing?.then(() => true) ?? true;
    const isPatient = await (patience === undefined ? answered : Promise.race([answered, patience.then(() => false)]));
    if (this.#queue !== queue) return undefined;
    queue.flush();
    const { position } = queue;
    const left = queue.inFlight().length;
    const ending = this.#end(new ProtocolError("queue-reset", Clause.queues, `${this.#label()} was stopped`));
    if (isPatient) await ending;
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
    const queue = this.#queue;
    queue?.flush();
    return {
      name: this.name,
      index: this.index,
      addresses: this.#addresses ?? null,
      position: queue?.position ?? null,
      inFlight: queue?.inFlight() ?? [],
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
    return this.#started ? this.#plan.handler.pause() : undefined;
  }
  /** The device is live again. */
  resume(): void {
    if (!this.#started) this.start();
    else {
      this.#plan.handler.resume();
      queueMicrotask(this.#look);
    }
  }

  /** The epoch is over: chains are stale, windows empty. Returns what is left to wait for. */
  #end(reason: Error): Promise<void> | undefined {
    const wasEnabled = this.#queue !== undefined;
    this.#epoch++;
    this.#queue?.dispose();
    this.#queue = undefined;
    const started = this.#started;
    this.#started = false;
    if (!wasEnabled) return undefined;
    const stop = (): void | Promise<void> => (started ? this.#plan.handler.stop(reason) : undefined);
    const hook = (): void | Promise<void> => this.#owner.queueReset(this);
    return allDone([this.#attempt(stop), this.#attempt(hook)]);
  }

  #ended(): void {
    this.#ending = undefined;
    this.#addresses = undefined;
    this.#owner.transport?.trace?.({ kind: "queue-reset", queue: this.index, state: "complete" });
    this.#owner.transport?.queueReset?.(this.index);
  }

  /** What is thrown becomes a rejection. */
  #attempt(work: () => void | Promise<void>): void | Promise<void> {
    try {
      return work();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new HandlerError(this.#label(), error));
    }
  }

  #mayBeSetUp(): boolean {
    if (this.#released || !this.#owner.featuresOk) {
      return this.#refuse("queue-phase", Clause.initialization, "FEATURES_OK is not set");
    }
    if (this.resetting) return this.#refuse("queue-resetting", Clause.queueReset, "its reset is not complete");
    if (this.enabled) return this.#refuse("queue-already-enabled", Clause.queues, "it is enabled");
    return true;
  }

  #label(): string {
    return `queue ${String(this.index)} (${this.name})`;
  }

  #refuse(rule: ProtocolError["rule"], clause: string, text: string): false {
    this.#owner.report(new ProtocolError(rule, clause, `${this.#label()}: ${text}`));
    return false;
  }
}
