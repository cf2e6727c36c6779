import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../../../../src/runtime/index.js";
import { TranslationTable } from "../../../../../../src/runtime/transport/vhost-user/back-end/iotlb/translation-table.js";

const PAGE = 4096;
const [READ, WRITE, BOTH] = [1, 2, 3];
const memory = new GuestMemory([
  { start: 0x10_0000, bytes: new Uint8Array(16 * PAGE) },
  { start: 0x11_0000, bytes: new Uint8Array(16 * PAGE) },
]);

/** Where something is found, as a guest-physical address; undefined if it is not. */
function physical(table: TranslationTable, address: number, isWrite = false): number | undefined {
  return table.find(address, 1, isWrite) > 0 ? table.region.start + table.offset : undefined;
}

describe("the translations that are known", () => {
  it("are found from the first to the last byte, and joined where memory goes on", () => {
    const table = new TranslationTable();
    table.add(0x8000, PAGE, BOTH, 0x10_2000, memory);
    table.add(0x9000, PAGE, BOTH, 0x10_3000, memory);
    table.add(0xa000, PAGE, BOTH, 0x10_7000, memory);
    expect(table.find(0x7fff, 1, false)).toBe(0);
    expect(table.find(0xb000, 1, false)).toBe(0);
    expect(table.find(0x8004, 100_000, false)).toBe(2 * PAGE - 4);
    expect(table.region.start + table.offset).toBe(0x10_2004);
    expect(table.find(0x9fff, 2, false)).toBe(1);
    expect(physical(table, 0xafff)).toBe(0x10_7fff);
  });

  it("are cut where a region of memory ends", () => {
    const table = new TranslationTable();
    table.add(0, 2 * PAGE, BOTH, 0x10_f000, memory);
    expect(table.find(0, 2 * PAGE, false)).toBe(PAGE);
    expect(physical(table, PAGE)).toBe(0x11_0000);
    expect(() => table.add(0, 2 * PAGE, BOTH, 0x11_f000, memory)).toThrow("translation");
  });

  it("replace what they overlap, at either end, within and around", () => {
    const table = new TranslationTable();
    for (const page of [1, 2, 3, 4]) table.add(page * PAGE, PAGE, BOTH, 0x10_0000 + page * PAGE, memory);
    table.add(2 * PAGE, 2 * PAGE, BOTH, 0x11_0000, memory);
    expect([1, 2, 3, 4].map((page) => physical(table, page * PAGE))).toEqual([
      0x10_1000, 0x11_0000, 0x11_1000, 0x10_4000,
    ]);
    expect(table.size).toBe(3);
    // All that was told together goes with any part of it.
    table.add(3 * PAGE, PAGE, BOTH, 0x10_8000, memory);
    expect([2, 3].map((page) => physical(table, page * PAGE))).toEqual([undefined, 0x10_8000]);
    table.add(0, 8 * PAGE, BOTH, 0x11_0000, memory);
    expect(table.size).toBe(1);
    table.remove(0, Infinity);
    expect(table.size).toBe(0);
  });

  it("are taken back with any byte of them, and their neighbours stay", () => {
    const table = new TranslationTable();
    for (const page of [1, 2, 3]) table.add(page * PAGE, PAGE, BOTH, 0x10_0000 + page * PAGE, memory);
    table.remove(0, PAGE);
    table.remove(4 * PAGE, Infinity);
    expect(table.size).toBe(3);
    table.remove(2 * PAGE + 5, 2 * PAGE + 6);
    expect([1, 2, 3].map((page) => table.find(page * PAGE, 1, false))).toEqual([1, 0, 1]);
  });

  it("allow what they say", () => {
    const table = new TranslationTable();
    table.add(0, PAGE, READ, 0x10_0000, memory);
    table.add(PAGE, PAGE, BOTH, 0x10_1000, memory);
    table.add(2 * PAGE, PAGE, WRITE, 0x10_2000, memory);
    table.add(3 * PAGE, PAGE, 0, 0x10_3000, memory);
    const found = (isWrite: boolean): number[] =>
      [0, 1, 2, 3].map((page) => table.find(page * PAGE, 9 * PAGE, isWrite));
    expect(found(false)).toEqual([2 * PAGE, PAGE, -1, -1]);
    expect(found(true)).toEqual([-1, 2 * PAGE, PAGE, -1]);
  });

  it("are no more than so many: the oldest goes", () => {
    const table = new TranslationTable(4);
    for (const page of [9, 2, 7, 4, 5]) table.add(page * PAGE, PAGE, BOTH, 0x10_0000, memory);
    expect(table.size).toBe(4);
    expect(table.find(9 * PAGE, 1, false)).toBe(0);
    table.add(2 * PAGE, PAGE, BOTH, 0x10_0000, memory);
    table.add(11 * PAGE, PAGE, BOTH, 0x10_0000, memory);
    // The one that was told anew is not the oldest any more.
    expect([2, 4, 5, 7, 11].map((page) => table.find(page * PAGE, 1, false))).toEqual([1, 1, 1, 0, 1]);
  });
});
