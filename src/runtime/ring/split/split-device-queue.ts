import type { GuestMemory } from "../../memory/index.js";
import { DescriptorFlag, IndirectTable } from "../descriptor-table.js";
import { DescriptorChain } from "../descriptor-chain.js";
import { passedEvent } from "../event-index.js";
import { checkSplitPosition } from "../queue-position.js";
import type { DeviceChain, DeviceQueue, DeviceQueueOptions, InFlightChain, QueuePosition } from "../queue-types.js";
import { RingError, type RingRule } from "../ring-errors.js";
import { SegmentBudget, type SegmentList } from "../segment-list.js";
import {
  availableEntries,
  flagsWord,
  indexWord,
  locateSplitRing,
  noNotification,
  usedEntries,
  type SplitRing,
} from "./split-ring.js";

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
  readonly #descriptors: Uint32Array;
  readonly #available: Uint16Array;
  readonly #used: Uint16Array;
  readonly #usedElements: Uint32Array;
  readonly #usedEventWord: number;
  readonly #availEventWord: number;
  readonly #mask: number;

  /** One chain a slot, made when a slot is first used. */
  readonly #chains: (DescriptorChain | undefined)[];
  readonly #budget = new SegmentBudget();
  readonly #indirectTable = new IndirectTable();
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
  /** Chains of before a restore, which `take` gives first. */
  readonly #resubmit: InFlightChain[];
  /** Counts chains taken, so that those in flight have an order. */
  #taken = 0;
  #stopped = false;
  #broken: RingError | undefined;

  constructor(options: DeviceQueueOptions) {
    const ring: SplitRing = locateSplitRing(options.memory, options.index, options.addresses);
    this.#options = options;
    this.index = options.index;
    this.size = options.addresses.size;
    this.memory = options.memory;
    this.#eventIdx = options.features.eventIdx;
    this.#descriptors = ring.descriptors;
    this.#available = ring.available;
    this.#used = ring.used;
    this.#usedElements = ring.usedElements;
    this.#usedEventWord = ring.usedEventWord;
    this.#availEventWord = ring.availEventWord;
    this.#mask = this.size - 1;
    this.#chains = new Array<DescriptorChain | undefined>(this.size).fill(undefined);
    this.#resubmit = checkResubmit(options);
    if (options.start !== undefined) {
      const start = checkSplitPosition(options.start, this.size, this.index);
      this.#nextAvailable = this.#seenAvailable = start.available;
      this.#nextUsed = this.#publishedUsed = start.used;
    }
  }

  get broken(): RingError | undefined {
    return this.#broken;
  }

  get position(): QueuePosition {
    return { available: this.#nextAvailable, used: this.#nextUsed, availableWrap: 1, usedWrap: 1 };
  }

  inFlight(): InFlightChain[] {
    const live = this.#chains.filter((chain) => chain?.live === true);
    live.sort((a, b) => ((a?.order ?? 0) - (b?.order ?? 0)) | 0);
    const saved = live.map((chain) => ({ id: chain?.slot ?? 0, entries: 1, segments: chain?.segments.save() ?? [] }));
    return [...saved, ...this.#resubmit];
  }

  take(): DeviceChain | undefined {
    if (this.#resubmit.length > 0 && !this.#stopped) return this.#takeAgain();
    if (this.#nextAvailable === this.#seenAvailable && !this.#lookForAvailable()) return undefined;
    const entry = availableEntries + (this.#nextAvailable & this.#mask);
    // Plain: the index that covers this entry was read with Atomics before (acquire).
    const head = this.#available[entry] ?? 0;
    if (head >= this.size) {
      this.#break("head-out-of-range", { head, size: this.size });
      return undefined;
    }
    const chain = this.#chains[head] ?? this.#makeChain(head);
    const segments = chain.segments;
    if (segments.live) {
      this.#break("head-in-flight", { head });
      return undefined;
    }
    segments.begin();
    if (!this.#walk(head, segments)) return undefined;
    this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
    this.#armed = false;
    segments.live = true;
    chain.order = this.#taken++;
    return chain;
  }

  /** The next chain of before the restore. */
  #takeAgain(): DeviceChain | undefined {
    const saved = this.#resubmit.shift();
    if (saved === undefined) return undefined;
    const chain = this.#chains[saved.id] ?? this.#makeChain(saved.id);
    const { segments } = chain;
    segments.begin();
    if (saved.segments === undefined) {
      if (!this.#walk(saved.id, segments)) return undefined;
    } else {
      for (const { address, length, writable } of saved.segments) {
        const rule = segments.append(address >>> 0, Math.floor(address / 2 ** 32), length, writable);
        if (rule === undefined) continue;
        this.#break(rule, { id: saved.id, address, length });
        return undefined;
      }
    }
    segments.live = true;
    chain.order = this.#taken++;
    return chain;
  }

  complete(chain: DeviceChain, written: number): "completed" | "stale" {
    const slot = chain.slot;
    const own = this.#chains[slot];
    if (own !== chain || !own.segments.live) return "stale";
    const most = Math.min(own.segments.writableLength, 0xffff_ffff);
    own.segments.end();
    const element = usedEntries + 2 * (this.#nextUsed & this.#mask);
    // Plain: the index that covers this entry is stored with Atomics later (release).
    this.#usedElements[element] = slot;
    this.#usedElements[element + 1] = written > 0 ? Math.min(written, most) : 0;
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
    return "completed";
  }

  publish(): void {
    if (this.#nextUsed === this.#publishedUsed || this.#stopped) return;
    this.#publishedUsed = this.#nextUsed;
    // Release, as in `flush`.
    Atomics.store(this.#used, indexWord, this.#nextUsed);
  }

  enableNotifications(): boolean {
    this.#polling = false;
    this.#armed = false;
    return this.#nextAvailable !== this.#seenAvailable || this.#resubmit.length > 0 || this.#lookForAvailable();
  }

  disableNotifications(): void {
    this.#polling = true;
    this.#armed = false;
    if (this.#stopped) return;
    // Plain: a hint. With event indexes, the furthest away entry is the one that was taken last.
    if (this.#eventIdx) this.#used[this.#availEventWord] = this.#nextAvailable - 1;
    else this.#used[flagsWord] = noNotification;
  }

  flush(): void {
    const before = this.#publishedUsed;
    const now = this.#nextUsed;
    if (now === before || this.#stopped) return;
    this.#publishedUsed = now;
    // Release: the driver sees the used entries and the data before it sees the index.
    Atomics.store(this.#used, indexWord, now);
    // Full barrier: the driver first asks for a notification and then looks at the index; we store the index and
    // then look at what it asked for. Both steps are sequentially consistent, so one of the two sees the other.
    if (this.#eventIdx) {
      const event = Atomics.load(this.#available, this.#usedEventWord);
      if (!passedEvent(event, now, before)) return;
    } else {
      const flags = Atomics.load(this.#available, flagsWord);
      if ((flags & noNotification) !== 0) return;
    }
    this.#options.notifyDriver();
  }

  dispose(): void {
    this.#stop();
  }

  /** Nothing is known to be available: looks at the driver's index. False: there is nothing, now or ever. */
  #lookForAvailable(): boolean {
    if (this.#stopped) return false;
    const next = this.#nextAvailable;
    // Plain: only decides whether to ask for a notification. What is relied on is read again below.
    if (this.#available[indexWord] === next && !this.#armed && !this.#polling) {
      // Full barrier between asking and looking again, so that a buffer added meanwhile is not missed.
      if (this.#eventIdx) Atomics.store(this.#used, this.#availEventWord, next);
      else Atomics.store(this.#used, flagsWord, 0);
      this.#armed = true;
    }
    // Acquire: entries and descriptors are read after the index.
    const seen = Atomics.load(this.#available, indexWord);
    if (seen === next) return false;
    const step = (seen - next) & 0xffff;
    if (step > this.size) {
      const rule: RingRule = step >= 0x8000 ? "available-index-backwards" : "available-index-jump";
      this.#break(rule, { before: next, now: seen, size: this.size });
      return false;
    }
    this.#seenAvailable = seen;
    // Plain: a hint. The driver needs not notify while we are taking; it is asked again before we stop.
    if (!this.#eventIdx) this.#used[flagsWord] = noNotification;
    return true;
  }

  /** Copies and checks the chain that starts at `head`. False: it breaks a rule, and the queue is broken now. */
  #walk(head: number, segments: SegmentList): boolean {
    const descriptors = this.#descriptors;
    let index = head;
    // Each step reads one descriptor, and a chain without a loop has at most `size` of them.
    for (let steps = 1; ; steps++) {
      const word = index * 4;
      const addressLow = descriptors[word] ?? 0;
      const addressHigh = descriptors[word + 1] ?? 0;
      const length = descriptors[word + 2] ?? 0;
      const flagsAndNext = descriptors[word + 3] ?? 0;
      if ((flagsAndNext & DescriptorFlag.INDIRECT) !== 0) {
        return this.#walkIndirect(index, addressLow, addressHigh, length, flagsAndNext, steps - 1, segments);
      }
      const rule = segments.append(addressLow, addressHigh, length, (flagsAndNext & DescriptorFlag.WRITE) !== 0);
      if (rule !== undefined) return this.#breakAt(rule, index, addressLow, addressHigh, length);
      if ((flagsAndNext & DescriptorFlag.NEXT) === 0) return true;
      if (steps === this.size) return this.#breakAt("descriptor-loop", index, addressLow, addressHigh, length);
      const next = flagsAndNext >>> 16;
      if (next >= this.size) {
        this.#break("next-out-of-range", { descriptor: index, next, size: this.size });
        return false;
      }
      index = next;
    }
  }

  /**
   * Goes on in the indirect table of descriptor `parent`, which ends the chain; `before` descriptors came before it.
   * The WRITE flag of `parent` means nothing (2.7.5.3.2).
   */
  #walkIndirect(
    parent: number,
    tableLow: number,
    tableHigh: number,
    tableLength: number,
    parentFlags: number,
    before: number,
    segments: SegmentList,
  ): boolean {
    const table = this.#indirectTable;
    let rule: RingRule | undefined;
    if (!this.#options.features.indirect) rule = "indirect-not-negotiated";
    else if ((parentFlags & DescriptorFlag.NEXT) !== 0) rule = "indirect-with-next";
    else rule = table.locate(this.memory, tableLow, tableHigh, tableLength);
    if (rule !== undefined) return this.#breakAt(rule, parent, tableLow, tableHigh, tableLength);

    const { view, offset, entries } = table;
    let index = 0;
    for (let steps = 1; ; steps++) {
      const at = offset + index * 16;
      const addressLow = view.getUint32(at, true);
      const addressHigh = view.getUint32(at + 4, true);
      const length = view.getUint32(at + 8, true);
      const flagsAndNext = view.getUint32(at + 12, true);
      if (steps > entries) rule = "descriptor-loop";
      else if (before + steps > this.size) rule = "chain-too-long";
      else if ((flagsAndNext & DescriptorFlag.INDIRECT) !== 0) rule = "indirect-nested";
      else rule = segments.append(addressLow, addressHigh, length, (flagsAndNext & DescriptorFlag.WRITE) !== 0);
      if (rule !== undefined) return this.#breakAt(rule, index, addressLow, addressHigh, length);
      if ((flagsAndNext & DescriptorFlag.NEXT) === 0) return true;
      const next = flagsAndNext >>> 16;
      if (next >= entries) {
        this.#break("next-out-of-range", { descriptor: index, next, size: entries });
        return false;
      }
      index = next;
    }
  }

  #makeChain(slot: number): DescriptorChain {
    const chain = new DescriptorChain(slot, this.memory, this.#budget, this.size);
    this.#chains[slot] = chain;
    return chain;
  }

  #breakAt(rule: RingRule, descriptor: number, addressLow: number, addressHigh: number, length: number): false {
    this.#break(rule, { descriptor, address: addressHigh * 2 ** 32 + addressLow, length });
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
    this.#seenAvailable = this.#nextAvailable;
    for (const chain of this.#chains) {
      if (chain?.live === true) chain.segments.end();
    }
  }
}

/** @throws RingError unless each chain can have been in flight at the same time as the others. */
function checkResubmit({ resubmit = [], addresses, index }: DeviceQueueOptions): InFlightChain[] {
  const ids = new Set<number>();
  for (const { id, entries } of resubmit) {
    const valid = Number.isInteger(id) && id >= 0 && id < addresses.size && entries === 1 && !ids.has(id);
    if (!valid) throw new RingError("resubmit", index, { id, entries, size: addresses.size });
    ids.add(id);
  }
  return [...resubmit];
}
