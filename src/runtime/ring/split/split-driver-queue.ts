import { DescriptorFlag } from "../descriptor-table.js";
import { passedEvent } from "../event-index.js";
import { checkSplitPosition } from "../queue-position.js";
import type { DriverQueue, DriverQueueOptions, QueuePosition } from "../queue-types.js";
import { RingError, type RingRule } from "../ring-errors.js";
import { DescriptorWriter } from "./descriptor-writer.js";
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
 * Driver side of a split virtqueue (VIRTIO 1.4, 2.7).
 *
 * The device may be hostile: it can overwrite the whole ring, so nothing that was written there is read back. Free
 * descriptors and the shape of buffers in flight are kept here. A token is the number of the head descriptor.
 */
export class SplitDriverQueue implements DriverQueue {
  readonly index: number;
  readonly size: number;
  readonly #options: DriverQueueOptions;
  readonly #eventIdx: boolean;
  readonly #available: Uint16Array;
  readonly #used: Uint16Array;
  readonly #usedElements: Uint32Array;
  readonly #usedEventWord: number;
  readonly #availEventWord: number;
  readonly #mask: number;
  readonly #writer: DescriptorWriter;

  /** Two words a token: descriptors of its buffer (0: not in flight), and writable bytes (at most 2^32 - 1). */
  readonly #inFlight: Uint32Array;

  /** Next entry of the available ring to fill, and how far the device has been told. Both 16 bits. */
  #nextAvailable = 0;
  #publishedAvailable = 0;
  /** Next entry of the used ring to take, and how far the device is known to have filled it. Both 16 bits. */
  #nextUsed = 0;
  #seenUsed = 0;
  #lastWritten = 0;
  #overlongCount = 0;
  #stopped = false;
  #broken: RingError | undefined;

  constructor(options: DriverQueueOptions) {
    const ring: SplitRing = locateSplitRing(options.memory, options.index, options.addresses);
    const size = options.addresses.size;
    this.#options = options;
    this.index = options.index;
    this.size = size;
    this.#eventIdx = options.features.eventIdx;
    this.#available = ring.available;
    this.#used = ring.used;
    this.#usedElements = ring.usedElements;
    this.#usedEventWord = ring.usedEventWord;
    this.#availEventWord = ring.availEventWord;
    this.#mask = size - 1;
    this.#writer = new DescriptorWriter(ring.descriptors, options);
    this.#inFlight = new Uint32Array(2 * size);

    // The device does not know the queue yet, so plain accesses do. The used ring's flags must be 0 (2.7.10.1).
    ring.descriptors.fill(0);
    ring.available.fill(0);
    ring.used.fill(0);
    if (options.start !== undefined) {
      const { available, used } = checkSplitPosition(options.start, 0, this.index);
      this.#nextAvailable = this.#publishedAvailable = available;
      this.#nextUsed = this.#seenUsed = used;
      ring.available[indexWord] = available;
      ring.used[indexWord] = used;
    }
  }

  get free(): number {
    return this.#writer.free;
  }

  get lastWritten(): number {
    return this.#lastWritten;
  }

  get overlongCount(): number {
    return this.#overlongCount;
  }

  get broken(): RingError | undefined {
    return this.#broken;
  }

