import { BuffersInFlight } from "../buffers-in-flight.js";
import { DescriptorFlag } from "../descriptor-table.js";
import { indirectTables } from "../driver-tables.js";
import { beginning, checkPackedPosition } from "../queue-position.js";
import type { DriverQueue, DriverQueueOptions, QueuePosition } from "../queue-types.js";
import { RingError, type RingRule } from "../ring-errors.js";
import { SegmentDraft, type IndirectTables } from "../segment-draft.js";
import {
  availableTurn,
  eventAt,
  EventFlags,
  flagsShift,
  locatePackedRing,
  turnMask,
  usedTurn,
  wantsEvent,
} from "./packed-ring.js";

// Copies of imported values: the compiler of V8 takes a constant of this module as such, and reads an imported one anew.
const WRITE = DescriptorFlag.WRITE;
const NEXT = DescriptorFlag.NEXT;
const INDIRECT = DescriptorFlag.INDIRECT;
const shift = flagsShift;
const turns = turnMask;
const wants = wantsEvent;

/** When publications are numbered anew, so that the number of an old one never comes again. */
const lastBatch = 0x7fff_ffff;

/**
 * Driver side of a packed virtqueue (VIRTIO 1.4, 2.8).
 *
 * Nothing is read back that a hostile device could have overwritten but the used descriptors themselves. A token is the
 * buffer id: of a stack of free ones, or with VIRTIO_F_IN_ORDER the offset of the buffer's first descriptor.
 *
 * Buffers that are ended are in the ring, except for the last word of the first one: the device, which looks at that
 * one first, sees none of them until `publish` stores it.
 */
export class PackedDriverQueue implements DriverQueue {
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
  readonly #words: Int32Array;
  readonly #driverEvent: Int32Array;
  readonly #deviceEvent: Int32Array;
  readonly #draft: SegmentDraft;
  readonly #tables: IndirectTables | undefined;
  readonly #inFlight: BuffersInFlight;
  /** Rows of `#inFlight`; see Row. */
  readonly #rows: Int32Array;
  #firstFree = 0;
  /** Number of the publication to come. */
  #batch = 0;

  /** Offset of the next descriptor to make available, its wrap counter, and AVAIL and USED on this lap. */
  #nextAvailable: number;
  #availableWrap: 0 | 1;
  #availableTurn: number;
  /** The descriptor whose last word `publish` stores, and that word; and how many descriptors go out with it. */
  #firstPending = 0;
  #pendingWord = 0;
  #pending = 0;
  /** Offset of the next used descriptor to read, its wrap counter, and AVAIL and USED of a used one on this lap. */
  #nextUsed: number;
  #usedWrap: 0 | 1;
  #usedTurn: number;
  /** Descriptors that the device holds. */
  #outstanding = 0;
  /** In-order use: the last buffer of the batch that the device named; -1: none. */
  #batchEnd = -1;
  #batchWritten = 0;
  #stopped = false;
  #broken: RingError | undefined;

  constructor(options: DriverQueueOptions) {
    const ring = locatePackedRing(options.memory, options.index, options.addresses);
    const size = options.addresses.size;
    this.#options = options;
    this.index = options.index;
    this.size = size;
    this.free = size;
    this.#eventIdx = options.features.eventIdx;
    this.#inOrder = options.features.inOrder;
    this.#oneThread = options.memory.oneThread;
    this.#words = ring.words;
    this.#driverEvent = ring.driverEvent;
    this.#deviceEvent = ring.deviceEvent;
    this.#draft = new SegmentDraft(options.index, size, true);
    this.#tables = indirectTables(options, "packed");
    this.#inFlight = new BuffersInFlight(size);
    this.#rows = this.#inFlight.rows;
    this.#broken = undefined;

    const start = checkPackedPosition(options.start ?? beginning, size, this.index);
    if (start.available !== start.used || start.availableWrap !== start.usedWrap) {
      throw new RingError("position", this.index, { available: start.available, used: start.used }, true);
    }
    this.#nextAvailable = this.#nextUsed = start.available;
    this.#availableWrap = this.#usedWrap = start.availableWrap;
    this.#availableTurn = availableTurn(this.#availableWrap);
    this.#usedTurn = usedTurn(this.#usedWrap);
    // The device does not know the queue yet, so plain accesses do. A fresh ring is all zero; in one that starts
    // elsewhere every descriptor looks used on the lap before.
    ring.words.fill(0);
    ring.driverEvent.fill(0);
    ring.deviceEvent.fill(0);
    for (let offset = 0; offset < size; offset++) {
      const wrap = offset < start.available ? this.#usedWrap : this.#usedWrap === 1 ? 0 : 1;
      ring.words[offset * 4 + 3] = usedTurn(wrap);
    }
  }

