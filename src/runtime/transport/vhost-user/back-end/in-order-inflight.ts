import type { DeviceChain, InFlightChain, QueuePosition } from "../../../ring/index.js";
import type { InflightTracker } from "./inflight-region.js";

/**
 * Takes account of a ring with VIRTIO_F_IN_ORDER. What completes early stays in flight until its turn has come, as the
 * driver sees nothing of it before: the account behind this one is told of used buffers in the order of the ring.
 */
export class InOrderInflight implements InflightTracker {
  readonly position: QueuePosition;
  readonly resubmit: readonly InFlightChain[];
  readonly #account: InflightTracker;
  readonly #size: number;
  /** A ring of buffers in the order in which they were taken, and where each slot is in it. */
  readonly #slots: Int32Array;
  readonly #ids: Int32Array;
  readonly #entries: Int32Array;
  readonly #isComplete: Uint8Array;
  readonly #places: Int32Array;
  #first = 0;
  #next = 0;
  #count = 0;

  constructor(account: InflightTracker, size: number) {
    this.position = account.position;
    this.resubmit = account.resubmit;
    this.#account = account;
    this.#size = size;
    this.#slots = new Int32Array(size);
    this.#ids = new Int32Array(size);
    this.#entries = new Int32Array(size);
    this.#isComplete = new Uint8Array(size);
    this.#places = new Int32Array(size);
  }

  taken(chain: DeviceChain): void {
    const { slot, id, entries } = chain;
    const place = this.#next;
    this.#slots[place] = slot;
    this.#ids[place] = id;
    this.#entries[place] = entries;
    this.#isComplete[place] = 0;
    this.#places[slot] = place;
    this.#next = place + 1 === this.#size ? 0 : place + 1;
    this.#count++;
    this.#account.taken(chain);
  }

  used(slot: number): void {
    this.#isComplete[this.#places[slot] ?? 0] = 1;
    while (this.#count > 0 && this.#isComplete[this.#first] === 1) {
      const place = this.#first;
      this.#first = place + 1 === this.#size ? 0 : place + 1;
      this.#count--;
      this.#account.used(this.#slots[place] ?? 0, this.#ids[place] ?? 0, this.#entries[place] ?? 0);
    }
  }

  publishing(): void {
    this.#account.publishing();
  }
  published(): void {
    this.#account.published();
  }

  clear(): void {
    this.#first = this.#next = this.#count = 0;
    this.#account.clear();
  }
}
