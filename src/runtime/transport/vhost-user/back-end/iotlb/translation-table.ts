import type { GuestMemory, MemoryRegion } from "../../../../memory/index.js";
import { VhostUserError } from "../../protocol/index.js";

/** Most translations that are kept, each for a part of one region; the oldest one goes then. */
export const mostTranslations = 8192;

/** What may be done, as in the protocol's permission flags. */
export const Permission = { READ: 1, WRITE: 2 } as const;

/** I/O virtual addresses [start, end) lie in one region of memory. */
interface Entry {
  readonly start: number;
  readonly end: number;
  readonly region: MemoryRegion;
  /** Where they start in the region. */
  readonly offset: number;
  readonly permission: number;
}

const nowhere = new Uint8Array(0);

/** Translations that are known: those that the front end has told, as far as there is room, and not taken back. */
export class TranslationTable {
  /** Where {@link find} has found something. */
  region: MemoryRegion = { start: 0, size: 0, bytes: nowhere, view: new DataView(nowhere.buffer) };
  offset = 0;
  readonly #most: number;
  /** Sorted by address; they do not overlap. */
  readonly #entries: Entry[] = [];
  /** The same, oldest first. */
  readonly #byAge = new Set<Entry>();
  /** Index of the entry that was found last: mostly the next one is beside it. */
  #recent = 0;

  /** @param most translations that are kept */
  constructor(most = mostTranslations) {
    this.#most = most;
  }

  get size(): number {
    return this.#entries.length;
  }

  /**
   * [start, start + size) leads to `physical`, which lies in `memory`, and may be accessed so; what was known of it before is
   * forgotten.
   * @throws VhostUserError (`translation`) when it does not lie there.
   */
  add(start: number, size: number, permission: number, physical: number, memory: GuestMemory): void {
    const made: Entry[] = [];
    for (let done = 0; done < size;) {
      const region = memory.regionAt(physical + done);
      if (region === undefined || made.length === this.#most) {
        throw new VhostUserError("translation", `${size} bytes at 0x${physical.toString(16)}`);
      }
      const offset = physical + done - region.start;
      const part = Math.min(size - done, region.size - offset);
      made.push({ start: start + done, end: start + done + part, region, offset, permission });
      done += part;
    }
    this.remove(start, start + size);
    this.#entries.splice(this.#after(start), 0, ...made);
    for (const entry of made) this.#byAge.add(entry);
    while (this.#entries.length > this.#most) this.#removeOldest();
  }

  /** What is known of any part of [start, end) is forgotten, with all that was told of it at the same time. */
  remove(start: number, end: number): void {
    let first = this.#after(start);
    if ((this.#entries[first - 1]?.end ?? 0) > start) first--;
    let count = 0;
    for (let entry = this.#entries[first]; entry !== undefined && entry.start < end;) {
      this.#byAge.delete(entry);
      count++;
      entry = this.#entries[first + count];
    }
    if (count > 0) this.#entries.splice(first, count);
  }

  /** See `Translation.find`. */
  find(address: number, length: number, isWrite: boolean): number {
    const needed = isWrite ? Permission.WRITE : Permission.READ;
    let index = this.#recent;
    let entry = this.#entries[index];
    if (entry === undefined || address < entry.start || address >= entry.end) {
      index = this.#after(address) - 1;
      entry = this.#entries[index];
      if (entry === undefined || address >= entry.end) return 0;
      this.#recent = index;
    }
    if ((entry.permission & needed) === 0) return -1;
    this.region = entry.region;
    this.offset = entry.offset + address - entry.start;
    let { end } = entry;
    // Translations side by side that lead to memory side by side are one.
    while (end - address < length) {
      const next = this.#entries[index + 1];
      if (
        next?.start !== end ||
        next.region !== entry.region ||
        next.offset !== entry.offset + entry.end - entry.start ||
        (next.permission & needed) === 0
      ) {
        break;
      }
      end = next.end;
      entry = next;
      index++;
    }
    return Math.min(length, end - address);
  }

  /** Index of the first entry that starts behind `address`. */
  #after(address: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.start ?? Infinity) <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #removeOldest(): void {
    for (const entry of this.#byAge) {
      this.remove(entry.start, entry.end);
      return;
    }
  }
}
