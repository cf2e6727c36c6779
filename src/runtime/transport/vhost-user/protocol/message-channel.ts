import { closeSync } from "node:fs";
import type { MessageEnd } from "../../posix/index.js";
import { SystemCallError } from "../../posix/index.js";
import { VhostUserError } from "./fault.js";
import { layouts, mostPayloadBytes, type Payloads } from "./payloads.js";
import type { PayloadKind, RequestTable } from "./requests.js";

const headerBytes = 12;
const versionMask = 3;
const version = 1;
const replyFlag = 4;
const needReplyFlag = 8;

/** A message as it came, its frame checked. */
export interface Message<Name extends string> {
  readonly name: Name;
  readonly isReply: boolean;
  /** The sender wants a reply even if the request has none of its own (REPLY_ACK). */
  readonly needReply: boolean;
  readonly payload: Uint8Array;
  /** File descriptors that came along. Whoever takes the message closes them. */
  readonly fds: readonly number[];
}

/**
 * Messages of one direction over a socket (or a pipe, which has no replies): requests that one side sends, and replies of the other. Whatever the peer
 * sends, at most one header and one payload of bounded size is kept.
 */
export class MessageChannel<Name extends string> {
  readonly socket: MessageEnd;
  readonly #table: RequestTable<Name>;
  /** Which messages come in: requests, or replies to ours. */
  readonly #receives: "requests" | "replies";
  readonly #buffer = new Uint8Array(headerBytes + mostPayloadBytes);
  #filled = 0;
  #fds: number[] = [];
  /** Of the header that is complete. */
  #name: Name | undefined;
  #flags = 0;
  #size = 0;

  /** Takes the socket over. */
  constructor(socket: MessageEnd, table: RequestTable<Name>, receives: "requests" | "replies") {
    this.socket = socket;
    this.#table = table;
    this.#receives = receives;
    this.#name = undefined;
  }

