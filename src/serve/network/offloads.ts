/** Ethernet, IP and TCP as far as a card needs them that completes checksums and cuts large packets. All big-endian. */

const ETHERNET = 14;
const VLAN_TAG = 4;
const TYPE_VLAN = 0x8100;
const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;
const PROTOCOL_TCP = 6;
const IPV6_HEADER = 40;
const FLAG_FIN = 0x01;
const FLAG_PSH = 0x08;
const FLAG_CWR = 0x80;

/** Sum of 16-bit words with end-around carry, from a sum before. An odd last byte counts as the upper one. */
function onesSum(bytes: Uint8Array, start: number, end: number, before = 0): number {
  let sum = before;
  let at = start;
  for (; at + 1 < end; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if (at < end) sum += (bytes[at] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** The checksum of a sum; 0xffff in place of 0, which is the same number and means "none" in UDP. */
function checksumOf(sum: number): number {
  return ~sum & 0xffff || 0xffff;
}

/**
 * Completes a checksum whose field holds the sum of the pseudo header (VIRTIO 1.4, 5.1.9.2).
 * False: `start` or `offset` lie outside of the frame.
 */
export function completeChecksum(frame: Uint8Array, start: number, offset: number): boolean {
  if (start + offset + 2 > frame.length || start > frame.length) return false;
  putWord(frame, start + offset, checksumOf(onesSum(frame, start, frame.length)));
  return true;
}

interface Headers {
  readonly version: 4 | 6;
  readonly network: number;
  readonly transport: number;
  readonly payload: number;
}

/** Where the headers of a TCP packet are; undefined if it is none. */
function findHeaders(frame: Uint8Array): Headers | undefined {
  const word = (at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  const isTagged = word(12) === TYPE_VLAN;
  const type = word(isTagged ? 12 + VLAN_TAG : 12);
  const network = ETHERNET + (isTagged ? VLAN_TAG : 0);
  let transport: number;
  let version: 4 | 6;
  if (type === TYPE_IPV4) {
    version = 4;
    const length = ((frame[network] ?? 0) & 15) * 4;
    if (length < 20 || frame[network + 9] !== PROTOCOL_TCP) return undefined;
    transport = network + length;
  } else if (type === TYPE_IPV6) {
    version = 6;
    // Extension headers in front of TCP are not cut: such packets are dropped.
    if (frame[network + 6] !== PROTOCOL_TCP) return undefined;
    transport = network + IPV6_HEADER;
  } else {
    return undefined;
  }
  const header = ((frame[transport + 12] ?? 0) >> 4) * 4;
  const payload = transport + header;
  return header < 20 || payload > frame.length ? undefined : { version, network, transport, payload };
}

/**
 * Cuts a large TCP packet into pieces of at most `most` bytes of payload, each with whole headers and checksums, and hands
 * them to `emit`, which may keep them. Returns how many there were; 0 if the frame is no TCP packet or `most` is 0.
 */
export function segmentTcp(frame: Uint8Array, most: number, emit: (piece: Uint8Array) => void): number {
  const headers = findHeaders(frame);
  if (headers === undefined || most < 1) return 0;
  const { network, transport, payload } = headers;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const sequence = view.getUint32(transport + 4);
  const id = view.getUint16(network + 4);
  const flags = frame[transport + 13] ?? 0;
  const total = frame.length - payload;
  const pieces = Math.max(1, Math.ceil(total / most));
  for (let index = 0; index < pieces; index++) {
    const from = index * most;
    const length = Math.min(most, total - from);
    const piece = new Uint8Array(payload + length);
    piece.set(frame.subarray(0, payload));
    piece.set(frame.subarray(payload + from, payload + from + length), payload);
    const out = new DataView(piece.buffer);
    let kept = flags;
    if (index + 1 < pieces) kept &= ~(FLAG_FIN | FLAG_PSH);
    if (index > 0) kept &= ~FLAG_CWR;
    piece[transport + 13] = kept;
    out.setUint32(transport + 4, (sequence + from) >>> 0);
    finishNetworkHeader(piece, out, headers, (id + index) & 0xffff);
    finishTcpChecksum(piece, headers);
    emit(piece);
  }
  return pieces;
}

function finishNetworkHeader(
  piece: Uint8Array,
  out: DataView,
  { version, network, transport }: Headers,
  id: number,
): void {
  if (version === 6) {
    out.setUint16(network + 4, piece.length - transport);
    return;
  }
  out.setUint16(network + 2, piece.length - network);
  out.setUint16(network + 4, id);
  out.setUint16(network + 10, 0);
  putWord(piece, network + 10, ~onesSum(piece, network, transport) & 0xffff);
}

function finishTcpChecksum(piece: Uint8Array, { version, network, transport }: Headers): void {
  putWord(piece, transport + 16, 0);
  const [from, to] = version === 4 ? [network + 12, network + 20] : [network + 8, network + 40];
  const pseudo = onesSum(piece, from, to, PROTOCOL_TCP + piece.length - transport);
  putWord(piece, transport + 16, checksumOf(onesSum(piece, transport, piece.length, pseudo)));
}

/** A number from 0 to 255 that is the same for all frames of a flow, in both directions. */
export function flowOf(frame: Uint8Array): number {
  const version = (frame[ETHERNET] ?? 0) >> 4;
  const [from, to] = version === 4 ? [26, 34] : [22, 54];
  let hash = 0;
  // Exclusive or does not mind which side is the source.
  for (let at = from; at < to + 4; at += 2) hash ^= ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  return (hash ^ (hash >> 8)) & 0xff;
}
