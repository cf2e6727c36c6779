import type { VirtioDevice } from "../../../../device/index.js";
import type { FeatureSet } from "../../../../negotiation/index.js";
import { VhostUserError, type VringAddress } from "../../protocol/index.js";
import type { ConfigWrite } from "../config-requests.js";
import type { DirtyLog } from "../dirty-log.js";
import type { InflightRegion } from "../inflight-region.js";
import type { MappedRegion, MemoryRange } from "../shared-regions.js";
import type { Vring } from "../vring.js";
import type { QueueWorker } from "./queue-worker.js";
import type { LentRegion, WorkerRequest } from "./worker-messages.js";

/** What a session asks of its Workers: of all of them, or of that which works on a ring. */
export class SessionWorkers {
  readonly #device: VirtioDevice;
  readonly #workers: readonly QueueWorker[];
  readonly #of: (queue: number) => number | undefined;
  /** What each of them has of the memory table. */
  readonly #lent = new Map<QueueWorker, ReadonlyMap<MappedRegion, LentRegion>>();
  #isOver = false;

  constructor(device: VirtioDevice, workers: readonly QueueWorker[], of: (queue: number) => number | undefined) {
    this.#device = device;
    this.#workers = workers;
    this.#of = of;
  }

  /** A Worker works on this queue. */
  has(queue: number): boolean {
    return this.#workerOf(queue) !== undefined;
  }

  async setMemory(regions: readonly MappedRegion[]): Promise<void> {
    await this.#all((worker) => {
      const before = this.#lent.get(worker);
      const lent = new Map(regions.map((region) => [region, before?.get(region) ?? lend(worker, region)]));
      this.#lent.set(worker, lent);
      return { do: "set-memory", regions: [...lent.values()] };
    });
  }

  /** The log as it is now. */
  async setLog({ isOn, mapping, eventDescriptor }: DirtyLog): Promise<void> {
    await this.#all((worker) => ({
      do: "set-log",
      isOn,
      bytes: mapping === undefined ? undefined : worker.lend(mapping, 0, mapping.length),
      event: eventDescriptor,
    }));
  }

  /** The devices take over the features, as that of the main thread has done. */
  async begin(features: FeatureSet, writes: readonly ConfigWrite[]): Promise<void> {
    const config = this.#device.configSpace.bytes.slice();
    await this.#all(() => ({ do: "begin", features: features.bits(), config, writes }));
  }

  /** The configuration as it is now, after a change by the device. */
  async mirrorConfig(): Promise<void> {
    const config = this.#device.configSpace.bytes.slice();
    await this.#all(() => ({ do: "mirror-config", config }));
  }
  /** A write by the driver. */
  async writeConfig(write: ConfigWrite): Promise<void> {
    await this.#all(() => ({ do: "write-config", write }));
  }

  async startRing(ring: Vring, isPacked: boolean, inflight: InflightRegion | undefined): Promise<void> {
    const { index, size, base, address, descriptors } = ring;
    if (address === undefined) throw new VhostUserError("ring-address", `ring ${index} has none`);
    const mapping = inflight?.mapping;
    await this.#one(index, (worker) => ({
      do: "start-ring",
      ring: {
        ...{ index, size, base, address, isPacked },
        kick: ring.isPolled ? undefined : descriptors.kick,
        isPolled: ring.isPolled,
        call: descriptors.call,
        inflight:
          inflight === undefined || mapping === undefined
            ? undefined
            : { bytes: worker.lend(mapping, 0, mapping.length), form: inflight.form },
      },
    }));
  }

  /** Done when the ring was looked at. */
  async kickRing({ index }: Vring): Promise<void> {
    await this.#one(index, () => ({ do: "kick-ring", index }));
  }
  /** Returns the base. */
  async pauseRing({ index }: Vring): Promise<number | undefined> {
    return await this.#one(index, () => ({ do: "pause-ring", index }));
  }
  /** After {@link pauseRing}: see {@link RingRunner.letGo}. */
  async letGoOfRing({ index }: Vring): Promise<void> {
    await this.#one(index, () => ({ do: "let-go", index }));
  }
  /** Pauses the ring if it works there; returns its base then. */
  async leaveMemory({ index }: Vring, memory: readonly MemoryRange[]): Promise<number | undefined> {
    return await this.#one(index, () => ({ do: "leave-memory", index, memory }));
  }
  async setAddress(address: VringAddress): Promise<void> {
    await this.#one(address.index, () => ({ do: "set-address", address }));
  }
  async setEvent(index: number, what: "kick" | "call", fd: number | undefined): Promise<void> {
    await this.#one(index, () => ({ do: "set-event", index, what, fd }));
  }

  /** The devices are reset, and no ring runs. */
  async reset(): Promise<void> {
    await this.#all(() => ({ do: "reset" }));
  }

  /** The session is over: they let go of everything, or have ended when this is done. */
  async release(): Promise<void> {
    this.#isOver = true;
    this.#lent.clear();
    await Promise.all(this.#workers.map((worker) => worker.call({ do: "release" }).catch(() => undefined)));
  }

  #workerOf(queue: number): QueueWorker | undefined {
    const number = this.#of(queue);
    return number === undefined ? undefined : this.#workers[number];
  }

  async #one(queue: number, request: (worker: QueueWorker) => WorkerRequest): Promise<number | undefined> {
    this.#check();
    const worker = this.#workerOf(queue);
    return await worker?.call(request(worker));
  }
  async #all(request: (worker: QueueWorker) => WorkerRequest): Promise<void> {
    this.#check();
    await Promise.all(this.#workers.map((worker) => worker.call(request(worker))));
  }

  /** What was under way when the session ended starts nothing any more. */
  #check(): void {
    if (this.#isOver) throw new VhostUserError("peer-gone", "the connection is over");
  }
}

function lend(worker: QueueWorker, { guestAddress, userAddress, size, mapping, pieces }: MappedRegion): LentRegion {
  return {
    ...{ guestAddress, userAddress, size },
    pieces: pieces.map(({ start, bytes }) => ({
      start,
      bytes: worker.lend(mapping, start - guestAddress, bytes.length),
    })),
  };
}
