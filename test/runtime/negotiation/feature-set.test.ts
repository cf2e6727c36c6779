import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FeatureSet, statusNames } from "../../../src/runtime/index.js";
import "../../seed.js";

const bits = fc.uniqueArray(fc.nat(127));

describe("FeatureSet", () => {
  it("does what a set of numbers does", () => {
    fc.assert(
      fc.property(bits, bits, (left, right) => {
        const a = FeatureSet.of(left);
        const b = FeatureSet.of(right);
        const sorted = (values: number[]): number[] => [...new Set(values)].sort((x, y) => x - y);
        expect(a.bits()).toEqual(sorted(left));
        expect(a.and(b).bits()).toEqual(sorted(left.filter((bit) => right.includes(bit))));
        expect(a.or(b).bits()).toEqual(sorted([...left, ...right]));
        expect(a.without(b).bits()).toEqual(sorted(left.filter((bit) => !right.includes(bit))));
        expect(a.isSubsetOf(b)).toBe(left.every((bit) => right.includes(bit)));
        expect(a.equals(b)).toBe(a.isSubsetOf(b) && b.isSubsetOf(a));
        expect(a.isEmpty).toBe(left.length === 0);
        const all = Array.from({ length: 128 }, (_, bit) => bit);
        expect(all.filter((bit) => a.has(bit))).toEqual(sorted(left));
      }),
    );
  });

  it("has words and a bigint that agree with its bits", () => {
    fc.assert(
      fc.property(bits, (values) => {
        const set = FeatureSet.of(values);
        const words = [set.word(0), set.word(1), set.word(2), set.word(3)];
        expect(FeatureSet.fromWords(words).equals(set)).toBe(true);
        let all = 0n;
        for (const bit of values) all |= 1n << BigInt(bit);
        expect(set.toBigInt()).toBe(all);
        expect(words.every((word) => word >= 0 && word <= 0xffffffff)).toBe(true);
      }),
    );
  });

  it("replaces a word", () => {
    const set = FeatureSet.of([0, 31, 32, 127]);
    expect(set.withWord(1, 0x8000_0000).bits()).toEqual([0, 31, 63, 127]);
    expect(set.bits()).toEqual([0, 31, 32, 127]);
  });

  it("ignores bits that do not exist, and refuses to be made of them", () => {
    expect(FeatureSet.none.has(128)).toBe(false);
    expect(FeatureSet.of([0]).has(-1)).toBe(false);
    expect(FeatureSet.fromWords([1, 2, 3, 4, 5]).bits()).toEqual(FeatureSet.fromWords([1, 2, 3, 4]).bits());
    for (const bit of [-1, 128, 1.5, NaN]) expect(() => FeatureSet.of([bit])).toThrow(RangeError);
  });
});

describe("statusNames", () => {
  it("names the bits", () => {
    expect(statusNames(0)).toEqual([]);
    expect(statusNames(0x4f)).toEqual(["ACKNOWLEDGE", "DRIVER", "DRIVER_OK", "FEATURES_OK", "NEEDS_RESET"]);
  });
});
