import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import { type FeatureSet } from "../negotiation/feature-set.js";
import type { DeviceChain, DeviceQueue } from "../ring/index.js";
import type { Trace } from "../transport/trace.js";
import type { QueueHandler } from "./device-definition.js";
import type { Completion, RequestSlot, SlotHost } from "./request-slot.js";

/** What a handler may return: nothing, or what `complete` returned, now or later. */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- so that a handler may also return nothing at all
export type HandlerResult = Completion | void | Promise<Completion | void>;

export interface RequestServerOptions<Slot extends RequestSlot> {
  /** Makes the request object of a slot; called once for each slot and each start of the queue. */
  createSlot(host: SlotHost, slot: number): Slot;
  /** Serves a request. May complete it at once, later, and in any order; may be asynchronous. */
  handle(request: Slot): HandlerResult;
  report(error: Error): void;
  /** Which one the queue is of those with its name; 0 if absent. */
  readonly position?: number;
}

/**
 * Device side of a queue whose buffers are requests (or messages of the driver, which are completed with 0 bytes).
 * Allocates nothing per request: a slot's object is made when the slot is first used.
 *
 * A malformed request is reported and completed with 0 bytes. One whose handler throws or rejects is reported and completed
 * as failed (see {@link RequestSlot.fail}), with 0 bytes where no answer can say so, unless the handler had completed it before.
 */
export class RequestServer<Slot extends RequestSlot> implements QueueHandler {
  readonly position: number;
  readonly #options: RequestServerOptions<Slot>;
  #session: ServerSession<Slot> | undefined;

  constructor(options: RequestServerOptions<Slot>) {
    this.position = options.position ?? 0;
    this.#options = options;
    this.#session = undefined;
  }

  /** Requests taken and not completed. */
  get inFlight(): number {
    return this.#session?.inFlight ?? 0;
  }

  start(queue: DeviceQueue, features: FeatureSet, trace?: Trace): void {
    this.#session = new ServerSession(queue, features, trace, this.position, this.#options);
  }
  notified(): boolean {
    return this.#session?.notified() ?? false;
  }
  stop(reason: Error): void | Promise<void> {
    // The slots in flight stay with the handlers that hold them: their chains are stale, and so are they. New ones are
    // made for the next session, so that a late completion can never hit another request.
    const session = this.#session;
    this.#session = undefined;
    return session?.stop(reason);
  }
  pause(): void | Promise<void> {
    return this.#session?.pause();
  }
  resume(): void {
    this.#session?.resume();
  }
}

/** One run of the server, from a queue's start to its reset. */
class ServerSession<Slot extends RequestSlot> implements SlotHost {
  readonly features: FeatureSet;
  readonly position: number;
  readonly queueIndex: number;
  readonly #queue: DeviceQueue;
  readonly #trace: Trace | undefined;
  readonly #options: RequestServerOptions<Slot>;
  readonly #slots: (Slot | undefined)[];
  #batching = false;
  #inFlight = 0;
  #paused = false;
  #over = false;
  /** Pieces of work that hold on to guest memory. */
  #holds = 0;
  /** Who waits for the last request, or for the last hold. */
  #idling: Promise<void> | undefined;
  #idle: (() => void) | undefined;
  #released: (() => void) | undefined;

