import type { GuestMemory } from "../memory/index.js";
import type {
  DeviceChain,
  DeviceQueue,
  InFlightChain,
  QueuePosition,
  ReadableBytes,
  RingError,
  WritableBytes,
} from "../ring/index.js";
import type { Trace, TracedDescriptor } from "../transport/trace.js";

/** A device queue that tells of the chains taken and completed. In use only where somebody listens. */
export class TracedDeviceQueue implements DeviceQueue {
  readonly #queue: DeviceQueue;
  readonly #trace: Trace;

  constructor(queue: DeviceQueue, trace: Trace) {
    this.#queue = queue;
    this.#trace = trace;
  }

  get index(): number {
    return this.#queue.index;
  }
  get size(): number {
    return this.#queue.size;
  }
  get memory(): GuestMemory {
    return this.#queue.memory;
  }
  get broken(): RingError | undefined {
    return this.#queue.broken;
  }
  get position(): QueuePosition {
    return this.#queue.position;
  }
  inFlight(): InFlightChain[] {
    return this.#queue.inFlight();
  }

  take(): DeviceChain | undefined {
    const chain = this.#queue.take();
    if (chain === undefined) return undefined;
    this.#trace({ kind: "chain", queue: this.index, slot: chain.slot, descriptors: this.#descriptors(chain) });
    return chain;
  }
  complete(chain: DeviceChain, written: number): "completed" | "stale" {
    const { slot } = chain;
    const outcome = this.#queue.complete(chain, written);
    this.#trace({ kind: "completion", queue: this.index, slot, written, outcome });
    return outcome;
  }
  flush(): void {
    this.#queue.flush();
  }
  publish(): void {
    this.#queue.publish();
  }
  enableNotifications(): boolean {
    return this.#queue.enableNotifications();
  }
  disableNotifications(): void {
    this.#queue.disableNotifications();
  }
  dispose(): void {
    this.#queue.dispose();
  }

  #descriptors(chain: DeviceChain): TracedDescriptor[] {
    const found: TracedDescriptor[] = [];
    this.#append(found, chain.readable, "readable");
    this.#append(found, chain.writable, "writable");
    return found;
  }

  #append(found: TracedDescriptor[], part: ReadableBytes | WritableBytes, direction: TracedDescriptor["direction"]) {
    for (let i = 0; i < part.segmentCount; i++) {
      const bytes = part.segmentBytes(i);
      const region = this.memory.regions.find((candidate) => candidate.bytes === bytes);
      found.push({ address: (region?.start ?? 0) + part.segmentOffset(i), length: part.segmentLength(i), direction });
    }
  }
}
