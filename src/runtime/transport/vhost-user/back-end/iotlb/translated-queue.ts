import { type DeviceChain, type DeviceQueue, type QueueAddresses, WrappedDeviceQueue } from "../../../../ring/index.js";
import type { Misses } from "./misses.js";
import { ringParts } from "./ring-parts.js";

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

  /** Part of [start, end) is the ring itself. */
  liesIn(start: number, end: number): boolean {
    return ringParts(this.#addresses, this.#isPacked).some(
      (part) => part.start < end && part.start + part.size > start,
    );
  }

  /** A request in flight works in part of [start, end). */
  worksIn(start: number, end: number): boolean {
    return this.inFlight().some(({ segments }) =>
      segments?.some(({ address, length }) => address < end && address + length > start),
    );
  }
}
