import { closeSync } from "node:fs";
import type { GuestMemory } from "../../../memory/index.js";
import type { DeviceChain, InFlightChain, QueueAddresses, QueuePosition } from "../../../ring/index.js";
import { createMemoryFile, SharedMapping, SystemCallError, type SystemCalls } from "../../posix/index.js";
import { inflightBytes, inflightPartBytes, VhostUserError, type InflightArea } from "../protocol/index.js";
import { PackedInflight } from "./packed-inflight.js";
import { SplitInflight } from "./split-inflight.js";

/** Writes down, where it survives this process, which buffers of a ring are in flight. */
export interface InflightTracker {
  /** Where the ring goes on. */
  readonly position: QueuePosition;
  /** What is to be taken again, oldest first. */
  readonly resubmit: readonly InFlightChain[];
  taken(chain: Pick<DeviceChain, "slot" | "id" | "entries">): void;
  /** A buffer was used, and will be published with others. */
  used(slot: number, id: number, entries: number): void;
  publishing(): void;
  published(): void;
  /** Nothing is in flight. */
  clear(): void;
}

/** How a region is laid out. */
export interface InflightForm {
  /** Parts, one for each ring. */
  readonly queues: number;
  /** Most entries of a ring. */
  readonly queueSize: number;
  readonly isPacked: boolean;
}

/** Memory that the front end keeps for the back end that comes after this one: a part for each ring. */
export class InflightRegion {
  readonly #mapping: SharedMapping | undefined;
  readonly #view: (offset: number, length: number) => Uint8Array;
  readonly #queues: number;
  readonly #queueSize: number;
  readonly #isPacked: boolean;

  private constructor(
    mapping: SharedMapping | undefined,
    view: (offset: number, length: number) => Uint8Array,
    { queues, queueSize, isPacked }: InflightForm,
  ) {
    this.#mapping = mapping;
    this.#view = view;
    this.#queues = queues;
    this.#queueSize = queueSize;
    this.#isPacked = isPacked;
  }

  /** The region of another thread of this process, viewed from this one. */
  static over(bytes: Uint8Array, form: InflightForm): InflightRegion {
    return new InflightRegion(undefined, (offset, length) => bytes.subarray(offset, offset + length), form);
  }

  /** For other threads: where it is; undefined if it is another thread's itself. */
  get mapping(): SharedMapping | undefined {
    return this.#mapping;
  }
  get form(): InflightForm {
    return { queues: this.#queues, queueSize: this.#queueSize, isPacked: this.#isPacked };
  }

  /** A new one, and its file, which the caller closes. */
  static create(
    system: SystemCalls,
    queues: number,
    queueSize: number,
    isPacked: boolean,
  ): { region: InflightRegion; area: InflightArea; fd: number } {
    const size = inflightBytes(queues, queueSize, isPacked);
    const area = { size, offset: 0, queues, queueSize };
    const fd = createMemoryFile(system, "virtio-inflight", size);
    try {
      return { region: InflightRegion.open(system, area, fd, isPacked), area, fd };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** One that the front end has kept. @throws VhostUserError when its size is not that of such a region. */
  static open(system: SystemCalls, area: InflightArea, fd: number, isPacked: boolean): InflightRegion {
    const needed = inflightBytes(area.queues, area.queueSize, isPacked);
    if (area.size < needed) throw new VhostUserError("inflight-size", `${area.size} bytes, ${needed} are needed`);
    try {
      const mapping = new SharedMapping(system, fd, area.offset, area.size);
      return new InflightRegion(mapping, (offset, length) => mapping.view(offset, length), { ...area, isPacked });
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      throw new VhostUserError("inflight-size", error.message, { cause: error });
    }
  }

  /**
   * Takes account of a ring from now on. `position` is where the front end says that it is; if the region knows better,
   * because a back end went away with buffers in flight, the tracker's counts.
   * @throws VhostUserError when the region is not one of such a ring.
   */
  tracker(index: number, memory: GuestMemory, addresses: QueueAddresses, position: QueuePosition): InflightTracker {
    if (index >= this.#queues || addresses.size > this.#queueSize) {
      const text = `ring ${index} of ${addresses.size}, in a region for ${this.#queues} of ${this.#queueSize}`;
      throw new VhostUserError("inflight-size", text);
    }
    const bytes = inflightPartBytes(this.#queueSize, this.#isPacked);
    const view = this.#view(index * bytes, bytes);
    const part = new DataView(view.buffer, view.byteOffset, view.length);
    return this.#isPacked
      ? new PackedInflight(part, memory, addresses, position)
      : new SplitInflight(part, addresses.size, position);
  }

  /** Forgets what is in flight, on one ring or all: the driver has started anew, and its buffers are its own again. */
  discard(only?: number): void {
    const bytes = inflightPartBytes(this.#queueSize, this.#isPacked);
    for (let index = 0; index < this.#queues; index++) {
      if (only !== undefined && only !== index) continue;
      this.#view(index * bytes + versionAt, 2).fill(0);
    }
  }

  close(): void {
    this.#mapping?.release();
  }
}

/** Where the version of a part is, in both formats; 0 says that there is nothing in it. */
const versionAt = 8;
