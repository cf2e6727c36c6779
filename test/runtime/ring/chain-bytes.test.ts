import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import { ReadableBytes, WritableBytes, type DeviceChain } from "../../../src/runtime/ring/index.js";
import { buffers, DeviceRig, NEXT, WRITE } from "./ring-rig.js";
import "../../seed.js";

/** A chain whose parts are cut into segments of these lengths; segments lie apart, and bytes count up. */
function chainOf(readable: readonly number[], writable: readonly number[], rig = new DeviceRig({ size: 256 })) {
  const all = [...readable, ...writable];
  let at = buffers;
  let value = 0;
  all.forEach((length, index) => {
    const flags = (index < readable.length ? 0 : WRITE) | (index < all.length - 1 ? NEXT : 0);
    rig.descriptor(index, { address: at, length, flags, next: index + 1 });
    if (index < readable.length) rig.bytes(at, length).forEach((_, byte, bytes) => (bytes[byte] = value++));
    at += length + 3;
  });
  rig.offer(rig.availableIndex, 0);
  const chain = rig.queue.take();
  if (chain === undefined) throw new Error(rig.queue.broken?.message);
  return { rig, chain };
}

/** What the writable segments hold, one after the other. */
function writtenTo(chain: DeviceChain): number[] {
  const { writable } = chain;
  return Array.from({ length: writable.segmentCount }, (_, index) => [...writable.segment(index)]).flat();
}

const counting = (length: number, first = 0) => Array.from({ length }, (_, index) => (first + index) & 0xff);

describe("ReadableBytes", () => {
  const { chain } = chainOf([3, 1, 100, 6], []);

  test("reads over segment borders, from anywhere, in any order", () => {
    expect(chain.readable.length).toBe(110);
    expect([...chain.readable.toUint8Array()]).toEqual(counting(110));
    const target = new Uint8Array(10).fill(0xee);
    expect(chain.readable.read(target, 2, 102, 5)).toBe(5);
    expect([...target]).toEqual([0xee, 0xee, 102, 103, 104, 105, 106, 0xee, 0xee, 0xee]);
    expect(chain.readable.read(target, 0, 1, 4)).toBe(4);
    expect([...target.subarray(0, 4)]).toEqual([1, 2, 3, 4]);
  });

  test("reads what fits and what is there, and returns how much", () => {
    expect(chain.readable.read(new Uint8Array(4))).toBe(4);
    expect(chain.readable.read(new Uint8Array(200))).toBe(110);
    expect(chain.readable.read(new Uint8Array(200), 195)).toBe(5);
    expect(chain.readable.read(new Uint8Array(200), 0, 109)).toBe(1);
  });

  test.each([
    [0, 110, 1],
    [0, 0, 0],
    [0, -1, 5],
    [-1, 0, 5],
    [4, 0, 5],
    [0, 0, -5],
    [0, NaN, 5],
  ])("reads nothing into offset %d from %d, length %d", (targetOffset, from, length) => {
    const target = new Uint8Array(4);
    expect(chain.readable.read(target, targetOffset, from, length)).toBe(0);
    expect([...target]).toEqual([0, 0, 0, 0]);
  });

  test("byteAt is 0 outside", () => {
    expect([0, 3, 4, 109].map((offset) => chain.readable.byteAt(offset))).toEqual([0, 3, 4, 109]);
    expect([110, -1, NaN, 1e12].map((offset) => chain.readable.byteAt(offset))).toEqual([0, 0, 0, 0]);
  });

  test("segments are views without a copy", () => {
    const { readable } = chain;
    expect(readable.segmentCount).toBe(4);
    expect([0, 1, 2, 3].map((index) => readable.segmentLength(index))).toEqual([3, 1, 100, 6]);
    expect([...readable.segment(1)]).toEqual([3]);
    expect(readable.segmentBytes(2)[readable.segmentOffset(2)]).toBe(4);
    expect(readable.segmentLength(0)).toBe(3);
    for (const none of [4, -1, 100]) {
      expect([readable.segmentLength(none), readable.segmentOffset(none), readable.segment(none).length]).toEqual([
        0, 0, 0,
      ]);
    }
  });

  test("a window that was never pointed anywhere is empty", () => {
    const window = new ReadableBytes();
    expect([window.length, window.segmentCount, window.byteAt(0), window.read(new Uint8Array(1))]).toEqual([
      0, 0, 0, 0,
    ]);
    expect(new WritableBytes().write(new Uint8Array(1))).toBe(0);
  });
});

