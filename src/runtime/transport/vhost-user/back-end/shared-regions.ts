import { fstatSync } from "node:fs";
import { GuestMemory, type MemoryRegionInit } from "../../../memory/index.js";
import { SharedMapping, SystemCallError, type SystemCalls } from "../../posix/index.js";
import { VhostUserError, type SharedRegion } from "../protocol/index.js";

/** Views are no longer than this; longer regions are cut where guest addresses are multiples of it. */
const pieceBytes = 2 ** 31;
/** Most regions that can be added one by one; offered as memory slots. */
export const mostRegions = 256;

export interface MappedRegion extends SharedRegion {
  /** How often it was added, and not removed since. */
  added: number;
  readonly file: string;
  readonly mapping: SharedMapping;
  readonly pieces: readonly MemoryRegionInit[];
}

/** Addresses of guest memory, from `start` up to `end`. */
export interface MemoryRange {
  readonly start: number;
  readonly end: number;
}

/** The guest address of [address, address + length) in the front end's address space, or undefined. */
export function guestAddressIn(
  table: readonly Pick<SharedRegion, "guestAddress" | "size" | "userAddress">[],
  address: number,
  length: number,
): number | undefined {
  for (const { userAddress, size, guestAddress } of table) {
    const offset = address - userAddress;
    if (offset >= 0 && length <= size - offset) return guestAddress + offset;
  }
  return undefined;
}

/** The memory that the front end shares with us: mapped, and found by its two kinds of addresses. */
export class SharedRegions {
  /** One object for the whole connection; its regions follow the front end's tables. */
  readonly memory = new GuestMemory([]);
  readonly #system: SystemCalls;
  #regions: readonly MappedRegion[] = [];
  /** The table that is to be; undefined while there is no other than the one in use. */
  #coming: readonly MappedRegion[] | undefined;
  /** In no table any more, and mapped as long as rings may work there. */
  readonly #gone: MappedRegion[] = [];
  /** Changes wait for {@link commit}, and this is told of each new mapping; undefined: they are in use at once. */
  #postpone: ((mapping: SharedMapping) => void) | undefined;

  constructor(system: SystemCalls) {
    this.#system = system;
    this.#coming = undefined;
    this.#postpone = undefined;
  }

  /**
   * Until {@link commit} what changes is only prepared: nobody touches memory that is new. `onMap` is told of it; undefined
   * ends that.
   */
  postpone(onMap: ((mapping: SharedMapping) => void) | undefined): void {
    this.#postpone = onMap;
  }
  /** There are changes that are not in use yet. */
  get isChanging(): boolean {
    return this.#coming !== undefined;
  }
  /** What was prepared is in use. */
  commit(): void {
    const coming = this.#coming;
    this.#coming = undefined;
    if (coming !== undefined) this.#use(coming);
  }

  /** The table, by guest address. */
  get mapped(): readonly MappedRegion[] {
    return this.#regions;
  }
  get count(): number {
    return this.#regions.length;
  }
  /** End of the highest region, as a guest address. */
  get end(): number {
    return this.#regions.reduce((end, { guestAddress, size }) => Math.max(end, guestAddress + size), 0);
  }

  /**
   * The whole table anew. Regions that were there before stay as they are mapped, for the rings in them.
   * @returns the regions as they are mapped, in the order of the table
   * @throws VhostUserError when it cannot be; the table is the old one then.
   */
  setTable(regions: readonly SharedRegion[], fds: readonly number[]): readonly MappedRegion[] {
    const made: MappedRegion[] = [];
    try {
      const table = regions.map((region, index) => {
        const fd = fds[index] ?? -1;
        const known = this.#find(region, fileOf(fd));
        if (known !== undefined) return known;
        const mapped = this.#map(region, fd);
        made.push(mapped);
        return mapped;
      });
      this.#put(table);
      for (const region of table) region.added = 1;
      return table;
    } catch (error) {
      for (const { mapping } of made) mapping.release();
      throw error;
    }
  }

