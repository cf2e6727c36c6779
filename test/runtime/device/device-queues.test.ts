import { describe, expect, it } from "vitest";
import { CommonFeature, DeviceStatus } from "../../../src/runtime/index.js";
import { deviceRig, send, turn } from "./device-rig.js";

const { NEEDS_RESET } = DeviceStatus;
const empty = new Uint8Array(0);

describe("queue life cycle", () => {
  it("knows its queues, and no others", () => {
    const { device } = deviceRig({ queueSize: 64 });
    expect(device.queues().map(({ name, index, maxSize }) => [name, index, maxSize])).toEqual([
      ["requestq", 0, 64],
      ["eventq", 1, 64],
    ]);
    for (const index of [2, 65535, -1, 0.5]) expect(device.queue(index)).toBeUndefined();
  });

  it.each([
    [0, "queue-size"],
    [-16, "queue-size"],
    [12, "queue-size"],
    [512, "queue-size"],
    [65536, "queue-size"],
    [NaN, "queue-size"],
    [1.5, "queue-size"],
  ])("refuses a size of %d", (size, rule) => {
    const { device, driver, rules } = deviceRig();
    driver.negotiate();
    const queue = device.queue(0);
    expect(queue?.configure({ ...driver.place(16), size })).toBe(false);
    expect(queue?.enable()).toBe(false);
    expect(queue?.enabled).toBe(false);
    expect(rules()).toEqual([rule, "queue-not-configured"]);
    expect(device.status & NEEDS_RESET).toBe(0);
  });

  it("refuses set-up before FEATURES_OK, and a second one of an enabled queue", () => {
    const { device, driver, rules } = deviceRig();
    const addresses = driver.place(16);
    expect(device.queue(0)?.configure(addresses)).toBe(false);
    expect(device.queue(0)?.enable()).toBe(false);
    driver.negotiate();
    driver.queue(0);
    expect(device.queue(0)?.configure(addresses)).toBe(false);
    expect(device.queue(0)?.enable()).toBe(false);
    expect(rules()).toEqual(["queue-phase", "queue-phase", "queue-already-enabled", "queue-already-enabled"]);
  });

  it.each([
    ["past the end of memory", { descriptor: 2 ** 30 }],
    ["not a number", { driver: NaN }],
    ["negative", { device: -16 }],
    ["half in memory", { descriptor: 0x1000 + (1 << 20) - 16 }],
    ["not aligned", { descriptor: 0x1001 }],
  ])("breaks the device when a ring's address is %s", (_what, wrong) => {
    const { device, driver, rules } = deviceRig();
    driver.negotiate();
    device.queue(0)?.configure({ ...driver.place(16), ...wrong });
    expect(device.queue(0)?.enable()).toBe(false);
    expect(device.status & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(driver.configChanges).toBe(0);
    expect(rules()).toEqual(["queue-address"]);
  });

  it("ignores notifications before DRIVER_OK, and looks at the queue when that comes", async () => {
    const { driver, rules } = deviceRig();
    driver.negotiate();
    const queue = driver.queue(0);
    const { token } = send(driver, queue);
    await turn();
    expect(queue.poll()).toBe(-1);
    expect(driver.interrupts).toEqual([]);
    expect(rules()).toEqual(["notify-before-driver-ok"]);
    driver.ready();
    expect(queue.poll()).toBe(-1);
    await turn();
    expect(queue.poll()).toBe(token);
    expect(driver.interrupts).toEqual([0]);
  });

  it("reports a notification of a queue that is not enabled", () => {
    const { device, driver, rules } = deviceRig();
    driver.negotiate();
    driver.ready();
    device.queue(0)?.notify();
    expect(rules()).toEqual(["notify-disabled-queue"]);
  });

  it("is over with a reset: nothing more is written or notified", async () => {
    const pending: (() => unknown)[] = [];
    const { device, driver } = deviceRig({
      requestq: (request) => {
        pending.push(() => request.operation === "ECHO" && request.complete("OK"));
      },
    });
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    const { status } = send(driver, queue);
    expect(pending).toHaveLength(1);
    device.writeStatus(0);
    expect(device.status).toBe(0);
    expect(device.negotiated.isEmpty).toBe(true);
    expect(device.driverFeatures.isEmpty).toBe(true);
    const before = driver.memory.regions[0]?.bytes.slice();
    expect(pending[0]?.()).toBe("stale");
    await turn();
    expect(Buffer.compare(driver.memory.regions[0]?.bytes ?? empty, before ?? empty)).toBe(0);
    expect(driver.read(status, 1)).toEqual(Uint8Array.of(0xee));
    expect(driver.interrupts).toEqual([]);
  });

  it("can be gone through again after a reset", () => {
    const { device, driver } = deviceRig();
    for (let round = 0; round < 3; round++) {
      driver.negotiate();
      const queue = driver.queue(0);
      driver.ready();
      const { token, status } = send(driver, queue);
      expect(queue.poll()).toBe(token);
      expect(driver.read(status, 1)).toEqual(Uint8Array.of(0));
      device.writeStatus(0);
    }
  });
});

describe("reset of one queue", () => {
  it("is refused unless it was negotiated", () => {
    const { device, driver, rules } = deviceRig({ features: ["RING_RESET"] });
    driver.negotiate();
    driver.queue(0);
    driver.ready();
    expect(device.queue(0)?.reset()).toBe(false);
    expect(device.queue(0)?.enabled).toBe(true);
    expect(rules()).toEqual(["queue-reset-refused"]);
  });

  it("makes its requests stale and lets it be set up with another size, while other queues go on", () => {
    const pending: (() => unknown)[] = [];
    const { device, driver } = deviceRig({
      features: ["RING_RESET"],
      requestq: (request) => {
        pending.push(() => request.operation === "ECHO" && request.complete("OK"));
      },
    });
    driver.negotiate([CommonFeature.RING_RESET]);
    const queue = driver.queue(0, 16);
    const events = driver.queue(1, 4);
    driver.ready();
    const first = send(driver, queue);
    expect(device.queue(0)?.reset()).toBe(true);
    expect(device.queue(0)?.enabled).toBe(false);
    expect(device.queue(0)?.addresses).toBeUndefined();

    const again = driver.queue(0, 64);
    const second = send(driver, again);
    expect(pending).toHaveLength(2);
    // The old one has the same slot; it must not complete the new one.
    expect(pending[0]?.()).toBe("stale");
    expect(driver.read(first.status, 1)).toEqual(Uint8Array.of(0xee));
    expect(driver.read(second.status, 1)).toEqual(Uint8Array.of(0xee));
    expect(again.poll()).toBe(-1);
    expect(pending[1]?.()).toBe("completed");
    expect(again.poll()).toBe(second.token);
    expect(driver.read(second.status, 1)).toEqual(Uint8Array.of(0));

    events.begin();
    events.addWritable(driver.write(new Uint8Array(64)), 64);
    const token = events.end();
    events.kick();
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(2) })).toBe(true);
    expect(events.poll()).toBe(token);
  });
});
