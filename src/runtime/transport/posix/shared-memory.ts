import { fstatSync } from "node:fs";
import type { Pointer, SystemCalls } from "./system-calls.js";
import { SystemCallError } from "./system-error.js";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE_ANONYMOUS_FIXED_NORESERVE = 2 | 0x20 | 0x10 | 0x4000;
const MFD_CLOEXEC_ALLOW_SEALING = 1 | 2;
const pageBytes = 4096;
const EINVAL = 22;

/** A mapping and how many views of it the program still has. */
interface Range {
  readonly system: SystemCalls;
  readonly pointer: Pointer;
  readonly length: number;
  views: number;
  released: boolean;
}

/**
 * Bytes of a file that are mapped into this process, shared with whoever else maps them.
 *
 * A view that is used after its memory was unmapped would end the process. So `release` puts private empty memory in the
 * place of the file's at once, and takes the addresses away when the last view has been collected.
 */
export class SharedMapping {
  readonly length: number;
  readonly #range: Range;
  readonly #skip: number;

  /**
   * Maps `length` bytes from `offset` on; the descriptor stays the caller's and may be closed.
   * @throws SystemCallError when the system refuses or the file is shorter: its missing bytes could not be touched.
   */
  constructor(system: SystemCalls, fd: number, offset: number, length: number) {
    const { size, blksize } = statOf(fd);
    if (!(length > 0 && offset >= 0 && length <= size - offset)) {
      throw new SystemCallError("mmap", EINVAL, `${length} bytes at offset ${offset} of a file of ${size}`);
    }
    // Files of huge pages are mapped in whole ones.
    const unit = Math.max(pageBytes, blksize);
    this.#skip = offset % unit;
    this.length = length;
    const mapped = Math.ceil((this.#skip + length) / unit) * unit;
    const pointer = system.mmap(null, mapped, PROT_READ_WRITE, MAP_SHARED, fd, offset - this.#skip);
    this.#range = { system, pointer, length: mapped, views: 0, released: false };
  }

  /** Where its first byte is. */
  get address(): Pointer {
    return this.#range.pointer + BigInt(this.#skip);
  }
  /** All pages that it has a part of. */
  get pages(): { readonly pointer: Pointer; readonly length: number } {
    return this.#range;
  }

  /** Bytes of the mapping; with what was released they are private and have nothing to do with the file. */
  view(offset: number, length: number): Uint8Array {
    if (!(offset >= 0 && length >= 0 && length <= this.length - offset)) throw new RangeError("outside of the mapping");
    const range = this.#range;
    const bytes = range.system.view(range.pointer + BigInt(this.#skip + offset), length);
    range.views++;
    collected.register(bytes.buffer, range);
    return bytes;
  }

  /**
   * Where these bytes are, for another thread of this process to view them there with {@link borrowedBytes}. They count as
   * a view until they are given back.
   */
  lend(offset: number, length: number): LentMemory {
    if (!(offset >= 0 && length >= 0 && length <= this.length - offset)) throw new RangeError("outside of the mapping");
    const range = this.#range;
    range.views++;
    return {
      pointer: range.pointer + BigInt(this.#skip + offset),
      length,
      giveBack: () => viewGone(range),
    };
  }

  /** The file's memory is let go of. Views stay harmless, also those of other threads. */
  release(): void {
    const range = this.#range;
    if (range.released) return;
    range.released = true;
    if (range.views === 0) {
      range.system.munmap(range.pointer, range.length);
    } else {
      range.system.mmap(range.pointer, range.length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_FIXED_NORESERVE, -1, 0);
    }
  }
}

/** Bytes that another thread views. */
export interface LentMemory {
  readonly pointer: Pointer;
  readonly length: number;
  /** The other thread has no view of them any more. To be called once. */
  readonly giveBack: () => void;
}

/** A view of what another thread lends; `onCollected` is told when the program has none of it any more. */
export function borrowedBytes(
  system: SystemCalls,
  { pointer, length }: Pick<LentMemory, "pointer" | "length">,
  onCollected: () => void,
): Uint8Array {
  const bytes = system.view(pointer, length);
  borrowed.register(bytes.buffer, onCollected);
  return bytes;
}

const collected = new FinalizationRegistry<Range>(viewGone);
const borrowed = new FinalizationRegistry<() => void>((onCollected) => onCollected());

function viewGone(range: Range): void {
  range.views--;
  if (range.views === 0 && range.released) range.system.munmap(range.pointer, range.length);
}

function statOf(fd: number): { size: number; blksize: number } {
  try {
    return fstatSync(fd);
  } catch (error) {
    throw new SystemCallError("fstat", 9, error instanceof Error ? error.message : undefined);
  }
}

/**
 * An anonymous file of memory, of `length` zeroes, which nobody can make shorter or longer: a peer that is given it could
 * otherwise have the system end this process (SIGBUS). The caller owns its descriptor.
 */
export function createMemoryFile(system: SystemCalls, name: string, length: number): number {
  const fd = system.memfd(name, MFD_CLOEXEC_ALLOW_SEALING);
  try {
    system.truncate(fd, length);
    system.sealLength(fd);
    return fd;
  } catch (error) {
    system.close(fd);
    throw error;
  }
}