  /**
   * Adds a region; one that is there already as often as it likes, because QEMU does so for each pair of queues of a network
   * device. It is gone when it was removed as often.
   * @throws VhostUserError when there is no room or it cannot be mapped.
   */
  add(region: SharedRegion, fd: number): MappedRegion {
    const known = this.#find(region, fileOf(fd));
    if (known !== undefined) {
      this.#put(this.#table);
      known.added++;
      return known;
    }
    if (this.#table.length >= mostRegions) throw new VhostUserError("region-count", `more than ${mostRegions}`);
    const mapped = this.#map(region, fd);
    try {
      this.#put([...this.#table, mapped]);
      return mapped;
    } catch (error) {
      mapped.mapping.release();
      throw error;
    }
  }

  /** @throws VhostUserError when there is no such region. */
  remove({ guestAddress, size, userAddress }: SharedRegion): void {
    const found = this.#table.find(
      (one) => one.guestAddress === guestAddress && one.size === size && one.userAddress === userAddress,
    );
    if (found === undefined) {
      throw new VhostUserError("region-unknown", `0x${guestAddress.toString(16)}, ${size} bytes`);
    }
    found.added--;
    if (found.added > 0) return;
    const rest = this.#table.filter((one) => one !== found);
    // What goes away needs nobody's leave.
    if (this.#coming === undefined) this.#use(rest);
    else this.#put(rest);
  }

  /** See {@link guestAddressIn}. */
  guestAddress(address: number, length: number): number | undefined {
    return guestAddressIn(this.#regions, address, length);
  }

  /** What the table has not any more and is still mapped, until {@link releaseGone}: for those that work there. */
  get gone(): readonly MemoryRange[] {
    return this.#gone.map(({ guestAddress, size }) => ({ start: guestAddress, end: guestAddress + size }));
  }
  /** Nobody works in what is gone, or it does no harm. */
  releaseGone(): void {
    for (const { mapping } of this.#gone.splice(0)) mapping.release();
  }

  /** Lets go of all memory; who still has a view of it does no harm. */
  release(): void {
    this.memory.replace([]);
    this.releaseGone();
    for (const { mapping } of this.#regions) mapping.release();
    for (const { mapping } of this.#coming ?? []) mapping.release();
    this.#regions = [];
    this.#coming = undefined;
  }

  /** The latest table. */
  get #table(): readonly MappedRegion[] {
    return this.#coming ?? this.#regions;
  }

  #find(region: SharedRegion, file: string): MappedRegion | undefined {
    return this.#table.find(
      (one) =>
        one.file === file &&
        one.guestAddress === region.guestAddress &&
        one.size === region.size &&
        one.userAddress === region.userAddress &&
        one.fileOffset === region.fileOffset,
    );
  }

  #put(table: readonly MappedRegion[]): void {
    if (this.#postpone === undefined) {
      this.#use(table);
      return;
    }
    const sorted = inOrder(table);
    const before = this.#coming ?? [];
    this.#coming = sorted;
    for (const region of before) {
      if (!sorted.includes(region) && !this.#regions.includes(region)) region.mapping.release();
    }
  }

  #use(table: readonly MappedRegion[]): void {
    const sorted = inOrder(table);
    this.memory.replace(sorted.flatMap(({ pieces }) => pieces));
    const old = this.#regions;
    this.#regions = sorted;
    this.#gone.push(...old.filter((region) => !sorted.includes(region)));
  }

  #map(region: SharedRegion, fd: number): MappedRegion {
    const { guestAddress, size, userAddress, fileOffset } = region;
    const isWhole = (end: number): boolean => Number.isSafeInteger(end);
    if (size === 0 || !isWhole(guestAddress + size) || !isWhole(userAddress + size) || !isWhole(fileOffset + size)) {
      throw new VhostUserError("region-range", `0x${guestAddress.toString(16)}, ${size} bytes`);
    }
    const file = fileOf(fd);
    let mapping;
    try {
      mapping = new SharedMapping(this.#system, fd, fileOffset, size);
      this.#postpone?.(mapping);
    } catch (error) {
      mapping?.release();
      if (!(error instanceof SystemCallError)) throw error;
      throw new VhostUserError("region-file", error.message, { cause: error });
    }
    return { ...region, added: 1, file, mapping, pieces: piecesOf(mapping, guestAddress, size) };
  }
}

/** By guest addresses. @throws VhostUserError when two of them overlap. */
function inOrder(table: readonly MappedRegion[]): readonly MappedRegion[] {
  const sorted = [...table].sort((a, b) => a.guestAddress - b.guestAddress);
  checkOverlap(sorted, "guestAddress");
  checkOverlap(
    [...table].sort((a, b) => a.userAddress - b.userAddress),
    "userAddress",
  );
  return sorted;
}

function piecesOf(mapping: SharedMapping, guestAddress: number, size: number): MemoryRegionInit[] {
  const pieces: MemoryRegionInit[] = [];
  for (let at = 0; at < size;) {
    const start = guestAddress + at;
    const length = Math.min(size - at, pieceBytes - (start % pieceBytes));
    pieces.push({ start, bytes: mapping.view(at, length) });
    at += length;
  }
  return pieces;
}

function checkOverlap(sorted: readonly MappedRegion[], key: "guestAddress" | "userAddress"): void {
  let end = 0;
  for (const region of sorted) {
    if (region[key] < end) {
      throw new VhostUserError("region-overlap", `${key} 0x${region[key].toString(16)}, the one before ends later`);
    }
    end = region[key] + region.size;
  }
}

/** What tells one file from another. */
function fileOf(fd: number): string {
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    throw new VhostUserError("descriptor", error instanceof Error ? error.message : String(error));
  }
}
