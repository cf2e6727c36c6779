import { NetDevice, NetGsoTypeKind, NetHdrFlags, NetStatus, type NetPacketBuffer } from "../../../generated/net.js";
import { CommonFeature, type CommonFeatureName, type HandlerResult } from "../../../src/runtime/index.js";

/** Offloads that frames may use from one end to the other. */
const FEATURES = [
  "MAC", "MTU", "STATUS", "MRG_RXBUF", "MQ", "CTRL_VQ",
  "CSUM", "GUEST_CSUM", "HOST_TSO4", "HOST_TSO6", "GUEST_TSO4", "GUEST_TSO6", "HOST_ECN", "GUEST_ECN",
] as const; // prettier-ignore
const LARGEST_FRAME = 65550;
const ARP = 0x0806;
const IPV4 = 0x0800;
const ICMP = 1;

/** What went through one end of the cable, from its driver. */
export class Traffic {
  frames = 0;
  bytes = 0;
  largest = 0;
  arp = 0;
  icmp = 0;
  /** Frames whose checksum the sender left to others. */
  withoutChecksum = 0;
  /** Frames that are longer than a segment, and are left to others to cut. */
  unsegmented = 0;
  /** Frames whose queue was reset, or whose memory moved, while they waited for the other end: they were not sent. */
  stale = 0;
  /** Frames of each queue pair. */
  readonly perPair: number[];

  constructor(pairs: number) {
    this.perPair = new Array<number>(pairs).fill(0);
  }

  note(pair: number, frame: Uint8Array, flags: number, gsoType: number): void {
    this.frames++;
    this.bytes += frame.length;
    this.largest = Math.max(this.largest, frame.length);
    this.perPair[pair] = (this.perPair[pair] ?? 0) + 1;
    const type = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
    if (type === ARP) this.arp++;
    if (type === IPV4 && frame[23] === ICMP) this.icmp++;
    if ((flags & NetHdrFlags.NEEDS_CSUM) !== 0) this.withoutChecksum++;
    if ((gsoType & NetGsoTypeKind.MASK) !== NetGsoTypeKind.NONE) this.unsegmented++;
  }
}

interface End {
  readonly device: NetDevice;
  readonly traffic: Traffic;
  /** Frames of the other end that have no buffer here yet, by queue pair; the sender's buffers are kept. */
  readonly waiting: NetPacketBuffer[][];
}

/** What is not the same for all cables. */
export interface CableOptions {
  readonly pairs: number;
  readonly mtu: number;
  /** How long a frame is under way, in ms; not at all if absent. */
  readonly latency?: number;
  /** What each end has beside {@link FEATURES}. */
  readonly ends?: readonly [EndOptions, EndOptions];
}
export interface EndOptions {
  readonly features?: readonly CommonFeatureName[];
  readonly queueSize?: number;
}

/**
 * Two network cards and the cable between them. A frame goes from the buffers of one driver into those of the other, with
 * its offloads, and waits in the sender's queue while there is no room: nothing is lost.
 */
export class Cable {
  readonly ends: readonly [End, End];
  readonly #frame = new Uint8Array(LARGEST_FRAME);
  readonly #latency: number;

  constructor(options: CableOptions) {
    this.#latency = options.latency ?? 0;
    const end = (number: 0 | 1): End => {
      const own = options.ends?.[number] ?? {};
      const device = new NetDevice({
        ...own,
        features: [...FEATURES, ...(own.features ?? [])],
        config: {
          mac: Uint8Array.of(0x52, 0x54, 0, 0, 0, number + 1),
          mtu: options.mtu,
          // What QEMU says of the link is its own.
          status: NetStatus.LINK_UP,
          maxVirtqueuePairs: options.pairs,
        },
        transmitq: (buffer) => this.#sent(number, buffer),
        // All pairs are served, whichever are in use.
        controlq: (request) => (request.class === "MQ" ? request.complete("OK") : request.complete("ERR")),
      });
      const waiting = Array.from({ length: options.pairs }, (): NetPacketBuffer[] => []);
      device.receiveqs.forEach((queue, pair) => {
        queue.onAvailable = () => this.#drain(number, pair);
      });
      return { device, traffic: new Traffic(options.pairs), waiting };
    };
    this.ends = [end(0), end(1)];
  }

  #sent(from: 0 | 1, buffer: NetPacketBuffer): HandlerResult {
    const to = from === 0 ? 1 : 0;
    const queue = this.ends[to].waiting[buffer.position] ?? [];
    if (this.#latency === 0 && queue.length === 0 && this.#deliver(from, buffer)) return buffer.complete();
    queue.push(buffer);
    if (this.#latency > 0) setTimeout(() => this.#drain(to, buffer.position), this.#latency);
    return undefined;
  }

  #drain(to: 0 | 1, pair: number): void {
    const queue = this.ends[to].waiting[pair] ?? [];
    for (let buffer = queue[0]; buffer !== undefined; buffer = queue[0]) {
      // One whose queue was reset meanwhile has nothing to send any more.
      if (buffer.live && !this.#deliver(to === 0 ? 1 : 0, buffer)) return;
      if (buffer.complete() === "stale") this.ends[to === 0 ? 1 : 0].traffic.stale++;
      queue.shift();
    }
  }

  /** False if the other end has no room now. */
  #deliver(from: 0 | 1, buffer: NetPacketBuffer): boolean {
    const { data, hdr, position } = buffer;
    const { device, traffic } = this.ends[from];
    const other = this.ends[from === 0 ? 1 : 0].device;
    const length = Math.min(data.length, LARGEST_FRAME);
    data.read(this.#frame);
    const frame = this.#frame.subarray(0, length);
    const receiver = other.receiveqs[position] ?? other.receiveq;
    // A card whose driver is not there swallows what it gets, as a cable without an end does.
    const isListening = other.negotiated.has(CommonFeature.VERSION_1) && other.live;
    if (isListening && !receiver.send({ hdr, data: frame })) return false;
    if (device.live) traffic.note(position, frame, hdr.flags, hdr.gsoType);
    return true;
  }
}
