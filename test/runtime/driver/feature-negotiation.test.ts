import { describe, expect, it } from "vitest";
import { FeatureSet, ProtocolError, negotiate, type FeatureRules } from "../../../src/runtime/index.js";

const rules: FeatureRules = {
  features: { A: 0, B: 1, C: 2, D: 3, HIGH: 70 },
  // B needs A; C needs B or D; D needs A and HIGH
  requires: [
    { feature: 1, anyOf: [0] },
    { feature: 2, anyOf: [1, 3] },
    { feature: 3, anyOf: [0] },
    { feature: 3, anyOf: [70] },
  ],
};
const offer = (...bits: number[]): FeatureSet => FeatureSet.of([32, ...bits]);

function rule(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof ProtocolError ? error.rule : String(error);
  }
  return "nothing";
}

describe("negotiate", () => {
  it("accepts what is both wanted and offered, and VERSION_1", () => {
    const { accepted, dropped } = negotiate(rules, ["A", "HIGH"], offer(0, 1, 70, 28));
    expect(accepted.bits()).toEqual([0, 32, 70]);
    expect(dropped).toEqual([]);
  });

  it("drops what is not offered, and tells", () => {
    const { accepted, dropped } = negotiate(rules, ["A", "B"], offer(0));
    expect(accepted.bits()).toEqual([0, 32]);
    expect(dropped).toEqual(["B"]);
  });

  it("drops what needs something that is missing, and what needs that in turn", () => {
    const { accepted, dropped } = negotiate(rules, ["B", "C"], offer(0, 1, 2));
    expect(accepted.bits()).toEqual([32]);
    expect(dropped).toEqual(["B", "C"]);
  });

  it("is content with one of several", () => {
    expect(negotiate(rules, ["A", "C", "D", "HIGH"], offer(0, 2, 3, 70)).dropped).toEqual([]);
    expect(negotiate(rules, ["A", "C", "D", "HIGH"], offer(0, 2, 3)).dropped).toEqual(["C", "D", "HIGH"]);
  });

  it("fails without VERSION_1 or a mandatory feature, or what that needs", () => {
    expect(rule(() => negotiate(rules, [], FeatureSet.of([0])))).toBe("version-1-required");
    const strict = { ...rules, mandatory: [1] };
    expect(rule(() => negotiate(strict, [], offer(0)))).toBe("feature-mandatory");
    expect(rule(() => negotiate(strict, [], offer(1)))).toBe("feature-requirement");
    expect(negotiate(strict, ["A"], offer(0, 1)).accepted.bits()).toEqual([0, 1, 32]);
  });

  it("knows names of common features, and refuses unknown ones", () => {
    expect(negotiate(rules, ["RING_RESET"], offer(40)).accepted.bits()).toEqual([32, 40]);
    expect(() => negotiate(rules, ["toString"], offer())).toThrow(TypeError);
  });
});
