import { describe, expect, it } from "vitest";
import { CommonFeature, DeviceStatus, FeatureSet } from "../../../src/runtime/index.js";
import type { EchoDeviceOptions } from "../fixtures/echo-device.js";
import { EchoFeature } from "../fixtures/echo-protocol.js";
import { deviceRig } from "./device-rig.js";

const { ACKNOWLEDGE, DRIVER, FEATURES_OK } = DeviceStatus;

describe("features of a device", () => {
  it("are those asked for, and the ones that are always offered", () => {
    const { device } = deviceRig();
    expect(device.offered.bits()).toEqual([
      EchoFeature.COUNT,
      CommonFeature.INDIRECT_DESC,
      CommonFeature.EVENT_IDX,
      CommonFeature.VERSION_1,
    ]);
    expect(deviceRig({ withhold: ["INDIRECT_DESC", "EVENT_IDX"] }).device.offered.bits()).toEqual([0, 32]);
    expect(deviceRig({ features: ["RING_RESET"] }).device.offered.has(CommonFeature.RING_RESET)).toBe(true);
  });

  it("do not hold what nobody can do", () => {
    expect(() => deviceRig({ features: ["TURBO"] })).toThrow("must then offer COUNT");
    expect(() => deviceRig({ features: ["SR_IOV"] })).toThrow("does not implement");
    const unknown: readonly string[] = ["WINGS"];
    expect(() => deviceRig({ features: unknown as EchoDeviceOptions["features"] & {} })).toThrow("no feature WINGS");
    expect(() => deviceRig({ queueSize: 40_000 })).toThrow("from 1 to 32768");
  });

  it.each([
    ["not offered", [EchoFeature.MERGE], "feature-not-offered"],
    ["not even defined", [77], "feature-not-offered"],
    ["without what it requires", [EchoFeature.TURBO], "feature-requirement"],
  ])("are refused at FEATURES_OK: %s", (_what, bits, rule) => {
    const { device, driver, rules } = deviceRig({
      features: rule === "feature-requirement" ? ["COUNT", "TURBO"] : ["COUNT"],
    });
    driver.negotiate(bits);
    expect(device.status).toBe(ACKNOWLEDGE | DRIVER);
    expect(device.negotiated.isEmpty).toBe(true);
    expect(rules()).toEqual([rule]);
  });

  it("must have VERSION_1 among them", () => {
    const { device, rules } = deviceRig();
    device.writeStatus(ACKNOWLEDGE | DRIVER);
    device.setDriverFeatures(FeatureSet.of([EchoFeature.COUNT]));
    device.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    expect(device.status).toBe(ACKNOWLEDGE | DRIVER);
    expect(rules()).toEqual(["version-1-required"]);
  });

  it("may be tried again after a refusal, without a reset", () => {
    const { device, driver } = deviceRig();
    driver.negotiate([EchoFeature.MERGE]);
    device.setDriverFeatures(FeatureSet.of([EchoFeature.COUNT, CommonFeature.VERSION_1]));
    device.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    expect(device.negotiated.bits()).toEqual([EchoFeature.COUNT, CommonFeature.VERSION_1]);
  });

  it("cannot change after FEATURES_OK", () => {
    const { device, driver, rules } = deviceRig();
    driver.negotiate([EchoFeature.COUNT]);
    expect(device.setDriverFeatures(FeatureSet.of([CommonFeature.VERSION_1]))).toBe(false);
    expect(device.setDriverFeaturesWord(0, 0)).toBe(false);
    expect(device.negotiated.has(EchoFeature.COUNT)).toBe(true);
    expect(device.driverFeatures.has(EchoFeature.COUNT)).toBe(true);
    expect(rules()).toEqual(["features-frozen", "features-frozen"]);
  });

  it("can be written a word at a time; words that do not exist are ignored", () => {
    const { device, rules } = deviceRig();
    device.writeStatus(ACKNOWLEDGE | DRIVER);
    device.setDriverFeaturesWord(0, 1);
    device.setDriverFeaturesWord(1, 1);
    expect(device.setDriverFeaturesWord(4, 1)).toBe(false);
    expect(device.setDriverFeaturesWord(2 ** 31, 1)).toBe(false);
    expect(device.driverFeatures.bits()).toEqual([0, 32]);
    expect(rules()).toEqual([]);
  });
});
