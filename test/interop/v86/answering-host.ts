import { NetDevice, type NetPacketBuffer, type NetQueueName } from "../../../generated/net.js";
import type { CommonFeatureName, HandlerResult, VirtioDeviceOptions } from "../../../src/runtime/index.js";

const ARP = 0x0806;
const IPV4 = 0x0800;
const ICMP = 1;
const ECHO_REQUEST = 8;
/** Where things are in a frame: Ethernet's type, ARP's operation and addresses, IPv4's protocol and addresses, ICMP. */
const At = { type: 12, operation: 20, arpSender: 22, arpTarget: 32, protocol: 23, source: 26, target: 30, icmp: 34 };

/** A network card and a host at the other end of its line that answers ARP and echo requests. */
export class AnsweringHost {
  readonly device: NetDevice;
  /** What is done with a frame before it is answered; nothing if undefined. */
  before: ((buffer: NetPacketBuffer) => Promise<void>) | undefined;
  readonly answered = { arp: 0, echo: 0 };
  readonly #address: readonly number[];
  readonly #mac: readonly number[];

  constructor(
    /** Last byte of the card's own MAC address, and third of the network 10.9.N.0, in which the host is number 2. */
    number: number,
    features: readonly CommonFeatureName[],
    options: VirtioDeviceOptions<NetQueueName> = {},
  ) {
    this.before = undefined;
    this.#address = [10, 9, number, 2];
    this.#mac = [0x52, 0x54, 0, 0, 1, number];
    this.device = new NetDevice({
      ...options,
      features: ["MAC", ...features],
      config: { mac: Uint8Array.of(0x52, 0x54, 0, 0, 0, number) },
      transmitq: (buffer): HandlerResult =>
        this.before === undefined ? this.#answer(buffer) : this.before(buffer).then(() => this.#answer(buffer)),
    });
  }

  #answer(buffer: NetPacketBuffer): HandlerResult {
    if (buffer.live) {
      const frame = buffer.data.toUint8Array();
      const reply = this.#replyTo(frame);
      if (reply !== undefined) this.device.receiveq.send({ hdr: buffer.hdr, data: reply });
    }
    return buffer.complete();
  }

  #replyTo(frame: Uint8Array): Uint8Array | undefined {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const type = view.getUint16(At.type);
    const isMine = (at: number): boolean => this.#address.every((byte, index) => frame[at + index] === byte);
    const reply = frame.slice();
    reply.copyWithin(0, 6, 12);
    reply.set(this.#mac, 6);
    if (type === ARP && isMine(At.arpTarget + 6)) {
      this.answered.arp++;
      reply[At.operation + 1] = 2;
      reply.copyWithin(At.arpTarget, At.arpSender, At.arpTarget);
      reply.set([...this.#mac, ...this.#address], At.arpSender);
      return reply;
    }
    const isEcho = type === IPV4 && frame[At.protocol] === ICMP && frame[At.icmp] === ECHO_REQUEST;
    if (!isEcho || !isMine(At.target)) return undefined;
    this.answered.echo++;
    reply.copyWithin(At.target, At.source, At.target);
    reply.set(this.#address, At.source);
    reply[At.icmp] = 0;
    // A checksum in ones' complement of what has 0x800 less now.
    const sum = view.getUint16(At.icmp + 2) + (ECHO_REQUEST << 8);
    new DataView(reply.buffer).setUint16(At.icmp + 2, (sum & 0xffff) + (sum >>> 16));
    return reply;
  }
}