  get position(): QueuePosition {
    return { available: this.#nextAvailable, used: this.#nextUsed, availableWrap: 1, usedWrap: 1 };
  }

  inFlight(): number[] {
    const tokens: number[] = [];
    for (let token = 0; token < this.size; token++) if (this.#inFlight[2 * token] !== 0) tokens.push(token);
    return tokens;
  }

  begin(): void {
    this.#writer.begin();
  }

  addReadable(address: number, length: number): void {
    this.#writer.add(address, length, 0);
  }

  addWritable(address: number, length: number): void {
    this.#writer.add(address, length, DescriptorFlag.WRITE);
  }

  end(): number {
    const writer = this.#writer;
    if (this.#stopped) return -1;
    const head = writer.end();
    if (head < 0) return -1;
    this.#inFlight[2 * head] = writer.entriesTaken;
    this.#inFlight[2 * head + 1] = Math.min(writer.writableLength, 0xffff_ffff);
    // Plain: the index that covers this entry is stored with Atomics in `kick` (release).
    this.#available[availableEntries + (this.#nextAvailable & this.#mask)] = head;
    this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
    return head;
  }

  kick(): void {
    const before = this.#publishedAvailable;
    const now = this.#nextAvailable;
    if (now === before || this.#stopped) return;
    this.#publishedAvailable = now;
    // Release: the device sees descriptors and entries before it sees the index.
    Atomics.store(this.#available, indexWord, now);
    // Full barrier: the device first asks for a notification and then looks at the index; we store the index and
    // then look at what it asked for. Both steps are sequentially consistent, so one of the two sees the other.
    if (this.#eventIdx) {
      const event = Atomics.load(this.#used, this.#availEventWord);
      if (!passedEvent(event, now, before)) return;
    } else {
      const flags = Atomics.load(this.#used, flagsWord);
      if ((flags & noNotification) !== 0) return;
    }
    this.#options.notifyDevice(now);
  }

  publish(): void {
    if (this.#nextAvailable === this.#publishedAvailable || this.#stopped) return;
    this.#publishedAvailable = this.#nextAvailable;
    // Release, as in `kick`.
    Atomics.store(this.#available, indexWord, this.#nextAvailable);
  }

  poll(): number {
    if (this.#nextUsed === this.#seenUsed && !this.#lookForUsed()) return -1;
    const element = usedEntries + 2 * (this.#nextUsed & this.#mask);
    // Plain: the index that covers this entry was read with Atomics before (acquire). Each word is read once.
    const token = this.#usedElements[element] ?? 0;
    const written = this.#usedElements[element + 1] ?? 0;
    if (token >= this.size) return this.#break("used-id-out-of-range", { id: token, size: this.size });
    const descriptors = this.#inFlight[2 * token] ?? 0;
    if (descriptors === 0) return this.#break(this.#whatIs(token), { id: token });

    const writable = this.#inFlight[2 * token + 1] ?? 0;
    if (written > writable) {
      // Devices exist that count readable bytes too. Nothing beyond the buffer is believed, so cutting it is safe.
      this.#lastWritten = writable;
      this.#overlongCount++;
    } else {
      this.#lastWritten = written;
    }
    this.#inFlight[2 * token] = 0;
    this.#writer.release(token, descriptors);
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
    return token;
  }

  enableNotifications(): boolean {
    if (this.#stopped) return false;
    // Full barrier between asking and looking again, so that a buffer used meanwhile is not missed.
    if (this.#eventIdx) Atomics.store(this.#available, this.#usedEventWord, this.#nextUsed);
    else Atomics.store(this.#available, flagsWord, 0);
    return Atomics.load(this.#used, indexWord) !== this.#nextUsed;
  }

  disableNotifications(): void {
    if (this.#stopped) return;
    // Plain: a hint. With event indexes, the furthest away entry is the one that was used last.
    if (this.#eventIdx) this.#available[this.#usedEventWord] = this.#nextUsed - 1;
    else this.#available[flagsWord] = noNotification;
  }

  dispose(): void {
    this.#stop();
  }

  /** No used buffer is known: looks at the device's index. False: there is none. */
  #lookForUsed(): boolean {
    if (this.#stopped) return false;
    const next = this.#nextUsed;
    // Plain: nothing new, nothing to order.
    if (this.#used[indexWord] === next) return false;
    // Acquire: used entries and data are read after the index.
    const seen = Atomics.load(this.#used, indexWord);
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
    for (let head = 0; head < this.size; head++) {
      if (this.#writer.holds(head, this.#inFlight[2 * head] ?? 0, token)) return "used-id-not-a-head";
    }
    return "used-id-not-in-flight";
  }

  #break(rule: RingRule, numbers: Readonly<Record<string, number>>): -1 {
    this.#stop();
    this.#broken = new RingError(rule, this.index, numbers);
    this.#options.onBroken(this.#broken);
    return -1;
  }

  #stop(): void {
    this.#stopped = true;
    this.#seenUsed = this.#nextUsed;
  }
}
