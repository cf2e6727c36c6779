import { describe, expect, test } from "vitest";
import { ConfigSpace } from "../../../src/runtime/device/config-space.js";
import type { WritableConfigRange } from "../../../src/runtime/device/device-definition.js";
import { DeviceStatus, FeatureSet } from "../../../src/runtime/negotiation/index.js";

const features = FeatureSet.none;
const always = (): boolean => true;
const before = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;
const ready = before | DeviceStatus.DRIVER_OK;

/** Two fields of the driver's and one of the device's in a word. */
const word: readonly WritableConfigRange[] = [
  { offset: 0, size: 2, mask: [0x0f, 0x00], phase: "features_ok", allowed: always },
  { offset: 0, size: 2, mask: [0x00, 0x80], phase: "driver_ok", allowed: always },
];

describe("bits of a word that the driver shares with the device", () => {
  test("only its own are changed, and it is not blamed for the others", () => {
    const space = new ConfigSpace(Uint8Array.of(0x50, 0x22), word);
    const { changed, error } = space.write(0, Uint8Array.of(0xff, 0xff), ready, features, features);
    expect([...space.bytes]).toEqual([0x5f, 0xa2]);
    expect(changed).toEqual([{ offset: 0, length: 2 }]);
    expect(error).toBeUndefined();
    space.write(0, Uint8Array.of(0, 0), ready, features, features);
    expect([...space.bytes]).toEqual([0x50, 0x22]);
  });

  test("a field whose time has not come keeps its bits", () => {
    const space = new ConfigSpace(Uint8Array.of(0x50, 0x22), word);
    space.write(0, Uint8Array.of(0xff, 0xff), before, features, features);
    expect([...space.bytes]).toEqual([0x5f, 0x22]);
  });

  test("too early for all of them is an error", () => {
    const space = new ConfigSpace(Uint8Array.of(0x50, 0x22), word);
    const { changed, error } = space.write(0, Uint8Array.of(0xff, 0xff), 0, features, features);
    expect([...space.bytes]).toEqual([0x50, 0x22]);
    expect(changed).toEqual([]);
    expect(error?.rule).toBe("config-phase");
  });
});
