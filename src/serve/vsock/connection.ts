import type { Socket } from "node:net";
import { VsockShutdownFlags, type VsockHdr, type VsockPacket } from "../../../generated/vsock.js";

/** Bytes that may be on their way from the guest to the host's socket, for each connection. */
export const CREDIT = 256 * 1024;
/** Bytes of the header in front of the data. */
export const HEADER = 44;
const HOST = 2n;
const BOTH = VsockShutdownFlags.RECEIVE | VsockShutdownFlags.SEND;
const NO_BYTES = new Uint8Array(0);

/** What can be sent once there is room for it. */
export interface PacketSink {
  readonly guestCid: bigint;
  /** Bytes that the next packet may have, header included; 0 if the guest has no buffer for it. */
  readonly room: number;
  send(packet: VsockPacket): boolean;
}

export interface ConnectionPlace {
  readonly guestPort: number;
  readonly hostPort: number;
}

/**
 * One connection between a socket of the host and a port of the guest (VIRTIO 1.4, 5.10.6). What it has to say waits here
 * until the guest has buffers and room for it; the host's socket is not read meanwhile, so nothing piles up.
 */
export class Connection implements ConnectionPlace {
  readonly guestPort: number;
  readonly hostPort: number;
  readonly #sink: PacketSink;
  readonly #socket: Socket;
  /** Asked for by the guest: it waits for the answer. By the host: the guest has not answered yet. */
  #state: "asked" | "calling" | "open" | "closing" = "asked";
  /** Called when the guest has answered the host's call. */
  onAccepted: (() => void) | undefined = undefined;
  #wasOpen = false;
  /** Nothing more is said about it. */
  #isOver = false;
  #owesCall = false;
  #owesAnswer = false;
  #owesCredit = false;
  #owesShutdown = 0;
  /** Read from the host's socket and not sent yet. */
  #pending: Buffer[] = [];
  #pendingStart = 0;
  /** Bytes sent to the guest, what it has taken, and the room that it has: all modulo 2^32, as in packets. */
  #sent = 0;
  #guestTook = 0;
  #guestRoom = 0;
  /** Bytes got from the guest, handed to the host's socket, and what the guest was told of that. */
  #received = 0;
  #handedOn = 0;
  #toldOf = 0;

  constructor(sink: PacketSink, place: ConnectionPlace, socket: Socket) {
    this.#sink = sink;
    this.#socket = socket;
    this.guestPort = place.guestPort;
    this.hostPort = place.hostPort;
    socket.pause();
    socket.on("data", (chunk: Buffer) => {
      this.#pending.push(chunk);
      socket.pause();
      this.flush();
    });
    socket.on("end", () => this.#shutDown(VsockShutdownFlags.SEND));
    // Errors end the socket: `close` follows.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#shutDown(BOTH));
  }

  /** The guest has accepted, or we have: data flows. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** The host calls a port of the guest. */
  call(): void {
    this.#state = "calling";
    this.#owesCall = true;
    this.flush();
  }
  /** The host's socket answers the guest's call. */
  accept(): void {
    this.#open();
    this.#owesAnswer = true;
    this.#socket.resume();
    this.flush();
  }
  /** The guest answers the host's call. */
  accepted(): void {
    if (this.#state !== "calling") return;
    this.#open();
    this.onAccepted?.();
    this.#socket.resume();
  }

  #open(): void {
    this.#state = "open";
    this.#wasOpen = true;
  }

  /** It is open, or was. */
  get wasOpen(): boolean {
    return this.#wasOpen;
  }

  /** Every packet tells what the guest has taken and how much it has room for. */
  credit(hdr: VsockHdr): void {
    this.#guestRoom = hdr.bufAlloc;
    this.#guestTook = hdr.fwdCnt;
  }
  /** The guest asks what it may send. */
  askedForCredit(): void {
    this.#owesCredit = true;
    this.flush();
  }

  /** Data of the guest. False: it sends more than it was given room for. */
  receive(data: Uint8Array): boolean {
    this.#received = (this.#received + data.length) >>> 0;
    if ((this.#received - this.#handedOn) >>> 0 > CREDIT) return false;
    this.#socket.write(data, () => {
      this.#handedOn = (this.#handedOn + data.length) >>> 0;
      if ((this.#handedOn - this.#toldOf) >>> 0 >= CREDIT / 2) this.askedForCredit();
    });
    return true;
  }

  /** The guest will not send, or not receive, any more. True: neither, so the connection is over. */
  guestShutDown(flags: number): boolean {
    if ((flags & BOTH) === BOTH) return true;
    if ((flags & VsockShutdownFlags.SEND) !== 0) this.#socket.end();
    return false;
  }

  /** Ends the host's side: what the guest sent before still arrives there. */
  end(): void {
    this.#isOver = true;
    this.#pending = [];
    this.#socket.end(() => this.#socket.destroy());
  }
  destroy(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  /** Sends what can be sent now. */
  flush(): void {
    if (this.#isOver) return;
    if (this.#owesCall && this.#send("REQUEST")) this.#owesCall = false;
    if (this.#owesAnswer && this.#send("RESPONSE")) this.#owesAnswer = false;
    if (this.#owesCall || this.#owesAnswer) return;
    if (this.#state !== "asked" && this.#state !== "calling") this.#sendData();
    if (this.#owesCredit && this.#send("CREDIT_UPDATE")) this.#owesCredit = false;
    if (this.#owesShutdown !== 0 && this.#pending.length === 0) {
      if (this.#send("SHUTDOWN", NO_BYTES, this.#owesShutdown)) this.#owesShutdown = 0;
    }
  }

  #shutDown(flags: number): void {
    if (this.#state === "closing") return;
    if (flags === BOTH) this.#state = "closing";
    if (!this.#wasOpen) return;
    this.#owesShutdown |= flags;
    this.flush();
  }

  #sendData(): void {
    for (let chunk = this.#pending[0]; chunk !== undefined; chunk = this.#pending[0]) {
      const credit = this.#guestRoom - ((this.#sent - this.#guestTook) >>> 0);
      const length = Math.min(chunk.length - this.#pendingStart, credit, this.#sink.room - HEADER);
      if (length <= 0) return;
      const part = chunk.subarray(this.#pendingStart, this.#pendingStart + length);
      if (!this.#send("RW", part)) return;
      this.#sent = (this.#sent + length) >>> 0;
      this.#pendingStart += length;
      if (this.#pendingStart < chunk.length) continue;
      this.#pending.shift();
      this.#pendingStart = 0;
      if (this.#pending.length === 0) this.#socket.resume();
    }
  }

  #send(op: VsockHdr["op"], data: Uint8Array = NO_BYTES, flags = 0): boolean {
    const sent = this.#sink.send({
      hdr: packetHeader(this.#sink.guestCid, this, op, data.length, flags, this.#handedOn),
      data,
    });
    if (sent) this.#toldOf = this.#handedOn;
    return sent;
  }
}

export function packetHeader(
  guestCid: bigint,
  place: ConnectionPlace,
  op: VsockHdr["op"],
  len = 0,
  flags = 0,
  fwdCnt = 0,
): VsockHdr {
  const [srcPort, dstPort] = [place.hostPort, place.guestPort];
  return { srcCid: HOST, dstCid: guestCid, srcPort, dstPort, len, type: "STREAM", op, flags, bufAlloc: CREDIT, fwdCnt };
}
