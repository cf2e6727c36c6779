import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  type Dirent,
} from "node:fs";
import { Inodes, pathOf, type Inode } from "./inodes.js";
import {
  type Arguments,
  attrOut,
  createOut,
  type DirectoryEntry,
  directoryOut,
  entryOut,
  type FuseHeader,
  initOut,
  openOut,
  statfsOut,
} from "./messages.js";
import { Errno, FuseError, InitFlag, Opcode, SetAttr } from "./numbers.js";
import { OpenFiles } from "./open-files.js";

/** Seconds that the guest may keep names and attributes. The directory is shared, so not long. */
const CACHE_SECONDS = 1;
/** Flags of open(2) that the guest may set; the others are for its own kernel, or would lead astray. */
const { O_ACCMODE, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_SYNC, O_TRUNC, S_IFMT, S_IFREG } = {
  O_ACCMODE: 3,
  ...constants,
};
const GUEST_FLAGS = O_ACCMODE | O_APPEND | O_SYNC | O_TRUNC;
const NOTHING = new Uint8Array(0);
const MOST_PAGES = 256;

export interface FileSystemOptions {
  readonly path: string;
  readonly readOnly: boolean;
}

type Operation = (args: Arguments, header: FuseHeader) => Uint8Array;

/**
 * A directory of the host, as FUSE operations. All but READ and WRITE, whose data goes straight to guest memory, are
 * answered here: arguments in, result out; what fails throws FuseError or an error of the system.
 */
export class FileSystem {
  readonly inodes: Inodes;
  readonly files = new OpenFiles();
  readonly #readOnly: boolean;
  /** Only the superuser can give files to other users. */
  readonly #givesFiles = process.getuid?.() === 0;
  readonly #operations: ReadonlyMap<number, Operation>;

  /** @throws Error when the directory cannot be opened. */
  constructor({ path, readOnly }: FileSystemOptions) {
    this.inodes = new Inodes(path);
    this.#readOnly = readOnly;
    this.#operations = this.#table();
  }

  /** @throws FuseError; ENOSYS for an operation that is not there, after which Linux does not ask for it again. */
  serve(header: FuseHeader, args: Arguments): Uint8Array {
    const operation = this.#operations.get(header.opcode);
    if (operation === undefined) throw new FuseError(Errno.ENOSYS);
    return operation(args, header);
  }

  /** Forgets what a guest had open, as at the start of another one. */
  clear(): void {
    this.files.clear();
    this.inodes.clear();
  }

  close(): void {
    this.files.clear();
    this.inodes.close();
  }

