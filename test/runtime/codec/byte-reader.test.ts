import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../src/runtime/index.js";

const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);

describe("ByteReader", () => {
  it("reads numbers little-endian, or big-endian where asked for", () => {
    expect(new ByteReader(bytes).u8()).toBe(0x01);
    expect(new ByteReader(bytes).u16()).toBe(0x0201);
    expect(new ByteReader(bytes).u32()).toBe(0x04030201);
    expect(new ByteReader(bytes).u64()).toBe(0x0807060504030201n);
    expect(new ByteReader(bytes).u16be()).toBe(0x0102);
    expect(new ByteReader(bytes).u32be()).toBe(0x01020304);
    expect(new ByteReader(bytes).u64be()).toBe(0x0102030405060708n);
    expect(new ByteReader(Uint8Array.of(255, 255, 255, 255)).u32()).toBe(0xffffffff);
  });

  it("goes on where the last read ended and stays within its range", () => {
    const reader = new ByteReader(bytes, 2, 9);
    expect(reader.u8()).toBe(3);
    expect(reader.u32()).toBe(0x07060504);
    expect(reader.offset).toBe(7);
    expect(reader.remaining).toBe(2);
    expect(reader.u16()).toBe(0x0908);
    expect(reader.error).toBeUndefined();
    expect(reader.u8()).toBe(0);
    expect(reader.error?.rule).toBe("truncated");
  });

  it("reads through a view that does not start at its buffer's start", () => {
    expect(new ByteReader(bytes.subarray(4)).u16()).toBe(0x0605);
  });

  it.each([
    ["u8", 0],
    ["u16", 1],
    ["u32", 3],
    ["u64", 7],
    ["u16be", 1],
    ["u32be", 3],
    ["u64be", 7],
  ] as const)("%s needs its bytes: %i are not enough", (method, length) => {
    const reader = new ByteReader(bytes.subarray(0, length));
    expect(Number(reader[method]())).toBe(0);
    expect(reader.error).toMatchObject({ name: "CodecError", rule: "truncated", at: 0 });
  });

  it("keeps the first error, and gives nothing from then on", () => {
    const reader = new ByteReader(bytes, 0, 4);
    reader.u16();
    reader.u32();
    const { error } = reader;
    expect(error).toMatchObject({ rule: "truncated", at: 2 });
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([0, 0, 0, 0n]);
    expect(reader.bytes(1)).toEqual(new Uint8Array(0));
    expect(reader.text(1, "exact")).toBe("");
    expect(reader.textList(1)).toEqual([]);
    expect(reader.window(1).remaining).toBe(0);
    expect(reader.count(1, 1)).toBe(0);
    expect(reader.remaining).toBe(0);
    reader.offset = 0;
    expect(reader.u8()).toBe(0);
    reader.fail("bad-value");
    expect(reader.error).toBe(error);
  });

  it("moves to other positions within its range only", () => {
    const reader = new ByteReader(bytes, 4, 8);
    reader.offset = 7;
    expect(reader.u8()).toBe(8);
    reader.offset = 4;
    expect(reader.u8()).toBe(5);
    for (const outside of [3, 9, -1, NaN]) {
      const other = new ByteReader(bytes, 4, 8);
      other.offset = outside;
      expect(other.error?.rule).toBe("truncated");
    }
  });

  it("copies bytes", () => {
    const source = bytes.slice();
    const copy = new ByteReader(source).bytes(3);
    source.fill(0);
    expect(copy).toEqual(Uint8Array.of(1, 2, 3));
  });

  it.each([-1, NaN, 17, 2 ** 53, Infinity])("takes no length of %d", (length) => {
    for (const read of [
      (reader: ByteReader) => reader.bytes(length).length,
      (reader: ByteReader) => reader.text(length, "padded").length,
      (reader: ByteReader) => reader.textList(length).length,
      (reader: ByteReader) => reader.window(length).remaining,
    ]) {
      const reader = new ByteReader(bytes);
      expect(read(reader)).toBe(0);
      expect(reader.error?.rule).toBe("truncated");
    }
    const reader = new ByteReader(bytes);
    reader.skip(length);
    expect(reader.error?.rule).toBe("truncated");
  });

  it("gives the next bytes as a window with an error of its own", () => {
    const reader = new ByteReader(bytes);
    reader.skip(1);
    const window = reader.window(2);
    expect([window.u16(), window.u8()]).toEqual([0x0302, 0]);
    expect(window.error?.rule).toBe("truncated");
    expect(reader.error).toBeUndefined();
    expect(reader.u8()).toBe(4);
  });

  it("checks counts against what remains", () => {
    expect(new ByteReader(bytes).count(4, 4)).toBe(4);
    expect(new ByteReader(bytes).count(4n, 4)).toBe(4);
    expect(new ByteReader(bytes).count(0, 100)).toBe(0);
    for (const count of [5, 5n, -1, 2n ** 64n - 1n, NaN]) {
      const reader = new ByteReader(bytes);
      expect(reader.count(count, 4)).toBe(0);
      expect(reader.error?.rule).toBe("bad-count");
    }
    // Elements of no bytes: the count is bounded all the same.
    expect(new ByteReader(bytes).count(17, 0)).toBe(0);
  });

  describe("text", () => {
    const text = (content: string): Uint8Array => new TextEncoder().encode(content);

    it("ends at the first NUL if padded, and may fill its field", () => {
      expect(new ByteReader(text("ab\0cd\0")).text(6, "padded")).toBe("ab");
      expect(new ByteReader(text("abcdef")).text(6, "padded")).toBe("abcdef");
    });
    it("must have its NUL if terminated", () => {
      expect(new ByteReader(text("ab\0cd")).text(5, "terminated")).toBe("ab");
      const reader = new ByteReader(text("abc\0"), 0, 4);
      expect(reader.text(3, "terminated")).toBe("");
      expect(reader.error?.rule).toBe("text-not-terminated");
    });
    it("is all of its bytes if exact", () => {
      expect(new ByteReader(text("a\0b")).text(3, "exact")).toBe("a\0b");
    });
    it("is UTF-8, and says so where it is not", () => {
      expect(new ByteReader(text("é€😀")).text(9, "exact")).toBe("é€😀");
      expect(new ByteReader(Uint8Array.of(0x61, 0xff)).text(2, "exact")).toBe("a\ufffd");
    });
    it("keeps a byte order mark", () => {
      expect(new ByteReader(text("\ufeffa")).text(4, "exact")).toBe("\ufeffa");
    });
    it("comes in lists", () => {
      expect(new ByteReader(text("a\0\0bc\0")).textList(6)).toEqual(["a", "", "bc"]);
      expect(new ByteReader(text("")).textList(0)).toEqual([]);
      const reader = new ByteReader(text("a\0bc"));
      expect(reader.textList(4)).toEqual([]);
      expect(reader.error?.rule).toBe("text-not-terminated");
    });
    it("can be read from shared memory", () => {
      const shared = new Uint8Array(new SharedArrayBuffer(2));
      shared.set(text("hi"));
      expect(new ByteReader(shared).text(2, "exact")).toBe("hi");
    });
  });

  it("starts anew on other bytes", () => {
    const reader = new ByteReader(bytes, 0, 0);
    reader.u8();
    expect(reader.reset(bytes, 3).u8()).toBe(4);
    expect(reader.error).toBeUndefined();
    expect(reader.reset(Uint8Array.of(7)).u8()).toBe(7);
  });
});
