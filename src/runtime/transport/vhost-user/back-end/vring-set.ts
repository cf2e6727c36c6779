import type { VirtioDevice } from "../../../device/index.js";
import type { DeviceQueue, QueueAddresses, QueuePosition } from "../../../ring/index.js";
import { beginning } from "../../../ring/queue-position.js";
import type { Watcher } from "../../posix/index.js";
import { baseOf, positionOf, VhostUserError, type VringAddress } from "../protocol/index.js";
import { AccountedQueue } from "./accounted-queue.js";
import { keepsSessions } from "./crypto-sessions.js";
import type { DirtyLog } from "./dirty-log.js";
import type { InflightRegion, InflightTracker } from "./inflight-region.js";
import type { SharedRegions } from "./shared-regions.js";
import { Vring } from "./vring.js";

/** Ids of devices whose number of queues is counted in pairs. */
const NET_DEVICE = 1;
/** The index of a ring has 8 bits in some messages. */
const mostRings = 256;

/** The rings of a session: set up, started and stopped. */
export class VringSet {
  readonly #device: VirtioDevice;
  readonly #watcher: Watcher;
  readonly #regions: SharedRegions;
  readonly #log: DirtyLog;
  readonly #stopTimeout: number;
  readonly #rings = new Map<number, Vring>();
  readonly #trackers = new Map<number, InflightTracker>();
  /** Rings that there are with all features: front ends speak of those that were not negotiated, too. */
  readonly #ringCount: number;
  /** See {@link keepsSessions}. */
  readonly #startEnabled: boolean;
  /** What {@link wrap} is to use, while a queue is being enabled. */
  #starting: Vring | undefined;

  constructor(device: VirtioDevice, watcher: Watcher, regions: SharedRegions, log: DirtyLog, stopTimeout: number) {
    this.#device = device;
    this.#watcher = watcher;
    this.#regions = regions;
    this.#log = log;
    this.#stopTimeout = stopTimeout;
    this.#starting = undefined;
    this.#startEnabled = keepsSessions(device);
    const highest = device.queues().reduce((most, { index }) => Math.max(most, index), -1);
    this.#ringCount = Math.min(mostRings, highest + 1);
  }

  /** As GET_QUEUE_NUM wants it: rings, or pairs of them for a network device. */
  get queueCount(): number {
    const count = this.#ringCount;
    return this.#device.definition.id === NET_DEVICE ? Math.max(1, count >> 1) : count;
  }

