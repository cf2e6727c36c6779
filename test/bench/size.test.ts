import { describe, expect, it } from "vitest";
import { type Budget, complaintsOf, readBudgets, unusedBudgets } from "../../bench/size/budgets.js";
import { bundlesOf, type DeviceBundles, deviceNames, modulesOf } from "../../bench/size/bundles.js";

const budgets = readBudgets();

describe("the bundle of a program that imports one device from the package", () => {
  it.each(deviceNames)("%s is within its budget and loads no other device", async (name) => {
    expect(complaintsOf(await bundlesOf(name), budgets[name])).toEqual([]);
  });

  it("has a budget for no other device", () => {
    expect(deviceNames).toHaveLength(23);
    expect(unusedBudgets(deviceNames, budgets)).toEqual([]);
  });
});

describe("complaints about a bundle", () => {
  const size = (minified: number) => ({ minified, gzip: 1, own: 1000 });
  const bundles = (modules: readonly string[] = []): DeviceBundles => ({
    name: "rng",
    sizes: { device: size(2000), driver: size(3000), both: size(4000) },
    modules: ["generated/rng.ts", "src/runtime/index.ts", ...modules],
  });
  const budget: Budget = { device: 2000, driver: 3000, both: 4000, own: 1000 };

  it("are none for what is just within", () => {
    expect(complaintsOf(bundles(), budget)).toEqual([]);
    expect(complaintsOf(bundles(), { device: 2500, driver: 3750, both: 5000, own: 1250 })).toEqual([]);
  });

  it("tell what is too large, what is too generous, and what does not belong", () => {
    const other = ["generated/blk.ts", "src/compiler/index.ts"];
    expect(complaintsOf(bundles(other), { ...budget, driver: 2999, own: 1251 })).toEqual([
      "rng loads generated/blk.ts",
      "rng loads src/compiler/index.ts",
      "rng, driver: 3000 bytes, 1 above its budget",
      "rng, own: 1000 bytes, and a budget of 1251: lower it",
    ]);
    expect(complaintsOf(bundles(), undefined)).toEqual(["rng has no budget"]);
  });

  it("see a module that a bundler can leave out again", async () => {
    const modules = await modulesOf(
      `import { BlkFeature } from "virtio-gen/devices/blk"; export * from "virtio-gen/devices/entropy";`,
    );
    expect(modules).toContain("generated/entropy.ts");
    expect(complaintsOf({ ...bundles(), name: "entropy", modules }, budget)).toEqual([
      "entropy loads generated/blk.ts",
    ]);
  });
});