  #table(): ReadonlyMap<number, Operation> {
    const changes = (operation: Operation): Operation => {
      if (!this.#readOnly) return operation;
      return () => {
        throw new FuseError(Errno.EROFS);
      };
    };
    return new Map<number, Operation>([
      [Opcode.INIT, (args) => this.#init(args)],
      [Opcode.DESTROY, () => this.#nothing(() => this.clear())],
      [Opcode.INTERRUPT, () => NOTHING],
      [Opcode.STATFS, (_args, header) => statfsOut(statfsSync(pathOf(this.#inode(header).fd)))],
      [Opcode.LOOKUP, (args, header) => this.#entry(this.#inode(header), args.name())],
      [Opcode.GETATTR, (_args, header) => this.#attr(this.#inode(header))],
      [Opcode.SETATTR, changes((args, header) => this.#setAttr(args, header))],
      [Opcode.READLINK, (_args, header) => this.#inode(header).target ?? raise(Errno.EINVAL)],
      [Opcode.OPEN, (args, header) => this.#open(args, header)],
      [Opcode.CREATE, changes((args, header) => this.#create(args, header))],
      [Opcode.RELEASE, (args) => this.#nothing(() => this.files.releaseFile(args.u64()))],
      [Opcode.FLUSH, () => NOTHING],
      [Opcode.FSYNC, (args) => this.#fsync(args)],
      [Opcode.OPENDIR, (_args, header) => openOut(this.files.addDirectory(this.#list(this.#inode(header))))],
      [Opcode.READDIR, (args) => this.#readDirectory(args)],
      [Opcode.RELEASEDIR, (args) => this.#nothing(() => this.files.releaseDirectory(args.u64()))],
      [Opcode.FSYNCDIR, () => NOTHING],
      [Opcode.MKNOD, changes((args, header) => this.#makeNode(args, header))],
      [Opcode.MKDIR, changes((args, header) => this.#makeDirectory(args, header))],
      [Opcode.SYMLINK, changes((args, header) => this.#makeLink(args, header))],
      [Opcode.LINK, changes((args, header) => this.#link(args, header))],
      [Opcode.UNLINK, changes((args, header) => this.#remove(args, header, unlinkSync))],
      [Opcode.RMDIR, changes((args, header) => this.#remove(args, header, rmdirSync))],
      [Opcode.RENAME, changes((args, header) => this.#rename(args, header, args.u64()))],
      [Opcode.RENAME2, changes((args, header) => this.#rename2(args, header))],
    ]);
  }

  #inode({ node }: FuseHeader): Inode {
    return this.inodes.get(node);
  }
  #nothing(work: () => void): Uint8Array {
    work();
    return NOTHING;
  }
  #attr(inode: Inode): Uint8Array {
    return attrOut(this.inodes.stat(inode), CACHE_SECONDS);
  }
  #entry(parent: Inode, name: Buffer): Uint8Array {
    const { inode, stat } = this.inodes.lookUp(parent, name);
    return entryOut(inode.id, stat, CACHE_SECONDS);
  }

  #init(args: Arguments): Uint8Array {
    const major = args.u32();
    args.u32();
    const readAhead = args.u32();
    const flags = args.u32();
    if (major !== 7) throw new FuseError(Errno.EPROTO);
    // Whoever starts has nothing open: it may be another guest, or the same one after a reset.
    this.clear();
    const { ASYNC_READ, ATOMIC_O_TRUNC, BIG_WRITES, PARALLEL_DIROPS, MAX_PAGES } = InitFlag;
    const wanted = ASYNC_READ | ATOMIC_O_TRUNC | BIG_WRITES | PARALLEL_DIROPS | MAX_PAGES;
    return initOut(flags & wanted, readAhead, MOST_PAGES);
  }

  // ---- files ----

  #open(args: Arguments, header: FuseHeader): Uint8Array {
    const flags = args.u32() & GUEST_FLAGS;
    const inode = this.#inode(header);
    if (this.#readOnly && (flags & ~O_SYNC) !== O_RDONLY) throw new FuseError(Errno.EROFS);
    // What is behind a device or a pipe is the guest's own affair; opening a pipe here could wait for ever.
    if (!this.inodes.stat(inode).isFile()) throw new FuseError(Errno.ENXIO);
    return openOut(this.files.addFile(openSync(pathOf(inode.fd), flags | O_NONBLOCK)));
  }

  #create(args: Arguments, header: FuseHeader): Uint8Array {
    const flags = args.u32();
    const mode = args.u32() & ~args.u32() & 0o7777;
    args.skip(4);
    const name = args.name();
    const parent = this.#inode(header);
    const path = pathOf(parent.fd, name);
    const exclusive = flags & O_EXCL;
    const fd = openSync(path, (flags & GUEST_FLAGS) | O_CREAT | O_NOFOLLOW | O_NONBLOCK | exclusive, mode);
    try {
      this.#give(path, header);
      const { inode, stat } = this.inodes.lookUp(parent, name);
      return createOut(inode.id, stat, CACHE_SECONDS, this.files.addFile(fd));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #fsync(args: Arguments): Uint8Array {
    const fd = this.files.file(args.u64());
    const dataOnly = (args.u32() & 1) !== 0;
    if (dataOnly) fdatasyncSync(fd);
    else fsyncSync(fd);
    return NOTHING;
  }

  #setAttr(args: Arguments, header: FuseHeader): Uint8Array {
    const inode = this.#inode(header);
    const valid = args.u32();
    args.skip(4);
    const handle = args.u64();
    const size = args.size();
    args.skip(8);
    const [atime, mtime] = [args.u64(), args.u64()];
    args.skip(8);
    const [atimeNs, mtimeNs] = [args.u32(), args.u32()];
    args.skip(4);
    const mode = args.u32() & 0o7777;
    args.skip(4);
    const [uid, gid] = [args.u32(), args.u32()];
    const path = pathOf(inode.fd);
    const has = (flag: number): boolean => (valid & flag) !== 0;
    const before = this.inodes.stat(inode);
    if (has(SetAttr.MODE)) chmodSync(path, mode);
    if (has(SetAttr.UID | SetAttr.GID)) {
      const owner = [has(SetAttr.UID) ? uid : Number(before.uid), has(SetAttr.GID) ? gid : Number(before.gid)] as const;
      chownSync(path, ...owner);
    }
    if (has(SetAttr.SIZE)) {
      if (!before.isFile()) throw new FuseError(Errno.EINVAL);
      if (has(SetAttr.FH)) ftruncateSync(this.files.file(handle), size);
      else truncateSync(path, size);
    }
    if (has(SetAttr.ATIME | SetAttr.MTIME)) {
      const now = Date.now() / 1000;
      const time = (flag: number, nowFlag: number, seconds: bigint, nanoseconds: number, old: bigint): number => {
        if (!has(flag)) return Number(old) / 1e9;
        return has(nowFlag) ? now : Number(seconds) + nanoseconds / 1e9;
      };
      utimesSync(
        path,
        time(SetAttr.ATIME, SetAttr.ATIME_NOW, atime, atimeNs, before.atimeNs),
        time(SetAttr.MTIME, SetAttr.MTIME_NOW, mtime, mtimeNs, before.mtimeNs),
      );
    }
    return this.#attr(inode);
  }

  // ---- directories ----

  #list(inode: Inode): DirectoryEntry[] {
    const dots = [".", ".."].map((name) => ({ name: Buffer.from(name), type: 4 }));
    const entries = readdirSync(pathOf(inode.fd), { encoding: "buffer", withFileTypes: true });
    return [...dots, ...entries.map((entry) => ({ name: entry.name, type: typeOf(entry) }))];
  }

  #readDirectory(args: Arguments): Uint8Array {
    const entries = this.files.directory(args.u64());
    const from = args.size();
    const room = args.u32();
    return directoryOut(entries, from, room);
  }

  #makeNode(args: Arguments, header: FuseHeader): Uint8Array {
    const mode = args.u32();
    args.skip(4);
    const umask = args.u32();
    args.skip(4);
    const name = args.name();
    // Node has no call for pipes, sockets and devices.
    if ((mode & S_IFMT) !== S_IFREG) throw new FuseError(Errno.EPERM);
    const parent = this.#inode(header);
    const path = pathOf(parent.fd, name);
    closeSync(openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW, mode & ~umask & 0o7777));
    return this.#made(parent, name, path, header);
  }

  #makeDirectory(args: Arguments, header: FuseHeader): Uint8Array {
    const mode = args.u32() & ~args.u32() & 0o7777;
    const name = args.name();
    const parent = this.#inode(header);
    const path = pathOf(parent.fd, name);
    mkdirSync(path, { mode });
    return this.#made(parent, name, path, header);
  }

  #makeLink(args: Arguments, header: FuseHeader): Uint8Array {
    const name = args.name();
    const target = args.text();
    const parent = this.#inode(header);
    const path = pathOf(parent.fd, name);
    symlinkSync(target, path);
    return this.#made(parent, name, path, header);
  }

  #link(args: Arguments, header: FuseHeader): Uint8Array {
    const old = this.inodes.get(args.u64());
    const name = args.name();
    const parent = this.#inode(header);
    const path = pathOf(parent.fd, name);
    // link(2) does not follow Linux's magic links, so the name by which the inode was found has to do, if it still does.
    linkSync(pathOf(this.inodes.get(old.parent).fd, old.name), path);
    const { inode, stat } = this.inodes.lookUp(parent, name);
    if (inode === old) return entryOut(inode.id, stat, CACHE_SECONDS);
    this.inodes.forget(inode.id, 1n);
    unlinkSync(path);
    throw new FuseError(Errno.ENOENT);
  }

  #made(parent: Inode, name: Buffer, path: string | Buffer, header: FuseHeader): Uint8Array {
    this.#give(path, header);
    return this.#entry(parent, name);
  }

  /** What the guest makes belongs to the user there who made it. */
  #give(path: string | Buffer, { uid, gid }: FuseHeader): void {
    if (this.#givesFiles) lchownSync(path, uid, gid);
  }

  #remove(args: Arguments, header: FuseHeader, remove: (path: string | Buffer) => void): Uint8Array {
    remove(pathOf(this.#inode(header).fd, args.name()));
    return NOTHING;
  }

  #rename(args: Arguments, header: FuseHeader, newDirectory: bigint): Uint8Array {
    const [from, to] = [this.#inode(header), this.inodes.get(newDirectory)];
    const [oldName, newName] = [args.name(), args.name()];
    renameSync(pathOf(from.fd, oldName), pathOf(to.fd, newName));
    return NOTHING;
  }

  #rename2(args: Arguments, header: FuseHeader): Uint8Array {
    const newDirectory = args.u64();
    const flags = args.u32();
    args.skip(4);
    // The others (exchange, whiteout) and "do not replace" need a call that Node does not have.
    if (flags !== 0) throw new FuseError(Errno.EINVAL);
    return this.#rename(args, header, newDirectory);
  }
}

function raise(errno: number): never {
  throw new FuseError(errno);
}

function typeOf(entry: Dirent<Buffer>): number {
  if (entry.isDirectory()) return 4;
  if (entry.isFile()) return 8;
  return entry.isSymbolicLink() ? 10 : 0;
}