  get broken(): RingError | undefined {
    return this.#broken;
  }

  get position(): QueuePosition {
    return {
      available: this.#nextAvailable,
      used: this.#nextUsed,
      availableWrap: this.#availableWrap,
      usedWrap: this.#usedWrap,
    };
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
    const token = this.#takeToken();
    const rows = this.#rows;
    const row = token * 4;
    rows[row + 1] = 1;
    rows[row + 2] = draft.flags === 0 ? 0 : draft.length;
    rows[row + 3] = this.#batch;
    this.free--;
    this.#put(draft.low, draft.high, draft.length, draft.flags, token);
    draft.begin();
    return token;
  }

  kick(): void {
    const count = this.#pending;
    if (count === 0 || this.#stopped) return;
    this.publish();
    // Full barrier: the device first asks for a notification and then looks at the descriptor; we stored the descriptor
    // and now look at what it asked for. Both steps are sequentially consistent, so one of the two sees the other.
    const event = this.#oneThread ? (this.#deviceEvent[0] ?? 0) : Atomics.load(this.#deviceEvent, 0);
    const now = this.#nextAvailable;
    const wrap = this.#availableWrap;
    if (!wants(event, this.#eventIdx, now, wrap, count, this.size)) return;
    this.#options.notifyDevice(now | (wrap << 15));
  }

  publish(): void {
    if (this.#pending === 0 || this.#stopped) return;
    this.#outstanding += this.#pending;
    this.#pending = 0;
    if (this.#batch === lastBatch) this.#inFlight.forgetBatches();
    this.#batch = (this.#batch + 1) & lastBatch;
    // Release: the device sees all that the buffers consist of before it sees that the first one is available.
    if (this.#oneThread) this.#words[this.#firstPending * 4 + 3] = this.#pendingWord;
    else Atomics.store(this.#words, this.#firstPending * 4 + 3, this.#pendingWord);
  }

  poll(): number {
    if (this.#batchEnd >= 0) return this.#pollBatch(this.#batchEnd);
    // What the device does not hold, it cannot have used. This is so as well after the queue has stopped.
    if (this.#outstanding === 0) return -1;
    const words = this.#words;
    const at = this.#nextUsed * 4;
    // Plain: not used yet, nothing to order.
    let last = words[at + 3] ?? 0;
    if ((last & turns) !== this.#usedTurn) return -1;
    if (!this.#oneThread) {
      // Acquire: length and data are read after AVAIL and USED. The word counts as it is read now.
      last = Atomics.load(words, at + 3);
      if ((last & turns) !== this.#usedTurn) return -1;
    }
    const token = last & 0xffff;
    const written = words[at + 2] ?? 0;
    if (token >= this.size) return this.#break("used-id-out-of-range", { id: token, size: this.size });
    const rows = this.#rows;
    const row = token * 4;
    const descriptors = rows[row + 1] ?? 0;
    if (descriptors === 0 || rows[row + 3] === this.#batch) return this.#break("used-id-not-in-flight", { id: token });
    if (this.#inOrder) {
      this.#batchEnd = token;
      this.#batchWritten = written;
      return this.#pollBatch(token);
    }
    this.#setWritten(written, rows[row + 2] ?? 0);
    rows[row] = this.#firstFree;
    this.#firstFree = token;
    this.#release(row, descriptors);
    return token;
  }

  enableNotifications(): boolean {
    if (this.#stopped) return false;
    const wish = this.#eventIdx ? eventAt(this.#nextUsed, this.#usedWrap) : EventFlags.ENABLE;
    if (this.#batchEnd >= 0) return true;
    const at = this.#nextUsed * 4 + 3;
    let last: number;
    if (this.#oneThread) {
      this.#driverEvent[0] = wish;
      last = this.#words[at] ?? 0;
    } else {
      // Full barrier between asking and looking again, so that a buffer used meanwhile is not missed.
      Atomics.store(this.#driverEvent, 0, wish);
      last = Atomics.load(this.#words, at);
    }
    return this.#outstanding > 0 && (last & turns) === this.#usedTurn;
  }

  disableNotifications(): void {
    // Plain: a hint.
    if (!this.#stopped) this.#driverEvent[0] = EventFlags.DISABLE << shift;
  }

  dispose(): void {
    this.#stop();
  }

  #takeToken(): number {
    if (this.#inOrder) return this.#nextAvailable;
    const token = this.#firstFree;
    this.#firstFree = this.#rows[token * 4] ?? 0;
    return token;
  }

  /** Fills the next descriptor of the ring. The first one since the last publication is kept from looking available. */
  #put(low: number, high: number, length: number, flags: number, token: number): void {
    const words = this.#words;
    const offset = this.#nextAvailable;
    const at = offset * 4;
    words[at] = low;
    words[at + 1] = high;
    words[at + 2] = length;
    const last = (flags << shift) | this.#availableTurn | token;
    if (this.#pending === 0) {
      this.#firstPending = offset;
      this.#pendingWord = last;
    } else {
      // Plain: the device looks at this one only after the first, whose store orders this one before it.
      words[at + 3] = last;
    }
    this.#pending++;
    if (offset + 1 < this.size) {
      this.#nextAvailable = offset + 1;
    } else {
      this.#nextAvailable = 0;
      this.#availableWrap = this.#availableWrap === 1 ? 0 : 1;
      this.#availableTurn = availableTurn(this.#availableWrap);
    }
  }

  /** Ends a buffer of several segments, in a table of its own or in a row of descriptors. */
  #endLong(draft: SegmentDraft): number {
    draft.requireSegment();
    const { count } = draft;
    const tables = this.#tables;
    const indirect = tables?.take(count) === true;
    const descriptors = indirect ? 1 : count;
    if (descriptors > this.free) return -1;
    draft.spill();
    const token = this.#takeToken();
    const row = token * 4;
    this.#rows[row + 1] = descriptors;
    this.#rows[row + 2] = draft.writableBits;
    this.#rows[row + 3] = this.#batch;
    this.free -= descriptors;
    if (indirect) {
      tables.fill(token, draft);
      const address = tables.addressOf(token);
      this.#put(address | 0, Math.floor(address / 2 ** 32) | 0, count * 16, INDIRECT, token);
    } else {
      const { words } = draft;
      for (let left = count, at = 0; left > 0; left--, at += 4) {
        const flags = (words[at + 3] ?? 0) | (left > 1 ? NEXT : 0);
        this.#put(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, flags, token);
      }
    }
    draft.begin();
    return token;
  }

  /** A used length larger than the writable part is cut to it: both as 32 bits. */
  #setWritten(written: number, writable: number): void {
    if (written >>> 0 <= writable >>> 0) {
      this.lastWritten = written >>> 0;
    } else {
      // Nothing beyond the buffer is believed, so cutting it is safe. WRITE is not asked for: there are devices that
      // never set it in used descriptors.
      this.lastWritten = writable >>> 0;
      this.overlongCount++;
    }
  }

  /**
   * In-order use: the oldest buffer. One used descriptor stands for all buffers up to the one that it names, and the
   * next one is behind all of them (2.8.8). Those before the last were used completely.
   */
  #pollBatch(end: number): number {
    const token = this.#nextUsed;
    const row = token * 4;
    const writable = this.#rows[row + 2] ?? 0;
    if (token === end) {
      this.#setWritten(this.#batchWritten, writable);
      this.#batchEnd = -1;
    } else {
      this.lastWritten = writable >>> 0;
    }
    this.#release(row, this.#rows[row + 1] ?? 0);
    return token;
  }

  /** The buffer's descriptors are free again, and the next used descriptor is as many further on. */
  #release(row: number, descriptors: number): void {
    this.#rows[row + 1] = 0;
    this.free += descriptors;
    this.#outstanding -= descriptors;
    const next = this.#nextUsed + descriptors;
    if (next < this.size) {
      this.#nextUsed = next;
    } else {
      this.#nextUsed = next - this.size;
      this.#usedWrap = this.#usedWrap === 1 ? 0 : 1;
      this.#usedTurn = usedTurn(this.#usedWrap);
    }
  }

  #break(rule: RingRule, numbers: Readonly<Record<string, number>>): -1 {
    this.#stop();
    this.#broken = new RingError(rule, this.index, numbers, true);
    this.#options.onBroken(this.#broken);
    return -1;
  }

  #stop(): void {
    this.#stopped = true;
    this.#outstanding = 0;
    this.#batchEnd = -1;
  }
}
