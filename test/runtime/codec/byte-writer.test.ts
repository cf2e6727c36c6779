import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, textListSize, textSize } from "../../../src/runtime/index.js";
import "../../seed.js";

function written(size: number, write: (writer: ByteWriter) => void): number[] {
  const bytes = new Uint8Array(size).fill(0xee);
  const writer = new ByteWriter(bytes);
  write(writer);
  expect(writer.error).toBeUndefined();
  return [...bytes.subarray(0, writer.offset)];
}

function rule(size: number, write: (writer: ByteWriter) => void): string | undefined {
  const writer = new ByteWriter(new Uint8Array(size));
  write(writer);
  return writer.error?.rule;
}

describe("ByteWriter", () => {
  it("writes numbers little-endian, or big-endian where asked for", () => {
    expect(written(8, (writer) => writer.u8(1))).toEqual([1]);
    expect(written(8, (writer) => writer.u16(0x0102))).toEqual([2, 1]);
    expect(written(8, (writer) => writer.u32(0xfffefdfc))).toEqual([0xfc, 0xfd, 0xfe, 0xff]);
    expect(written(8, (writer) => writer.u64(0x0102030405060708n))).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(written(8, (writer) => writer.u16be(0x0102))).toEqual([1, 2]);
    expect(written(8, (writer) => writer.u32be(0x01020304))).toEqual([1, 2, 3, 4]);
    expect(written(8, (writer) => writer.u64be(0x0102030405060708n))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it.each([
    ["u8", [-1, 256, 1.5, NaN]],
    ["u16", [-1, 65536, 0.5, NaN]],
    ["u32", [-1, 2 ** 32, 0.5, NaN]],
    ["u16be", [-1, 65536]],
    ["u32be", [-1, 2 ** 32]],
  ] as const)("%s refuses what does not fit", (method, values) => {
    for (const value of values) expect(rule(8, (writer) => writer[method](value))).toBe("out-of-range");
  });

  it("refuses 64-bit numbers that do not fit", () => {
    for (const value of [-1n, 2n ** 64n]) {
      expect(rule(8, (writer) => writer.u64(value))).toBe("out-of-range");
      expect(rule(8, (writer) => writer.u64be(value))).toBe("out-of-range");
    }
  });

  it("writes nothing beyond its end, and nothing after an error", () => {
    const bytes = new Uint8Array(8);
    const writer = new ByteWriter(bytes, 2, 5);
    writer.u16(0xffff);
    writer.u32(0xffffffff);
    expect(writer.error).toMatchObject({ rule: "too-small", at: 4 });
    writer.u8(0xff);
    writer.bytes(Uint8Array.of(0xff));
    writer.text("x", 1, "exact");
    writer.zero(1);
    writer.offset = 2;
    writer.u8(1);
    expect([...bytes]).toEqual([0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    expect(writer.remaining).toBe(0);
  });

  it("writes zeroes and bytes", () => {
    expect(
      written(8, (writer) => {
        writer.zero(2);
        writer.bytes(Uint8Array.of(1, 2));
      }),
    ).toEqual([0, 0, 1, 2]);
    expect(rule(2, (writer) => writer.zero(3))).toBe("too-small");
    expect(rule(2, (writer) => writer.zero(-1))).toBe("too-small");
    expect(rule(2, (writer) => writer.bytes(new Uint8Array(3)))).toBe("too-small");
  });

  it("moves back to fill something in", () => {
    const bytes = new Uint8Array(4);
    const writer = new ByteWriter(bytes);
    writer.u32(0xffffffff);
    writer.offset = 1;
    writer.u8(0);
    expect([...bytes]).toEqual([255, 0, 255, 255]);
    writer.offset = 5;
    expect(writer.error?.rule).toBe("too-small");
  });

  it("writes text in its forms", () => {
    expect(written(8, (writer) => writer.text("ab", 4, "padded"))).toEqual([97, 98, 0, 0]);
    expect(written(8, (writer) => writer.text("ab", 2, "padded"))).toEqual([97, 98]);
    expect(written(8, (writer) => writer.text("ab", 4, "terminated"))).toEqual([97, 98, 0, 0]);
    expect(written(8, (writer) => writer.text("ab", undefined, "terminated"))).toEqual([97, 98, 0]);
    expect(written(8, (writer) => writer.text("ab", undefined, "exact"))).toEqual([97, 98]);
    expect(written(8, (writer) => writer.textList(["a", "", "b"]))).toEqual([97, 0, 0, 98, 0]);
    expect(rule(8, (writer) => writer.text("abc", 2, "padded"))).toBe("text-too-long");
    expect(rule(8, (writer) => writer.text("ab", 2, "terminated"))).toBe("text-too-long");
    expect(rule(8, (writer) => writer.text("ab", 3, "exact"))).toBe("length-mismatch");
    expect(rule(8, (writer) => writer.text("a\0", 4, "padded"))).toBe("text-with-nul");
    expect(rule(8, (writer) => writer.textList(["a"], 3))).toBe("length-mismatch");
    expect(rule(1, (writer) => writer.text("ab", undefined, "exact"))).toBe("too-small");
  });

  it("knows the size of a text before it writes it", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0x10ffff)), (points) => {
        const text = String.fromCodePoint(...points);
        expect(textSize(text)).toBe(new TextEncoder().encode(text).length);
      }),
    );
    expect(textSize("\ud800a")).toBe(4);
    expect(textSize("\ud800")).toBe(3);
    expect(textListSize(["é", ""])).toBe(4);
  });

  it("writes what a reader reads back", () => {
    const item = fc.oneof(
      fc.record({ kind: fc.constant("u8" as const), value: fc.nat(0xff) }),
      fc.record({ kind: fc.constant("u16" as const), value: fc.nat(0xffff) }),
      fc.record({ kind: fc.constant("u32" as const), value: fc.nat(0xffffffff) }),
      fc.record({ kind: fc.constant("u32be" as const), value: fc.nat(0xffffffff) }),
      fc.record({ kind: fc.constant("u64" as const), value: fc.bigInt(0n, 2n ** 64n - 1n) }),
      fc.record({ kind: fc.constant("u64be" as const), value: fc.bigInt(0n, 2n ** 64n - 1n) }),
      fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 20 }) }),
    );
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const bytes = new Uint8Array(items.length * 20);
        const writer = new ByteWriter(bytes);
        for (const { kind, value } of items) {
          if (kind === "bytes") writer.bytes(value);
          else if (kind === "u64" || kind === "u64be") writer[kind](value);
          else writer[kind](value);
        }
        const reader = new ByteReader(bytes, 0, writer.offset);
        for (const { kind, value } of items) {
          expect(kind === "bytes" ? reader.bytes(value.length) : reader[kind]()).toEqual(value);
        }
        expect(reader.remaining).toBe(0);
        expect(writer.error ?? reader.error).toBeUndefined();
      }),
    );
  });
});
