import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GuestMemory, MemoryError } from "../../../src/runtime/memory/index.js";
import "../../seed.js";

describe("GuestMemory", () => {
  test("flat memory is one zeroed region", () => {
    const memory = GuestMemory.flat(4096, 0x1000);
    expect(memory.regions).toHaveLength(1);
    expect(memory.regions[0]?.start).toBe(0x1000);
    expect(memory.regions[0]?.size).toBe(4096);
    expect(memory.regions[0]?.bytes.every((byte) => byte === 0)).toBe(true);
  });

  test("a region's view shows the same bytes, also when they start inside their buffer", () => {
    const bytes = new Uint8Array(new ArrayBuffer(64), 16, 32);
    const region = new GuestMemory([{ start: 0, bytes }]).regions[0];
    region?.view.setUint8(5, 0xab);
    expect(bytes[5]).toBe(0xab);
    expect(region?.view.byteLength).toBe(32);
  });

  test("locate holds the first and the last byte, and not one more", () => {
    const memory = GuestMemory.flat(100, 1000);
    const [region] = memory.regions;
    expect(memory.locate(1000, 100)).toBe(region);
    expect(memory.locate(1099, 1)).toBe(region);
    expect(memory.locate(1000, 101)).toBeUndefined();
    expect(memory.locate(999, 1)).toBeUndefined();
    expect(memory.locate(1100, 1)).toBeUndefined();
  });

  test("locate refuses numbers that make no sense", () => {
    const memory = GuestMemory.flat(100);
    for (const [address, length] of [
      [NaN, 1],
      [0, NaN],
      [0, -1],
      [-1, 1],
      [Infinity, 1],
      [0, Infinity],
      [-Infinity, 0],
    ] as const) {
      expect(memory.locate(address, length)).toBeUndefined();
    }
  });

  test("locate does not round at the top of the numbers", () => {
    const bytes = new Uint8Array(16);
    const memory = new GuestMemory([{ start: Number.MAX_SAFE_INTEGER - 16, bytes }]);
    expect(memory.locate(Number.MAX_SAFE_INTEGER - 16, 16)).toBeDefined();
    expect(memory.locate(Number.MAX_SAFE_INTEGER - 1, 1)).toBeDefined();
    expect(memory.locate(Number.MAX_SAFE_INTEGER - 1, 2)).toBeUndefined();
    expect(memory.locate(Number.MAX_SAFE_INTEGER - 16, 0xffff_ffff)).toBeUndefined();
    expect(memory.locate(2 ** 53, 0)).toBeUndefined();
  });

  test("memory without regions holds nothing", () => {
    const memory = new GuestMemory([]);
    expect(memory.locate(0, 0)).toBeUndefined();
    expect(memory.regionAt(0)).toBeUndefined();
  });

  test("agrees with a plain search over any regions", () => {
    const gaps = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 20 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(gaps, fc.array(fc.tuple(fc.nat(260), fc.nat(30)), { minLength: 1 }), (layout, queries) => {
        let at = 0;
        const regions = layout.map(([gap, size]) => {
          const region = { start: at + gap, bytes: new Uint8Array(size) };
          at = region.start + size;
          return region;
        });
        const memory = new GuestMemory(regions);
        for (const [address, length] of queries) {
          const expected = regions.find(
            ({ start, bytes }) =>
              address >= start &&
              address + length <= start + bytes.length &&
              (length > 0 || address < start + bytes.length),
          );
          // Nothing at the very end of a region is in it or not, whatever was asked before: leave that out.
          if (length === 0 && expected === undefined) continue;
          expect(memory.locate(address, length)?.bytes).toBe(expected?.bytes);
        }
      }),
    );
  });

  test.each([
    ["unsorted", [100, 0], "region-overlap"],
    ["overlapping", [0, 5], "region-overlap"],
    ["negative", [-1], "region-range"],
    ["fractional", [0.5], "region-range"],
    ["above 2^53", [Number.MAX_SAFE_INTEGER - 3], "region-range"],
  ] as const)("refuses regions that are %s", (_, starts, rule) => {
    const make = () => new GuestMemory(starts.map((start) => ({ start, bytes: new Uint8Array(10) })));
    expect(make).toThrow(MemoryError);
    expect(make).toThrow(expect.objectContaining({ rule }));
  });

  test("knows where regions start, and where those started that were replaced", () => {
    const [old, fresh] = [new Uint8Array(10), new Uint8Array(10)];
    const memory = new GuestMemory([{ start: 100, bytes: old }]);
    memory.replace([{ start: 200, bytes: fresh }]);
    expect([memory.startOf(old), memory.startOf(fresh)]).toEqual([100, 200]);
    expect(() => memory.startOf(new Uint8Array(10))).toThrow(expect.objectContaining({ rule: "region-unknown" }));
  });
});
