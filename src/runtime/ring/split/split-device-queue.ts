import type { GuestMemory } from "../../memory/index.js";
import { CompletionOrder } from "../completion-order.js";
import { DescriptorFlag, IndirectTable } from "../descriptor-table.js";
import { DescriptorChain, isComplete } from "../descriptor-chain.js";
import { passedEvent } from "../event-index.js";
import { checkSplitPosition } from "../queue-position.js";
import type { DeviceChain, DeviceQueue, DeviceQueueOptions, InFlightChain, QueuePosition } from "../queue-types.js";
import { appendSaved, Resubmission, savedChains } from "../resubmission.js";
import { RingError, type RingRule } from "../ring-errors.js";
import { SegmentBudget } from "../segment-list.js";
import { clampWritten } from "../written.js";
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
const clamp = clampWritten;

/**
 * Device side of a split virtqueue (VIRTIO 1.4, 2.7).
 *
 * The driver may be hostile and may run at the same time: each number of its is read once, checked, and then only
 * the copy is used. The slot of a chain is the number of its head descriptor, which is unique while it is in flight.
 */
export class SplitDeviceQueue implements DeviceQueue {
  readonly index: number;
  readonly size: number;
  readonly memory: GuestMemory;
  readonly #options: DeviceQueueOptions;
  readonly #eventIdx: boolean;
  /** Nobody else can see the ring while we run: plain accesses do. */
  readonly #oneThread: boolean;
  readonly #descriptors: Int32Array;
  readonly #available: Uint16Array;
  readonly #used: Uint16Array;
  readonly #usedElements: Int32Array;
  readonly #usedEventWord: number;
  readonly #availEventWord: number;
  readonly #mask: number;

  /** One chain a slot, made when a slot is first used. */
  readonly #chains: (DescriptorChain | undefined)[];
  readonly #budget = new SegmentBudget();
  readonly #indirectTable = new IndirectTable();
  /** With in-order use. */
  readonly #completions: CompletionOrder | undefined;
  readonly #resubmission: Resubmission;
  #resubmitting: boolean;
  /** Chains taken, 32 bits. */
  #taken = 0;
  /** Next entry of the available ring to take, and how far the driver is known to have filled it. Both 16 bits. */
  #nextAvailable = 0;
  #seenAvailable = 0;
  /** Next entry of the used ring to fill, and how far the driver has been told. Both 16 bits. */
  #nextUsed = 0;
  #publishedUsed = 0;
  /** The driver was asked (event index or flags) to notify about the buffer at `#nextAvailable`. */
  #armed = false;
  /** The device polls: it never asks to be notified. */
  #polling = false;
  #stopped = false;
  #broken: RingError | undefined;

  constructor(options: DeviceQueueOptions) {
    const ring = locateSplitRing(options.memory, options.index, options.addresses);
    this.#options = options;
    this.index = options.index;
    this.size = options.addresses.size;
    this.memory = options.memory;
    this.#eventIdx = options.features.eventIdx;
    this.#oneThread = options.memory.oneThread;
    this.#descriptors = ring.descriptors;
    this.#available = ring.available;
    this.#used = ring.used;
    this.#usedElements = ring.usedElements;
    this.#usedEventWord = ring.usedEventWord;
    this.#availEventWord = ring.availEventWord;
    this.#mask = this.size - 1;
    this.#chains = new Array<DescriptorChain | undefined>(this.size).fill(undefined);
    this.#completions = options.features.inOrder ? new CompletionOrder(this.size) : undefined;
    this.#resubmission = new Resubmission(options);
    this.#resubmitting = this.#resubmission.pending;
    this.#broken = undefined;
    if (options.start !== undefined) {
      const start = checkSplitPosition(options.start, this.size, this.index);
      this.#nextAvailable = this.#seenAvailable = start.available;
      this.#nextUsed = this.#publishedUsed = start.used;
    }
    this.#resubmission.account((this.#nextAvailable - this.#nextUsed) & 0xffff);
  }

  get broken(): RingError | undefined {
    return this.#broken;
  }

