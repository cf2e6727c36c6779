import { describe, expect, it } from "vitest";
import type { VirtioDevice } from "../../../src/runtime/index.js";
import { EchoFeature } from "../fixtures/echo-protocol.js";
import { deviceRig } from "./device-rig.js";

describe("configuration space", () => {
  function read(device: VirtioDevice, offset: number, length: number): number[] {
    const target = new Uint8Array(length).fill(0xee);
    device.readConfig(offset, target);
    return [...target];
  }

  it("is read with any width, before and after negotiation, and is zero beyond its end", () => {
    const { device, driver } = deviceRig();
    expect(read(device, 0, 4)).toEqual([1, 2, 3, 4]);
    expect(read(device, 1, 3)).toEqual([2, 3, 4]);
    driver.negotiate();
    expect(read(device, 3, 2)).toEqual([4, 100]);
    expect(read(device, 18, 4)).toEqual([0, 0, 0, 0]);
    for (const offset of [20, 2 ** 40, -1, NaN]) expect(read(device, offset, 2)).toEqual([0, 0]);
  });

  it("takes writes from FEATURES_OK on, to writable fields of negotiated features only", () => {
    const { device, driver, rules } = deviceRig();
    const write = (offset: number, ...bytes: number[]): void => device.writeConfig(offset, Uint8Array.from(bytes));
    write(8, 1);
    expect(device.config.mode).toBe(5);
    driver.negotiate([EchoFeature.COUNT]);
    write(8, 2);
    expect(device.config.mode).toBe(2);
    write(6, 1, 1, 3, 1);
    expect(device.config.mode).toBe(3);
    expect(device.config.maxData).toBe(100);
    write(0, 9, 9, 9, 9);
    write(19, 1, 1);
    write(2 ** 32, 1);
    write(-1, 1);
    expect(read(device, 0, 20)).toEqual([1, 2, 3, 4, 100, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(device.configWrites).toEqual([
      { offset: 8, length: 1 },
      { offset: 8, length: 1 },
    ]);
    expect(rules()).toEqual([
      "config-phase",
      "config-read-only",
      "config-read-only",
      "config-out-of-range",
      "config-out-of-range",
      "config-out-of-range",
    ]);
  });

  it("does not take writes to a field whose feature was not negotiated", () => {
    const { device, driver, rules } = deviceRig();
    driver.negotiate();
    device.writeConfig(8, Uint8Array.of(1));
    expect(device.config.mode).toBe(5);
    expect(rules()).toEqual(["config-read-only"]);
  });

  it("has a new generation after each change by the device, and none after one by the driver", () => {
    const { device, driver } = deviceRig();
    const before = device.configGeneration;
    device.config.level = 2;
    device.config.serial = 3n;
    expect(device.configGeneration).toBe(before + 2);
    driver.negotiate([EchoFeature.COUNT]);
    device.writeConfig(8, Uint8Array.of(1));
    expect(device.configGeneration).toBe(before + 2);
  });

  it("has the driver notified of changes once it is ready", () => {
    const { device, driver } = deviceRig();
    driver.negotiate();
    device.config.level = 2;
    expect(driver.configChanges).toBe(0);
    driver.ready();
    device.config.level = 3;
    expect(driver.configChanges).toBe(1);
    device.writeStatus(0);
    device.config.level = 4;
    expect(driver.configChanges).toBe(1);
  });
});