  constructor(
    queue: DeviceQueue,
    features: FeatureSet,
    trace: Trace | undefined,
    position: number,
    options: RequestServerOptions<Slot>,
  ) {
    this.features = features;
    this.position = position;
    this.queueIndex = queue.index;
    this.#queue = queue;
    this.#trace = trace;
    this.#options = options;
    this.#slots = new Array<Slot | undefined>(queue.size).fill(undefined);
    this.#idling = undefined;
    this.#idle = undefined;
    this.#released = undefined;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes at most as many requests as the queue has entries; true if there may be more. */
  notified(): boolean {
    // A handler may get here again through the queue's notifications: the outer loop does the work.
    if (this.#batching) return false;
    this.#batching = true;
    let left = this.#queue.size;
    try {
      for (; left > 0 && !this.#paused; left--) {
        const chain = this.#queue.take();
        if (chain === undefined) break;
        this.#inFlight++;
        this.#serve(chain);
      }
    } finally {
      this.#batching = false;
      this.#queue.flush();
    }
    return left === 0;
  }

  /** The queue was reset. A promise if somebody still holds on to guest memory. */
  stop(reason: Error): Promise<void> | undefined {
    this.#over = true;
    this.#idle?.();
    for (const slot of this.#slots) slot?.cancel(reason);
    if (this.#holds === 0) return undefined;
    return new Promise((resolve) => {
      this.#released = resolve;
    });
  }

  /** Takes nothing more. A promise if there are requests in flight: until they are completed, or the queue is reset. */
  pause(): Promise<void> | undefined {
    this.#paused = true;
    // The requests of a broken ring are stale: they will never be used.
    if (this.#inFlight === 0 || this.#over || this.#queue.broken !== undefined) return undefined;
    // One for all who ask.
    return (this.#idling ??= new Promise((resolve) => {
      this.#idle = resolve;
    }));
  }

  resume(): void {
    this.#paused = false;
    this.#idling = undefined;
    this.#idle = undefined;
  }

  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holds++;
    try {
      return await work();
    } finally {
      this.#holds--;
      if (this.#holds === 0) this.#released?.();
    }
  }

  finish(slot: RequestSlot, chain: DeviceChain, written: number): Completion {
    if (this.#trace !== undefined && chain.live) this.#traceReply(slot, this.#trace);
    const outcome = this.#queue.complete(chain, written);
    if (outcome === "completed") {
      if (!this.#batching) this.#queue.flush();
      this.#completed();
    }
    return outcome;
  }

  report(error: Error): void {
    this.#options.report(error);
  }

  #completed(): void {
    this.#inFlight--;
    if (this.#inFlight === 0 && this.#idle !== undefined) this.#idle();
  }

  #serve(chain: DeviceChain): void {
    const request = this.#load(chain);
    if (request === undefined) {
      if (this.#queue.complete(chain, 0) === "completed") this.#completed();
      return;
    }
    const { serial } = request;
    if (this.#trace !== undefined) this.#traceRequest(request, this.#trace);
    try {
      const result = this.#options.handle(request);
      if (typeof result === "object") this.#watch(result, request, serial);
    } catch (error) {
      this.#failed(request, serial, error);
    }
  }

  /** The request in a chain; undefined if it is malformed. */
  #load(chain: DeviceChain): Slot | undefined {
    try {
      const request = this.#slots[chain.slot] ?? this.#newSlot(chain.slot);
      const malformed = request.load(chain);
      if (malformed === undefined) return request;
      const text = `request on queue ${String(this.queueIndex)}: ${malformed.message}`;
      this.#options.report(new ProtocolError("message-malformed", Clause.framing, text, { cause: malformed }));
    } catch (error) {
      this.#options.report(new HandlerError(`request on queue ${String(this.queueIndex)}`, error));
    }
    return undefined;
  }

  #watch(result: Promise<unknown>, request: Slot, serial: number): void {
    // Whatever the handler calls a promise, a thenable of its own included.
    Promise.resolve(result).catch((error: unknown) => this.#failed(request, serial, error));
  }

  #failed(request: Slot, serial: number, error: unknown): void {
    // The slot may be serving another request by now.
    const problem = request.serial === serial ? this.#fail(request) : undefined;
    // Work that ended because it was asked to is no mistake.
    if (!(this.#over && isAbort(error))) {
      this.#options.report(new HandlerError(`handler of queue ${String(this.queueIndex)}`, error));
    }
    if (problem !== undefined) this.#options.report(problem);
  }

  /** Completes a request as failed, whatever happens: the other requests go on. */
  #fail(request: Slot): Error | undefined {
    try {
      request.fail();
      return undefined;
    } catch (error) {
      request.abandon();
      return new HandlerError(`answer of a failure on queue ${String(this.queueIndex)}`, error);
    }
  }

  #newSlot(index: number): Slot {
    const slot = this.#options.createSlot(this, index);
    this.#slots[index] = slot;
    return slot;
  }

  #traceRequest(request: Slot, trace: Trace): void {
    // What fails here is the request's own rendering: the trace itself never throws.
    try {
      trace({ kind: "request", queue: this.queueIndex, slot: request.slot, request: request.toJSON() });
    } catch (error) {
      this.#options.report(new HandlerError("trace", error));
    }
  }
  #traceReply(request: RequestSlot, trace: Trace): void {
    try {
      const reply = request.replyToJSON();
      if (reply !== undefined) trace({ kind: "reply", queue: this.queueIndex, slot: request.slot, reply });
    } catch (error) {
      this.#options.report(new HandlerError("trace", error));
    }
  }
}

function isAbort(error: unknown): boolean {
  if (error instanceof ProtocolError) return error.rule === "queue-reset";
  return error instanceof Error && error.name === "AbortError";
}
