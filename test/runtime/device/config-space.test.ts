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

describe("fields whose bits ones clear", () => {
  /** Three bytes that clear those at 4, the last of which the driver may not write before it is ready. */
  const other: readonly WritableConfigRange[] = [
    { offset: 0, size: 2, clears: 4, phase: "features_ok", allowed: always },
    { offset: 2, size: 1, clears: 6, phase: "driver_ok", allowed: always },
  ];

  test("ones clear bits of another field, and are told; nothing is stored", () => {
    const space = new ConfigSpace(Uint8Array.of(0, 0, 0, 9, 0xff, 0x3c, 0xf0, 8), other);
    const { changed, written, error } = space.write(0, Uint8Array.of(0x81, 0x06, 0x11), ready, features, features);
    expect([...space.bytes]).toEqual([0, 0, 0, 9, 0x7e, 0x38, 0xe0, 8]);
    expect([...written]).toEqual([0x81, 0x06, 0x11, 9, 0x7e, 0x38, 0xe0, 8]);
    expect(changed).toEqual([{ offset: 0, length: 3 }]);
    expect(error).toBeUndefined();
    expect(space.generation).toBe(0);
  });

  test("byte by byte, each with its own ones", () => {
    const space = new ConfigSpace(Uint8Array.of(0, 0, 0, 9, 0xff, 0xff, 0xff, 8), other);
    const low = space.write(0, Uint8Array.of(0x0f), ready, features, features);
    expect([[...low.written.subarray(0, 3)], low.changed]).toEqual([[0x0f, 0, 0], [{ offset: 0, length: 1 }]]);
    const high = space.write(1, Uint8Array.of(0x30), ready, features, features);
    expect([[...high.written.subarray(0, 3)], high.changed]).toEqual([[0, 0x30, 0], [{ offset: 1, length: 1 }]]);
    expect([...space.bytes]).toEqual([0, 0, 0, 9, 0xf0, 0xcf, 0xff, 8]);
  });

  test("zeroes clear nothing, and what comes too early does not either", () => {
    const space = new ConfigSpace(Uint8Array.of(0, 0, 0, 9, 0xff, 0xff, 0xff, 8), other);
    space.write(0, Uint8Array.of(0, 0, 0), ready, features, features);
    expect([...space.bytes]).toEqual([0, 0, 0, 9, 0xff, 0xff, 0xff, 8]);
    const { written, error } = space.write(2, Uint8Array.of(0xff), before, features, features);
    expect([...space.bytes]).toEqual([0, 0, 0, 9, 0xff, 0xff, 0xff, 8]);
    expect(written[2]).toBe(0);
    expect(error?.rule).toBe("config-phase");
  });

  test("a field of its own, with bits of others around it", () => {
    const own: readonly WritableConfigRange[] = [
      { offset: 1, size: 2, mask: [0xf0, 0x01], clears: 1, phase: "features_ok", allowed: always },
      { offset: 1, size: 2, mask: [0x0c, 0x00], phase: "features_ok", allowed: always },
    ];
    const space = new ConfigSpace(Uint8Array.of(7, 0xb3, 0xff, 7), own);
    const { written, changed } = space.write(1, Uint8Array.of(0x9b, 0xff), ready, features, features);
    // Cleared: 0x90 and 0x01; stored: 0x08; neither: 0x03 and 0xfe.
    expect([...space.bytes]).toEqual([7, 0x2b, 0xfe, 7]);
    expect([...written]).toEqual([7, 0x9b, 0xff, 7]);
    expect(changed).toEqual([{ offset: 1, length: 2 }]);
    // Bits that are set stay out of what was written.
    expect([...space.write(2, Uint8Array.of(0), ready, features, features).written]).toEqual([7, 0x0b, 0xfe, 7]);
  });

  test("bits that were cleared in parts that move", () => {
    const parts = [{ size: 2, exists: (has: FeatureSet) => has.has(40) }, { size: 4 }];
    const moving: readonly WritableConfigRange[] = [
      { offset: 4, size: 2, clears: 2, phase: "features_ok", allowed: always },
    ];
    const space = new ConfigSpace(Uint8Array.of(1, 2, 0xff, 0xff, 0, 0), moving, parts);
    const { changed } = space.write(2, Uint8Array.of(0x01, 0x80), ready, features, features);
    expect([...space.bytes]).toEqual([1, 2, 0xfe, 0x7f, 0, 0]);
    expect(changed).toEqual([{ offset: 4, length: 2 }]);
  });
});
