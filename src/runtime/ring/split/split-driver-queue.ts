import { BuffersInFlight } from "../buffers-in-flight.js";
import { DescriptorFlag } from "../descriptor-table.js";
import { indirectTables } from "../driver-tables.js";
import { passedEvent } from "../event-index.js";
import { checkSplitPosition } from "../queue-position.js";
import type { DriverQueue, DriverQueueOptions, QueuePosition } from "../queue-types.js";
import { RingError, type RingRule } from "../ring-errors.js";
import { SegmentDraft, type IndirectTables } from "../segment-draft.js";
import { availableEntries, flagsWord, indexWord, locateSplitRing, noNotification, usedEntries } from "./split-ring.js";

// Copies of imported values: the compiler of V8 takes a constant of this module as such, and reads an imported one anew.
const WRITE = DescriptorFlag.WRITE;
const NEXT = DescriptorFlag.NEXT;
const INDIRECT = DescriptorFlag.INDIRECT;
const flagsAt = flagsWord;
const indexAt = indexWord;
const noNotice = noNotification;
const availableStart = availableEntries;
const usedStart = usedEntries;
const passed = passedEvent;

/** When publications are numbered anew, so that the number of an old one never comes again. */
const lastBatch = 0x7fff_ffff;

/**
 * Driver side of a split virtqueue (VIRTIO 1.4, 2.7).
 *
 * The device may be hostile: it can overwrite the whole ring, so nothing that was written there is read back. Free
 * descriptors and the shape of buffers in flight are kept here. A token is the number of the head descriptor.
 *
 * With VIRTIO_F_IN_ORDER descriptors are used and come back in ring order, so the links between them never change.
 */
export class SplitDriverQueue implements DriverQueue {
  readonly index: number;
  readonly size: number;
  free: number;
  lastWritten = 0;
  overlongCount = 0;
  readonly #options: DriverQueueOptions;
  readonly #eventIdx: boolean;
  readonly #inOrder: boolean;
  /** Nobody else can see the ring while we run: plain accesses do. */
  readonly #oneThread: boolean;
  readonly #table: Int32Array;
  readonly #available: Uint16Array;
  readonly #used: Uint16Array;
  readonly #usedElements: Int32Array;
  readonly #usedEventWord: number;
  readonly #availEventWord: number;
  readonly #mask: number;
  readonly #draft: SegmentDraft;
  readonly #tables: IndirectTables | undefined;
  readonly #inFlight: BuffersInFlight;
  /** Rows of `#inFlight`; see Row. */
  readonly #rows: Int32Array;
  #firstFree = 0;
  /** Number of the publication to come. */
  #batch = 0;

  /** Next entry of the available ring to fill, and how far the device has been told. Both 16 bits. */
  #nextAvailable = 0;
  #publishedAvailable = 0;
  /** Next entry of the used ring to take, and how far the device is known to have filled it. Both 16 bits. */
  #nextUsed = 0;
  #seenUsed = 0;
  /** In-order use: the oldest buffer in flight, and the last one of the batch that the device named; -1: none. */
  #oldest = 0;
  #batchEnd = -1;
  #batchWritten = 0;
  #stopped = false;
  #broken: RingError | undefined;

  constructor(options: DriverQueueOptions) {
    const ring = locateSplitRing(options.memory, options.index, options.addresses);
    const size = options.addresses.size;
    this.#options = options;
    this.index = options.index;
    this.size = size;
    this.free = size;
    this.#eventIdx = options.features.eventIdx;
    this.#inOrder = options.features.inOrder;
    this.#oneThread = options.memory.oneThread;
    this.#table = ring.descriptors;
    this.#available = ring.available;
    this.#used = ring.used;
    this.#usedElements = ring.usedElements;
    this.#usedEventWord = ring.usedEventWord;
    this.#availEventWord = ring.availEventWord;
    this.#mask = size - 1;
    this.#draft = new SegmentDraft(options.index, size, false);
    this.#tables = indirectTables(options, "split");
    this.#inFlight = new BuffersInFlight(size);
    this.#rows = this.#inFlight.rows;
    this.#broken = undefined;

    // The device does not know the queue yet, so plain accesses do. The used ring's flags must be 0 (2.7.10.1).
    ring.descriptors.fill(0);
    ring.available.fill(0);
    ring.used.fill(0);
    if (options.start !== undefined) {
      const { available, used } = checkSplitPosition(options.start, 0, this.index);
      this.#nextAvailable = this.#publishedAvailable = available;
      this.#nextUsed = this.#seenUsed = used;
      ring.available[indexAt] = available;
      ring.used[indexAt] = used;
      // As in a fresh ring, each side is notified about what comes next.
      ring.available[ring.usedEventWord] = used;
      ring.used[ring.availEventWord] = available;
    }
  }

  get broken(): RingError | undefined {
    return this.#broken;
  }

