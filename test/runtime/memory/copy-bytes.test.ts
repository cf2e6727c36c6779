import fc from "fast-check";
import { expect, test } from "vitest";
import { copyBytes } from "../../../src/runtime/memory/index.js";
import "../../seed.js";

const span = fc.record({ to: fc.nat(100), from: fc.nat(100), length: fc.nat(100) });
const pattern = () => Uint8Array.from({ length: 200 }, (_, index) => index * 7);

test("copies between buffers, short and long, and nothing around it", () => {
  fc.assert(
    fc.property(span, ({ to, from, length }) => {
      const source = pattern();
      const target = new Uint8Array(200).fill(0xee);
      copyBytes(target, to, source, from, length);
      const expected = new Uint8Array(200).fill(0xee);
      expected.set(source.slice(from, from + length), to);
      expect(target).toEqual(expected);
    }),
  );
});

test.each([
  ["the same array", (bytes: Uint8Array) => bytes],
  ["another view of the same buffer", (bytes: Uint8Array) => new Uint8Array(bytes.buffer)],
])("moves overlapping bytes right within %s", (_, other) => {
  fc.assert(
    fc.property(span, ({ to, from, length }) => {
      const target = pattern();
      copyBytes(target, to, other(target), from, length);
      const expected = pattern();
      expected.set(pattern().slice(from, from + length), to);
      expect(target).toEqual(expected);
    }),
  );
});
