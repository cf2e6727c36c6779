// What registers read as a device goes through its life; the same over both transports.
import { describe, expect, it } from "vitest";
import { DeviceStatus } from "../../../src/runtime/index.js";
import { registerRig } from "./register-rig.js";

const { ACKNOWLEDGE: A, DRIVER: D, DRIVER_OK: OK, FEATURES_OK: F, NEEDS_RESET: N, FAILED: X } = DeviceStatus;

describe.each(["PCI", "MMIO"] as const)("the status of a device behind %s", (name) => {
  const steps: readonly (readonly [what: string, written: number, reads: number])[] = [
    ["ACKNOWLEDGE", A, A],
    ["FEATURES_OK before DRIVER", A | F, A],
    ["DRIVER", A | D, A | D],
    ["DRIVER_OK before FEATURES_OK", A | D | OK, A | D],
    ["FEATURES_OK", A | D | F, A | D | F],
    ["NEEDS_RESET, which is the device's", A | D | F | N, A | D | F],
    ["DRIVER_OK", A | D | F | OK, A | D | F | OK],
    ["the same again", A | D | F | OK, A | D | F | OK],
    ["a bit taken back", A | D | F, A | D | F | OK],
    ["FAILED", A | D | F | OK | X, A | D | F | OK | X],
    ["FAILED taken back", A | D | F | OK, A | D | F | OK | X],
    ["reset", 0, 0],
    ["a fresh start", A | D, A | D],
  ];

  it("goes through every step of the initialisation, and through nothing else", () => {
    const { side } = registerRig(name);
    for (const [what, written, reads] of steps) {
      if (written === (A | D | F)) side.acceptWord(1, 1);
      side.writeStatus(written);
      expect([what, side.readStatus()]).toEqual([what, reads]);
    }
  });

  it("reads as before until a reset of the device is done, and what is written meanwhile is gone", async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const { side, driver } = registerRig(name, { queueReset: () => opened });
    driver.negotiate();
    driver.queue(0);
    driver.ready();
    side.writeStatus(0);
    expect(side.readStatus()).toBe(A | D | F | OK);
    side.select(1);
    side.writeSize(8);
    side.writeStatus(A);
    expect(side.readStatus()).toBe(A | D | F | OK);
    open();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(side.readStatus()).toBe(0);
    side.select(1);
    expect([side.readSize(), side.readEnable()]).toEqual([64, 0]);
  });

  it("shows DEVICE_NEEDS_RESET with a configuration change, and recovers by a reset", () => {
    const { side, driver, device } = registerRig(name);
    driver.negotiate();
    driver.ready();
    expect(side.line).toEqual([]);
    side.queue(0)?.configure({ size: 16, descriptor: 2 ** 40, driver: 2 ** 41, device: 2 ** 42 });
    side.writeEnable(1);
    expect(side.readStatus()).toBe(A | D | F | OK | N);
    expect(side.line).toEqual([true]);
    side.writeStatus(0);
    expect(side.line).toEqual([true, false]);
    driver.negotiate();
    driver.queue(0);
    driver.ready();
    expect(device.live).toBe(true);
  });

  it("has a generation that changes with every change between two looks, and only then", () => {
    const { side, device, driver } = registerRig(name);
    const first = side.generation();
    expect(side.generation()).toBe(first);
    // As many changes as 8 bits can count, between two looks.
    for (let i = 0; i < 256; i++) device.config.level = i;
    const second = side.generation();
    expect(second).not.toBe(first);
    expect(side.readConfig(0, 4)).toBe(255);
    expect(side.generation()).toBe(second);
    device.config.level = 5;
    expect(side.readConfig(0, 4)).toBe(5);
    expect(side.generation()).not.toBe(second);
    // Before DRIVER_OK the driver is not told.
    expect(side.line).toEqual([]);
    driver.negotiate();
    driver.ready();
    device.config.level = 6;
    expect(side.line).toEqual([true]);
  });

  it("takes numbers that are signed or too wide", () => {
    const { side, driver } = registerRig(name);
    side.writeStatus(A | D);
    side.acceptWord(0, -1);
    side.writeStatus(A | D | F);
    expect(side.readStatus()).toBe(A | D);
    side.writeStatus(0);
    driver.negotiate();
    side.queue(0)?.configure({ size: 16, descriptor: 0xffff_f000, driver: 1, device: 2 });
    expect(side.rules).toEqual([]);
  });
});
