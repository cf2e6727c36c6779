import { afterEach, describe, expect, test } from "vitest";
import { soak } from "../../../../bench/threads/soak.js";
import { startThread } from "../../../../examples/shared/thread.js";
import {
  connectThread,
  createThreadChannel,
  serveThread,
  ThreadLostError,
  type ThreadChannel,
  type Waiting,
} from "../../../../src/runtime/transport/threads/index.js";
import { EchoDevice } from "../../fixtures/echo-device.js";
import { EchoDriver } from "../../fixtures/echo-driver.js";

const channels: ThreadChannel[] = [];
afterEach(() => {
  for (const { driver, device } of channels.splice(0)) {
    driver.port.close();
    device.port.close();
  }
});
function channel(): ThreadChannel {
  const made = createThreadChannel({ memorySize: 1 << 20 });
  channels.push(made);
  return made;
}
const echo = () =>
  new EchoDevice({
    features: ["COUNT", "RING_RESET"],
    config: { level: 7, maxData: 0 },
    requestq: (request) =>
      request.operation === "COUNT" ? request.complete({ ones: 0, bytes: 0, status: "OK" }) : request.complete("OK"),
  });

describe.each<{ waiting: Waiting }>([{ waiting: "async" }, { waiting: "polling" }])(
  "both ends in one thread, $waiting",
  ({ waiting }) => {
    test("registers, configuration, requests, end", async () => {
      const { driver: near, device: far } = channel();
      const device = echo();
      const served = serveThread(device, far, { waiting });
      const transport = await connectThread(near, { waiting });
      const driver = await EchoDriver.start(transport, { features: ["COUNT"], onError: () => {} });
      expect(driver.config.level).toBe(7);
      const changed = new Promise((resolve) => (driver.onConfigChange = resolve));
      device.config.level = 8;
      await changed;
      expect(driver.config.level).toBe(8);
      await driver.stop();
      expect(device.status).toBe(0);
      transport.close();
      expect(await served.closed).toBeUndefined();
      await expect(transport.getFeatures()).rejects.toBeInstanceOf(ThreadLostError);
    });

    test("the device closes: the driver is told, and does not hang", async () => {
      const { driver: near, device: far } = channel();
      const served = serveThread(echo(), far, { waiting });
      const lost: ThreadLostError[] = [];
      const transport = await connectThread(near, { waiting, onLost: (error) => lost.push(error) });
      const errors: Error[] = [];
      const driver = await EchoDriver.start(transport, { onError: (error) => errors.push(error) });
      served.close();
      await expect.poll(() => errors.map(({ message }) => message)).toEqual([expect.stringContaining("needs-reset")]);
      expect(lost.map(({ message }) => message)).toEqual(["the other thread is gone: it says: the device is closed"]);
      await driver.stop();
      expect(await served.closed).toBeUndefined();
    });
  },
);

describe("what goes wrong", () => {
  test.each<[string, unknown]>([
    ["no object", 7],
    ["no request", { id: 1, request: ["get-everything"] }],
    ["another version", { id: 1, request: ["hello", 99] }],
    ["a read of a billion bytes", { id: 1, request: ["read-config", 0, 1e9] }],
    ["a write of no bytes", { id: 1, request: ["write-config", 0, "bytes"] }],
    ["values that are none", { id: 1, request: ["hello", { version: 1 }] }],
  ])("the driver sends %s: the device is reset, closed, and says why", async (_, message) => {
    const { driver: near, device: far } = channel();
    const device = echo();
    const served = serveThread(device, far);
    near.port.postMessage(message);
    expect(await served.closed).toBeInstanceOf(ThreadLostError);
    expect(device.status).toBe(0);
    // It can be served anew.
    const again = channel();
    serveThread(device, again.device);
    expect((await connectThread(again.driver)).deviceId).toBe(device.definition.id);
  });

  test("registers are asked for senseless things: refused, and the device lives", async () => {
    const { driver: near, device: far } = channel();
    serveThread(echo(), far);
    const transport = await connectThread(near);
    expect(await transport.queueMaxSize(99)).toBe(0);
    await expect(transport.enableQueue(0, { size: 0, descriptor: NaN, driver: -1, device: 2 ** 60 })).rejects.toThrow(
      "queue-enable-refused",
    );
    await expect(transport.resetQueue(0)).rejects.toThrow("queue-reset-refused");
    await transport.setStatus(2 ** 40);
    expect(await transport.getStatus()).toBe(0);
    for (const queue of [5, 1000, 65_535]) transport.notify(queue);
    expect(await transport.configGeneration()).toBe(0);
  });

  test("the device answers with what is no message", async () => {
    const { driver: near, device: far } = channel();
    far.port.start();
    const connecting = connectThread(near);
    far.port.postMessage({ id: 1, value: { no: "value" } });
    await expect(connecting).rejects.toThrow("it sends what is no message");
  });

  test("the thread ends while a register is read: a typed error, and no hang", async () => {
    const { driver: near, device: far } = channel();
    const worker = startThread(new URL("../../../../bench/threads/soak-device.ts", import.meta.url), "blocking");
    worker.postMessage(far, [far.port]);
    const transport = await connectThread(near);
    await worker.terminate();
    await expect(transport.getFeatures()).rejects.toBeInstanceOf(ThreadLostError);
    expect((await transport.getStatus()) & 64).toBe(64);
    await transport.setStatus(0);
    expect(await transport.getStatus()).toBe(0);
  }, 60_000);
});

describe("no wake-up is lost between two threads", () => {
  test.each<[Waiting, boolean, number]>([
    ["blocking", true, 200_000],
    ["blocking", false, 200_000],
    ["async", true, 200_000],
    ["async", false, 200_000],
    ["polling", true, 200_000],
  ])(
    "%s, event_idx %s: %d messages each way",
    async (waiting, eventIdx, messages) => {
      const { seconds, notifications } = await soak(messages, waiting, eventIdx);
      console.log(`${waiting}: ${messages} messages each way, ${notifications} notifications, ${seconds.toFixed(1)} s`);
      expect(notifications).toBeGreaterThan(1);
    },
    600_000,
  );
});
