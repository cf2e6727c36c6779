/**
 * Just enough Ethernet, ARP, IPv4 and ICMP to answer a ping: plain functions over bytes, nothing about virtio.
 * All numbers on the wire are big-endian.
 */

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;
const PROTOCOL_ICMP = 1;
const ICMP_ECHO_REPLY = 0;
const ICMP_ECHO_REQUEST = 8;
const ETHERNET_BYTES = 14;
const ARP_BYTES = 28;

/** Who somebody is: six bytes of MAC address, four of IPv4 address. */
export interface Station {
  readonly mac: Uint8Array;
  readonly ip: Uint8Array;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The Internet checksum (RFC 1071) of some bytes. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function ethernet(destination: Uint8Array, source: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_BYTES + payload.length);
  frame.set(destination, 0);
  frame.set(source, 6);
  viewOf(frame).setUint16(12, type);
  frame.set(payload, ETHERNET_BYTES);
  return frame;
}

function arp(operation: number, sender: Station, target: Station): Uint8Array {
  const body = new Uint8Array(ARP_BYTES);
  const view = viewOf(body);
  view.setUint16(0, 1); // Ethernet
  view.setUint16(2, ETHERTYPE_IPV4);
  view.setUint8(4, 6);
  view.setUint8(5, 4);
  view.setUint16(6, operation);
  body.set(sender.mac, 8);
  body.set(sender.ip, 14);
  body.set(target.mac, 18);
  body.set(target.ip, 24);
  return body;
}

/** "Who has this address?", to everybody. */
export function arpRequest(sender: Station, ip: Uint8Array): Uint8Array {
  const nobody = { mac: new Uint8Array(6), ip };
  return ethernet(new Uint8Array(6).fill(0xff), sender.mac, ETHERTYPE_ARP, arp(ARP_REQUEST, sender, nobody));
}

/** An ICMP echo request (ping) with some payload. */
export function echoRequest(from: Station, to: Station, sequence: number, payload: Uint8Array): Uint8Array {
  const icmp = new Uint8Array(8 + payload.length);
  const view = viewOf(icmp);
  view.setUint8(0, ICMP_ECHO_REQUEST);
  view.setUint16(4, 0x5649); // identifier
  view.setUint16(6, sequence);
  icmp.set(payload, 8);
  view.setUint16(2, internetChecksum(icmp));
  return ethernet(to.mac, from.mac, ETHERTYPE_IPV4, ipv4(from.ip, to.ip, PROTOCOL_ICMP, icmp));
}

function ipv4(from: Uint8Array, to: Uint8Array, protocol: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = viewOf(packet);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.length);
  view.setUint8(8, 64);
  view.setUint8(9, protocol);
  packet.set(from, 12);
  packet.set(to, 16);
  view.setUint16(10, internetChecksum(packet.subarray(0, 20)));
  packet.set(payload, 20);
  return packet;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** What `self` answers to a frame: an ARP reply, an echo reply, or nothing. */
export function answer(frame: Uint8Array, self: Station): Uint8Array | undefined {
  if (frame.length < ETHERNET_BYTES) return undefined;
  const type = viewOf(frame).getUint16(12);
  if (type === ETHERTYPE_ARP) return answerArp(frame, self);
  if (type === ETHERTYPE_IPV4) return answerEcho(frame, self);
  return undefined;
}

function answerArp(frame: Uint8Array, self: Station): Uint8Array | undefined {
  const body = frame.subarray(ETHERNET_BYTES, ETHERNET_BYTES + ARP_BYTES);
  if (body.length < ARP_BYTES || viewOf(body).getUint16(6) !== ARP_REQUEST) return undefined;
  if (!sameBytes(body.subarray(24, 28), self.ip)) return undefined;
  const asker = { mac: body.slice(8, 14), ip: body.slice(14, 18) };
  return ethernet(asker.mac, self.mac, ETHERTYPE_ARP, arp(ARP_REPLY, self, asker));
}

function answerEcho(frame: Uint8Array, self: Station): Uint8Array | undefined {
  const packet = frame.subarray(ETHERNET_BYTES);
  if (packet.length < 28 || packet[0] !== 0x45 || packet[9] !== PROTOCOL_ICMP) return undefined;
  const length = viewOf(packet).getUint16(2);
  if (length < 28 || length > packet.length || !sameBytes(packet.subarray(16, 20), self.ip)) return undefined;
  const icmp = packet.slice(20, length);
  if (icmp[0] !== ICMP_ECHO_REQUEST || internetChecksum(icmp) !== 0) return undefined;
  const view = viewOf(icmp);
  view.setUint8(0, ICMP_ECHO_REPLY);
  view.setUint16(2, 0);
  view.setUint16(2, internetChecksum(icmp));
  return ethernet(
    frame.slice(6, 12),
    self.mac,
    ETHERTYPE_IPV4,
    ipv4(self.ip, packet.slice(12, 16), PROTOCOL_ICMP, icmp),
  );
}

/** One line that says what a frame is, for people. */
export function describeFrame(frame: Uint8Array): string {
  if (frame.length < ETHERNET_BYTES) return `${frame.length} bytes, too short for Ethernet`;
  const body = frame.subarray(ETHERNET_BYTES);
  const type = viewOf(frame).getUint16(12);
  if (type === ETHERTYPE_ARP && body.length >= ARP_BYTES) {
    const sender = body.subarray(14, 18).join(".");
    const target = body.subarray(24, 28).join(".");
    return viewOf(body).getUint16(6) === ARP_REQUEST
      ? `ARP who has ${target}? tell ${sender}`
      : `ARP ${sender} is at ${macText(body.subarray(8, 14))}`;
  }
  if (type === ETHERTYPE_IPV4 && body.length >= 28 && body[9] === PROTOCOL_ICMP) {
    const kind = body[20] === ICMP_ECHO_REQUEST ? "request" : "reply";
    const from = body.subarray(12, 16).join(".");
    const to = body.subarray(16, 20).join(".");
    return `ICMP echo ${kind} ${from} > ${to}, seq ${viewOf(body).getUint16(26)}, checksum ${internetChecksum(body.subarray(20, viewOf(body).getUint16(2))) === 0 ? "good" : "bad"}`;
  }
  return `${frame.length} bytes of EtherType 0x${type.toString(16).padStart(4, "0")}`;
}

/** `52:54:00:12:34:56`. */
export function macText(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
