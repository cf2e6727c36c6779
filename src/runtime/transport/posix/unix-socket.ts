import { lstatSync } from "node:fs";
import type { NativeBlock, SystemCalls } from "./system-calls.js";
import { SystemCallError } from "./system-error.js";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const MSG_CTRUNC = 8;
const ENAMETOOLONG = 36;

/** Where the parts of a message are in the block of a socket, and how long they are. */
const header = { at: 0, iovec: 56, control: 72 };
const controlHeaderBytes = 16;
/** Most file descriptors that one call sends or receives. */
export const mostDescriptors = 64;
const controlBytes = controlHeaderBytes + 4 * mostDescriptors;
const dataAt = header.control + controlBytes;
/** Most bytes that one call sends or receives. */
const dataBytes = 8192;

/** What {@link UnixSocket.receive} found. */
export interface Received {
  /** 0: the peer has closed its end. */
  readonly length: number;
  /** Descriptors that came along; the caller owns them. */
  readonly fds: readonly number[];
  /** More came than can be received; those were dropped by the system. */
  readonly truncated: boolean;
}

/** One end of a connected stream socket. Non-blocking. Owns its descriptor. */
export class UnixSocket {
  /** Something may come back. */
  readonly isTwoWay: boolean = true;
  readonly #system: SystemCalls;
  readonly #block: NativeBlock;
  #fd: number;

  /** Takes the descriptor of a connected socket over. */
  constructor(system: SystemCalls, fd: number) {
    this.#system = system;
    this.#fd = fd;
    this.#block = system.allocate(dataAt + dataBytes);
    const { pointer, view } = this.#block;
    const address = (at: number, value: number): void => view.setBigUint64(at, pointer + BigInt(value), true);
    address(header.at + 16, header.iovec);
    view.setBigUint64(header.at + 24, 1n, true);
    address(header.iovec, dataAt);
  }

  /** @throws SystemCallError when nobody listens there. */
  static connect(system: SystemCalls, path: string): UnixSocket {
    const fd = system.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
    try {
      system.connect(fd, socketAddress(path), path);
      return new UnixSocket(system, fd);
    } catch (error) {
      system.close(fd);
      throw error;
    }
  }

  /** Two ends that are connected with each other. */
  static pair(system: SystemCalls): [UnixSocket, UnixSocket] {
    const block = system.allocate(8);
    try {
      system.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, block.pointer);
      const first = block.view.getInt32(0, true);
      const second = block.view.getInt32(4, true);
      return [new UnixSocket(system, first), new UnixSocket(system, second)];
    } finally {
      system.free(block);
    }
  }

  /** -1 when closed. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Sends bytes, at most 8192 of them, with descriptors at the first; those stay the caller's. Returns how many bytes were
   * sent; 0: the peer does not read, and nothing was sent.
   */
  send(bytes: Uint8Array, fds: readonly number[] = []): number {
    if (this.#fd < 0) throw new SystemCallError("sendmsg", 9);
    if (fds.length > mostDescriptors) throw new RangeError(`${fds.length} descriptors are too many for one message`);
    const { view, pointer } = this.#block;
    const length = Math.min(bytes.length, dataBytes);
    this.#block.bytes.set(bytes.subarray(0, length), dataAt);
    view.setBigUint64(header.iovec + 8, BigInt(length), true);
    const controlLength = fds.length === 0 ? 0 : controlHeaderBytes + 4 * fds.length;
    this.#setControl(controlLength);
    if (controlLength > 0) {
      view.setBigUint64(header.control, BigInt(controlLength), true);
      view.setInt32(header.control + 8, SOL_SOCKET, true);
      view.setInt32(header.control + 12, SCM_RIGHTS, true);
      fds.forEach((fd, index) => view.setInt32(header.control + controlHeaderBytes + 4 * index, fd, true));
    }
    return this.#system.sendmsg(this.#fd, pointer, MSG_NOSIGNAL) ?? 0;
  }

  /**
   * Receives at most `target.length` bytes (and at most 8192) to the start of `target`. Undefined: there is nothing now.
   * @throws SystemCallError, as for a peer that was killed with data on its way (`ECONNRESET`).
   */
  receive(target: Uint8Array): Received | undefined {
    if (this.#fd < 0) throw new SystemCallError("recvmsg", 9);
    const { view, pointer, bytes } = this.#block;
    view.setBigUint64(header.iovec + 8, BigInt(Math.min(target.length, dataBytes)), true);
    this.#setControl(controlBytes);
    view.setInt32(header.at + 48, 0, true);
    const length = this.#system.recvmsg(this.#fd, pointer, MSG_CMSG_CLOEXEC);
    if (length === undefined) return undefined;
    target.set(bytes.subarray(dataAt, dataAt + length));
    const truncated = (view.getInt32(header.at + 48, true) & MSG_CTRUNC) !== 0;
    return { length, fds: this.#descriptors(), truncated };
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#system.close(this.#fd);
    this.#fd = -1;
    this.#system.free(this.#block);
  }

  #setControl(length: number): void {
    const { view, pointer } = this.#block;
    view.setBigUint64(header.at + 32, length === 0 ? 0n : pointer + BigInt(header.control), true);
    view.setBigUint64(header.at + 40, BigInt(length), true);
  }

  /** What the system has put into the control part: it is the system's, not the peer's, so it is well-formed. */
  #descriptors(): number[] {
    const { view } = this.#block;
    const end = header.control + Number(view.getBigUint64(header.at + 40, true));
    const fds: number[] = [];
    for (let at = header.control; at + controlHeaderBytes <= end;) {
      const length = Number(view.getBigUint64(at, true));
      if (length < controlHeaderBytes) break;
      const isRights = view.getInt32(at + 8, true) === SOL_SOCKET && view.getInt32(at + 12, true) === SCM_RIGHTS;
      for (let entry = at + controlHeaderBytes; isRights && entry + 4 <= at + length; entry += 4) {
        fds.push(view.getInt32(entry, true));
      }
      at += Math.ceil(length / 8) * 8;
    }
    return fds;
  }
}

/** A socket that takes connections. Non-blocking. Owns its descriptor; the file of its path is the caller's. */
export class UnixListener {
  readonly #system: SystemCalls;
  #fd: number;

  /** @throws SystemCallError: `EADDRINUSE` when there is a file with this path. */
  constructor(system: SystemCalls, path: string, backlog = 1) {
    this.#system = system;
    this.#fd = system.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
    try {
      system.bind(this.#fd, socketAddress(path), path);
      system.listen(this.#fd, backlog);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** -1 when closed. */
  get fd(): number {
    return this.#fd;
  }

  /** The next connection, or undefined if nobody waits. */
  accept(): UnixSocket | undefined {
    const fd = this.#system.accept(this.#fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd === undefined ? undefined : new UnixSocket(this.#system, fd);
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#system.close(this.#fd);
    this.#fd = -1;
  }
}

/** Is there a socket at this path? Nothing else may be taken away to make room for one. */
export function isSocketFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function socketAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (name.length > 107 || name.length === 0) throw new SystemCallError("bind", ENAMETOOLONG, path);
  const address = new Uint8Array(2 + name.length + 1);
  address[0] = AF_UNIX;
  address.set(name, 2);
  return address;
}
