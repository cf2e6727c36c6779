import type { GuestMemory } from "../../memory/index.js";
import { CompletionOrder } from "../completion-order.js";
import { DescriptorFlag, IndirectTable } from "../descriptor-table.js";
import { DescriptorChain, isComplete } from "../descriptor-chain.js";
import { beginning, checkPackedPosition, distance } from "../queue-position.js";
import type { DeviceChain, DeviceQueue, DeviceQueueOptions, InFlightChain, QueuePosition } from "../queue-types.js";
import { appendSaved, Resubmission, savedChains } from "../resubmission.js";
import { RingError, type RingRule } from "../ring-errors.js";
import { SegmentBudget } from "../segment-list.js";
import { clampWritten } from "../written.js";
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
const shift = flagsShift;
const turns = turnMask;
const wants = wantsEvent;
const clamp = clampWritten;

const nextBit = DescriptorFlag.NEXT << shift;
const writeBit = DescriptorFlag.WRITE << shift;
const indirectBit = DescriptorFlag.INDIRECT << shift;

/**
 * Device side of a packed virtqueue (VIRTIO 1.4, 2.8).
 *
 * The driver may be hostile and may run at the same time: each number of its is read once, checked, and then only
 * the copy is used. The buffer id is the driver's business and is only handed back: chains have slots of their own, so
 * an id that comes twice confuses nobody but the driver.
 *
 * Completions are in the ring at once, except for the last word of the first one: the driver, which looks at that one
 * first, sees none of them until `publish` stores it.
 */
export class PackedDeviceQueue implements DeviceQueue {
  readonly index: number;
  readonly size: number;
  readonly memory: GuestMemory;
  readonly #options: DeviceQueueOptions;
  readonly #eventIdx: boolean;
  /** Nobody else can see the ring while we run: plain accesses do. */
  readonly #oneThread: boolean;
  readonly #words: Int32Array;
  readonly #driverEvent: Int32Array;
  readonly #deviceEvent: Int32Array;

  /** One chain a slot, made when a slot is first used. */
  readonly #chains: (DescriptorChain | undefined)[];
  /** Slots that are free: a stack. */
  readonly #freeSlots: Int32Array;
  #freeCount: number;
  readonly #budget = new SegmentBudget();
  readonly #indirectTable = new IndirectTable();
  /** With in-order use. */
  readonly #completions: CompletionOrder | undefined;
  readonly #resubmission: Resubmission;
  #resubmitting: boolean;
  /** Chains taken, 32 bits. */
  #taken = 0;
  /** Offset of the next descriptor to take, its wrap counter, and AVAIL and USED of an available one on this lap. */
  #nextAvailable: number;
  #availableWrap: 0 | 1;
  #availableTurn: number;
  /** Offset of the next used descriptor to write, its wrap counter, and AVAIL and USED of a used one on this lap. */
  #nextUsed: number;
  #usedWrap: 0 | 1;
  #usedTurn: number;
  /** Descriptors that the driver may not make available now, because we have not handed them back. */
  #outstanding: number;
  /** The used descriptor whose last word `publish` stores, and that word; and the descriptors that go out with it. */
  #firstPending = 0;
  #pendingWord = 0;
  #pending = 0;
  /** The driver was asked to notify about the descriptor at `#nextAvailable`. */
  #armed = false;
  /** The device polls: it never asks to be notified. */
  #polling = false;
  #stopped = false;
  #broken: RingError | undefined;

  constructor(options: DeviceQueueOptions) {
    const ring = locatePackedRing(options.memory, options.index, options.addresses);
    const size = options.addresses.size;
    this.#options = options;
    this.index = options.index;
    this.size = size;
    this.memory = options.memory;
    this.#eventIdx = options.features.eventIdx;
    this.#oneThread = options.memory.oneThread;
    this.#words = ring.words;
    this.#driverEvent = ring.driverEvent;
    this.#deviceEvent = ring.deviceEvent;
    this.#chains = new Array<DescriptorChain | undefined>(size).fill(undefined);
    this.#freeSlots = Int32Array.from({ length: size }, (_, slot) => size - 1 - slot);
    this.#freeCount = size;
    this.#completions = options.features.inOrder ? new CompletionOrder(size) : undefined;
    this.#resubmission = new Resubmission(options);
    this.#resubmitting = this.#resubmission.pending;
    this.#broken = undefined;
    const start = checkPackedPosition(options.start ?? beginning, size, this.index);
    this.#nextAvailable = start.available;
    this.#availableWrap = start.availableWrap;
    this.#availableTurn = availableTurn(start.availableWrap);
    this.#nextUsed = start.used;
    this.#usedWrap = start.usedWrap;
    this.#usedTurn = usedTurn(start.usedWrap);
    this.#outstanding = distance(start, size);
    this.#resubmission.account(this.#outstanding);
  }

