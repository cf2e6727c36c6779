import type { VirtioDevice } from "../../../../device/index.js";
import { DeviceStatus, FeatureSet } from "../../../../negotiation/index.js";
import { borrowedBytes, EventFd, watcherOf, type SystemCalls, type Watcher } from "../../../posix/index.js";
import type { Trace } from "../../../trace.js";
import { VhostUserError } from "../../protocol/index.js";
import { DirtyLog } from "../dirty-log.js";
import { InflightRegion } from "../inflight-region.js";
import { Negotiation } from "../negotiation.js";
import { RingRunner } from "../ring-runner.js";
import type { MemoryRange } from "../shared-regions.js";
import { Vring } from "../vring.js";
import { BorrowedRegions } from "./borrowed-regions.js";
import {
  sentError,
  type LentBytes,
  type RingSetting,
  type WorkerMessage,
  type WorkerRequest,
} from "./worker-messages.js";

/** What a replica needs to know of how it is served. */
export interface ReplicaOptions {
  readonly system: SystemCalls;
  /** Milliseconds that a stop of a ring waits for requests. */
  readonly stopTimeout: number;
  readonly unsupported: FeatureSet;
  readonly trace?: Trace | undefined;
  readonly tell: (message: WorkerMessage) => void;
}

/**
 * A device in a Worker that works on some of the rings, in place of the one in the main thread. Memory, descriptors and
 * decisions are the main thread's.
 */
export class Replica {
  readonly #device: VirtioDevice;
  readonly #options: ReplicaOptions;
  readonly #watcher: Watcher;
  readonly #regions: BorrowedRegions;
  readonly #log: DirtyLog;
  readonly #negotiation: Negotiation;
  readonly #runner: RingRunner;
  readonly #rings = new Map<number, Vring>();

  constructor(device: VirtioDevice, options: ReplicaOptions) {
    const { system, stopTimeout, tell } = options;
    this.#device = device;
    this.#options = options;
    this.#watcher = watcherOf(system);
    this.#regions = new BorrowedRegions((lent) => this.#borrow(lent));
    this.#log = new DirtyLog(system);
    this.#negotiation = new Negotiation(device, stopTimeout);
    this.#runner = new RingRunner(device, this.#regions, this.#log, stopTimeout);
    device.attach({
      memory: this.#regions.memory,
      unsupported: options.unsupported,
      notifyDriver: (queue) => {
        device.trace?.({ kind: "interrupt", queue });
        this.#rings.get(queue)?.call();
      },
      // The configuration is that of the main thread's device, which tells of its changes.
      notifyConfig: () => undefined,
      statusChanged: (status) => {
        if ((status & DeviceStatus.NEEDS_RESET) !== 0) tell({ kind: "needs-reset" });
      },
      queueEnabled: (queue, addresses) => this.#runner.wrap(queue, addresses),
      trace: options.trace,
    });
  }

  /** Does what the main thread asks for. @throws VhostUserError when it cannot be done. */
  async handle(request: WorkerRequest): Promise<number | undefined> {
    switch (request.do) {
      case "set-memory":
        this.#regions.set(request.regions);
        return undefined;
      case "set-log":
        this.#log.isOn = request.isOn;
        this.#log.view(request.bytes === undefined ? undefined : this.#borrow(request.bytes));
        this.#log.replaceEvent(this.#event(request.event))?.close();
        return undefined;
      case "begin":
        this.#closeRings();
        this.#negotiation.setFeatures(FeatureSet.of(request.features), false);
        this.#runner.isUntold = this.#negotiation.isUntold;
        await this.#negotiation.begin();
        this.#device.configSpace.mirror(request.config);
        for (const { offset, bytes } of request.writes) this.#device.writeConfig(offset, bytes);
        return undefined;
      case "mirror-config":
        this.#device.configSpace.mirror(request.config);
        return undefined;
      case "write-config":
        this.#device.writeConfig(request.write.offset, request.write.bytes);
        return undefined;
      case "start-ring":
        this.#start(request.ring);
        return undefined;
      case "set-address":
        this.#at(request.address.index).address = request.address;
        return undefined;
      case "set-event": {
        const ring = this.#at(request.index);
        if (request.what === "call") ring.setCall(this.#event(request.fd));
        else ring.setKick(this.#event(request.fd));
        return undefined;
      }
      case "kick-ring":
        this.#at(request.index).onKick?.();
        return undefined;
      case "pause-ring":
        return await this.#pause(this.#at(request.index));
      case "let-go":
        await this.#runner.letGo(request.index);
        return undefined;
      case "leave-memory":
        return await this.#leave(this.#at(request.index), request.memory);
      case "reset":
        this.#closeRings();
        this.#runner.forget();
        await this.#negotiation.reset();
        return undefined;
      case "release":
      case "end":
        await this.#release();
        if (request.do === "end") this.#device.detach();
        return undefined;
    }
  }

  #start(setting: RingSetting): void {
    const { index, isPacked, inflight } = setting;
    const ring = new Vring(index, this.#watcher);
    ring.size = setting.size;
    ring.address = setting.address;
    ring.base = setting.base;
    this.#rings.get(index)?.close();
    this.#rings.set(index, ring);
    try {
      ring.setCall(this.#event(setting.call));
      if (setting.kick !== undefined || setting.isPolled) ring.setKick(this.#event(setting.kick));
      const region = inflight && InflightRegion.over(this.#borrow(inflight.bytes), inflight.form);
      this.#runner.start(ring, isPacked, region);
      this.#negotiation.driverOk();
    } catch (error) {
      this.#forget(ring);
      throw error;
    }
  }

  async #pause(ring: Vring): Promise<number> {
    await this.#runner.pause(ring, "stopped", this.#report);
    this.#forget(ring);
    return ring.base;
  }

  async #leave(ring: Vring, memory: readonly MemoryRange[]): Promise<number | undefined> {
    if (!(await this.#runner.leave(ring, memory, this.#report))) return undefined;
    this.#forget(ring);
    return ring.base;
  }

  readonly #report = (error: Error): void => this.#options.tell({ kind: "report", error: sentError(error) });

  /** The front end is gone. Its descriptors are closed and its memory is taken away when this has been answered. */
  async #release(): Promise<void> {
    this.#closeRings();
    this.#log.isOn = false;
    this.#log.close();
    try {
      await this.#negotiation.reset();
    } catch {
      // Who still has a view of memory does no harm.
    }
    this.#regions.set([]);
  }

  #closeRings(): void {
    for (const ring of this.#rings.values()) ring.close();
    this.#rings.clear();
  }
  #forget(ring: Vring): void {
    ring.close();
    if (this.#rings.get(ring.index) === ring) this.#rings.delete(ring.index);
  }

  #at(index: number): Vring {
    const ring = this.#rings.get(index);
    if (ring === undefined) throw new VhostUserError("ring-index", `ring ${index} does not run`);
    return ring;
  }
  #event(fd: number | undefined): EventFd | undefined {
    return fd === undefined ? undefined : new EventFd(this.#options.system, fd, false);
  }
  #borrow(lent: LentBytes): Uint8Array {
    const { system, tell } = this.#options;
    return borrowedBytes(system, lent, () => tell({ kind: "collected", loan: lent.loan }));
  }
}