  /**
   * The next message, or undefined if it is not complete yet.
   * @throws VhostUserError when what comes is no message, or the peer is gone (`peer-gone`; in the middle of a message
   * `cut-short`). The channel is of no use after that: close it.
   */
  receive(): Message<Name> | undefined {
    const header = this.#name === undefined;
    if (header) {
      if (!this.#fill(headerBytes)) return undefined;
      this.#checkHeader();
    }
    if (this.#name === undefined || !this.#fill(headerBytes + this.#size)) return undefined;
    const fds = this.#fds;
    const message = {
      name: this.#name,
      isReply: this.#receives === "replies",
      needReply: (this.#flags & needReplyFlag) !== 0,
      payload: this.#buffer.slice(headerBytes, headerBytes + this.#size),
      fds,
    };
    this.#fds = [];
    this.#filled = 0;
    this.#name = undefined;
    return message;
  }

  /** Sends a request of ours. The descriptors stay the caller's. @throws VhostUserError when the peer is gone. */
  request(name: Name, payload: Uint8Array, options: { fds?: readonly number[]; needReply?: boolean } = {}): void {
    if (this.#send(name, requestFlags(options.needReply), payload, options.fds)) return;
    // A peer that waits for its replies has room for some hundreds of them.
    throw new VhostUserError("peer-slow", name);
  }

  /** The same for one that can wait. False: nothing was sent, as the peer does not read. */
  offer(name: Name, payload: Uint8Array, needReply: boolean): boolean {
    return this.#send(name, requestFlags(needReply), payload);
  }

  /** Sends a reply to a request of the peer's. @throws VhostUserError when the peer is gone. */
  reply(name: Name, payload: Uint8Array, fds: readonly number[] = []): void {
    if (!this.#send(name, version | replyFlag, payload, fds)) throw new VhostUserError("peer-slow", name);
  }

  /** Closes the socket and what came along with a message that was never complete. */
  close(): void {
    this.socket.close();
    closeAll(this.#fds);
    this.#fds = [];
  }

  /** False: there was no room for any of it. */
  #send(name: Name, flags: number, payload: Uint8Array, fds: readonly number[] = []): boolean {
    const bytes = new Uint8Array(headerBytes + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#table.shapes[name].number, true);
    view.setUint32(4, flags, true);
    view.setUint32(8, payload.length, true);
    bytes.set(payload, headerBytes);
    try {
      for (let sent = 0; sent < bytes.length;) {
        const count = this.socket.send(bytes.subarray(sent), sent === 0 ? fds : []);
        if (count === 0 && sent === 0) return false;
        if (count === 0) throw new VhostUserError("peer-slow", name);
        sent += count;
      }
      return true;
    } catch (error) {
      if (error instanceof SystemCallError) throw new VhostUserError("peer-gone", error.message, { cause: error });
      throw error;
    }
  }

  /** Receives until there are `wanted` bytes; false if some are still to come. */
  #fill(wanted: number): boolean {
    while (this.#filled < wanted) {
      let received;
      try {
        // Never beyond this message: the descriptors of the next would be taken for its own.
        received = this.socket.receive(this.#buffer.subarray(this.#filled, wanted));
      } catch (error) {
        if (!(error instanceof SystemCallError)) throw error;
        throw new VhostUserError("peer-gone", error.message, { cause: error });
      }
      if (received === undefined) return false;
      this.#fds.push(...received.fds);
      if (received.truncated || this.#fds.length > mostDescriptorsOfMessage) {
        throw new VhostUserError("descriptor-count", `more than ${mostDescriptorsOfMessage}`);
      }
      if (received.length === 0) {
        if (this.#filled === 0) throw new VhostUserError("peer-gone", "it closed the connection");
        throw new VhostUserError("cut-short", `${this.#filled} of ${wanted} bytes`);
      }
      this.#filled += received.length;
    }
    return true;
  }

  #checkHeader(): void {
    const view = new DataView(this.#buffer.buffer);
    const number = view.getUint32(0, true);
    const flags = view.getUint32(4, true);
    const size = view.getUint32(8, true);
    if ((flags & versionMask) !== version) throw new VhostUserError("version", `flags 0x${flags.toString(16)}`);
    if ((flags & ~(versionMask | replyFlag | needReplyFlag)) !== 0) {
      throw new VhostUserError("flags", `flags 0x${flags.toString(16)}`);
    }
    const isReply = (flags & replyFlag) !== 0;
    if (isReply !== (this.#receives === "replies")) {
      throw new VhostUserError("direction", `request ${number}, flags 0x${flags.toString(16)}`);
    }
    if (size > mostPayloadBytes) throw new VhostUserError("payload-size", `request ${number}, ${size} bytes`);
    const name = this.#table.nameOf(number);
    if (name === undefined) throw new VhostUserError("unknown-request", `request ${number}`);
    this.#name = name;
    this.#flags = flags;
    this.#size = size;
  }
}

const mostDescriptorsOfMessage = 16;

function requestFlags(needReply = false): number {
  return version | (needReply ? needReplyFlag : 0);
}

/**
 * The payload of a message in this layout.
 * @throws VhostUserError when it cannot be.
 */
export function decodePayload<Kind extends PayloadKind>(
  kind: Kind,
  { name, payload }: Message<string>,
): Payloads[Kind] {
  try {
    return layouts[kind].decode(payload);
  } catch (error) {
    if (error instanceof VhostUserError) throw new VhostUserError(error.rule, `${name}: ${error.detail}`);
    throw error;
  }
}

/** The bytes of a payload. */
export function encodePayload<Kind extends PayloadKind>(kind: Kind, value: Payloads[Kind]): Uint8Array {
  return layouts[kind].encode(value);
}

/** Closes descriptors that came with a message. */
export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) {
    try {
      closeSync(fd);
    } catch {
      // It is gone, which is all that is wanted.
    }
  }
}
