import { fstatSync } from "node:fs";
import type { NativeBlock, SystemCalls } from "./system-calls.js";
import { SystemCallError } from "./system-error.js";
import { UnixSocket } from "./unix-socket.js";

/** Most bytes that one call sends; so many go into a pipe as a whole or not at all. */
const dataBytes = 4096;

/** What messages are sent over. */
export type MessageEnd = Pick<UnixSocket, "fd" | "isTwoWay" | "send" | "receive" | "close">;

/** The end of a pipe that is written to. Non-blocking. Owns its descriptor. */
export class PipeEnd implements MessageEnd {
  readonly isTwoWay: boolean = false;
  readonly #system: SystemCalls;
  readonly #block: NativeBlock;
  #fd: number;

  /** Takes the descriptor over. */
  constructor(system: SystemCalls, fd: number) {
    this.#system = system;
    this.#fd = fd;
    this.#block = system.allocate(dataBytes);
  }

  /** -1 when closed. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Sends bytes, at most 4096 of them. Returns how many were sent; 0: the pipe is full.
   * @throws SystemCallError when nobody can read them (`EPIPE`); RangeError for descriptors, which a pipe does not carry.
   */
  send(bytes: Uint8Array, fds: readonly number[] = []): number {
    if (this.#fd < 0) throw new SystemCallError("write", 9);
    if (fds.length > 0) throw new RangeError("a pipe carries no descriptors");
    const length = Math.min(bytes.length, dataBytes);
    this.#block.bytes.set(bytes.subarray(0, length));
    return this.#system.write(this.#fd, this.#block.pointer, length) ?? 0;
  }

  /** Nothing comes back. */
  receive(): undefined {
    return undefined;
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#system.close(this.#fd);
    this.#fd = -1;
    this.#system.free(this.#block);
  }
}

/** A peer's descriptor to send messages over: a socket, or a pipe. It is taken over. */
export function messageEnd(system: SystemCalls, fd: number): MessageEnd {
  return fstatSync(fd).isFIFO() ? new PipeEnd(system, fd) : new UnixSocket(system, fd);
}
