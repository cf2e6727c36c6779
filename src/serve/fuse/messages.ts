import type { BigIntStats, StatsFs } from "node:fs";
import { Errno, FuseError } from "./numbers.js";

/** `fuse_in_header`: what every request starts with. */
export interface FuseHeader {
  readonly opcode: number;
  readonly unique: bigint;
  readonly node: bigint;
  readonly uid: number;
  readonly gid: number;
}

export const IN_HEADER_SIZE = 40;
export const OUT_HEADER_SIZE = 16;
export const ATTR_SIZE = 88;
const ENTRY_SIZE = 128;
const DIRENT_HEADER = 24;
/** The guest's own limit (NAME_MAX). */
const LONGEST_NAME = 255;

export function readHeader(bytes: Uint8Array): FuseHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    opcode: view.getUint32(4, true),
    unique: view.getBigUint64(8, true),
    node: view.getBigUint64(16, true),
    uid: view.getUint32(24, true),
    gid: view.getUint32(28, true),
  };
}

/** `errno` is 0 or positive. */
export function outHeader(unique: bigint, errno: number, payload: number): Uint8Array {
  const bytes = new Uint8Array(OUT_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, OUT_HEADER_SIZE + payload, true);
  view.setInt32(4, -errno, true);
  view.setBigUint64(8, unique, true);
  return bytes;
}

/** Arguments of a request, read one after the other. @throws FuseError (EPROTO) when there are too few bytes. */
export class Arguments {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  /** A 64-bit number that has to be exact as a plain one. @throws FuseError (EINVAL) when it cannot be. */
  size(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FuseError(Errno.EINVAL);
    return Number(value);
  }
  skip(length: number): void {
    this.#take(length);
  }

  /** Bytes up to a NUL. */
  text(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new FuseError(Errno.EPROTO);
    const text = Buffer.from(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  /** The name of something in a directory, which cannot lead out of it. @throws FuseError */
  name(): Buffer {
    const name = this.text();
    if (name.length > LONGEST_NAME) throw new FuseError(Errno.ENAMETOOLONG);
    const isDots = name.length > 0 && name.length <= 2 && name.every((byte) => byte === 0x2e);
    if (name.length === 0 || isDots || name.includes(0x2f)) throw new FuseError(Errno.EINVAL);
    return name;
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new FuseError(Errno.EPROTO);
    this.#at = at + length;
    return at;
  }
}

/** Writes a `fuse_attr` at `at`. */
export function writeAttr(view: DataView, at: number, stat: BigIntStats): void {
  const words = [stat.ino, stat.size, stat.blocks, stat.atimeNs / SECOND, stat.mtimeNs / SECOND, stat.ctimeNs / SECOND];
  for (const [index, word] of words.entries()) view.setBigUint64(at + 8 * index, BigInt.asUintN(64, word), true);
  const halves = [
    ...[stat.atimeNs % SECOND, stat.mtimeNs % SECOND, stat.ctimeNs % SECOND],
    ...[stat.mode, stat.nlink, stat.uid, stat.gid, stat.rdev, stat.blksize],
  ];
  for (const [index, half] of halves.entries())
    view.setUint32(at + 48 + 4 * index, Number(BigInt.asUintN(32, half)), true);
}

const SECOND = 1_000_000_000n;

/** `fuse_attr_out`; valid for `seconds` in the guest's cache. */
export function attrOut(stat: BigIntStats, seconds: number): Uint8Array {
  const bytes = new Uint8Array(16 + ATTR_SIZE);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(seconds), true);
  writeAttr(view, 16, stat);
  return bytes;
}

/** `fuse_entry_out`, with room for `extra` bytes behind it. */
export function entryOut(node: bigint, stat: BigIntStats, seconds: number, extra = 0): Uint8Array {
  const bytes = new Uint8Array(ENTRY_SIZE + extra);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, node, true);
  view.setBigUint64(16, BigInt(seconds), true);
  view.setBigUint64(24, BigInt(seconds), true);
  writeAttr(view, 40, stat);
  return bytes;
}

/** `fuse_open_out` */
export function openOut(handle: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(handle), true);
  return bytes;
}

/** `fuse_entry_out` and `fuse_open_out`, of CREATE. */
export function createOut(node: bigint, stat: BigIntStats, seconds: number, handle: number): Uint8Array {
  const bytes = entryOut(node, stat, seconds, 16);
  bytes.set(openOut(handle), ENTRY_SIZE);
  return bytes;
}

/** `fuse_write_out` */
export function writeOut(size: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, size, true);
  return bytes;
}

/** `fuse_statfs_out` */
export function statfsOut(stat: StatsFs): Uint8Array {
  const bytes = new Uint8Array(80);
  const view = new DataView(bytes.buffer);
  const words = [stat.blocks, stat.bfree, stat.bavail, stat.files, stat.ffree];
  for (const [index, word] of words.entries()) view.setBigUint64(8 * index, BigInt(word), true);
  view.setUint32(40, stat.bsize, true);
  view.setUint32(44, LONGEST_NAME, true);
  view.setUint32(48, stat.bsize, true);
  return bytes;
}

/** `fuse_init_out` of version 7.31. */
export function initOut(flags: number, readAhead: number, mostPages: number): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  const [background, congestion] = [64, 48];
  view.setUint32(0, 7, true);
  view.setUint32(4, 31, true);
  view.setUint32(8, readAhead, true);
  view.setUint32(12, flags, true);
  view.setUint16(16, background, true);
  view.setUint16(18, congestion, true);
  view.setUint32(20, mostPages * 4096, true);
  view.setUint32(24, 1, true);
  view.setUint16(28, mostPages, true);
  return bytes;
}

/** One name of a directory. */
export interface DirectoryEntry {
  readonly name: Buffer;
  /** DT_*: the file type bits of a mode, shifted right by 12; 0 if it is not known. */
  readonly type: number;
}

/** As many `fuse_dirent`s from number `from` on as fit into `room` bytes. */
export function directoryOut(entries: readonly DirectoryEntry[], from: number, room: number): Uint8Array {
  const parts: Buffer[] = [];
  let size = 0;
  for (let index = from; index < entries.length; index++) {
    const entry = entries[index];
    if (entry === undefined) break;
    const length = (DIRENT_HEADER + entry.name.length + 7) & ~7;
    if (size + length > room) break;
    const part = Buffer.alloc(length);
    // No inode number: the guest asks for attributes by LOOKUP.
    part.writeBigUInt64LE(0xffff_ffffn, 0);
    part.writeBigUInt64LE(BigInt(index + 1), 8);
    part.writeUInt32LE(entry.name.length, 16);
    part.writeUInt32LE(entry.type, 20);
    entry.name.copy(part, DIRENT_HEADER);
    parts.push(part);
    size += length;
  }
  return Buffer.concat(parts);
}
