import { describe, expect, it } from "vitest";
import {
  CommonFeature,
  DeviceStatus,
  FeatureSet,
  ProtocolError,
  VirtioDevice,
  type DeviceDefinition,
  type QueuePlan,
} from "../../../src/runtime/index.js";

const definition: DeviceDefinition = {
  name: "hooks",
  id: 61,
  features: { MUST: 0, CACHE: 1, FLUSH: 2, HIGH: 100 },
  requires: [],
  offers: [{ feature: 1, anyOf: [2] }],
  mandatory: [0],
  rules: [{ text: "HIGH and FLUSH exclude each other", holds: (features) => !(features.has(100) && features.has(2)) }],
  configSize: 0,
  writableConfig: [],
};

class HookDevice extends VirtioDevice {
  readonly calls: string[] = [];
  readonly errors: string[] = [];
  refuse: string | undefined = undefined;

  constructor(features: readonly string[]) {
    super(definition, features, new Uint8Array(0));
    this.onProtocolError = (error) => this.errors.push(error instanceof ProtocolError ? error.rule : error.message);
  }
  protected override queuePlan(): readonly QueuePlan[] {
    return [];
  }
  protected override deviceReset(): void {
    this.calls.push("reset");
    if (this.refuse === "throw") throw new Error("in reset");
  }
  protected override driverReady(): void {
    this.calls.push("ready");
  }
  protected override featuresRefused(features: FeatureSet): string | undefined {
    this.calls.push(`features ${features.bits().join(" ")}`);
    return this.refuse;
  }

  negotiate(...bits: number[]): boolean {
    this.writeStatus(0);
    this.writeStatus(3);
    this.setDriverFeatures(FeatureSet.of([CommonFeature.VERSION_1, ...bits]));
    this.writeStatus(11);
    return (this.status & DeviceStatus.FEATURES_OK) !== 0;
  }
}

describe("a device type with rules of its own", () => {
  it("offers what is mandatory, and insists on it", () => {
    const device = new HookDevice([]);
    expect(device.offered.bits()).toEqual([0, 28, 29, 32]);
    expect(device.negotiate()).toBe(false);
    expect(device.errors).toEqual(["feature-mandatory"]);
    expect(device.negotiate(0)).toBe(true);
  });

  it("must offer what goes with another feature, which the driver need not accept", () => {
    expect(() => new HookDevice(["CACHE"])).toThrow("offers CACHE and must then offer FLUSH");
    expect(new HookDevice(["CACHE", "FLUSH"]).negotiate(0, 1)).toBe(true);
  });

  it("refuses what its rules exclude", () => {
    const device = new HookDevice(["FLUSH", "HIGH"]);
    expect(device.negotiate(0, 2, 100)).toBe(false);
    expect(device.errors).toEqual(["feature-rule"]);
    expect(device.negotiate(0, 100)).toBe(true);
  });

  it("has the last word on features, and hears of resets and of DRIVER_OK", () => {
    const device = new HookDevice(["FLUSH"]);
    device.refuse = "not today";
    expect(device.negotiate(0)).toBe(false);
    expect(device.errors).toEqual(["feature-rule"]);
    device.refuse = undefined;
    device.negotiate(0, 2);
    device.writeStatus(15);
    device.writeStatus(15);
    expect(device.calls).toEqual(["reset", "features 0 32", "reset", "features 0 2 32", "ready"]);
  });

  it("may fail in a hook without harm", () => {
    const device = new HookDevice([]);
    device.negotiate(0);
    device.refuse = "throw";
    device.writeStatus(0);
    expect(device.status).toBe(0);
    expect(device.errors).toEqual(["deviceReset: in reset"]);
  });
});
