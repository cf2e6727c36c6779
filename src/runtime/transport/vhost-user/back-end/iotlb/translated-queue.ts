import {
  type DeviceChain,
  type DeviceQueue,
  type QueueAddresses,
  ringParts,
  WrappedDeviceQueue,
} from "../../../../ring/index.js";
import type { MemoryRange } from "../shared-regions.js";
import { worksIn } from "../works-in.js";
import type { Misses } from "./misses.js";

/** A queue whose addresses are translated: it gives nothing while the next buffer is not known, which is asked for. */
export class TranslatedQueue extends WrappedDeviceQueue {
  readonly #addresses: QueueAddresses;
  readonly #isPacked: boolean;
  readonly #misses: Misses;

  constructor(queue: DeviceQueue, addresses: QueueAddresses, isPacked: boolean, misses: Misses) {
    super(queue);
    this.#addresses = addresses;
    this.#isPacked = isPacked;
    this.#misses = misses;
  }

  override take(): DeviceChain | undefined {
    this.#misses.begin(this.index);
    const chain = super.take();
    this.#misses.end(this.index);
    return chain;
  }

  /** The ring, or a request in flight, has part of one of these. */
  worksIn(ranges: readonly MemoryRange[]): boolean {
    return worksIn(this, ringParts(this.#addresses, this.#isPacked), ranges);
  }
}
