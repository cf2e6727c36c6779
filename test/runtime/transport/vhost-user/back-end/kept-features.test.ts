import { expect, it } from "vitest";
import { FeatureSet } from "../../../../../src/runtime/index.js";
import { withKept } from "../../../../../src/runtime/transport/vhost-user/back-end/kept-features.js";

const requires = [
  { feature: 22, anyOf: [17] },
  { feature: 17, anyOf: [3, 4] },
  { feature: 9, anyOf: [8] },
];
const kept = (features: number[], offered: number[], id = 1): number[] =>
  withKept(FeatureSet.of(features), { id, requires }, FeatureSet.of(offered)).bits();

it("takes what is needed to be there, step by step, if it was offered", () => {
  expect(kept([22, 32], [22, 17, 4, 32])).toEqual([4, 17, 22, 32]);
  expect(kept([22, 17, 3], [22, 17, 3, 4])).toEqual([3, 17, 22]);
});

it("adds nothing that was not offered, nor what is not needed", () => {
  expect(kept([9, 32], [9, 32])).toEqual([9, 32]);
  expect(kept([22], [22, 17])).toEqual([17, 22]);
  expect(kept([32], [22, 17, 3, 32])).toEqual([32]);
});

it("takes the driver of a crypto device for a modern one, which may do what the ring allows, if nothing is known of it", () => {
  expect(kept([], [9, 28, 29, 32, 34], 20)).toEqual([28, 29, 32]);
  expect(kept([], [32], 20)).toEqual([32]);
  expect(kept([32], [28, 29, 32], 20)).toEqual([32]);
  expect(kept([], [28, 29, 32])).toEqual([]);
});