  get broken(): RingError | undefined {
    return this.#broken;
  }

  get position(): QueuePosition {
    if (!this.#stopped) this.#useInOrder();
    return {
      available: this.#nextAvailable,
      used: this.#nextUsed,
      availableWrap: this.#availableWrap,
      usedWrap: this.#usedWrap,
    };
  }

  inFlight(): InFlightChain[] {
    if (!this.#stopped) this.#useInOrder();
    return [...savedChains(this.#chains), ...this.#resubmission.chains];
  }

  take(): DeviceChain | undefined {
    if (this.#resubmitting) return this.#takeAgain();
    const words = this.#words;
    const at = this.#nextAvailable * 4;
    // Plain: not available yet, nothing to order. With threads it is read again, and only that counts.
    let last = words[at + 3] ?? 0;
    if ((last & turns) !== this.#availableTurn || !this.#oneThread) {
      last = this.#look(at + 3, last);
      if ((last & turns) !== this.#availableTurn) return undefined;
    }
    if (this.#outstanding >= this.size) {
      this.#overrun(1);
      return undefined;
    }
    const low = words[at] ?? 0;
    const high = words[at + 1] ?? 0;
    const length = words[at + 2] ?? 0;
    const slot = this.#freeSlots[this.#freeCount - 1] ?? 0;
    const chain = this.#chains[slot] ?? this.#makeChain(slot);
    const { window } = this.memory;
    const offset = (low - window.low) | 0;
    if (
      (last & (nextBit | indirectBit)) === 0 &&
      offset >= 0 &&
      length > 0 &&
      length <= window.size - offset &&
      high === window.high
    ) {
      chain.single(window, offset, length, (last & writeBit) !== 0);
      chain.id = last & 0xffff;
      chain.entries = 1;
      this.#forward();
    } else {
      chain.begin();
      if (!this.#walk(low, high, length, last, chain)) return undefined;
    }
    this.#outstanding += chain.entries;
    this.#armed = false;
    this.#begin(chain);
    return chain;
  }

  complete(chain: DeviceChain, written: number): "completed" | "stale" {
    const own = this.#chains[chain.slot];
    if (own !== chain || !own.live) return "stale";
    const capacity = own.writableLength;
    own.end();
    if (this.#completions !== undefined) {
      own.written = clamp(written, capacity);
      own.capacity = capacity;
      own.done = true;
      return "completed";
    }
    this.#use(own.id, clamp(written, capacity), own.entries);
    this.#freeSlots[this.#freeCount++] = own.slot;
    return "completed";
  }

  flush(): void {
    if (this.#stopped) return;
    this.#useInOrder();
    const count = this.#pending;
    if (count === 0) return;
    this.publish();
    // Full barrier: the driver first asks for a notification and then looks at the descriptor; we stored the descriptor
    // and now look at what it asked for. Both steps are sequentially consistent, so one of the two sees the other.
    const event = this.#oneThread ? (this.#driverEvent[0] ?? 0) : Atomics.load(this.#driverEvent, 0);
    if (!wants(event, this.#eventIdx, this.#nextUsed, this.#usedWrap, count, this.size)) return;
    this.#options.notifyDriver();
  }

  publish(): void {
    if (this.#stopped) return;
    this.#useInOrder();
    if (this.#pending === 0) return;
    this.#outstanding -= this.#pending;
    this.#pending = 0;
    // Release: the driver sees the other used descriptors and the data before it sees that the first one is used.
    if (this.#oneThread) this.#words[this.#firstPending * 4 + 3] = this.#pendingWord;
    else Atomics.store(this.#words, this.#firstPending * 4 + 3, this.#pendingWord);
  }

  enableNotifications(): boolean {
    if (this.#stopped) return false;
    this.#polling = false;
    this.#armed = false;
    if (this.#resubmitting) return true;
    const last = this.#look(this.#nextAvailable * 4 + 3, ~this.#availableTurn);
    return (last & turns) === this.#availableTurn;
  }

  disableNotifications(): void {
    this.#polling = true;
    this.#armed = false;
    // Plain: a hint.
    if (!this.#stopped) this.#deviceEvent[0] = EventFlags.DISABLE << shift;
  }

  dispose(): void {
    this.#stop();
  }

  #begin(chain: DescriptorChain): void {
    this.#freeCount--;
    chain.live = true;
    chain.order = this.#taken;
    this.#taken = (this.#taken + 1) | 0;
    this.#completions?.push(chain);
  }

  /** The next chain of before the restore. */
  #takeAgain(): DeviceChain | undefined {
    for (let saved = this.#resubmission.next; saved !== undefined; saved = this.#resubmission.next) {
      const slot = this.#freeSlots[this.#freeCount - 1] ?? 0;
      const chain = this.#chains[slot] ?? this.#makeChain(slot);
      chain.begin();
      const rule = appendSaved(chain, saved);
      if (rule !== undefined) {
        this.#break(rule, { id: saved.id });
        return undefined;
      }
      if (!isComplete(chain)) return undefined;
      this.#resubmission.shift();
      this.#resubmitting = this.#resubmission.pending;
      chain.id = saved.id;
      chain.entries = saved.entries;
      this.#begin(chain);
      if (saved.completed === undefined) return chain;
      this.complete(chain, saved.completed);
    }
    return this.take();
  }

  /**
   * The last word of the next descriptor, with what it takes to rely on it: acquire, so that the rest of the buffer is
   * read after it, and if it is not available (`last` is what was seen), asking for a notification before looking again.
   */
  #look(word: number, last: number): number {
    if (this.#stopped) return ~this.#availableTurn;
    const idle = (last & turns) !== this.#availableTurn;
    if (idle && !this.#armed && !this.#polling) {
      const wish = this.#eventIdx ? eventAt(this.#nextAvailable, this.#availableWrap) : EventFlags.ENABLE;
      if (this.#oneThread) this.#deviceEvent[0] = wish;
      // Full barrier between asking and looking again, so that a buffer added meanwhile is not missed.
      else Atomics.store(this.#deviceEvent, 0, wish);
      this.#armed = true;
    }
    const seen = this.#oneThread ? (this.#words[word] ?? 0) : Atomics.load(this.#words, word);
    // Plain: a hint. The driver needs not notify while we are taking; it is asked again before we stop.
    if (!this.#eventIdx && this.#armed && (seen & turns) === this.#availableTurn) {
      this.#deviceEvent[0] = EventFlags.DISABLE << shift;
      this.#armed = false;
    }
    return seen;
  }

  /** One descriptor further on. */
  #forward(): void {
    if (this.#nextAvailable + 1 < this.size) {
      this.#nextAvailable++;
    } else {
      this.#nextAvailable = 0;
      this.#availableWrap = this.#availableWrap === 1 ? 0 : 1;
      this.#availableTurn = availableTurn(this.#availableWrap);
    }
  }

  /** The chain cannot be taken yet: back to its first descriptor. */
  #back(entries: number): void {
    this.#nextAvailable -= entries;
    if (this.#nextAvailable >= 0) return;
    this.#nextAvailable += this.size;
    this.#availableWrap = this.#availableWrap === 1 ? 0 : 1;
    this.#availableTurn = availableTurn(this.#availableWrap);
  }

  /**
   * Copies and checks the chain at the next descriptor, which was read. False: the queue is broken now, or the chain cannot be
   * taken yet.
   */
  #walk(low: number, high: number, length: number, last: number, chain: DescriptorChain): boolean {
    const words = this.#words;
    if ((last & indirectBit) !== 0) {
      chain.entries = 1;
      chain.id = last & 0xffff;
      return this.#walkIndirect(low, high, length, last, chain);
    }
    for (let entries = 1; ; entries++) {
      const offset = this.#nextAvailable;
      const rule = chain.append(low, high, length, (last & writeBit) !== 0);
      if (rule !== undefined) return this.#breakAt(rule, offset, low, high, length);
      this.#forward();
      if ((last & nextBit) === 0) {
        chain.entries = entries;
        chain.id = last & 0xffff;
        if (isComplete(chain)) return true;
        this.#back(entries);
        return false;
      }
      if (this.#outstanding + entries >= this.size) {
        if (entries === this.size) return this.#breakAt("chain-too-long", offset, low, high, length);
        this.#overrun(entries + 1);
        return false;
      }
      const at = this.#nextAvailable * 4;
      // Plain: the driver made the first descriptor available after this one, and we read that one with acquire.
      last = words[at + 3] ?? 0;
      if ((last & turns) !== this.#availableTurn) {
        this.#break("chain-not-available", { descriptor: this.#nextAvailable, flags: last >>> shift });
        return false;
      }
      low = words[at] ?? 0;
      high = words[at + 1] ?? 0;
      length = words[at + 2] ?? 0;
      // A list has descriptors of one kind (2.8.5).
      if ((last & indirectBit) !== 0) {
        return this.#breakAt("indirect-with-next", this.#nextAvailable, low, high, length);
      }
    }
  }

  /** The chain is what the indirect table says. WRITE of the descriptor that refers to it means nothing (2.8.7). */
  #walkIndirect(low: number, high: number, length: number, last: number, chain: DescriptorChain): boolean {
    const table = this.#indirectTable;
    let rule: RingRule | undefined;
    if (!this.#options.features.indirect) rule = "indirect-not-negotiated";
    else if ((last & nextBit) !== 0) rule = "indirect-with-next";
    else rule = table.locate(this.memory, low >>> 0, high >>> 0, length >>> 0);
    if (rule !== undefined) return this.#breakAt(rule, this.#nextAvailable, low, high, length);
    if (table.entries === 0) {
      chain.isMissing = false;
      return false;
    }
    rule = table.walkInOrder(chain, this.size);
    if (rule === undefined) {
      if (!isComplete(chain)) return false;
      this.#forward();
      return true;
    }
    const { entry, address } = table;
    this.#break(rule, { descriptor: this.#nextAvailable, entry, address, length: table.length });
    return false;
  }

  /** Writes the next used descriptor, which stands for `entries` descriptors. */
  #use(id: number, written: number, entries: number): void {
    const words = this.#words;
    const offset = this.#nextUsed;
    const at = offset * 4;
    words[at + 2] = written;
    const last = this.#usedTurn | id | (written === 0 ? 0 : writeBit);
    if (this.#pending === 0) {
      this.#firstPending = offset;
      this.#pendingWord = last;
    } else {
      // Plain: the driver looks at this one only after the first, whose store orders this one before it.
      words[at + 3] = last;
    }
    this.#pending += entries;
    const next = offset + entries;
    if (next < this.size) {
      this.#nextUsed = next;
    } else {
      this.#nextUsed = next - this.size;
      this.#usedWrap = this.#usedWrap === 1 ? 0 : 1;
      this.#usedTurn = usedTurn(this.#usedWrap);
    }
  }

  /** In-order use: writes used descriptors for what is complete, as long as nothing before it is not. */
  #useInOrder(): void {
    const completions = this.#completions;
    if (completions === undefined) return;
    let entries = 0;
    for (let chain = completions.ready; chain !== undefined;) {
      completions.shift();
      chain.done = false;
      this.#freeSlots[this.#freeCount++] = chain.slot;
      entries += chain.entries;
      const next = completions.ready;
      // One descriptor stands for a batch; those before the last count as used completely, so that has to be true.
      if (next === undefined || chain.written !== chain.capacity) {
        this.#use(chain.id, chain.written, entries);
        entries = 0;
      }
      chain = next;
    }
  }

  #makeChain(slot: number): DescriptorChain {
    const chain = new DescriptorChain(slot, this.memory, this.#budget, this.size);
    this.#chains[slot] = chain;
    return chain;
  }

  #overrun(entries: number): void {
    this.#break("available-overrun", { descriptor: this.#nextAvailable, held: this.#outstanding, entries });
  }

  #breakAt(rule: RingRule, descriptor: number, low: number, high: number, length: number): false {
    this.#break(rule, { descriptor, address: (high >>> 0) * 2 ** 32 + (low >>> 0), length: length >>> 0 });
    return false;
  }

  #break(rule: RingRule, numbers: Readonly<Record<string, number>>): void {
    this.#stop();
    this.#broken = new RingError(rule, this.index, numbers, true);
    this.#options.onBroken(this.#broken);
  }

  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#resubmitting = false;
    // No descriptor looks available any more: this is not among the bits of the mask.
    this.#availableTurn = 1;
    for (const chain of this.#chains) {
      if (chain?.live === true) chain.end();
    }
  }
}
