import type { DeviceChain, InFlightChain, QueuePosition } from "../../../ring/index.js";
import { VhostUserError } from "../protocol/index.js";
import type { InflightTracker } from "./inflight-region.js";

/** Offsets of the header of a ring's part, and of an entry. */
const at = { version: 8, count: 10, lastBatchHead: 12, usedIndex: 14, entries: 16 };
const entryBytes = 16;
const entry = { inflight: 0, next: 6, counter: 8 };
const version = 1;

/**
 * Buffers in flight of a split ring, in memory that outlives this process. Each store leaves it in a state from which the
 * next process can tell what was published: a batch of used buffers is linked first, then published, then marked as done.
 */
export class SplitInflight implements InflightTracker {
  readonly position: QueuePosition;
  readonly resubmit: readonly InFlightChain[];
  readonly #view: DataView;
  readonly #size: number;
  readonly #batch: number[] = [];
  #counter = 1n;
  #used: number;

  /** `position.used` is what the used ring says. @throws VhostUserError when the part is one of another ring. */
  constructor(view: DataView, size: number, position: QueuePosition) {
    this.#view = view;
    this.#size = size;
    this.#used = position.used;
    if (view.getUint16(at.version, true) === 0) {
      // Of a driver that was there before this one.
      this.clear();
      view.setUint16(at.count, size, true);
      view.setUint16(at.usedIndex, position.used, true);
      view.setUint16(at.version, version, true);
      this.position = position;
      this.resubmit = [];
      return;
    }
    const [found, count] = [view.getUint16(at.version, true), view.getUint16(at.count, true)];
    if (found !== version || count !== size) {
      throw new VhostUserError("inflight-size", `version ${found}, for a ring of ${count}, not of ${size}`);
    }
    this.#settle(position.used);
    this.resubmit = this.#inFlight();
    // All that was taken and not used is in flight: the front end does not know how much that is. Nor does it know what was
    // published after it had looked, by a thread that went on for a moment.
    this.position = { ...position, available: (position.used + this.resubmit.length) & 0xffff };
  }

  taken({ id }: DeviceChain): void {
    const place = this.#placeOf(id);
    this.#view.setBigUint64(place + entry.counter, this.#counter++, true);
    this.#view.setUint8(place + entry.inflight, 1);
  }

  used(_slot: number, id: number): void {
    this.#view.setUint16(this.#placeOf(id) + entry.next, this.#view.getUint16(at.lastBatchHead, true), true);
    this.#view.setUint16(at.lastBatchHead, id, true);
    this.#batch.push(id);
  }

  publishing(): void {
    // The batch is linked already.
  }

  published(): void {
    if (this.#batch.length === 0) return;
    for (const id of this.#batch) this.#view.setUint8(this.#placeOf(id) + entry.inflight, 0);
    this.#used = (this.#used + this.#batch.length) & 0xffff;
    this.#view.setUint16(at.usedIndex, this.#used, true);
    this.#batch.length = 0;
  }

  clear(): void {
    for (let id = 0; id < this.#size; id++) this.#view.setUint8(this.#placeOf(id) + entry.inflight, 0);
    this.#batch.length = 0;
  }

  #placeOf(id: number): number {
    return at.entries + entryBytes * id;
  }

  /** What was published last may not have been marked as done. */
  #settle(used: number): void {
    const view = this.#view;
    let left = (used - view.getUint16(at.usedIndex, true)) & 0xffff;
    let id = view.getUint16(at.lastBatchHead, true);
    for (; left > 0 && left <= this.#size && id < this.#size; left--) {
      view.setUint8(this.#placeOf(id) + entry.inflight, 0);
      id = view.getUint16(this.#placeOf(id) + entry.next, true);
    }
    view.setUint16(at.usedIndex, used, true);
  }

  #inFlight(): InFlightChain[] {
    const found: { readonly id: number; readonly counter: bigint }[] = [];
    for (let id = 0; id < this.#size; id++) {
      const place = this.#placeOf(id);
      const counter = this.#view.getBigUint64(place + entry.counter, true);
      if (this.#view.getUint8(place + entry.inflight) !== 0) found.push({ id, counter });
      if (counter >= this.#counter) this.#counter = counter + 1n;
    }
    found.sort((a, b) => (a.counter < b.counter ? -1 : 1));
    return found.map(({ id }) => ({ id, entries: 1 }));
  }
}
