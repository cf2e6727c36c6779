import { DescriptorFlag, descriptorBytes } from "../descriptor-table.js";
import type { DriverQueueOptions } from "../queue-types.js";
import { RingError } from "../ring-errors.js";

/** Words of 32 bits in a descriptor. */
const descriptorWords = 4;

/**
 * Puts the descriptors of one buffer after the other into free entries of a split descriptor table, or into the
 * indirect table of its token. Knows which entries are free. Nothing is read back from guest memory, which the device
 * can overwrite: a buffer is drafted aside, in the form of an indirect table, and copied at its end.
 */
export class DescriptorWriter {
  /** Entries that are free. */
  free: number;
  /** Of the buffer ended last: entries of the table that it takes, and bytes of its device-writable segments. */
  entriesTaken = 0;
  writableLength = 0;

  readonly #queue: number;
  readonly #size: number;
  readonly #table: Uint32Array;
  /** Links free entries, and the entries of one buffer. */
  readonly #links: Uint16Array;
  #firstFree = 0;

  readonly #draft: Uint32Array;
  #count = 0;
  #totalLength = 0;
  #draftWritable = 0;

  /** Room for indirect tables: where it starts in the view and for the device, and entries a token. */
  readonly #indirectView: DataView | undefined;
  readonly #indirectOffset: number = 0;
  readonly #indirectAddress: number = 0;
  readonly #indirectEntries: number = 0;

  /** @throws RingError when the room for indirect tables is not in guest memory. */
  constructor(table: Uint32Array, options: DriverQueueOptions) {
    const size = options.addresses.size;
    this.free = size;
    this.#queue = options.index;
    this.#size = size;
    this.#table = table;
    this.#links = Uint16Array.from({ length: size }, (_, entry) => entry + 1);

    this.#draft = new Uint32Array(size * descriptorWords);

    const room = options.indirectTable;
    if (options.features.indirect && room !== undefined && room.entries > 1) {
      const bytes = room.entries * descriptorBytes * size;
      const region = options.memory.locate(room.address, bytes);
      if (region === undefined) {
        throw new RingError("indirect-outside-memory", options.index, { address: room.address, bytes });
      }
      this.#indirectView = region.view;
      this.#indirectOffset = room.address - region.start;
      this.#indirectAddress = room.address;
      this.#indirectEntries = room.entries;
    }
  }

  /** Starts a buffer; one that was not ended is dropped. */
  begin(): void {
    this.#count = 0;
    this.#totalLength = 0;
    this.#draftWritable = 0;
  }

  /**
   * Appends a segment; `flags` is 0 or WRITE. A segment of no bytes is left out.
   * @throws RingError: the numbers are the local program's, so a mistake is reported where it is made.
   */
  add(address: number, length: number, flags: number): void {
    if (length === 0) return;
    const count = this.#count;
    this.#check(address, length, flags, count);
    this.#totalLength += length;
    if (flags !== 0) this.#draftWritable += length;
    const draft = this.#draft;
    const word = count * descriptorWords;
    // Storing into 32 bits keeps the lower ones.
    draft[word] = address;
    draft[word + 1] = address > 0xffff_ffff ? Math.floor(address / 2 ** 32) : 0;
    draft[word + 2] = length;
    draft[word + 3] = flags;
    // Now it is known that the one before it is not the last.
    if (count > 0) draft[word - 1] = (draft[word - 1] ?? 0) | DescriptorFlag.NEXT | (count << 16);
    this.#count = count + 1;
  }

  /**
   * Ends the buffer and returns its first entry in the table, or -1 when there is no room; it can be ended again then.
   * @throws RingError when the buffer has no segment.
   */
  end(): number {
    const count = this.#count;
    if (count === 0) throw new RingError("chain-empty", this.#queue);
    const indirect = count > 1 && count <= this.#indirectEntries;
    const entries = indirect ? 1 : count;
    if (entries > this.free) return -1;
    const head = this.#firstFree;
    if (indirect) {
      this.#fillIndirectTable(head, count);
      this.#firstFree = this.#links[head] ?? 0;
    } else {
      this.#fillEntries(head, count);
    }
    this.free -= entries;
    this.entriesTaken = entries;
    this.writableLength = this.#draftWritable;
    this.#count = 0;
    return head;
  }

  /** Frees the `entries` entries of the buffer at `head`. */
  release(head: number, entries: number): void {
    let last = head;
    for (let left = entries; left > 1; left--) last = this.#links[last] ?? 0;
    this.#links[last] = this.#firstFree;
    this.#firstFree = head;
    this.free += entries;
  }

  /** Whether the buffer at `head`, of `entries` entries, has `entry` in it. */
  holds(head: number, entries: number, entry: number): boolean {
    let at = head;
    for (let left = entries; left > 0; left--) {
      if (at === entry) return true;
      at = this.#links[at] ?? 0;
    }
    return false;
  }

  #check(address: number, length: number, flags: number, count: number): void {
    if (!(address >= 0 && address <= Number.MAX_SAFE_INTEGER && length > 0 && length <= 0xffff_ffff)) {
      throw new RingError("segment-range", this.#queue, { address, length });
    }
    if (count === this.#size) throw new RingError("chain-too-long", this.#queue, { size: this.#size });
    if (this.#totalLength + length > 2 ** 32) {
      throw new RingError("chain-too-many-bytes", this.#queue, { total: this.#totalLength + length });
    }
    if (flags === 0 && this.#draftWritable !== 0) {
      throw new RingError("readable-after-writable", this.#queue, { segment: count });
    }
  }

  /** Copies the draft into free entries of the table, with the links that these have. */
  #fillEntries(head: number, count: number): void {
    const table = this.#table;
    const draft = this.#draft;
    let entry = head;
    let from = 0;
    for (let left = count; ; left--) {
      const next = this.#links[entry] ?? 0;
      const to = entry * descriptorWords;
      const flags = (draft[from + 3] ?? 0) & 0xffff;
      table[to] = draft[from] ?? 0;
      table[to + 1] = draft[from + 1] ?? 0;
      table[to + 2] = draft[from + 2] ?? 0;
      table[to + 3] = left === 1 ? flags : flags | (next << 16);
      entry = next;
      if (left === 1) break;
      from += descriptorWords;
    }
    this.#firstFree = entry;
  }

  /** Copies the draft into the indirect table of `head`. */
  #fillIndirectTable(head: number, count: number): void {
    const view = this.#indirectView;
    if (view === undefined) return;
    const draft = this.#draft;
    const start = head * this.#indirectEntries * descriptorBytes;
    const words = count * descriptorWords;
    for (let word = 0; word < words; word++) {
      view.setUint32(this.#indirectOffset + start + word * 4, draft[word] ?? 0, true);
    }
    const address = this.#indirectAddress + start;
    const to = head * descriptorWords;
    this.#table[to] = address;
    this.#table[to + 1] = Math.floor(address / 2 ** 32);
    this.#table[to + 2] = count * descriptorBytes;
    this.#table[to + 3] = DescriptorFlag.INDIRECT;
  }
}
