import { closeSync, constants, fstatSync, openSync, readlinkSync, type BigIntStats } from "node:fs";
import { Errno, FuseError, ROOT_ID } from "./numbers.js";

/** Opens something without a right to read or write it; a symbolic link is opened itself. Linux alone has it. */
const O_PATH = 0o10000000;
const MOST_INODES = 1 << 20;

/** Something that the guest has looked up, held open so that no change of names can make it something else. */
export interface Inode {
  readonly id: bigint;
  readonly fd: number;
  /** Where a symbolic link points; the guest follows it, never this side. */
  readonly target: Buffer | undefined;
  /** Under which name it was found last. It may be gone from there. */
  parent: bigint;
  name: Buffer;
  lookups: bigint;
}

/** A path that means exactly what is open as `fd`, or something in it. */
export function pathOf(fd: number, name?: Buffer): string | Buffer {
  const path = `/proc/self/fd/${fd}`;
  return name === undefined ? path : Buffer.concat([Buffer.from(`${path}/`), name]);
}

/**
 * The inodes that the guest knows. Names are resolved one by one from an open directory, and symbolic links are not
 * followed, so whatever the guest renames or links meanwhile, nothing outside of the root can be reached.
 */
export class Inodes {
  readonly #byId = new Map<bigint, Inode>();
  /** By device and inode number, so that two names of one file are one inode. */
  readonly #byPlace = new Map<string, Inode>();
  readonly #root: string;
  #next = ROOT_ID + 1n;

  /** @throws Error when the root cannot be opened. */
  constructor(root: string) {
    this.#root = root;
    this.#openRoot();
  }

  /** @throws FuseError when the guest does not know it (any more). */
  get(id: bigint): Inode {
    const inode = this.#byId.get(id);
    if (inode === undefined) throw new FuseError(Errno.ENOENT);
    return inode;
  }

  stat(inode: Inode): BigIntStats {
    return fstatSync(inode.fd, { bigint: true });
  }

  /** Looks a name up, which counts. @throws Error of the system, FuseError when there are too many. */
  lookUp(parent: Inode, name: Buffer): { inode: Inode; stat: BigIntStats } {
    const path = pathOf(parent.fd, name);
    const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
    try {
      const stat = fstatSync(fd, { bigint: true });
      const place = `${stat.dev}:${stat.ino}`;
      const known = this.#byPlace.get(place);
      if (known !== undefined) {
        known.lookups++;
        known.parent = parent.id;
        known.name = name;
        closeSync(fd);
        return { inode: known, stat };
      }
      if (this.#byId.size >= MOST_INODES) throw new FuseError(Errno.ENFILE);
      const target = stat.isSymbolicLink() ? readlinkSync(path, { encoding: "buffer" }) : undefined;
      const inode: Inode = { id: this.#next++, fd, target, parent: parent.id, name, lookups: 1n };
      this.#byId.set(inode.id, inode);
      this.#byPlace.set(place, inode);
      return { inode, stat };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** The guest forgets `count` of its look-ups. */
  forget(id: bigint, count: bigint): void {
    const inode = this.#byId.get(id);
    if (inode === undefined || id === ROOT_ID) return;
    inode.lookups -= count;
    if (inode.lookups > 0n) return;
    this.#byId.delete(id);
    this.#drop(inode);
  }

  /** Forgets everything but the root: the guest has started anew. */
  clear(): void {
    this.close();
    this.#openRoot();
  }

  close(): void {
    for (const inode of this.#byId.values()) closeSync(inode.fd);
    this.#byId.clear();
    this.#byPlace.clear();
  }

  #drop(inode: Inode): void {
    const { dev, ino } = this.stat(inode);
    this.#byPlace.delete(`${dev}:${ino}`);
    closeSync(inode.fd);
  }

  #openRoot(): void {
    const fd = openSync(this.#root, O_PATH | constants.O_DIRECTORY);
    const { dev, ino } = fstatSync(fd, { bigint: true });
    const root: Inode = { id: ROOT_ID, fd, target: undefined, parent: ROOT_ID, name: Buffer.from("."), lookups: 1n };
    this.#byId.set(ROOT_ID, root);
    this.#byPlace.set(`${dev}:${ino}`, root);
  }
}
