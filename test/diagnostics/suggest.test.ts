import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { editDistance, suggest } from "../../src/diagnostics/suggest.js";
import "../seed.js";

describe("suggestions", () => {
  const words = ["readable", "writable", "match", "if", "MQ", "le16", "le32", "since"];
  it.each([
    ["readble", "readable"],
    ["raedable", "readable"],
    ["wriatble", "writable"],
    ["mach", "match"],
    ["iff", "if"],
    ["mq", "MQ"],
    ["le23", "le32"],
    ["snice", "since"],
    ["something", undefined],
    ["x", undefined],
    ["", undefined],
    ["match", undefined],
    ["a".repeat(10_000), undefined],
  ])("for %s", (name, expected) => {
    expect(suggest(name, words)).toBe(expected);
  });

  it("takes the first of several that are as close", () => {
    expect(suggest("le3", ["le36", "le32"])).toBe("le36");
    expect(suggest("abcd", ["abxx", "abcx"])).toBe("abcx");
  });
});

describe("edit distance", () => {
  it.each([
    ["kitten", "sitting", 3],
    ["ab", "ba", 1],
    ["", "abc", 3],
    ["MQ", "mq", 1],
    ["same", "same", 0],
  ])("of %s and %s", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
  });

  it("is the same from both sides, and zero only for equal names", () => {
    const name = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(name, name, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});
