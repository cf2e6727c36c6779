import type { VirtioDevice } from "../../../device/index.js";
import { CommonFeature } from "../../../negotiation/common-feature.js";
import type { DeviceQueue, QueueAddresses, QueuePosition } from "../../../ring/index.js";
import { baseOf, positionOf, VhostUserError } from "../protocol/index.js";
import { AccountedQueue } from "./accounted-queue.js";
import type { DirtyLog } from "./dirty-log.js";
import { InOrderInflight } from "./in-order-inflight.js";
import type { InflightRegion, InflightTracker } from "./inflight-region.js";
import type { MemoryRange } from "./shared-regions.js";
import { UntoldQueue } from "./untold-queue.js";
import type { RunnerMemory, Vring, VringState } from "./vring.js";

/** Lets the device of a thread at the rings that are worked on there. */
export class RingRunner {
  /** The front end has not said what the driver has negotiated. */
  isUntold = false;
  readonly #device: VirtioDevice;
  readonly #regions: RunnerMemory;
  readonly #log: DirtyLog;
  readonly #stopTimeout: number;
  readonly #trackers = new Map<number, InflightTracker>();
  /** Of the rings that run, or ran last. */
  readonly #queues = new Map<number, AccountedQueue>();
  /** Of rings that stood still while a handler had their memory: fulfilled when it lets go. */
  readonly #held = new Map<number, Promise<void>>();
  /** What {@link wrap} is to use, while a queue is being enabled. */
  #starting: Vring | undefined;

  constructor(device: VirtioDevice, regions: RunnerMemory, log: DirtyLog, stopTimeout: number) {
    this.#device = device;
    this.#regions = regions;
    this.#log = log;
    this.#stopTimeout = stopTimeout;
    this.#starting = undefined;
  }

  /** Lets the device at the ring. @throws VhostUserError when the device refuses it. */
  start(ring: Vring, isPacked: boolean, inflight: InflightRegion | undefined): void {
    const { index } = ring;
    const queue = this.#device.queue(index);
    if (queue === undefined) throw new VhostUserError("ring-index", `the device has no queue ${index}`);
    const addresses = ring.addresses(this.#regions, isPacked);
    if (queue.enabled) queue.disable();
    if (!queue.configure(addresses)) throw new VhostUserError("ring-size", `the device refuses ring ${index}`);
    const position = positionOf(ring.base, isPacked, isPacked ? 0 : this.#usedIndex(addresses));
    const account = inflight?.tracker(index, this.#regions.memory, addresses, position);
    const isInOrder = this.#device.negotiated.has(CommonFeature.IN_ORDER);
    const tracker = isInOrder && account !== undefined ? new InOrderInflight(account, addresses.size) : account;
    const start = tracker?.position ?? position;
    if (tracker === undefined) this.#trackers.delete(index);
    else this.#trackers.set(index, tracker);
    ring.isPacked = isPacked;
    this.#starting = ring;
    const enabled = queue.enable(start, tracker?.resubmit);
    this.#starting = undefined;
    if (!enabled) throw new VhostUserError("ring-base", `ring ${index} of ${ring.size} at ${placeOf(start)}`);
    ring.state = "running";
    ring.onKick = () => queue.notify();
    ring.poll();
    // A back end that was killed may have published an answer and not have called for it any more.
    if (tracker !== undefined) ring.call();
  }

  /** Puts the account of what is in flight and what was written in front of a queue. Called by the device. */
  wrap(queue: DeviceQueue, addresses: QueueAddresses): DeviceQueue {
    const ring = this.#starting;
    if (ring === undefined) return queue;
    const found = this.#regions.wrap?.(queue, addresses, ring.isPacked) ?? queue;
    const used = this.isUntold ? new UntoldQueue(found, () => ring.call()) : found;
    const accounted = new AccountedQueue(used, addresses, ring, this.#log, this.#trackers.get(ring.index));
    this.#queues.set(ring.index, accounted);
    return accounted;
  }

  /**
   * The ring stands still, and its base says where; its kick stays. What it does not answer in time is told of.
   * @param state what it is from now on
   */
  async pause(ring: Vring, state: VringState, report: (error: Error) => void): Promise<void> {
    ring.state = state;
    ring.onKick = undefined;
    this.#held.delete(ring.index);
    const queue = this.#device.queue(ring.index);
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.#stopTimeout)));
    const stopped = await queue?.stop(patience).finally(() => clearTimeout(timer));
    if (stopped === undefined) return;
    ring.base = baseOf(stopped.position, ring.isPacked);
    if (stopped.held !== undefined) this.#held.set(ring.index, stopped.held);
    const tracker = this.#trackers.get(ring.index);
    if (stopped.unanswered === 0) tracker?.clear();
    else report(new VhostUserError("memory-in-use", `ring ${ring.index}: ${stopped.unanswered} requests unanswered`));
  }

  /**
   * After {@link pause}: with RING_RESET the driver takes the memory of the ring back when this is done.
   * @throws VhostUserError when a handler holds on to it.
   */
  async letGo(index: number): Promise<void> {
    const held = this.#held.get(index);
    if (held === undefined || !this.#device.negotiated.has(CommonFeature.RING_RESET)) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(true), this.#stopTimeout)));
    const isLate = await Promise.race([held.then(() => false), late]).finally(() => clearTimeout(timer));
    if (isLate) throw new VhostUserError("memory-in-use", `ring ${index}: a handler holds on to its memory`);
    this.#held.delete(index);
  }

  /**
   * As {@link pause}, if the ring or a request in flight has part of memory that goes away; who holds on to that does no harm.
   * False: it has none, and runs on.
   */
  async leave(ring: Vring, memory: readonly MemoryRange[], report: (error: Error) => void): Promise<boolean> {
    if (!ring.isRunning || this.#queues.get(ring.index)?.worksIn(memory) !== true) return false;
    await this.pause(ring, "halted", report);
    return true;
  }

  /** Nothing is in flight any more, in no ring. */
  forget(): void {
    for (const tracker of this.#trackers.values()) tracker.clear();
    this.#trackers.clear();
    this.#held.clear();
  }

  /** What the used ring says, read once. */
  #usedIndex({ device }: QueueAddresses): number {
    const place = this.#regions.memory.place(device, 4);
    return place === undefined ? 0 : place.region.view.getUint16(place.offset + 2, true);
  }
}

function placeOf({ available, used }: QueuePosition): string {
  return `${available} available, ${used} used`;
}
