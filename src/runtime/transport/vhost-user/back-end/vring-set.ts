import type { VirtioDevice } from "../../../device/index.js";
import type { DeviceQueue, QueueAddresses } from "../../../ring/index.js";
import { beginning } from "../../../ring/queue-position.js";
import type { EventFd } from "../../posix/index.js";
import { baseOf, VhostUserError, type SharedRegion, type VringAddress } from "../protocol/index.js";
import { keepsSessions } from "./crypto-sessions.js";
import type { DirtyLog } from "./dirty-log.js";
import type { InbandNotifications } from "./inband-notifications.js";
import type { InflightRegion } from "./inflight-region.js";
import { RingRunner } from "./ring-runner.js";
import type { SessionOptions } from "./session-options.js";
import { guestAddressIn, type MemoryRange } from "./shared-regions.js";
import { Vring, type RunnerMemory, type VringState } from "./vring.js";
import type { SessionWorkers } from "./workers/session-workers.js";
import { WorkerBell } from "./workers/worker-bell.js";

/** Ids of devices whose number of queues is counted in pairs. */
const NET_DEVICE = 1;
/** The index of a ring has 8 bits in some messages. */
const mostRings = 256;

/** The rings of a session: set up here, and worked on in this thread or in a Worker. */
export class VringSet {
  readonly #device: VirtioDevice;
  readonly #options: SessionOptions;
  readonly #regions: RunnerMemory;
  readonly #inband: InbandNotifications;
  readonly #workers: SessionWorkers | undefined;
  readonly #runner: RingRunner;
  readonly #rings = new Map<number, Vring>();
  /** Rings that there are with all features: front ends speak of those that were not negotiated, too. */
  readonly #ringCount: number;
  /** See {@link keepsSessions}. */
  readonly #startEnabled: boolean;

