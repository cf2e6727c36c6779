import type { GuestMemory } from "../memory/index.js";
import type { DeviceChain, DeviceQueue, InFlightChain, QueuePosition } from "./queue-types.js";
import type { RingError } from "./ring-errors.js";

/** A device queue in front of another one, which it hands everything on to; for those that do something besides. */
export abstract class WrappedDeviceQueue implements DeviceQueue {
  readonly index: number;
  readonly size: number;
  readonly memory: GuestMemory;
  readonly #queue: DeviceQueue;

  constructor(queue: DeviceQueue) {
    this.index = queue.index;
    this.size = queue.size;
    this.memory = queue.memory;
    this.#queue = queue;
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
    return this.#queue.take();
  }
  complete(chain: DeviceChain, written: number): "completed" | "stale" {
    return this.#queue.complete(chain, written);
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
}
