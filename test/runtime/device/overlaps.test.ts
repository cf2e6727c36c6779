import { describe, expect, it } from "vitest";
import { CommonFeature, DeviceStatus } from "../../../src/runtime/index.js";
import type { EchoDeviceOptions, EchoRequest } from "../fixtures/echo-device.js";
import { EchoFeature } from "../fixtures/echo-protocol.js";
import { deviceRig, echo, send, turn } from "./device-rig.js";

// What happens to a device while it is on its way to something else.

const { SUSPEND, DRIVER_OK, FEATURES_OK, ACKNOWLEDGE, DRIVER } = DeviceStatus;
const ready = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
const { RING_RESET, SUSPEND: SUSPENDS, RING_PACKED } = CommonFeature;

/** A device that keeps its requests until the test answers them. */
function rig(options: Partial<Pick<EchoDeviceOptions, "queueReset" | "features">> = {}) {
  const kept: EchoRequest[] = [];
  const made = deviceRig({
    features: ["SUSPEND", "RING_RESET", "RING_PACKED"],
    requestq: (request) => void kept.push(request),
    ...options,
  });
  const finish = (): string[] =>
    kept.splice(0).map((request) => (request.operation === "ECHO" ? request.complete("OK") : "another request"));
  return { ...made, kept, finish };
}

describe.each([[[]], [[RING_PACKED]]])("a device on its way to its suspension, features %j", (bits) => {
  it("serves nothing of a queue that gets its memory back meanwhile, before it is resumed", async () => {
    const { device, driver, kept, finish } = rig();
    driver.negotiate([SUSPENDS, ...bits]);
    const queue = driver.queue(0);
    driver.ready();
    const { token } = send(driver, queue);
    await turn();
    expect(kept).toHaveLength(1);
    device.writeStatus(ready | SUSPEND);
    device.setMemoryAccess(false);
    device.setMemoryAccess(true);
    await turn();
    await expect.poll(() => device.status & (SUSPEND | DRIVER_OK)).toBe(SUSPEND);
    // The old request is stale; what was in flight is served again, but not now.
    expect(finish()).toEqual(["stale"]);
    expect(queue.poll()).toBe(-1);
    device.writeStatus(ready);
    await turn();
    expect(finish()).toEqual(["completed"]);
    expect(queue.poll()).toBe(token);
  });

  it("serves nothing of a queue that is enabled meanwhile, before it is resumed", async () => {
    const { device, driver, kept, finish } = rig();
    driver.negotiate([SUSPENDS, RING_RESET, ...bits]);
    const busy = driver.queue(0);
    driver.ready();
    send(driver, busy);
    await turn();
    device.writeStatus(ready | SUSPEND);
    await turn();
    expect(device.status & (SUSPEND | DRIVER_OK)).toBe(DRIVER_OK);
    expect(device.queue(0)?.reset()).toBe(true);
    const queue = driver.queue(0);
    kept.length = 0;
    const { token } = send(driver, queue);
    await expect.poll(() => device.status & (SUSPEND | DRIVER_OK)).toBe(SUSPEND);
    await turn();
    expect(kept.length).toBe(0);
    device.writeStatus(ready);
    await turn();
    expect(finish()).toEqual(["completed"]);
    expect(queue.poll()).toBe(token);
  });
});

describe("a queue that is asked twice to stop", () => {
  it("says so to both, when what is in flight has been used", async () => {
    const { device, driver, finish } = rig();
    driver.negotiate([SUSPENDS]);
    const queue = driver.queue(0);
    driver.ready();
    send(driver, queue);
    await turn();
    device.writeStatus(ready | SUSPEND);
    await turn();
    const stopped = device.queue(0)?.stop();
    await turn();
    expect(finish()).toEqual(["completed"]);
    expect((await stopped)?.unanswered).toBe(0);
    await expect.poll(() => device.status & (SUSPEND | DRIVER_OK)).toBe(SUSPEND);
  });

  it("waits for nothing when its ring is broken: its requests are stale", async () => {
    const { device, driver, kept, rules } = rig();
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    send(driver, queue);
    await turn();
    expect(kept).toHaveLength(1);
    queue.begin();
    queue.addReadable(0x7000_0000, 16);
    queue.end();
    queue.kick();
    await turn();
    expect(rules()).toEqual(["address-outside-memory"]);
    expect(await device.queue(0)?.stop()).toBeDefined();
  });
});

describe("a queue of messages whose ring broke", () => {
  it("sends nothing any more, and says so", async () => {
    const { device, driver, rules } = rig({ features: ["MERGE"] });
    driver.negotiate([EchoFeature.MERGE]);
    const queue = driver.queue(1);
    driver.ready();
    const post = (address: number): void => {
      queue.begin();
      queue.addWritable(address, 64);
      queue.end();
      queue.kick();
    };
    post(driver.write(new Uint8Array(64)));
    expect(device.eventq.available).toBe(1);
    post(0x7000_0000);
    await turn();
    expect(device.eventq.available).toBe(1);
    expect(rules()).toEqual(["address-outside-memory"]);
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(0) })).toBe(false);
    expect(rules()).toEqual(["address-outside-memory"]);
    expect(queue.poll()).toBe(-1);
  });
});

describe("a queue that loses its memory", () => {
  it("reports an author's work for that which fails, when it is to go on, and otherwise keeps it to itself", async () => {
    const unhandled: unknown[] = [];
    const listener = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", listener);
    try {
      const { device, driver, errors } = rig({ queueReset: () => Promise.reject(new Error("cannot let go")) });
      driver.negotiate();
      driver.queue(0);
      driver.ready();
      device.setMemoryAccess(false);
      await turn();
      await turn();
      expect(unhandled).toEqual([]);
      device.setMemoryAccess(true);
      await turn();
      expect(errors.map((error) => error.message)).toEqual([expect.stringContaining("cannot let go")]);
      expect(device.status & DeviceStatus.NEEDS_RESET).not.toBe(0);
    } finally {
      process.off("unhandledRejection", listener);
    }
  });
});

describe("a queue that is always full", () => {
  it("is served once a turn of the event loop, however often the driver has notified", async () => {
    const size = 16;
    let served = 0;
    let goesOn = true;
    const { device, driver } = deviceRig({
      requestq: (request) => {
        served++;
        // As a driver in another thread that fills the ring as soon as it can.
        if (goesOn && served % size === 0) queueMicrotask(fill);
        return request.operation === "COUNT" ? undefined : request.complete("OK");
      },
    });
    driver.negotiate([CommonFeature.INDIRECT_DESC]);
    const queue = driver.queue(0, size);
    const request = driver.write(echo());
    const status = driver.write(Uint8Array.of(0xee));
    function fill(): void {
      while (queue.poll() >= 0);
      for (let left = size; left > 0; left--) {
        queue.begin();
        queue.addReadable(request, 16);
        queue.addWritable(status, 1);
        queue.end();
      }
      queue.publish();
    }
    driver.ready();
    await turn();
    fill();
    for (let count = 0; count < 20; count++) {
      device.queue(0)?.notify();
      await Promise.resolve();
    }
    for (let turns = 0; turns < 5; turns++) {
      const before = served;
      await new Promise((resolve) => setImmediate(resolve));
      expect(served - before).toBe(size);
    }
    goesOn = false;
    await expect.poll(() => queue.poll()).toBe(-1);
  });
});