  constructor(
    device: VirtioDevice,
    options: SessionOptions,
    regions: RunnerMemory,
    log: DirtyLog,
    inband: InbandNotifications,
    workers: SessionWorkers | undefined,
  ) {
    this.#device = device;
    this.#options = options;
    this.#regions = regions;
    this.#inband = inband;
    this.#workers = workers;
    this.#runner = new RingRunner(device, regions, log, options.stopTimeout);
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
    for (const ring of this.#rings.values()) if (ring.isRunning || ring.state === "halted") return true;
    return false;
  }

  /** Those that the front end has spoken of. */
  get all(): Iterable<Vring> {
    return this.#rings.values();
  }

  /**
   * The driver is the same as before: the ring that starts first was disabled only, or all of them are to start where they
   * stopped, and have been in use.
   * @param inUse the device has been used in another way
   */
  goOn(first: Vring, inUse: boolean): boolean {
    if (first.state === "paused") return true;
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
    ring = new Vring(index, this.#options.watcher, this.#workers?.has(index), this.#inband);
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

  async setAddress(address: VringAddress, isPacked: boolean): Promise<void> {
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
      if (ring.size > 0 && this.#regions.isOn !== true) ring.addresses(this.#regions, isPacked);
    } catch (error) {
      ring.address = old;
      throw error;
    }
    if (ring.isRunning && ring.isElsewhere) await this.#workers?.setAddress(address);
  }

  /** Takes the eventfd over. Undefined: the ring is to be polled. */
  async setKick(ring: Vring, kick: EventFd | undefined): Promise<void> {
    await this.#told(ring, "kick", kick);
    ring.setKick(kick);
  }
  /** Takes the eventfd over. Undefined: the front end polls. */
  async setCall(ring: Vring, call: EventFd | undefined): Promise<void> {
    await this.#told(ring, "call", call);
    ring.setCall(call);
  }

  /** A Worker that uses the old eventfd has let go of it, so that it can be closed. */
  async #told(ring: Vring, what: "kick" | "call", event: EventFd | undefined): Promise<void> {
    if (!ring.isRunning || !ring.isElsewhere) return;
    try {
      const { bell, index } = ring;
      await this.#workers?.setEvent(index, what, event?.fd ?? (what === "call" ? bell?.fd : undefined));
    } catch (error) {
      event?.close();
      throw error;
    }
  }

  setBase(index: number, base: number): void {
    const ring = this.#stopped(index);
    // Disabled and set up anew without having been stopped: so do Linux and Cloud Hypervisor for the next driver.
    if (ring.state === "paused") {
      ring.stoppedAt = ring.base;
      ring.state = "stopped";
    }
    ring.base = base;
  }

  /** Lets the device at the ring. @throws VhostUserError when the device refuses it. */
  async start(ring: Vring, isPacked: boolean, inflight: InflightRegion | undefined): Promise<void> {
    // The queue was reset: its buffers are the driver's again, answered or not.
    if (ring.stoppedAt !== undefined && ring.stoppedAt !== ring.base) inflight?.discard(ring.index);
    if (ring.isElsewhere) await this.#startElsewhere(ring, isPacked, inflight);
    else this.#runner.start(ring, isPacked, inflight);
    ring.stoppedAt = undefined;
  }

  async #startElsewhere(ring: Vring, isPacked: boolean, inflight: InflightRegion | undefined): Promise<void> {
    // Found in memory here, so that it is refused in the same way.
    ring.addresses(this.#regions, isPacked);
    if (this.#inband.isOn) {
      const { system, watcher } = this.#options;
      ring.bell ??= new WorkerBell(system, watcher, () => this.call(ring.index));
    }
    await this.#workers?.startRing(ring, isPacked, inflight);
    ring.isPacked = isPacked;
    ring.state = "running";
  }

  /** See {@link RingRunner.isUntold}. */
  setUntold(isUntold: boolean): void {
    this.#runner.isUntold = isUntold;
  }

  wrap(queue: DeviceQueue, addresses: QueueAddresses): DeviceQueue {
    return this.#runner.wrap(queue, addresses);
  }

  /** Stops a ring and returns its base. What it does not answer in time is lost, or stays in the inflight region. */
  async stop(ring: Vring): Promise<number> {
    if (ring.isRunning) await this.#pause(ring, "stopped");
    ring.stop();
    ring.stoppedAt = ring.base;
    return ring.base;
  }

  /** The ring stands still, and goes on where it is when it is started again. */
  async halt(ring: Vring): Promise<void> {
    await this.#pause(ring, "halted");
  }

  /** The front end disables a ring. One that runs stands still, and goes on where it is unless it is set up anew. */
  async disable(ring: Vring): Promise<void> {
    ring.isEnabled = false;
    if (ring.isRunning) await this.#pause(ring, "paused");
    else if (ring.state === "halted") ring.state = "paused";
  }

  /** The device has been reset: where rings were says nothing any more. */
  forgetPlaces(): void {
    for (const ring of this.#rings.values()) {
      ring.stoppedAt = undefined;
      if (ring.state === "paused") ring.state = "stopped";
    }
  }

  /** The ring stands still; its kick stays. @throws VhostUserError when a handler holds on to memory that a driver wants back. */
  async #pause(ring: Vring, state: VringState): Promise<void> {
    if (!ring.isElsewhere) {
      await this.#runner.pause(ring, state, this.#options.report);
      await this.#runner.letGo(ring.index);
      return;
    }
    ring.state = state;
    ring.base = (await this.#workers?.pauseRing(ring)) ?? ring.base;
    await this.#workers?.letGoOfRing(ring);
  }

  /** All rings are stopped at once, and forget where they were. */
  reset(): void {
    for (const ring of this.#rings.values()) {
      ring.stop();
      ring.isEnabled = this.#startEnabled;
      ring.base = 0;
      ring.stoppedAt = undefined;
    }
    this.#runner.forget();
  }

  /**
   * This is to be all memory from now on.
   * @throws VhostUserError when a ring that runs is not in it.
   */
  checkTable(table: readonly SharedRegion[]): void {
    if (this.#regions.isOn === true) return;
    const memory = { guestAddress: (address: number, length: number) => guestAddressIn(table, address, length) };
    for (const ring of this.#rings.values()) if (ring.isRunning) ring.addresses(memory, ring.isPacked);
  }

  /** Rings that work in memory that goes away stand still when this is done: until {@link goOnInMemory}. */
  async leaveMemory(memory: readonly MemoryRange[]): Promise<void> {
    if (memory.length === 0 || this.#regions.isOn === true) return;
    const { report } = this.#options;
    const leave = async (ring: Vring): Promise<void> => {
      if (ring.isElsewhere) {
        const base = await this.#workers?.leaveMemory(ring, memory);
        if (base === undefined) return;
        ring.state = "halted";
        ring.base = base;
      } else if (!(await this.#runner.leave(ring, memory, report))) return;
      // What is in flight stays so.
      ring.stoppedAt = undefined;
    };
    await Promise.all([...this.#rings.values()].filter(({ isRunning }) => isRunning).map(leave));
  }

  /** Rings that stand still because of memory, and find theirs, are started. */
  async goOnInMemory(start: (ring: Vring) => Promise<unknown>): Promise<void> {
    for (const ring of this.#rings.values()) {
      if (ring.state !== "halted") continue;
      try {
        await start(ring);
      } catch (error) {
        this.failed(ring, error);
      }
    }
  }

  /** A ring could not be started, and nobody waits to hear of it. */
  failed(ring: Vring, error: unknown): void {
    this.#options.report(error instanceof Error ? error : new Error(String(error)));
    ring.fail();
  }

  /**
   * The memory of a ring that ran was taken away, for something else to be put in its place mostly: what is to start it has to
   * wait for {@link goOnInMemory}.
   */
  waitsForMemory(ring: Vring): boolean {
    if ((ring.state !== "halted" && ring.state !== "paused") || this.#regions.isOn === true) return false;
    try {
      ring.addresses(this.#regions, ring.isPacked);
      return false;
    } catch {
      ring.state = "halted";
      return true;
    }
  }

  call(index: number): void {
    this.#rings.get(index)?.call();
  }

  /** There was a kick by a message. Done when it was looked at. */
  async kicked(ring: Vring): Promise<void> {
    if (ring.isElsewhere) await this.#workers?.kickRing(ring);
    else ring.onKick?.();
  }

  /** Rings that run may have called in vain. */
  callAll(): void {
    for (const ring of this.#rings.values()) if (ring.isRunning) ring.call();
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
}
