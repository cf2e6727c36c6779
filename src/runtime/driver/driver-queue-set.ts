import { CommonFeature } from "../negotiation/common-feature.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import { createDriverQueue, ringLayout, type DriverQueue, type RingFeatures } from "../ring/index.js";
import type { DriverTransport } from "../transport/driver-transport.js";
import { nextTurn } from "../transport/next-turn.js";
import type { DriverQueuePlan } from "./driver-definition.js";

interface LiveQueue {
  readonly plan: DriverQueuePlan;
  readonly queue: DriverQueue;
  readonly allocations: readonly number[];
}

/** The queues of a driver from their set-up to the reset of the device: rings, memory, notifications. */
export class DriverQueueSet {
  readonly #transport: DriverTransport;
  readonly #report: (error: Error) => void;
  readonly #queues = new Map<number, LiveQueue>();
  /** Queues with something to tell, before DRIVER_OK. */
  #early: Set<number> | undefined = new Set();

  constructor(transport: DriverTransport, report: (error: Error) => void) {
    this.#transport = transport;
    this.#report = report;
  }

  /** Allocates the ring of a queue, enables it and starts its handler. */
  async add(plan: DriverQueuePlan, wantedSize: number, features: FeatureSet): Promise<void> {
    const transport = this.#transport;
    const { memory, allocator } = transport;
    const label = `queue ${String(plan.index)} (${plan.name})`;
    const maxSize = await transport.queueMaxSize(plan.index);
    if (maxSize < 1) throw new ProtocolError("queue-unknown", Clause.queues, `the device has no ${label}`);
    const ring = ringFeatures(features);
    const size = powerOfTwoWithin(Math.min(plan.size ?? wantedSize, maxSize));
    const layout = ringLayout(size, ring);

    const allocations: number[] = [];
    const allocate = (bytes: number, alignment: number): number => {
      const address = allocator.allocate(bytes, alignment);
      allocations.push(address);
      return address;
    };
    try {
      const addresses = {
        size,
        descriptor: allocate(layout.descriptorBytes, layout.descriptorAlignment),
        driver: allocate(layout.driverBytes, layout.driverAlignment),
        device: allocate(layout.deviceBytes, layout.deviceAlignment),
      };
      const entries = Math.max(2, plan.segments ?? 2);
      const indirectTable = ring.indirect ? { address: allocate(size * entries * 16, 16), entries } : undefined;
      const queue = createDriverQueue({
        index: plan.index,
        memory,
        addresses,
        features: ring,
        ...(indirectTable === undefined ? {} : { indirectTable }),
        notifyDevice: () => this.#notify(plan.index),
        onBroken: (error) => {
          this.#report(error);
          this.#guard(label, () => plan.handler.fail(error));
        },
      });
      await transport.enableQueue(plan.index, addresses);
      this.#queues.set(plan.index, { plan, queue, allocations });
    } catch (error) {
      for (const address of allocations) allocator.free(address);
      throw error;
    }
    const live = this.#queues.get(plan.index);
    if (live === undefined) return;
    plan.handler.start({ queue: live.queue, memory, allocator, report: this.#report });
  }

  /** DRIVER_OK is set: sends the notifications that had to wait for it. */
  release(): void {
    const early = this.#early;
    this.#early = undefined;
    for (const index of early ?? []) this.#transport.notify(index);
  }

  /** The device may have used buffers of this queue. */
  used(index: number): void {
    const live = this.#queues.get(index);
    if (live === undefined) return;
    this.#guard(`queue ${String(index)} (${live.plan.name})`, () => {
      if (live.plan.handler.used()) nextTurn(() => this.used(index));
    });
  }

  /** Nothing comes back any more. */
  fail(reason: Error): void {
    for (const { plan } of this.#queues.values()) this.#guard(plan.name, () => plan.handler.fail(reason));
  }

  /** The device was reset: rejects what is outstanding and frees all memory. */
  stop(reason: Error): void {
    const queues = [...this.#queues.values()];
    this.#queues.clear();
    for (const { plan, allocations } of queues) {
      this.#guard(plan.name, () => plan.handler.stop(reason));
      for (const address of allocations) this.#transport.allocator.free(address);
    }
  }

  #notify(index: number): void {
    if (this.#early === undefined) this.#transport.notify(index);
    else this.#early.add(index);
  }

  #guard(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#report(new HandlerError(what, error));
    }
  }
}

function ringFeatures(features: FeatureSet): RingFeatures {
  return {
    indirect: features.has(CommonFeature.INDIRECT_DESC),
    eventIdx: features.has(CommonFeature.EVENT_IDX),
    packed: features.has(CommonFeature.RING_PACKED),
    inOrder: features.has(CommonFeature.IN_ORDER),
  };
}

/** The largest power of two that is not above `size`. */
function powerOfTwoWithin(size: number): number {
  return 2 ** Math.floor(Math.log2(Math.min(size, 32768)));
}