  get anyRunning(): boolean {
    for (const ring of this.#rings.values()) if (ring.isRunning) return true;
    return false;
  }

  /**
   * The rings are to start where they stopped, and have been in use: the driver is the same as before.
   * @param inUse the device has been used in another way
   */
  goOn(inUse: boolean): boolean {
    let used = inUse;
    for (const { stoppedAt, base, isPacked } of this.#rings.values()) {
      if (stoppedAt === undefined) continue;
      if (stoppedAt !== base) return false;
      used ||= stoppedAt !== baseOf(beginning, isPacked);
    }
    return used;
  }

  /** @throws VhostUserError when there is no such ring. */
  at(index: number): Vring {
    let ring = this.#rings.get(index);
    if (ring !== undefined) return ring;
    if (index >= this.#ringCount) {
      throw new VhostUserError("ring-index", `${index}, there are ${this.#ringCount}`);
    }
    ring = new Vring(index, this.#watcher);
    ring.isEnabled = this.#startEnabled;
    this.#rings.set(index, ring);
    return ring;
  }

  setSize(index: number, size: number): void {
    const ring = this.#stopped(index);
    // A packed ring has any size; which kind it is, the device knows when it is enabled.
    const most = this.#device.queue(index)?.maxSize ?? 32768;
    if (size < 1 || size > most) throw new VhostUserError("ring-size", `${size}, not 1 to ${most}`);
    ring.size = size;
  }

  setAddress(address: VringAddress, isPacked: boolean): void {
    const ring = this.at(address.index);
    const { address: old } = ring;
    if (ring.isRunning) {
      // Only whether its writes are logged may change.
      if (old?.descriptor !== address.descriptor || old.used !== address.used || old.available !== address.available) {
        throw new VhostUserError("ring-running", `SET_VRING_ADDR of ring ${address.index}`);
      }
    }
    ring.address = address;
    try {
      if (ring.size > 0) ring.addresses(this.#regions, isPacked);
    } catch (error) {
      ring.address = old;
      throw error;
    }
  }

  setBase(index: number, base: number): void {
    this.#stopped(index).base = base;
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
    const tracker = inflight?.tracker(index, this.#regions.memory, addresses, position);
    const start = tracker?.position ?? position;
    if (tracker === undefined) this.#trackers.delete(index);
    else this.#trackers.set(index, tracker);
    ring.isPacked = isPacked;
    this.#starting = ring;
    const enabled = queue.enable(start, tracker?.resubmit);
    this.#starting = undefined;
    if (!enabled) throw new VhostUserError("ring-base", `ring ${index} of ${ring.size} at ${placeOf(start)}`);
    ring.isRunning = true;
    ring.onKick = () => queue.notify();
    ring.poll();
    // A back end that was killed may have published an answer and not have called for it any more.
    if (tracker !== undefined) ring.call();
  }

  /** Puts the account of what is in flight and what was written in front of a queue. Called by the device. */
  wrap(queue: DeviceQueue, addresses: QueueAddresses): DeviceQueue {
    const ring = this.#starting;
    if (ring === undefined) return queue;
    return new AccountedQueue(queue, addresses, ring, this.#log, this.#trackers.get(ring.index));
  }

  /** Stops a ring and returns its base. What it does not answer in time is lost, or stays in the inflight region. */
  async stop(ring: Vring, report: (error: Error) => void): Promise<number> {
    if (ring.isRunning) await this.pause(ring, report);
    ring.stop();
    ring.stoppedAt = ring.base;
    return ring.base;
  }

  /** The ring stands still; its kick stays. */
  async pause(ring: Vring, report: (error: Error) => void): Promise<void> {
    ring.isRunning = false;
    ring.onKick = undefined;
    const queue = this.#device.queue(ring.index);
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.#stopTimeout)));
    const stopped = await queue?.stop(patience).finally(() => clearTimeout(timer));
    if (stopped === undefined) return;
    ring.base = baseOf(stopped.position, ring.isPacked);
    const tracker = this.#trackers.get(ring.index);
    if (stopped.unanswered === 0) tracker?.clear();
    else report(new VhostUserError("memory-in-use", `ring ${ring.index}: ${stopped.unanswered} requests unanswered`));
  }

  /** All rings are stopped at once, and forget where they were. */
  reset(): void {
    for (const ring of this.#rings.values()) {
      ring.stop();
      ring.isEnabled = this.#startEnabled;
      ring.base = 0;
      ring.stoppedAt = undefined;
    }
    for (const tracker of this.#trackers.values()) tracker.clear();
    this.#trackers.clear();
  }

  /**
   * The memory has changed under rings that run.
   * @throws VhostUserError when the memory of one is gone.
   */
  checkMemory(): void {
    for (const ring of this.#rings.values()) if (ring.isRunning) ring.addresses(this.#regions, ring.isPacked);
  }

  call(index: number): void {
    this.#rings.get(index)?.call();
  }

  /** The device is broken. */
  fail(): void {
    for (const ring of this.#rings.values()) if (ring.isRunning) ring.fail();
  }

  close(): void {
    for (const ring of this.#rings.values()) ring.close();
    this.#rings.clear();
  }

  #stopped(index: number): Vring {
    const ring = this.at(index);
    if (ring.isRunning) throw new VhostUserError("ring-running", `ring ${index}`);
    return ring;
  }

  /** What the used ring says, read once. */
  #usedIndex({ device }: QueueAddresses): number {
    const region = this.#regions.memory.locate(device, 4);
    return region === undefined ? 0 : region.view.getUint16(device - region.start + 2, true);
  }
}

function placeOf({ available, used }: QueuePosition): string {
  return `${available} available, ${used} used`;
}
