const SHORTEST_FRAME = 60;
const REVERSE_ARP = 0x8035;
const IPV4 = 0x0800;
const REQUEST_REVERSE = 3;

/** A request of the reverse address resolution protocol (RFC 903) by `mac` for itself: what bridges learn its place from. */
export function reverseRequest(mac: Uint8Array): Uint8Array {
  const frame = new Uint8Array(SHORTEST_FRAME);
  const view = new DataView(frame.buffer);
  frame.fill(0xff, 0, 6);
  frame.set(mac, 6);
  view.setUint16(12, REVERSE_ARP);
  view.setUint16(14, 1);
  view.setUint16(16, IPV4);
  view.setUint8(18, 6);
  view.setUint8(19, 4);
  view.setUint16(20, REQUEST_REVERSE);
  frame.set(mac, 22);
  frame.set(mac, 32);
  return frame;
}
