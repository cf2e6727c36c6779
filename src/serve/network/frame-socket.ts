import { connect, type Socket } from "node:net";

/** Longest frame that is believed: 64 KiB of IP packet, an Ethernet header and a tag. */
const LONGEST_FRAME = 65_535 + 18;
/** Bytes that may wait in the socket before the sender has to. */
const BACKLOG = 1 << 20;
const RETRY = 500;

export interface FrameSocketOptions {
  readonly path: string;
  /** A frame has arrived. False: it cannot be taken now; it is given again after {@link FrameSocket.resume}. */
  receive(frame: Uint8Array): boolean;
  /** The connection is there, or gone. */
  changed(isConnected: boolean): void;
}

/**
 * Ethernet frames over a stream socket, each with its length as 32 bits, big-endian, in front: what QEMU's `-netdev stream`
 * and `passt` speak. Connects again whenever the connection is lost.
 */
export class FrameSocket {
  readonly #options: FrameSocketOptions;
  #socket: Socket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** What arrived and is not a whole frame yet, or was not taken. */
  #bytes: Buffer = Buffer.alloc(0);
  #isHeldUp = false;

  constructor(options: FrameSocketOptions) {
    this.#options = options;
    this.#socket = undefined;
    this.#retry = undefined;
  }

  get isConnected(): boolean {
    return this.#socket?.readyState === "open";
  }

  /** Connects. The promise is rejected if nobody listens there now. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#connect();
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
  }

  /** Sends a frame, which is kept until it is gone. Without a connection it is lost, as on a wire. */
  send(frame: Uint8Array): void {
    const socket = this.#socket;
    if (socket === undefined || !this.isConnected) return;
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(frame.length);
    socket.cork();
    socket.write(length);
    socket.write(frame);
    socket.uncork();
  }

  /** The other side is slow: wait for {@link drained} before more is sent. */
  get isFull(): boolean {
    return (this.#socket?.writableLength ?? 0) > BACKLOG;
  }
  /** Done when there is room again, or nobody is there any more. */
  drained(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || !this.isFull) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off("drain", done);
        socket.off("close", done);
        resolve();
      };
      socket.on("drain", done);
      socket.on("close", done);
    });
  }

  /** Frames can be taken again. */
  resume(): void {
    if (!this.#isHeldUp) return;
    this.#isHeldUp = false;
    if (this.#deliver()) this.#socket?.resume();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
  }

  #connect(): Socket {
    const socket = connect(this.#options.path);
    this.#socket = socket;
    this.#bytes = Buffer.alloc(0);
    this.#isHeldUp = false;
    let wasConnected = false;
    socket.on("connect", () => {
      wasConnected = true;
      this.#options.changed(true);
    });
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
      if (!this.#deliver()) socket.pause();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (wasConnected) this.#options.changed(false);
      if (this.#isClosed) return;
      this.#retry = setTimeout(() => this.#connect(), RETRY);
      this.#retry.unref();
    });
    return socket;
  }

  /** Hands on all whole frames. False: one was not taken. */
  #deliver(): boolean {
    let at = 0;
    let taken = true;
    while (this.#bytes.length - at >= 4) {
      const length = this.#bytes.readUInt32BE(at);
      if (length > LONGEST_FRAME) {
        // What follows cannot be found again.
        this.#socket?.destroy();
        this.#bytes = Buffer.alloc(0);
        return true;
      }
      if (this.#bytes.length - at - 4 < length) break;
      taken = this.#options.receive(this.#bytes.subarray(at + 4, at + 4 + length));
      if (!taken) break;
      at += 4 + length;
    }
    this.#bytes = this.#bytes.subarray(at);
    this.#isHeldUp = !taken;
    return taken;
  }
}
