import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GuestMemory, MemoryAllocator, MemoryError, OutOfGuestMemory } from "../../../src/runtime/memory/index.js";
import "../../seed.js";

const make = (size = 4096, start = 0x1000) => new MemoryAllocator(GuestMemory.flat(size, start), start, size);

describe("MemoryAllocator", () => {
  test("is first-fit and aligned", () => {
    const allocator = make();
    expect(allocator.allocate(1)).toBe(0x1000);
    expect(allocator.allocate(1)).toBe(0x1010);
    expect(allocator.allocate(8, 4096 / 4)).toBe(0x1400);
    expect(allocator.allocate(8, 1)).toBe(0x1001);
  });

  test("all of it can be had at once, and again after it was freed", () => {
    const allocator = make(4096);
    const parts = [allocator.allocate(1024), allocator.allocate(1024), allocator.allocate(2048)];
    expect(allocator.bytesFree).toBe(0);
    expect(() => allocator.allocate(1)).toThrow(OutOfGuestMemory);
    for (const index of [1, 0, 2]) allocator.free(parts[index] ?? 0);
    expect(allocator.bytesFree).toBe(4096);
    expect(allocator.allocate(4096)).toBe(0x1000);
  });

  test("freeing twice, or something else, is refused and changes nothing", () => {
    const allocator = make();
    const address = allocator.allocate(100);
    expect(() => allocator.free(address + 1)).toThrow(expect.objectContaining({ rule: "not-allocated" }));
    allocator.free(address);
    expect(() => allocator.free(address)).toThrow(MemoryError);
    expect(allocator.bytesFree).toBe(4096);
  });

  test.each([0, -1, 1.5, NaN, Infinity])("refuses to allocate %d bytes", (size) => {
    expect(() => make().allocate(size)).toThrow(expect.objectContaining({ rule: "allocation-size" }));
  });

  test.each([0, -4, 3, 0.5, NaN])("refuses an alignment of %d", (alignment) => {
    expect(() => make().allocate(8, alignment)).toThrow(expect.objectContaining({ rule: "allocation-alignment" }));
  });

  test("refuses a range outside of memory", () => {
    const memory = GuestMemory.flat(64);
    expect(() => new MemoryAllocator(memory, 0, 65)).toThrow(expect.objectContaining({ rule: "allocator-range" }));
  });

  test("works above 2^32", () => {
    const allocator = make(1024, 2 ** 40 + 8);
    expect(allocator.allocate(16, 64) % 64).toBe(0);
  });

  test("allocations never overlap, and everything comes back", () => {
    const step = fc.oneof(
      fc.record({
        size: fc.integer({ min: 1, max: 300 }),
        alignment: fc.constantFrom(1, 2, 16, 64),
      }),
      fc.record({ free: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const allocator = make(2048);
        const live: { address: number; size: number }[] = [];
        for (const one of steps) {
          if ("free" in one) {
            const [gone] = live.length === 0 ? [] : live.splice(one.free % live.length, 1);
            if (gone !== undefined) allocator.free(gone.address);
          } else {
            try {
              const address = allocator.allocate(one.size, one.alignment);
              expect(address % one.alignment).toBe(0);
              expect(address).toBeGreaterThanOrEqual(0x1000);
              expect(address + one.size).toBeLessThanOrEqual(0x1000 + 2048);
              for (const other of live) {
                expect(address + one.size <= other.address || other.address + other.size <= address).toBe(true);
              }
              live.push({ address, size: one.size });
            } catch (error) {
              if (!(error instanceof OutOfGuestMemory)) throw error;
            }
          }
          expect(allocator.bytesFree).toBe(2048 - live.reduce((sum, { size }) => sum + size, 0));
        }
        for (const { address } of live) allocator.free(address);
        expect(allocator.allocate(2048)).toBe(0x1000);
      }),
    );
  });
});
