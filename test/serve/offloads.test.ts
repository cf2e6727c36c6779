import fc from "fast-check";
import { expect, test } from "vitest";
import { completeChecksum, flowOf, segmentTcp } from "../../src/serve/network/offloads.js";
import "../seed.js";

/** Sum of 16-bit words; 0xffff over what a right checksum covers. */
function sum(...parts: readonly Uint8Array[]): number {
  let total = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at++) total += at % 2 === 0 ? (part[at] ?? 0) * 256 : (part[at] ?? 0);
  }
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}

interface Shape {
  readonly version: 4 | 6;
  readonly isTagged: boolean;
  readonly options: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

/** A large TCP packet as a driver gives it: with wrong lengths and without checksums. */
function largePacket({ version, isTagged, options, flags, payload }: Shape) {
  const network = isTagged ? 18 : 14;
  const transport = network + (version === 4 ? 20 : 40);
  const start = transport + 20 + 4 * options;
  const frame = new Uint8Array(start + payload.length);
  const view = new DataView(frame.buffer);
  if (isTagged) view.setUint16(12, 0x8100);
  view.setUint16(network - 2, version === 4 ? 0x0800 : 0x86dd);
  view.setUint8(network, version === 4 ? 0x45 : 0x60);
  view.setUint8(network + (version === 4 ? 9 : 6), 6);
  view.setUint16(network + 4, 0xfffe);
  frame.fill(9, version === 4 ? network + 12 : network + 8, transport);
  view.setUint32(transport + 4, 0xffff_fff0);
  view.setUint8(transport + 12, (5 + options) << 4);
  view.setUint8(transport + 13, flags);
  frame.set(payload, start);
  return { frame, network, transport, start };
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  isTagged: fc.boolean(),
  options: fc.nat(10),
  flags: fc.nat(255),
  payload: fc.uint8Array({ maxLength: 5000 }),
});

test("pieces have all of the payload in order, whole headers and right checksums", () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 2000 }), (shape, most) => {
      const { frame, network, transport, start } = largePacket(shape);
      const pieces: Uint8Array[] = [];
      const count = segmentTcp(frame, most, (piece) => pieces.push(piece));
      expect(count).toBe(pieces.length);
      expect(count).toBe(Math.max(1, Math.ceil(shape.payload.length / most)));
      expect(Buffer.concat(pieces.map((piece) => piece.subarray(start))).equals(Buffer.from(shape.payload))).toBe(true);
      for (const [index, piece] of pieces.entries()) {
        const view = new DataView(piece.buffer);
        const [from, to] = shape.version === 4 ? [network + 12, network + 20] : [network + 8, network + 40];
        const length = piece.length - transport;
        const pseudo = Uint8Array.of(0, 6, length >> 8, length & 255);
        expect(sum(piece.subarray(from, to), pseudo, piece.subarray(transport))).toBe(0xffff);
        expect(view.getUint32(transport + 4)).toBe((0xffff_fff0 + index * most) % 2 ** 32);
        if (shape.version === 4) {
          expect(sum(piece.subarray(network, transport))).toBe(0xffff);
          expect(view.getUint16(network + 2)).toBe(piece.length - network);
          expect(view.getUint16(network + 4)).toBe((0xfffe + index) & 0xffff);
        } else {
          expect(view.getUint16(network + 4)).toBe(length);
        }
        const lost = (index + 1 < count ? 0x09 : 0) | (index > 0 ? 0x80 : 0);
        expect(view.getUint8(transport + 13)).toBe(shape.flags & ~lost);
      }
    }),
  );
});

test("a checksum is completed from the sum of the pseudo header", () => {
  const frame = new Uint8Array(14 + 20 + 9);
  frame.set([10, 20, 30, 40, 50, 60, 70, 80, 90], 34);
  // In the field: the sum of a pseudo header.
  frame.set([0x12, 0x34], 36);
  expect(completeChecksum(frame, 34, 2)).toBe(true);
  expect(sum(Uint8Array.of(0x12, 0x34), frame.subarray(34))).toBe(0xffff);
  expect(completeChecksum(frame, 34, 8)).toBe(false);
  expect(completeChecksum(frame, 0xffff, 0xffff)).toBe(false);
});

test("anything that is no TCP packet is not cut, and nothing throws", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(100),
      fc.nat(0xffff),
      fc.nat(0xffff),
      (frame, most, start, offset) => {
        let bytes = 0;
        segmentTcp(frame, most, (piece) => (bytes += piece.length));
        completeChecksum(frame.slice(), start, offset);
        expect(bytes).toBeGreaterThanOrEqual(0);
        expect(flowOf(frame)).toBeLessThanOrEqual(255);
      },
    ),
  );
  expect(segmentTcp(new Uint8Array(100), 50, () => undefined)).toBe(0);
});

test("both directions of a flow are one", () => {
  const there = largePacket({ version: 4, isTagged: false, options: 0, flags: 0, payload: new Uint8Array(0) }).frame;
  there.set([10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4], 26);
  const back = there.slice();
  back.set([10, 0, 0, 2, 10, 0, 0, 1, 3, 4, 1, 2], 26);
  expect(flowOf(there)).toBe(flowOf(back));
  back[37] = 9;
  expect(flowOf(there)).not.toBe(flowOf(back));
});
