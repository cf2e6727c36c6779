import type { GuestMemory } from "../../../memory/index.js";
import type { DeviceChain, InFlightChain, QueueAddresses, QueuePosition } from "../../../ring/index.js";
import { IndirectTable } from "../../../ring/descriptor-table.js";
import { SegmentBudget, SegmentList } from "../../../ring/segment-list.js";
import { VhostUserError } from "../protocol/index.js";
import type { InflightTracker } from "./inflight-region.js";

/** Offsets of the header of a ring's part, and of an entry. */
const at = {
  version: 8,
  count: 10,
  freeHead: 12,
  oldFreeHead: 14,
  usedIndex: 16,
  oldUsedIndex: 18,
  usedWrap: 20,
  oldUsedWrap: 21,
  entries: 32,
};
const entryBytes = 32;
const entry = { inflight: 0, next: 2, last: 4, count: 6, counter: 8, id: 16, flags: 18, length: 20, address: 24 };
const version = 1;
const descriptorBytes = 16;
const flag = { next: 1, write: 2, indirect: 4, available: 0x80, used: 0x8000 };

/**
 * Buffers in flight of a packed ring, in memory that outlives this process. Their descriptors are copied to entries from a
 * list of free ones, as used descriptors overwrite those in the ring. A batch of used buffers goes to the free list and
 * moves the used index, then is published, and then the old values follow: the next process can tell which it was.
 */
export class PackedInflight implements InflightTracker {
  readonly position: QueuePosition;
  readonly resubmit: readonly InFlightChain[];
  readonly #view: DataView;
  readonly #size: number;
  /** The descriptor ring. */
  readonly #ring: DataView;
  /** First entries of the chains in flight, by slot. */
  readonly #heads: Int32Array;
  /** First entries of the buffers to be taken again, in order. */
  readonly #again: number[];
  /** First entries, and ring entries, of what was used and not published. */
  readonly #batch: { readonly head: number; readonly entries: number }[] = [];
  #counter = 1n;
  /** Offset of the next descriptor that is taken. */
  #next: number;

  /** @throws VhostUserError when the part is one of another ring, or makes no sense. */
  constructor(view: DataView, memory: GuestMemory, { size, descriptor }: QueueAddresses, position: QueuePosition) {
    this.#view = view;
    this.#size = size;
    this.#heads = new Int32Array(size);
    this.#again = [];
    const place = memory.place(descriptor, descriptorBytes * size);
    if (place === undefined) throw new VhostUserError("ring-address", "a packed ring");
    const { bytes } = place.region;
    this.#ring = new DataView(bytes.buffer, bytes.byteOffset + place.offset, descriptorBytes * size);
    if (view.getUint16(at.version, true) === 0) {
      this.#initialize(position);
      this.position = position;
      this.resubmit = [];
      this.#next = position.available;
      return;
    }
    const [found, count] = [view.getUint16(at.version, true), view.getUint16(at.count, true)];
    if (found !== version || count !== size) {
      throw new VhostUserError("inflight-size", `version ${found}, for a ring of ${count}, not of ${size}`);
    }
    this.#settle();
    this.resubmit = this.#inFlight(memory);
    // The region knows better than the front end, which cannot tell where a ring was whose back end is lost.
    const used = Math.min(view.getUint16(at.usedIndex, true), size - 1);
    const usedWrap = view.getUint8(at.usedWrap) === 0 ? 0 : 1;
    const taken = this.resubmit.reduce((sum, { entries }) => sum + entries, 0);
    const end = used + taken;
    this.position = {
      used,
      usedWrap,
      available: end < size ? end : end - size,
      availableWrap: end < size ? usedWrap : usedWrap === 0 ? 1 : 0,
    };
    if (taken === 0) this.#initialize(this.position);
    this.#next = this.position.available;
  }

