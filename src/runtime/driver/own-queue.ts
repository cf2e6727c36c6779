import { CommonFeature } from "../negotiation/common-feature.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import { ringFeatures } from "../negotiation/ring-features.js";
import {
  createDriverQueue,
  largestQueueSize,
  legacyRingAddresses,
  legacyRingBytes,
  ringLayout,
  type DriverQueue,
  type QueueAddresses,
  type RingFeatures,
} from "../ring/index.js";
import type { DriverTransport } from "../transport/driver-transport.js";
import type { DriverQueueContext, DriverQueuePlan, RequestCut } from "./driver-definition.js";
import { pollUntil } from "./poll.js";

/** What a queue needs to know of the driver that it belongs to. */
export interface QueueSurroundings {
  readonly transport: DriverTransport;
  readonly features: FeatureSet;
  /** Size of queues whose plan does not say otherwise. */
  readonly defaultSize: number;
  /** How long a reset may take, in milliseconds. */
  readonly resetTimeout: number;
  readonly cut: RequestCut;
  /** Sends an available buffer notification, or keeps it for DRIVER_OK. */
  notify(index: number, next: number): void;
  /** Looks for used buffers of a queue, as after a notification of the device. */
  look(index: number): void;
  report(error: Error): void;
}

interface Ring {
  readonly queue: DriverQueue;
  readonly allocations: readonly number[];
}

/** One queue of a driver: its ring, its memory, and its life from the set-up to the reset, and again. */
export class OwnQueue {
  readonly plan: DriverQueuePlan;
  readonly #around: QueueSurroundings;
  /** What the driver and the device agree on: the device works on the ring unless this is "disabled". */
  #state: "disabled" | "enabled" | "resetting" = "disabled";
  #ring: Ring | undefined;
  #size = 0;
  /** The reason why the queue is given up together with the device. */
  #gone: Error | undefined;
  /** What is done to the queue is done one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(plan: DriverQueuePlan, around: QueueSurroundings) {
    this.plan = plan;
    this.#around = around;
    this.#ring = undefined;
    this.#gone = undefined;
  }

  get label(): string {
    return `queue ${String(this.plan.index)} (${this.plan.name})`;
  }

  /** Sets the queue up and starts its handler; with the largest size up to the planned one, or with exactly `size`. */
  enable(size?: number): Promise<void> {
    return this.#next(async () => {
      if (this.#state === "enabled") throw this.#error("queue-already-enabled", Clause.queues, "it is enabled");
      if (this.#state === "resetting") throw this.#incomplete();
      await this.#enable(size === undefined ? await this.#fittingSize() : await this.#checkedSize(size));
    });
  }

