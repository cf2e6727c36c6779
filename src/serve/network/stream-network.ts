import {
  NetDevice,
  NetGsoType,
  NetGsoTypeKind,
  NetHdrFlags,
  NetStatus,
  type NetControl,
  type NetPacketBuffer,
} from "../../../generated/net.js";
import type { Completion } from "../../runtime/index.js";
import { fileProblem, type ServedDevice, type ServedDeviceOptions } from "../served-device.js";
import { FrameSocket } from "./frame-socket.js";
import { reverseRequest } from "./reverse-request.js";
import { completeChecksum, flowOf, segmentTcp } from "./offloads.js";

/** Longest packet that a driver may send: 64 KiB and its headers. */
const LONGEST_PACKET = 65_589;
const ETHERNET = 14;
const TAG = 4;
const PLAIN = { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, numBuffers: 1 };
const FLOWS = 256;

export interface StreamNetworkOptions extends ServedDeviceOptions {
  /** Unix socket of the other side: of passt, of QEMU's `-netdev stream`, and so on. */
  readonly path: string;
  /** Six bytes; a random local address if absent. */
  readonly mac?: Uint8Array;
  /** Largest packet without its Ethernet header; 1500 if absent. */
  readonly mtu?: number;
  /** Pairs of queues; 1 if absent. */
  readonly pairs?: number;
}

/** A network card whose wire is a stream socket. */
export interface StreamNetwork extends ServedDevice {
  readonly device: NetDevice;
  /** Pulls the plug, or puts it in again: the driver is told, and no frame passes meanwhile. */
  setLink(isUp: boolean): void;
  /** What the driver was told of the largest packet, 68 to 65,535 bytes: longer ones are kept from it. */
  setMtu(mtu: number): void;
  /** Tells the wire that an address, six bytes, is at this end of it now. */
  announce(mac: Uint8Array): void;
}

/** @throws ServeError when nobody listens at the socket. */
export async function openStreamNetwork(options: StreamNetworkOptions): Promise<StreamNetwork> {
  const network = new Network(options);
  try {
    await network.open();
  } catch (error) {
    await network.close();
    throw fileProblem(options.path, error);
  }
  return network;
}

class Network implements StreamNetwork {
  readonly device: NetDevice;
  readonly unit = "frames";
  served = 0;
  readonly #wire: FrameSocket;
  #longest = 0;
  readonly #onError: (error: Error) => void;
  readonly #packet = new Uint8Array(LONGEST_PACKET);
  /** Pairs in use, and for each flow the one that the driver used last (automatic receive steering, 5.1.9.5.5). */
  #pairs = 1;
  readonly #steering = new Uint16Array(FLOWS);
  #isPlugged = true;