  taken({ slot, id, entries }: Pick<DeviceChain, "slot" | "id" | "entries">): void {
    const again = this.#again.shift();
    if (again !== undefined) {
      this.#heads[slot] = again;
      return;
    }
    const view = this.#view;
    const head = view.getUint16(at.freeHead, true);
    const first = this.#placeOf(head);
    view.setUint16(first + entry.count, entries, true);
    view.setBigUint64(first + entry.counter, this.#counter++, true);
    let free = head;
    let last = head;
    for (let copied = 0; copied < entries; copied++) {
      const place = this.#placeOf(free);
      const descriptor = descriptorBytes * this.#next;
      view.setBigUint64(place + entry.address, this.#ring.getBigUint64(descriptor, true), true);
      view.setUint32(place + entry.length, this.#ring.getUint32(descriptor + 8, true), true);
      view.setUint16(place + entry.id, id, true);
      view.setUint16(place + entry.flags, this.#ring.getUint16(descriptor + 14, true), true);
      last = free;
      free = view.getUint16(place + entry.next, true) % this.#size;
      this.#next = this.#next + 1 === this.#size ? 0 : this.#next + 1;
    }
    view.setUint16(first + entry.last, last, true);
    view.setUint8(first + entry.inflight, 1);
    view.setUint16(at.freeHead, free, true);
    view.setUint16(at.oldFreeHead, free, true);
    this.#heads[slot] = head;
  }

  used(slot: number, _id: number, entries: number): void {
    this.#batch.push({ head: this.#heads[slot] ?? 0, entries });
  }

  publishing(): void {
    const view = this.#view;
    for (const { head, entries } of this.#batch) {
      const last = view.getUint16(this.#placeOf(head) + entry.last, true);
      view.setUint16(this.#placeOf(last) + entry.next, view.getUint16(at.freeHead, true), true);
      view.setUint16(at.freeHead, head, true);
      const next = view.getUint16(at.usedIndex, true) + entries;
      view.setUint16(at.usedIndex, next < this.#size ? next : next - this.#size, true);
      if (next >= this.#size) view.setUint8(at.usedWrap, view.getUint8(at.usedWrap) === 0 ? 1 : 0);
    }
  }

  published(): void {
    if (this.#batch.length === 0) return;
    for (const { head } of this.#batch) this.#view.setUint8(this.#placeOf(head) + entry.inflight, 0);
    this.#batch.length = 0;
    this.#commit();
  }

  clear(): void {
    this.#again.length = 0;
    this.#batch.length = 0;
    for (let index = 0; index < this.#size; index++) this.#view.setUint8(this.#placeOf(index) + entry.inflight, 0);
  }

  #placeOf(index: number): number {
    return at.entries + entryBytes * (index % this.#size);
  }

  #initialize({ used, usedWrap }: QueuePosition): void {
    const view = this.#view;
    for (let index = 0; index < this.#size; index++) {
      view.setUint8(this.#placeOf(index) + entry.inflight, 0);
      view.setUint16(this.#placeOf(index) + entry.next, (index + 1) % this.#size, true);
    }
    view.setUint16(at.freeHead, 0, true);
    view.setUint16(at.usedIndex, used, true);
    view.setUint8(at.usedWrap, usedWrap);
    this.#commit();
    view.setUint16(at.count, this.#size, true);
    view.setUint16(at.version, version, true);
  }

  #commit(): void {
    const view = this.#view;
    view.setUint16(at.oldFreeHead, view.getUint16(at.freeHead, true), true);
    view.setUint16(at.oldUsedIndex, view.getUint16(at.usedIndex, true), true);
    view.setUint8(at.oldUsedWrap, view.getUint8(at.usedWrap));
  }

  /** The last batch was published, or was not: makes the region agree with the ring. */
  #settle(): void {
    const view = this.#view;
    const old = view.getUint16(at.oldUsedIndex, true) % this.#size;
    const oldWrap = view.getUint8(at.oldUsedWrap) === 0 ? 0 : 1;
    const used = view.getUint16(at.usedIndex, true) % this.#size;
    const wrapped = (view.getUint8(at.usedWrap) === 0 ? 0 : 1) !== oldWrap;
    // Entries of the last batch: they are the first ones of the free list.
    const batch = Math.max(0, used - old + (wrapped ? this.#size : 0));
    if (batch > 0) {
      const flags = this.#ring.getUint16(descriptorBytes * old + 14, true);
      // Of a ring that was full the driver may have made this descriptor available again, once it had seen it used.
      const unpublished = oldWrap === 1 ? flag.available : flag.used;
      if ((flags & (flag.available | flag.used)) !== unpublished) {
        let free = view.getUint16(at.freeHead, true);
        for (let entries = 0; entries < batch; entries++) {
          view.setUint8(this.#placeOf(free) + entry.inflight, 0);
          free = view.getUint16(this.#placeOf(free) + entry.next, true);
        }
        this.#commit();
      }
    }
    view.setUint16(at.freeHead, view.getUint16(at.oldFreeHead, true), true);
    view.setUint16(at.usedIndex, view.getUint16(at.oldUsedIndex, true), true);
    view.setUint8(at.usedWrap, view.getUint8(at.oldUsedWrap));
  }

  #inFlight(memory: GuestMemory): InFlightChain[] {
    const view = this.#view;
    const found: { readonly head: number; readonly counter: bigint }[] = [];
    for (let head = 0; head < this.#size; head++) {
      const place = this.#placeOf(head);
      const counter = view.getBigUint64(place + entry.counter, true);
      if (view.getUint8(place + entry.inflight) !== 0) found.push({ head, counter });
      if (counter >= this.#counter) this.#counter = counter + 1n;
    }
    found.sort((a, b) => (a.counter < b.counter ? -1 : 1));
    for (const { head } of found) this.#again.push(head);
    // Read once, and known to be no more than the ring has, before anything is done with them.
    const sizes = found.map(({ head }) => view.getUint16(this.#placeOf(head) + entry.count, true));
    const total = sizes.reduce((sum, entries) => sum + entries, 0);
    if (sizes.includes(0) || total > this.#size) {
      throw new VhostUserError("inflight-size", `${found.length} buffers of ${total} entries in all`);
    }
    return found.map(({ head }, index) => this.#chainAt(head, sizes[index] ?? 0, memory));
  }

  /** A buffer as its entries say; checked like one of the ring. */
  #chainAt(head: number, entries: number, memory: GuestMemory): InFlightChain {
    const view = this.#view;
    const list = new SegmentList(memory, new SegmentBudget(), this.#size);
    const table = new IndirectTable();
    let index = head;
    for (let copied = 0; copied < entries; copied++) {
      const place = this.#placeOf(index);
      const low = view.getUint32(place + entry.address, true);
      const high = view.getUint32(place + entry.address + 4, true);
      const length = view.getUint32(place + entry.length, true);
      const flags = view.getUint16(place + entry.flags, true);
      if ((flags & flag.indirect) !== 0 && entries > 1) {
        throw new VhostUserError("inflight-size", "an indirect table in a buffer of several entries");
      }
      const rule =
        (flags & flag.indirect) === 0
          ? list.append(low, high, length, (flags & flag.write) !== 0)
          : (table.locate(memory, low, high, length) ?? table.walkInOrder(list, this.#size));
      if (rule !== undefined) throw new VhostUserError("inflight-size", `a buffer in flight breaks the rule ${rule}`);
      if (list.isMissing || ((flags & flag.indirect) !== 0 && table.entries === 0)) {
        throw new VhostUserError("ring-address", "a buffer in flight is not known yet");
      }
      index = view.getUint16(place + entry.next, true);
    }
    return { id: view.getUint16(this.#placeOf(head) + entry.id, true), entries, segments: list.save() };
  }
}