  /** Resets the queue, which stays disabled. Nothing is done to one that is disabled. */
  reset(): Promise<void> {
    return this.#next(async () => {
      if (this.#state !== "disabled") await this.#reset(false);
    });
  }

  /** Resets the queue, if it is enabled, and enables it with another size. */
  resize(size: number): Promise<void> {
    return this.#next(async () => {
      const checked = await this.#checkedSize(size);
      if (this.#state !== "disabled") await this.#reset(true);
      await this.#enable(checked);
    });
  }

  /** The device may have used buffers. True if there may be more left. */
  used(): boolean {
    // A notification from before a reset may come late: there is nothing to look at, or nothing new in it.
    return this.#state === "enabled" && this.plan.handler.used();
  }

  /** Done when all that was asked for is over. */
  get settled(): Promise<unknown> {
    return this.#last;
  }

  pause(): void {
    this.plan.handler.pause();
  }
  resume(): void {
    if (this.#state === "enabled") this.plan.handler.resume();
  }
  /** Nothing comes back any more. */
  fail(reason: Error): void {
    this.plan.handler.fail(reason);
  }
  /** The device was reset: rejects what is outstanding and frees all memory. */
  stop(reason: Error): void {
    this.#gone = reason;
    this.#state = "disabled";
    this.#letGo(reason, false);
  }

  /** Runs `work` when all that was asked for before is over. */
  #next(work: () => Promise<void>): Promise<void> {
    const result = this.#last.then(() => {
      this.#requireThere();
      return work();
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  // ---- reset ----

  async #reset(reopens: boolean): Promise<void> {
    const { transport, resetTimeout, features } = this.#around;
    const { index, handler } = this.plan;
    if (!features.has(CommonFeature.RING_RESET)) {
      throw this.#error("queue-reset-refused", Clause.queueReset, "RING_RESET was not negotiated");
    }
    const before = this.#state;
    handler.pause();
    this.#state = "resetting";
    try {
      await transport.resetQueue(index);
    } catch (error) {
      this.#state = before;
      if (this.#gone === undefined && before === "enabled") {
        handler.resume();
        // Notifications that came meanwhile were passed over, and the device need not send another.
        this.#around.look(index);
      }
      throw error;
    }
    // Both: there are devices that know nothing of the register, which then reads 0 with the queue still enabled.
    const complete = await pollUntil(resetTimeout, async () => {
      if (this.#gone !== undefined) return true;
      return !(await transport.queueResetting(index)) && !(await transport.queueEnabled(index));
    });
    this.#requireThere();
    if (!complete) {
      // The device may still write to the buffers: nothing is given back before the device is reset as a whole.
      const error = this.#incomplete();
      handler.fail(error);
      throw error;
    }
    this.#state = "disabled";
    // What the device used before the reset has been served; there can be no more than fits into the ring.
    for (let rounds = 0; rounds < 2 && this.#attempt(() => handler.used()); rounds++);
    this.#letGo(this.#error("queue-reset", Clause.queueReset, "it was reset"), reopens);
  }

  #letGo(reason: Error, reopens: boolean): void {
    const ring = this.#ring;
    this.#ring = undefined;
    ring?.queue.dispose();
    this.#attempt(() => this.plan.handler.stop(reason, reopens));
    for (const address of ring?.allocations ?? []) this.#around.transport.allocator.free(address);
  }

  #incomplete(): ProtocolError {
    return this.#error("queue-reset-incomplete", Clause.queueReset, "the device does not finish its reset");
  }

  // ---- set-up ----

  async #maxSize(): Promise<number> {
    const maxSize = await this.#around.transport.queueMaxSize(this.plan.index);
    if (maxSize < 1) throw new ProtocolError("queue-unknown", Clause.queues, `the device has no ${this.label}`);
    return maxSize;
  }

  async #fittingSize(): Promise<number> {
    if (this.#size > 0) return this.#size;
    const wanted = this.plan.size ?? this.#around.defaultSize;
    return largestQueueSize(Math.min(wanted, await this.#maxSize()), ringFeatures(this.#around.features).packed);
  }

  async #checkedSize(size: number): Promise<number> {
    const maxSize = await this.#maxSize();
    const fits = Number.isInteger(size) && size >= 1 && size <= Math.min(maxSize, 32768);
    if (!fits || (!ringFeatures(this.#around.features).packed && (size & (size - 1)) !== 0)) {
      const text = `size ${String(size)} is not possible, the device has ${String(maxSize)}`;
      throw this.#error("queue-size", Clause.queues, text);
    }
    return size;
  }

  /** Allocates the ring, enables the queue and starts the handler. */
  async #enable(size: number): Promise<void> {
    this.#requireThere();
    const { transport, features } = this.#around;
    const report = (error: Error): void => this.#around.report(error);
    const { memory, allocator } = transport;
    const { plan } = this;
    const ring = ringFeatures(features);
    const allocations: number[] = [];
    const allocate = (bytes: number, alignment: number): number => {
      const address = allocator.allocate(bytes, alignment);
      allocations.push(address);
      return address;
    };
    let queue: DriverQueue;
    let context: DriverQueueContext;
    try {
      const addresses = this.#place(size, ring, allocate);
      const { cut } = this.#around;
      const extra = (cut.readable === undefined ? 0 : 1) + (cut.writable === undefined ? 0 : 1);
      const entries = Math.max(2 + extra, plan.segments ?? 2);
      const indirectTable = ring.indirect ? { address: allocate(size * entries * 16, 16), entries } : undefined;
      queue = createDriverQueue({
        index: plan.index,
        memory,
        addresses,
        features: ring,
        ...(indirectTable === undefined ? {} : { indirectTable }),
        notifyDevice: (next) => {
          if (this.#state === "enabled") this.#around.notify(plan.index, next);
        },
        onBroken: (error) => {
          report(error);
          this.#attempt(() => plan.handler.fail(error));
        },
      });
      context = { queue, memory, allocator, cut, report };
      // First, so that a queue that cannot be used stays disabled.
      plan.handler.prepare?.(context);
      await transport.enableQueue(plan.index, addresses);
    } catch (error) {
      for (const address of allocations) allocator.free(address);
      const reason = error instanceof Error ? error : new HandlerError(this.label, error);
      if (this.#gone === undefined) this.#attempt(() => plan.handler.stop(reason));
      throw error;
    }
    // The driver was stopped meanwhile, and with it the device reset. The handler may have another queue by now.
    if (this.#gone !== undefined) {
      queue.dispose();
      for (const address of allocations) allocator.free(address);
      throw this.#gone;
    }
    this.#ring = { queue, allocations };
    this.#size = size;
    this.#state = "enabled";
    plan.handler.start(context);
  }

  /** Memory for the three parts of a ring; in one piece on a legacy interface. */
  #place(size: number, ring: RingFeatures, allocate: (bytes: number, alignment: number) => number): QueueAddresses {
    const { legacy } = this.#around.transport;
    if (legacy !== undefined) {
      const start = allocate(legacyRingBytes(size, legacy.ringAlignment), legacy.pageSize);
      return legacyRingAddresses(start, size, legacy.ringAlignment);
    }
    const layout = ringLayout(size, ring);
    return {
      size,
      descriptor: allocate(layout.descriptorBytes, layout.descriptorAlignment),
      driver: allocate(layout.driverBytes, layout.driverAlignment),
      device: allocate(layout.deviceBytes, layout.deviceAlignment),
    };
  }

  /** Throws the reason if the device is being given up. */
  #requireThere(): void {
    if (this.#gone !== undefined) throw this.#gone;
  }

  /** What a handler throws is reported. */
  #attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#around.report(new HandlerError(this.label, error));
      return undefined;
    }
  }

  #error(rule: ProtocolError["rule"], clause: string, text: string): ProtocolError {
    return new ProtocolError(rule, clause, `${this.label}: ${text}`);
  }
}
