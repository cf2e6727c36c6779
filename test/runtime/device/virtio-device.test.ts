import { describe, expect, it, vi } from "vitest";
import { DeviceStatus, HandlerError } from "../../../src/runtime/index.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import { deviceRig, echo, send } from "./device-rig.js";

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, FAILED } = DeviceStatus;
const LIVE = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;

describe("a device that needs a reset", () => {
  it("is one whose ring broke: the driver is told, and other queues go on", () => {
    const { device, driver, rules } = deviceRig();
    driver.negotiate();
    const queue = driver.queue(0);
    const events = driver.queue(1);
    driver.ready();
    send(driver, queue);
    // The address of the first descriptor is made to point nowhere.
    const view = driver.memory.regions[0]?.view;
    const descriptor = (device.queue(0)?.addresses?.descriptor ?? 0) - 0x1000;
    for (let i = 0; i < 16; i++) view?.setBigUint64(descriptor + 16 * i, 1n << 50n, true);
    queue.begin();
    queue.addReadable(driver.write(echo()), 16);
    queue.end();
    for (let i = 0; i < 16; i++) view?.setBigUint64(descriptor + 16 * i, 1n << 50n, true);
    queue.kick();
    expect(rules()).toEqual(["address-outside-memory"]);
    expect(device.status).toBe(LIVE | NEEDS_RESET);
    expect(driver.configChanges).toBe(1);
    device.queue(0)?.notify();
    expect(rules()).toHaveLength(1);
    expect(driver.configChanges).toBe(1);
    events.begin();
    events.addWritable(driver.write(new Uint8Array(64)), 64);
    events.end();
    events.kick();
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(1) })).toBe(true);
    expect(events.poll()).toBeGreaterThanOrEqual(0);
    device.writeStatus(0);
    expect(device.status).toBe(0);
  });

  it("serves nothing after the driver set FAILED", () => {
    const { device, driver } = deviceRig();
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    device.writeStatus(LIVE | FAILED);
    send(driver, queue);
    expect(queue.poll()).toBe(-1);
  });
});

describe("mistakes of the author", () => {
  it("in a handler are reported, and the request is completed without a byte", () => {
    const { driver, errors } = deviceRig({
      requestq: () => {
        throw new Error("my mistake");
      },
    });
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    const { token } = send(driver, queue);
    expect(queue.poll()).toBe(token);
    expect(queue.lastWritten).toBe(0);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(HandlerError);
    expect(errors[0]?.message).toContain("my mistake");
  });

  it("are written to the console once if nobody listens, and a listener that throws does no harm", () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const { device, driver } = deviceRig({
      requestq: () => {
        throw new Error("my mistake");
      },
    });
    device.onProtocolError = undefined;
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    send(driver, queue);
    send(driver, queue);
    expect(log).toHaveBeenCalledTimes(1);
    device.onProtocolError = () => {
      throw new Error("in the listener");
    };
    send(driver, queue);
    expect(queue.poll()).toBeGreaterThanOrEqual(0);
    log.mockRestore();
  });

  it("attaching it twice is one", () => {
    const { device } = deviceRig();
    expect(() => new RawDriver(device)).toThrow("has a transport");
    device.detach();
    expect(() => new RawDriver(device)).not.toThrow();
  });
});
