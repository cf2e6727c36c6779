import { closeSync } from "node:fs";
import type { DirectoryEntry } from "./messages.js";
import { Errno, FuseError } from "./numbers.js";

const MOST_HANDLES = 1 << 16;

/** What the guest has opened, by the handles that it was given. */
export class OpenFiles {
  readonly #files = new Map<bigint, number>();
  readonly #directories = new Map<bigint, readonly DirectoryEntry[]>();
  #next = 1;

  /** Keeps an open file. @throws FuseError when there are too many; the file is closed then. */
  addFile(fd: number): number {
    if (this.#files.size >= MOST_HANDLES) {
      closeSync(fd);
      throw new FuseError(Errno.ENFILE);
    }
    const handle = this.#next++;
    this.#files.set(BigInt(handle), fd);
    return handle;
  }
  addDirectory(entries: readonly DirectoryEntry[]): number {
    if (this.#directories.size >= MOST_HANDLES) throw new FuseError(Errno.ENFILE);
    const handle = this.#next++;
    this.#directories.set(BigInt(handle), entries);
    return handle;
  }

  /** @throws FuseError when there is no such handle. */
  file(handle: bigint): number {
    const fd = this.#files.get(handle);
    if (fd === undefined) throw new FuseError(Errno.EBADF);
    return fd;
  }
  directory(handle: bigint): readonly DirectoryEntry[] {
    const entries = this.#directories.get(handle);
    if (entries === undefined) throw new FuseError(Errno.EBADF);
    return entries;
  }

  releaseFile(handle: bigint): void {
    closeSync(this.file(handle));
    this.#files.delete(handle);
  }
  releaseDirectory(handle: bigint): void {
    this.directory(handle);
    this.#directories.delete(handle);
  }

  clear(): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
    this.#directories.clear();
  }
}