describe("windows", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 });
  const range = fc.tuple(fc.integer({ min: -5, max: 400 }), fc.integer({ min: -5, max: 400 }));
  const cut = (bytes: number[], [from, length]: [number, number]) => {
    const start = Math.max(0, from);
    return bytes.slice(start, start + Math.max(0, length));
  };

  test("a window of a window shows the same as slices of a copy", () => {
    fc.assert(
      fc.property(lengths, range, range, fc.array(fc.nat(400), { maxLength: 5 }), (segments, outer, inner, offsets) => {
        const { chain } = chainOf(segments, []);
        const window = new ReadableBytes().window(chain.readable, ...outer);
        const small = new ReadableBytes().window(window, ...inner);
        const expected = cut(cut([...chain.readable.toUint8Array()], outer), inner);
        expect(small.length).toBe(expected.length);
        for (const offset of offsets) expect(small.byteAt(offset)).toBe(expected[offset] ?? 0);
        expect([...small.toUint8Array()]).toEqual(expected);
        const pieces = Array.from({ length: small.segmentCount }, (_, index) => [...small.segment(index)]);
        expect(pieces.flat()).toEqual(expected);
        expect(pieces.every((piece) => piece.length > 0)).toBe(true);
        expect(small.segmentLength(small.segmentCount)).toBe(0);
      }),
    );
  });

  test("writes through windows land where they should, and `written` tells how far", () => {
    const write = fc.record({ at: fc.nat(300), length: fc.nat(120), how: fc.constantFrom("write", "fill", "setByte") });
    fc.assert(
      fc.property(lengths, range, fc.array(write, { maxLength: 6 }), (segments, outer, writes) => {
        const { chain } = chainOf([5], segments);
        const window = new WritableBytes().window(chain.writable, ...outer);
        const start = Math.min(Math.max(0, outer[0]), chain.writable.length);
        const model = new Uint8Array(chain.writable.length);
        let written = 0;
        writes.forEach(({ at, length, how }, index) => {
          const fits = Math.max(0, Math.min(how === "setByte" ? 1 : length, window.length - at));
          const value = index + 1;
          model.fill(value, start + at, start + at + fits);
          if (fits > 0) written = Math.max(written, at + fits);
          if (how === "setByte") window.setByte(at, value);
          else if (how === "fill") expect(window.fill(value, at, length)).toBe(fits);
          else expect(window.write(new Uint8Array(130).fill(value), 7, at, length)).toBe(fits);
        });
        expect(window.written).toBe(written);
        expect(chain.writable.written).toBe(written === 0 ? 0 : start + written);
        expect(writtenTo(chain)).toEqual([...model]);
      }),
    );
  });

  test("written starts at 0 again for the next chain and for a window pointed anew", () => {
    const { rig, chain } = chainOf([], [8]);
    const window = new WritableBytes().window(chain.writable, 2, 4);
    window.write(Uint8Array.of(1, 2));
    expect([window.written, chain.writable.written]).toEqual([2, 4]);
    expect(window.window(chain.writable, 0, 8).written).toBe(0);
    rig.queue.complete(chain, 4);
    const next = chainOf([], [8], rig).chain;
    expect(next).toBe(chain);
    expect(next.writable.written).toBe(0);
  });

  test("windows of a completed chain are empty and stay so when the slot is used again", () => {
    const { rig, chain } = chainOf([4], [4]);
    const readable = new ReadableBytes().window(chain.readable, 0, 4);
    const writable = new WritableBytes().window(chain.writable, 0, 4);
    rig.queue.complete(chain, 0);
    const again = chainOf([4], [4], rig).chain;
    expect(again.readable.length).toBe(4);
    expect([readable.length, readable.byteAt(1), readable.segmentCount]).toEqual([0, 0, 0]);
    expect([writable.write(Uint8Array.of(1)), writable.fill(1), writable.written]).toEqual([0, 0, 0]);
    writable.setByte(0, 1);
    expect(writtenTo(again)).toEqual([0, 0, 0, 0]);
  });
});

test("a region far above 2^32 is read and written like any other", () => {
  const start = 2 ** 45;
  const memory = new GuestMemory([
    { start: 0, bytes: new Uint8Array(0x8000) },
    { start, bytes: new Uint8Array(64) },
  ]);
  const rig = new DeviceRig({ memory });
  rig.descriptor(0, { address: start + 60, length: 4, flags: WRITE });
  rig.offer(0, 0);
  rig.queue.take()?.writable.write(Uint8Array.of(1, 2, 3, 4));
  expect([...rig.bytes(start + 60, 4)]).toEqual([1, 2, 3, 4]);
});
