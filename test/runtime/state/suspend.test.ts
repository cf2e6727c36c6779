import { describe, expect, it } from "vitest";
import { DeviceStatus, type CommonFeatureName, type Completion } from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { EchoDevice, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoDriver } from "../fixtures/echo-driver.js";

const { DRIVER_OK, SUSPEND, NEEDS_RESET } = DeviceStatus;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const input = { operation: "ECHO", cookie: 1n, data: new Uint8Array(1), reply: 1 } as const;

class Device extends EchoDevice {
  suspends = 0;
  resumes = 0;
  fails = false;
  protected override deviceSuspend(): void {
    if (this.fails) throw new Error("cannot");
    this.suspends++;
  }
  protected override deviceResume(): void {
    this.resumes++;
  }
  breakDown(): void {
    this.needsReset(new Error("disk on fire"));
  }
}

async function connect(features: readonly CommonFeatureName[] = ["SUSPEND"], resetTimeout = 50) {
  const requests: EchoRequest[] = [];
  const device = new Device({
    features,
    config: { level: 0, maxData: 0 },
    requestq: (request) => void requests.push(request),
    onProtocolError: () => undefined,
  });
  const transport = loopback(device, { memorySize: 1 << 20 });
  const free = transport.allocator.bytesFree;
  const events: number[] = [];
  const driver = await EchoDriver.start(transport, {
    features,
    resetTimeout,
    eventq: (event) => void events.push(event.kind),
    eventqBuffers: { count: 2, size: 16 },
    onError: () => undefined,
  });
  const finish = (): Completion[] =>
    requests.splice(0).map((request) => (request.operation === "ECHO" ? request.complete("OK") : "stale"));
  return { device, driver, transport, requests, events, free, finish };
}

describe("suspending a device", () => {
  it("waits for what is in flight, then touches and tells nothing until it is resumed", async () => {
    const { device, driver, requests, events, finish, transport, free } = await connect(["SUSPEND"], 2000);
    const first = driver.requestq.submit(input);
    await turn();
    const suspended = driver.suspend();
    const second = driver.requestq.submit(input);
    await turn();
    expect(device.status & (SUSPEND | DRIVER_OK)).toBe(DRIVER_OK);
    expect(requests).toHaveLength(1);
    expect(finish()).toEqual(["completed"]);
    await suspended;
    expect((await first).status).toBe("OK");
    expect(device.status & (SUSPEND | DRIVER_OK)).toBe(SUSPEND);
    expect([device.live, device.suspends, device.resumes]).toEqual([false, 1, 0]);
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(0) })).toBe(false);
    let changes = 0;
    driver.onConfigChange = () => changes++;
    device.writeConfig(8, Uint8Array.of(5));
    expect(device.config.mode).toBe(0);
    device.config.level = 7;
    await turn();
    expect([requests.length, changes]).toEqual([0, 0]);
    await driver.resume();
    await turn();
    expect([device.resumes, changes, driver.config.level]).toEqual([1, 1, 7]);
    expect(finish()).toEqual(["completed"]);
    expect((await second).status).toBe("OK");
    for (let kind = 1; kind <= 5; kind++) {
      expect(device.eventq.send({ kind, data: new Uint8Array(0) })).toBe(true);
      await turn();
    }
    expect(events).toEqual([1, 2, 3, 4, 5]);
    await driver.stop();
    expect(transport.allocator.bytesFree).toBe(free);
  });

  it("needs the feature, a device that can, and time", async () => {
    const without = await connect([]);
    await expect(without.driver.suspend()).rejects.toMatchObject({ rule: "suspended" });
    const slow = await connect();
    void slow.driver.requestq.submit(input).catch(() => undefined);
    await turn();
    await expect(slow.driver.suspend()).rejects.toMatchObject({ rule: "suspend-incomplete" });
    await slow.driver.stop();
    // A reset ends it: nothing of it comes after.
    expect(slow.device.status).toBe(0);
    await turn();
    expect([slow.device.status, slow.device.suspends]).toEqual([0, 0]);
    const failing = await connect();
    failing.device.fails = true;
    await expect(failing.driver.suspend()).rejects.toMatchObject({ rule: "device-needs-reset" });
    expect(failing.device.status & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(failing.device.status & SUSPEND).toBe(0);
  });

  it("can be saved and restored suspended, and is resumed there", async () => {
    const { device, driver, transport, finish } = await connect(["SUSPEND"], 2000);
    await driver.suspend();
    const state = await device.save();
    device.restore(state);
    expect(device.status & (SUSPEND | DRIVER_OK)).toBe(SUSPEND);
    const reply = driver.requestq.submit(input);
    await driver.resume();
    await turn();
    expect(finish()).toEqual(["completed"]);
    expect((await reply).status).toBe("OK");
    await driver.stop();
    transport.disconnect();
  });
});

describe("a device that needs a reset", () => {
  it("goes on after recover: what was outstanding is rejected once, the queues are there again", async () => {
    const { device, driver, transport, requests, finish, free } = await connect(["RING_RESET"]);
    const outstanding = driver.requestq.submit(input).catch((error: unknown) => error);
    await turn();
    device.breakDown();
    await turn();
    expect(await outstanding).toMatchObject({ rule: "device-needs-reset" });
    const late = requests.splice(0);
    await driver.recover();
    expect(device.status & (DRIVER_OK | NEEDS_RESET)).toBe(DRIVER_OK);
    const again = driver.requestq.submit(input);
    await turn();
    expect(late.map((request) => (request.operation === "ECHO" ? request.complete("OK") : "?"))).toEqual(["stale"]);
    expect(finish()).toEqual(["completed"]);
    expect((await again).status).toBe("OK");
    expect(device.eventq.available).toBe(2);
    await driver.stop();
    expect(transport.allocator.bytesFree).toBe(free);
    await expect(driver.recover()).rejects.toThrow("while it is running");
  });
});