  get position(): QueuePosition {
    return { available: this.#nextAvailable, used: this.#nextUsed, availableWrap: 1, usedWrap: 1 };
  }

  inFlight(): number[] {
    return this.#inFlight.tokens();
  }

  begin(): void {
    this.#draft.begin();
  }

  addReadable(address: number, length: number): void {
    this.#draft.add(address, length, 0);
  }

  addWritable(address: number, length: number): void {
    this.#draft.add(address, length, WRITE);
  }

  end(): number {
    if (this.#stopped) return -1;
    const draft = this.#draft;
    if (draft.count !== 1) return this.#endLong(draft);
    if (this.free === 0) return -1;
    const head = this.#firstFree;
    const table = this.#table;
    const word = head * 4;
    table[word] = draft.low;
    table[word + 1] = draft.high;
    table[word + 2] = draft.length;
    table[word + 3] = draft.flags;
    // Rows have four words, too.
    const rows = this.#rows;
    this.#firstFree = rows[word] ?? 0;
    rows[word + 1] = 1;
    rows[word + 2] = draft.flags === 0 ? 0 : draft.length;
    rows[word + 3] = this.#batch;
    draft.begin();
    this.free--;
    // Plain: the index that covers this entry is stored in `publish` (release).
    const next = this.#nextAvailable;
    this.#available[availableStart + (next & this.#mask)] = head;
    this.#nextAvailable = (next + 1) & 0xffff;
    return head;
  }

  kick(): void {
    const before = this.#publishedAvailable;
    const now = this.#nextAvailable;
    if (now === before || this.#stopped) return;
    this.publish();
    // Full barrier: the device first asks for a notification and then looks at the index; we stored the index and now
    // look at what it asked for. Both steps are sequentially consistent, so one of the two sees the other.
    if (this.#eventIdx) {
      const event = this.#oneThread
        ? (this.#used[this.#availEventWord] ?? 0)
        : Atomics.load(this.#used, this.#availEventWord);
      if (!passed(event, now, before)) return;
    } else {
      const flags = this.#oneThread ? (this.#used[flagsAt] ?? 0) : Atomics.load(this.#used, flagsAt);
      if ((flags & noNotice) !== 0) return;
    }
    this.#options.notifyDevice(now);
  }

  publish(): void {
    const now = this.#nextAvailable;
    if (now === this.#publishedAvailable || this.#stopped) return;
    this.#publishedAvailable = now;
    if (this.#batch === lastBatch) this.#inFlight.forgetBatches();
    this.#batch = (this.#batch + 1) & lastBatch;
    // Release: the device sees descriptors and entries before it sees the index.
    if (this.#oneThread) this.#available[indexAt] = now;
    else Atomics.store(this.#available, indexAt, now);
  }

  poll(): number {
    const next = this.#nextUsed;
    if (next === this.#seenUsed && !this.#lookForUsed()) return -1;
    if (this.#inOrder) return this.#pollInOrder();
    const element = usedStart + 2 * (next & this.#mask);
    // Plain: the index that covers this entry was read before (acquire). Each word is read once.
    const token = this.#usedElements[element] ?? 0;
    const written = this.#usedElements[element + 1] ?? 0;
    if (token >>> 0 >= this.size) return this.#break("used-id-out-of-range", { id: token >>> 0, size: this.size });
    const rows = this.#rows;
    const row = token * 4;
    const descriptors = rows[row + 1] ?? 0;
    if (descriptors === 0 || rows[row + 3] === this.#batch) return this.#break(this.#whatIs(token), { id: token });
    this.#setWritten(written, rows[row + 2] ?? 0);
    // Free its descriptors: the last of them leads to those that were free before.
    rows[row + 1] = 0;
    let last = row;
    for (let left = descriptors; left > 1; left--) last = (rows[last] ?? 0) * 4;
    rows[last] = this.#firstFree;
    this.#firstFree = token;
    this.free += descriptors;
    this.#nextUsed = (next + 1) & 0xffff;
    return token;
  }

  enableNotifications(): boolean {
    if (this.#stopped) return false;
    const next = this.#nextUsed;
    if (this.#oneThread) {
      if (this.#eventIdx) this.#available[this.#usedEventWord] = next;
      else this.#available[flagsAt] = 0;
      return this.#used[indexAt] !== next;
    }
    // Full barrier between asking and looking again, so that a buffer used meanwhile is not missed.
    if (this.#eventIdx) Atomics.store(this.#available, this.#usedEventWord, next);
    else Atomics.store(this.#available, flagsAt, 0);
    return Atomics.load(this.#used, indexAt) !== next;
  }

  disableNotifications(): void {
    if (this.#stopped) return;
    // Plain: a hint. With event indexes, the furthest away entry is the one that was used last.
    if (this.#eventIdx) this.#available[this.#usedEventWord] = this.#nextUsed - 1;
    else this.#available[flagsAt] = noNotice;
  }

  dispose(): void {
    this.#stop();
  }

  /** Ends a buffer of several segments, in a table of its own or in free descriptors. */
  #endLong(draft: SegmentDraft): number {
    draft.requireSegment();
    const { count } = draft;
    const tables = this.#tables;
    const indirect = tables?.take(count) === true;
    const descriptors = indirect ? 1 : count;
    if (descriptors > this.free) return -1;
    draft.spill();
    const head = this.#firstFree;
    if (indirect) {
      tables.fill(head, draft);
      const table = this.#table;
      const address = tables.addressOf(head);
      table[head * 4] = address;
      table[head * 4 + 1] = Math.floor(address / 2 ** 32);
      table[head * 4 + 2] = count * 16;
      table[head * 4 + 3] = INDIRECT;
      this.#firstFree = this.#rows[head * 4] ?? 0;
    } else {
      this.#fillDescriptors(head, draft);
    }
    const row = head * 4;
    this.#rows[row + 1] = descriptors;
    this.#rows[row + 2] = draft.writableBits;
    this.#rows[row + 3] = this.#batch;
    draft.begin();
    this.free -= descriptors;
    this.#available[availableStart + (this.#nextAvailable & this.#mask)] = head;
    this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
    return head;
  }

  /** Copies a draft into free descriptors of the table, from `head` on, with the links that these have. */
  #fillDescriptors(head: number, { words, count }: SegmentDraft): void {
    const table = this.#table;
    let descriptor = head;
    let from = 0;
    for (let left = count; left > 0; left--, from += 4) {
      const next = this.#rows[descriptor * 4] ?? 0;
      const to = descriptor * 4;
      const flags = words[from + 3] ?? 0;
      table[to] = words[from] ?? 0;
      table[to + 1] = words[from + 1] ?? 0;
      table[to + 2] = words[from + 2] ?? 0;
      table[to + 3] = left === 1 ? flags : flags | NEXT | (next << 16);
      descriptor = next;
    }
    this.#firstFree = descriptor;
  }

  /** A used length larger than the writable part is cut to it: both as 32 bits. */
  #setWritten(written: number, writable: number): void {
    if (written >>> 0 <= writable >>> 0) {
      this.lastWritten = written >>> 0;
    } else {
      // Devices exist that count readable bytes too. Nothing beyond the buffer is believed, so cutting it is safe.
      this.lastWritten = writable >>> 0;
      this.overlongCount++;
    }
  }

  /**
   * The oldest buffer: one used entry stands for all buffers up to the one that it names, and the next entry is behind
   * as many as there are in that batch (2.7.9). Those before the last were used completely.
   */
  #pollInOrder(): number {
    const next = this.#nextUsed;
    const rows = this.#rows;
    if (this.#batchEnd < 0) {
      const element = usedStart + 2 * (next & this.#mask);
      const id = this.#usedElements[element] ?? 0;
      this.#batchWritten = this.#usedElements[element + 1] ?? 0;
      if (id >>> 0 >= this.size) return this.#break("used-id-out-of-range", { id: id >>> 0, size: this.size });
      if (rows[id * 4 + 1] === 0 || rows[id * 4 + 3] === this.#batch) return this.#break(this.#whatIs(id), { id });
      this.#batchEnd = id;
    }
    const token = this.#oldest;
    const row = token * 4;
    const writable = rows[row + 2] ?? 0;
    const now = (next + 1) & 0xffff;
    if (token === this.#batchEnd) {
      this.#setWritten(this.#batchWritten, writable);
      this.#batchEnd = -1;
    } else if (now === this.#seenUsed) {
      return this.#break("used-batch-too-long", { id: this.#batchEnd, now });
    } else {
      this.lastWritten = writable >>> 0;
    }
    const descriptors = rows[row + 1] ?? 0;
    rows[row + 1] = 0;
    this.free += descriptors;
    this.#oldest = (token + descriptors) & this.#mask;
    this.#nextUsed = now;
    return token;
  }

  /** No used buffer is known: looks at the device's index. False: there is none. */
  #lookForUsed(): boolean {
    if (this.#stopped) return false;
    const next = this.#nextUsed;
    // Plain: nothing new, nothing to order.
    let seen = this.#used[indexAt] ?? 0;
    if (seen === next) return false;
    // Acquire: used entries and data are read after the index.
    if (!this.#oneThread) seen = Atomics.load(this.#used, indexAt);
    const inFlight = (this.#publishedAvailable - next) & 0xffff;
    if (((seen - next) & 0xffff) > inFlight) {
      this.#break("used-index-jump", { before: next, now: seen, inFlight });
      return false;
    }
    this.#seenUsed = seen;
    return seen !== next;
  }

  /** Why a token is not a buffer in flight. Slow: only for a queue that is broken. */
  #whatIs(token: number): RingRule {
    const rows = this.#rows;
    for (let head = 0; head < this.size; head++) {
      let at = head;
      for (let left = rows[4 * head + 1] ?? 0; left > 0; left--) {
        if (at === token && at !== head) return "used-id-not-a-head";
        at = rows[4 * at] ?? 0;
      }
    }
    return "used-id-not-in-flight";
  }

  #break(rule: RingRule, numbers: Readonly<Record<string, number>>): -1 {
    if (this.#stopped) return -1;
    this.#stop();
    this.#broken = new RingError(rule, this.index, numbers);
    this.#options.onBroken(this.#broken);
    return -1;
  }

  #stop(): void {
    this.#stopped = true;
    this.#seenUsed = this.#nextUsed;
    this.#batchEnd = -1;
  }
}