  constructor(options: StreamNetworkOptions) {
    const { path, mtu = 1500, pairs = 1 } = options;
    this.setMtu(mtu);
    this.#onError = (error) => options.onError?.(error);
    this.device = new NetDevice({
      features: [
        ...([
          "MAC",
          "STATUS",
          "MTU",
          "CSUM",
          "HOST_TSO4",
          "HOST_TSO6",
          "HOST_ECN",
          "MRG_RXBUF",
          "CTRL_VQ",
          "CTRL_RX",
        ] as const),
        ...(options.features ?? []),
        ...(pairs > 1 ? (["MQ"] as const) : []),
      ],
      config: { mac: options.mac ?? randomMac(), status: 0, maxVirtqueuePairs: pairs, mtu },
      transmitq: (buffer) => this.#transmit(buffer),
      controlq: (request) => this.#control(request),
      queueReset: () => {
        this.#pairs = 1;
      },
    });
    this.device.onProtocolError = options.onError;
    for (const queue of this.device.receiveqs) queue.onAvailable = () => this.#wire.resume();
    this.#wire = new FrameSocket({
      path,
      receive: (frame) => this.#receive(frame),
      changed: () => this.#tellLink(),
    });
  }

  open(): Promise<void> {
    return this.#wire.open();
  }
  close(): Promise<void> {
    this.#wire.close();
    return Promise.resolve();
  }
  setLink(isUp: boolean): void {
    this.#isPlugged = isUp;
    this.#tellLink();
  }
  setMtu(mtu: number): void {
    this.#longest = mtu + ETHERNET + TAG;
  }
  announce(mac: Uint8Array): void {
    this.#wire.send(reverseRequest(mac));
  }

  #tellLink(): void {
    const status = this.#isPlugged && this.#wire.isConnected ? NetStatus.LINK_UP : 0;
    if (this.device.config.status !== status) this.device.config.status = status;
  }

  // ---- from the driver ----

  #transmit(buffer: NetPacketBuffer): Completion | Promise<Completion> {
    const { hdr, data } = buffer;
    const { length } = data;
    this.served++;
    if (length >= ETHERNET && length <= LONGEST_PACKET && this.#isPlugged) {
      // A copy: the driver may change the packet while it is looked at.
      const packet = this.#packet.subarray(0, length);
      data.read(packet);
      this.#steering[flowOf(packet)] = buffer.position;
      const kind = hdr.gsoType & ~NetGsoType.ECN;
      if (kind !== NetGsoTypeKind.NONE) this.#sendLarge(packet, kind, hdr.gsoSize);
      else this.#sendPlain(packet, hdr.flags, hdr.csumStart, hdr.csumOffset);
    }
    if (!this.#wire.isFull) return buffer.complete();
    return this.#wire.drained().then(() => buffer.complete());
  }

  #sendPlain(packet: Uint8Array, flags: number, start: number, offset: number): void {
    const needsChecksum = (flags & NetHdrFlags.NEEDS_CSUM) !== 0;
    if (needsChecksum && !completeChecksum(packet, start, offset)) {
      this.#malformed("its checksum is outside of it");
      return;
    }
    this.#wire.send(packet.slice());
  }

  #sendLarge(packet: Uint8Array, kind: number, size: number): void {
    const isTcp = kind === NetGsoTypeKind.TCPV4 || kind === NetGsoTypeKind.TCPV6;
    // A piece of one byte each would make of one packet very many.
    if (!isTcp || size < 8) {
      this.#malformed(`it cannot be cut (kind ${kind}, pieces of ${size} bytes)`);
      return;
    }
    const pieces = segmentTcp(packet, size, (piece) => this.#wire.send(piece));
    if (pieces === 0) this.#malformed("it is to be cut and is no TCP packet");
  }

  #malformed(what: string): void {
    this.#onError(new Error(`a packet of the driver was dropped: ${what}`));
  }

  #control(request: NetControl): Completion {
    if (request.class === "MQ" && request.command === "VQ_PAIRS_SET") {
      const { virtqueuePairs } = request.pairs;
      const isPossible = virtqueuePairs >= 1 && virtqueuePairs <= this.device.config.maxVirtqueuePairs;
      if (isPossible) this.#pairs = virtqueuePairs;
      return request.complete(isPossible ? "OK" : "ERR");
    }
    // Nothing is filtered, so every mode and every table of addresses is as good as set.
    if (request.class === "RX") return request.complete("OK");
    if (request.class === "MAC" && request.command === "TABLE_SET") return request.complete("OK");
    return request.complete("ERR");
  }

  // ---- to the driver ----

  /** False: there is no buffer, so the other side has to wait. */
  #receive(frame: Uint8Array): boolean {
    const { device } = this;
    // Nobody is there, or nobody can have sent this: gone, as on a wire.
    if (!device.live || !this.#isPlugged || frame.length < ETHERNET || frame.length > this.#longest) return true;
    const position = (this.#steering[flowOf(frame)] ?? 0) % this.#pairs;
    const queue = device.receiveqs[position] ?? device.receiveq;
    if (queue.send({ hdr: PLAIN, data: frame })) {
      this.served++;
      return true;
    }
    return false;
  }
}

function randomMac(): Uint8Array {
  const mac = new Uint8Array(6);
  crypto.getRandomValues(mac);
  // Locally administered, and of one station.
  mac[0] = ((mac[0] ?? 0) & 0xfc) | 0x02;
  return mac;
}