  get position(): QueuePosition {
    if (!this.#stopped) this.#useInOrder();
    return { available: this.#nextAvailable, used: this.#nextUsed, availableWrap: 1, usedWrap: 1 };
  }

  inFlight(): InFlightChain[] {
    if (!this.#stopped) this.#useInOrder();
    return [...savedChains(this.#chains), ...this.#resubmission.chains];
  }

  take(): DeviceChain | undefined {
    if (this.#resubmitting) return this.#takeAgain();
    if (this.#nextAvailable === this.#seenAvailable && !this.#lookForAvailable()) return undefined;
    // Plain: the index that covers this entry was read before (acquire).
    const head = this.#available[availableStart + (this.#nextAvailable & this.#mask)] ?? 0;
    if (head >= this.size) {
      this.#break("head-out-of-range", { head, size: this.size });
      return undefined;
    }
    const chain = this.#chains[head] ?? this.#makeChain(head);
    if (chain.live || chain.done) {
      this.#break("head-in-flight", { head });
      return undefined;
    }
    const descriptors = this.#descriptors;
    const word = head * 4;
    const low = descriptors[word] ?? 0;
    const high = descriptors[word + 1] ?? 0;
    const length = descriptors[word + 2] ?? 0;
    const flags = descriptors[word + 3] ?? 0;
    const { window } = this.memory;
    const offset = (low - window.low) | 0;
    if (
      (flags & (NEXT | INDIRECT)) === 0 &&
      offset >= 0 &&
      length > 0 &&
      length <= window.size - offset &&
      high === window.high
    ) {
      chain.single(window, offset, length, (flags & WRITE) !== 0);
    } else {
      chain.begin();
      if (!this.#walk(head, low, high, length, flags, chain)) return undefined;
    }
    this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
    this.#armed = false;
    this.#begin(chain);
    return chain;
  }

  complete(chain: DeviceChain, written: number): "completed" | "stale" {
    const slot = chain.slot;
    const own = this.#chains[slot];
    if (own !== chain || !own.live) return "stale";
    const capacity = own.writableLength;
    own.end();
    if (this.#completions !== undefined) {
      own.written = clamp(written, capacity);
      own.capacity = capacity;
      own.done = true;
      return "completed";
    }
    const element = usedStart + 2 * (this.#nextUsed & this.#mask);
    // Plain: the index that covers this entry is stored in `publish` (release).
    this.#usedElements[element] = slot;
    this.#usedElements[element + 1] = clamp(written, capacity);
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
    return "completed";
  }

  flush(): void {
    if (this.#stopped) return;
    this.#useInOrder();
    const before = this.#publishedUsed;
    const now = this.#nextUsed;
    if (now === before) return;
    this.publish();
    // Full barrier: the driver first asks for a notification and then looks at the index; we stored the index and now
    // look at what it asked for. Both steps are sequentially consistent, so one of the two sees the other.
    if (this.#eventIdx) {
      const event = this.#oneThread
        ? (this.#available[this.#usedEventWord] ?? 0)
        : Atomics.load(this.#available, this.#usedEventWord);
      if (!passed(event, now, before)) return;
    } else {
      const flags = this.#oneThread ? (this.#available[flagsAt] ?? 0) : Atomics.load(this.#available, flagsAt);
      if ((flags & noNotice) !== 0) return;
    }
    this.#options.notifyDriver();
  }

  publish(): void {
    if (this.#stopped) return;
    this.#useInOrder();
    const now = this.#nextUsed;
    if (now === this.#publishedUsed) return;
    this.#publishedUsed = now;
    // Release: the driver sees the used entries and the data before it sees the index.
    if (this.#oneThread) this.#used[indexAt] = now;
    else Atomics.store(this.#used, indexAt, now);
  }

  enableNotifications(): boolean {
    this.#polling = false;
    this.#armed = false;
    return this.#resubmitting || this.#nextAvailable !== this.#seenAvailable || this.#lookForAvailable();
  }

  disableNotifications(): void {
    this.#polling = true;
    this.#armed = false;
    if (this.#stopped) return;
    // Plain: a hint. With event indexes, the furthest away entry is the one that was taken last.
    if (this.#eventIdx) this.#used[this.#availEventWord] = this.#nextAvailable - 1;
    else this.#used[flagsAt] = noNotice;
  }

  dispose(): void {
    this.#stop();
  }

  #begin(chain: DescriptorChain): void {
    chain.live = true;
    chain.order = this.#taken;
    this.#taken = (this.#taken + 1) | 0;
    this.#completions?.push(chain);
  }

  /** The next chain of before the restore. */
  #takeAgain(): DeviceChain | undefined {
    for (let saved = this.#resubmission.next; saved !== undefined; saved = this.#resubmission.next) {
      const { id, segments, completed } = saved;
      const chain = this.#chains[id] ?? this.#makeChain(id);
      chain.begin();
      if (segments === undefined) {
        const word = id * 4;
        const [low = 0, high = 0, length = 0, flags = 0] = this.#descriptors.slice(word, word + 4);
        if (!this.#walk(id, low, high, length, flags, chain)) return undefined;
      } else {
        const rule = appendSaved(chain, saved);
        if (rule !== undefined) {
          this.#break(rule, { id });
          return undefined;
        }
        if (!isComplete(chain)) return undefined;
      }
      this.#resubmission.shift();
      this.#resubmitting = this.#resubmission.pending;
      this.#begin(chain);
      if (completed === undefined) return chain;
      this.complete(chain, completed);
    }
    return this.take();
  }

  /** Nothing is known to be available: looks at the driver's index. False: there is nothing, now or ever. */
  #lookForAvailable(): boolean {
    if (this.#stopped) return false;
    const next = this.#nextAvailable;
    // Plain: only decides whether to ask for a notification. What is relied on is read again below.
    let seen = this.#available[indexAt] ?? 0;
    if (seen === next && !this.#armed && !this.#polling) {
      this.#ask(next);
      this.#armed = true;
    }
    // Acquire: entries and descriptors are read after the index. One thread sees what it saw before.
    if (!this.#oneThread) seen = Atomics.load(this.#available, indexAt);
    if (seen === next) return false;
    const step = (seen - next) & 0xffff;
    if (step > this.size) {
      this.#break(step >= 0x8000 ? "available-index-backwards" : "available-index-jump", {
        before: next,
        now: seen,
        size: this.size,
      });
      return false;
    }
    this.#seenAvailable = seen;
    // Plain: a hint. The driver needs not notify while we are taking; it is asked again before we stop.
    if (!this.#eventIdx) this.#used[flagsAt] = noNotice;
    return true;
  }

  /** Asks for a notification about entry `next`. A full barrier between this and looking again, if there are threads. */
  #ask(next: number): void {
    if (this.#oneThread) {
      if (this.#eventIdx) this.#used[this.#availEventWord] = next;
      else this.#used[flagsAt] = 0;
    } else if (this.#eventIdx) {
      Atomics.store(this.#used, this.#availEventWord, next);
    } else {
      Atomics.store(this.#used, flagsAt, 0);
    }
  }

  /**
   * Copies and checks the chain that starts at `head`, whose descriptor was read. False: the queue is broken now, or the chain
   * cannot be taken yet.
   */
  #walk(head: number, low: number, high: number, length: number, flags: number, chain: DescriptorChain): boolean {
    const descriptors = this.#descriptors;
    let index = head;
    // Each step reads one descriptor, and a chain without a loop has at most `size` of them.
    for (let steps = 1; ; steps++) {
      if ((flags & INDIRECT) !== 0) {
        return this.#walkIndirect(index, low, high, length, flags, steps - 1, chain);
      }
      const rule = chain.append(low, high, length, (flags & WRITE) !== 0);
      if (rule !== undefined) return this.#breakAt(rule, index, low, high, length);
      if ((flags & NEXT) === 0) return isComplete(chain);
      if (steps === this.size) return this.#breakAt("descriptor-loop", index, low, high, length);
      const next = flags >>> 16;
      if (next >= this.size) {
        this.#break("next-out-of-range", { descriptor: index, next, size: this.size });
        return false;
      }
      index = next;
      const word = index * 4;
      low = descriptors[word] ?? 0;
      high = descriptors[word + 1] ?? 0;
      length = descriptors[word + 2] ?? 0;
      flags = descriptors[word + 3] ?? 0;
    }
  }

  /**
   * Goes on in the indirect table of descriptor `parent`, which ends the chain; `before` descriptors came before it.
   * The WRITE flag of `parent` means nothing (2.7.5.3.2).
   */
  #walkIndirect(
    parent: number,
    low: number,
    high: number,
    length: number,
    flags: number,
    before: number,
    chain: DescriptorChain,
  ): boolean {
    const table = this.#indirectTable;
    let rule: RingRule | undefined;
    if (!this.#options.features.indirect) rule = "indirect-not-negotiated";
    else if ((flags & NEXT) !== 0) rule = "indirect-with-next";
    else rule = table.locate(this.memory, low >>> 0, high >>> 0, length >>> 0);
    if (rule !== undefined) return this.#breakAt(rule, parent, low, high, length);
    if (table.entries === 0) {
      chain.isMissing = false;
      return false;
    }
    rule = table.walkChained(chain, this.size - before);
    if (rule === undefined) return isComplete(chain);
    this.#break(rule, { descriptor: parent, entry: table.entry, address: table.address, length: table.length });
    return false;
  }

  /** In-order use: writes used entries for what is complete, as long as nothing before it is not. */
  #useInOrder(): void {
    const completions = this.#completions;
    if (completions === undefined) return;
    let start = this.#nextUsed;
    for (let chain = completions.ready; chain !== undefined;) {
      completions.shift();
      chain.done = false;
      this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
      const next = completions.ready;
      // One entry stands for a batch; those before the last count as used completely, so that has to be true (2.7.9).
      if (next === undefined || chain.written !== chain.capacity) {
        const element = usedStart + 2 * (start & this.#mask);
        this.#usedElements[element] = chain.slot;
        this.#usedElements[element + 1] = chain.written;
        start = this.#nextUsed;
      }
      chain = next;
    }
  }

  #makeChain(slot: number): DescriptorChain {
    const chain = new DescriptorChain(slot, this.memory, this.#budget, this.size);
    chain.id = slot;
    this.#chains[slot] = chain;
    return chain;
  }

  #breakAt(rule: RingRule, descriptor: number, low: number, high: number, length: number): false {
    this.#break(rule, { descriptor, address: (high >>> 0) * 2 ** 32 + (low >>> 0), length: length >>> 0 });
    return false;
  }

  #break(rule: RingRule, numbers: Readonly<Record<string, number>>): void {
    this.#stop();
    this.#broken = new RingError(rule, this.index, numbers);
    this.#options.onBroken(this.#broken);
  }

  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#resubmitting = false;
    this.#seenAvailable = this.#nextAvailable;
    for (const chain of this.#chains) {
      if (chain?.live === true) chain.end();
    }
  }
}
