import { describe, expect, it, vi } from "vitest";
import {
  DeviceStatus,
  FeatureSet,
  GuestMemory,
  ProtocolError,
  type HandlerResult,
} from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { EchoDevice, type EchoDeviceOptions, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoDriver, type EchoDriverOptions } from "../fixtures/echo-driver.js";
import { RecordingTransport } from "../fixtures/recording-transport.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const data = (...bytes: number[]) => ({
  operation: "ECHO" as const,
  cookie: 0n,
  data: Uint8Array.from(bytes),
  reply: 8,
});

function answer(request: EchoRequest): HandlerResult {
  if (request.operation !== "ECHO") return undefined;
  request.reply.write(request.data.toUint8Array());
  return request.complete("OK");
}

function connect(options: Partial<EchoDeviceOptions> = {}) {
  const device = new EchoDevice({
    features: ["COUNT", "MERGE"],
    config: { level: 1, maxData: 2, mode: 3, serial: 4n },
    requestq: answer,
    onProtocolError: () => undefined,
    ...options,
  });
  const inner = loopback(device, { memory: GuestMemory.flat(1 << 20, 0x1000) });
  return { device, inner, transport: new RecordingTransport(inner), free: inner.allocator.bytesFree };
}

async function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "no rejection",
    (error: unknown) => error,
  );
}

async function start(transport: RecordingTransport, options: EchoDriverOptions = {}) {
  const errors: Error[] = [];
  const driver = await EchoDriver.start(transport, {
    onError: (error) => errors.push(error),
    resetTimeout: 50,
    ...options,
  });
  return { driver, errors };
}

describe("initialization", () => {
  it("follows the sequence of the specification", async () => {
    const { transport } = connect();
    await start(transport, { features: ["COUNT"] });
    expect(transport.calls).toEqual([
      "setStatus 0",
      "getStatus",
      "setStatus 1",
      "setStatus 3",
      "getFeatures",
      "setFeatures",
      "setStatus 11",
      "getStatus",
      "generation",
      // each field by its width, and only those that exist with COUNT
      "readConfig",
      "readConfig",
      "readConfig",
      "generation",
      "queueMaxSize 0",
      "enableQueue 0",
      "queueMaxSize 1",
      "enableQueue 1",
      "setStatus 15",
      "getStatus",
      "generation",
      // the posted buffers of the receive queue: not before DRIVER_OK
      "notify 1",
    ]);
  });

  it("decodes the configuration and tells what was dropped", async () => {
    const { transport } = connect({ features: ["MERGE"] });
    const { driver } = await start(transport, { features: ["COUNT", "MERGE", "TURBO"] });
    expect(driver.config).toEqual({ level: 1, maxData: 2, mode: undefined, serial: 4n });
    expect(driver.dropped).toEqual(["COUNT", "TURBO"]);
    expect(driver.negotiated.bits()).toEqual([1, 28, 29, 32]);
  });

  it("takes queues of the size that the device has", async () => {
    const { transport, device } = connect({ queueSize: 4 });
    await start(transport, { queueSize: 128 });
    expect(device.queue(0)?.addresses?.size).toBe(4);
    const other = connect();
    await start(other.transport, { queueSize: 100 });
    expect(other.device.queue(0)?.addresses?.size).toBe(64);
  });

  it.each<[string, string, (transport: RecordingTransport) => void]>([
    ["another type of device", "device-id", (t) => Object.defineProperty(t, "deviceId", { value: 2 })],
    ["no VERSION_1", "version-1-required", (t) => (t.getFeatures = () => FeatureSet.of([0]))],
    ["a feature that is refused", "features-refused", (t) => (t.getFeatures = () => FeatureSet.of([0, 2, 32]))],
    ["a queue that is not there", "queue-unknown", (t) => (t.queueMaxSize = (index) => (index === 0 ? 8 : 0))],
    ["a generation that never settles", "config-unstable", (t) => (t.configGeneration = () => Math.random())],
    ["a reset that does not end", "reset-incomplete", (t) => (t.getStatus = () => 64)],
  ])("fails with FAILED set: %s", async (_what, rule, spoil) => {
    const { transport, device, inner, free } = connect();
    spoil(transport);
    const error = await rejection(start(transport, { features: ["COUNT", "TURBO"] }));
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ rule });
    expect(transport.calls.some((call) => /^setStatus (128|131|139|192)$/.test(call))).toBe(true);
    expect(inner.allocator.bytesFree).toBe(free);
    expect(inner.onQueueUsed).toBeUndefined();
    expect(device.live).toBe(false);
  });

  it("gives everything back when a transport throws or memory runs out", async () => {
    const { transport, inner, free } = connect();
    transport.enableQueue = (index) => {
      if (index === 1) throw new Error("no");
      inner.enableQueue(index, { size: 1, descriptor: 0x1000, driver: 0x2000, device: 0x3000 });
    };
    expect(await rejection(start(transport))).toMatchObject({ message: "no" });
    expect(inner.allocator.bytesFree).toBe(free);

    const small = connect();
    const error = await rejection(start(small.transport, { eventqBuffers: { count: 1, size: 1 << 24 } }));
    expect(error).toMatchObject({ name: "OutOfGuestMemory" });
    expect(small.inner.allocator.bytesFree).toBe(small.free);
  });

  it("refuses features that nobody knows", async () => {
    const { transport } = connect();
    const features: readonly string[] = ["WINGS"];
    const error = await rejection(start(transport, { features: features as EchoDriverOptions["features"] & {} }));
    expect(error).toBeInstanceOf(TypeError);
  });
});

describe("configuration", () => {
  it("is read again when it changed during the read", async () => {
    const { transport, device, inner } = connect();
    let reads = 0;
    transport.readConfig = (offset, length) => {
      const bytes = inner.readConfig(offset, length);
      // Two accesses a try.
      if (reads++ < 10) device.config.serial++;
      return bytes;
    };
    const { driver } = await start(transport);
    expect(driver.config.serial).toBe(14n);
    expect(reads).toBe(12);
  });

  it("may be shorter than the driver knows it", async () => {
    const { transport } = connect();
    transport.readConfig = (offset, length) => Uint8Array.of(1, 0, 0, 0, 9).subarray(offset, offset + length);
    const { driver } = await start(transport);
    expect(driver.config).toMatchObject({ level: 1, maxData: 9, serial: 0n });
  });

  it("is refreshed when the device changes it, once for many changes", async () => {
    const { transport, device } = connect();
    const { driver } = await start(transport);
    const seen: number[] = [];
    driver.onConfigChange = (config) => seen.push(config.level);
    for (let level = 10; level < 20; level++) device.config.level = level;
    await turn();
    expect(seen).toEqual([19]);
    expect(driver.config.level).toBe(19);
  });

  it("has what changed just before DRIVER_OK, without a notification", async () => {
    const { transport, device, inner } = connect();
    transport.enableQueue = (index, addresses) => {
      device.config.level = 77;
      inner.enableQueue(index, addresses);
    };
    const { driver } = await start(transport);
    expect(driver.config.level).toBe(77);
  });

  it("is written by the driver where it may be", async () => {
    const { transport, device } = connect();
    const { driver } = await start(transport, { features: ["COUNT"] });
    await driver.writeConfig({ mode: 9 });
    expect(device.config.mode).toBe(9);
    expect(driver.config.mode).toBe(9);
  });

  it("that never settles later on is an error, not an endless loop", async () => {
    const { transport, device } = connect();
    const { driver, errors } = await start(transport);
    transport.configGeneration = () => Math.random();
    device.config.level = 5;
    expect(await rejection(driver.refreshConfig())).toMatchObject({ rule: "config-unstable" });
    for (let i = 0; i < 200 && errors.length === 0; i++) await turn();
    expect(errors).toMatchObject([{ rule: "config-unstable" }]);
  });

  it("reports a listener that throws", async () => {
    const { transport, device } = connect();
    const { driver, errors } = await start(transport);
    driver.onConfigChange = () => {
      throw new Error("mine");
    };
    device.config.level = 5;
    await turn();
    expect(errors).toMatchObject([{ message: "mine" }]);
  });
});

describe("stop", () => {
  it("resets the device, rejects what is outstanding and gives all memory back", async () => {
    const kept: EchoRequest[] = [];
    const { transport, device, inner, free } = connect({
      queueSize: 4,
      requestq: (request) => void kept.push(request),
    });
    const { driver } = await start(transport);
    const outcomes = [1, 2, 3, 4, 5, 6, 7].map((i) => rejection(driver.requestq.submit(data(i))));
    await turn();
    expect(kept.length).toBeGreaterThanOrEqual(2);
    expect(driver.requestq.inFlight + driver.requestq.waiting).toBe(7);
    await driver.stop();
    for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ rule: "stopped" });
    expect(device.status).toBe(0);
    expect(inner.allocator.bytesFree).toBe(free);
    expect(kept.map((request) => request.operation === "ECHO" && request.complete("OK"))).toEqual(
      kept.map(() => "stale"),
    );
    expect([driver.requestq.inFlight, driver.requestq.waiting]).toEqual([0, 0]);
  });

  it("may be called twice, and nothing can be sent afterwards", async () => {
    const { transport, inner, free } = connect();
    const { driver } = await start(transport);
    await driver.requestq.submit(data(1));
    await Promise.all([driver.stop(), driver.stop()]);
    await driver.stop();
    expect(inner.allocator.bytesFree).toBe(free);
    expect(await rejection(driver.requestq.submit(data(1)))).toMatchObject({ rule: "stopped" });
    expect(() => driver.requestq.post(data(1), { reply: () => undefined, failed: () => undefined })).toThrow("stopped");
  });

  it("leaves the device ready for another driver", async () => {
    const { transport } = connect();
    for (let round = 0; round < 3; round++) {
      const { driver } = await start(transport);
      expect(await driver.requestq.submit(data(round))).toMatchObject({ status: "OK" });
      await driver.stop();
    }
  });

  it("keeps the memory of a device that does not finish its reset", async () => {
    const { transport, inner, free } = connect({ requestq: () => undefined });
    const { driver } = await start(transport);
    const outcome = rejection(driver.requestq.submit(data(1)));
    transport.getStatus = () => DeviceStatus.ACKNOWLEDGE;
    expect(await rejection(driver.stop())).toMatchObject({ rule: "reset-incomplete" });
    expect(await outcome).toMatchObject({ rule: "stopped" });
    expect(inner.allocator.bytesFree).toBeLessThan(free);
  });
});

describe("a device that goes wrong", () => {
  it("with DEVICE_NEEDS_RESET ends what is outstanding", async () => {
    class Failing extends EchoDevice {
      breakDown(): void {
        this.needsReset(new Error("disk on fire"));
      }
    }
    const device = new Failing({
      config: { level: 0, maxData: 0 },
      requestq: () => undefined,
      onProtocolError: () => undefined,
    });
    const inner = loopback(device);
    const free = inner.allocator.bytesFree;
    const { driver, errors } = await start(new RecordingTransport(inner));
    const outcome = rejection(driver.requestq.submit(data(1)));
    await turn();
    device.breakDown();
    expect(await outcome).toMatchObject({ rule: "device-needs-reset" });
    expect(errors).toMatchObject([{ rule: "device-needs-reset" }]);
    expect(await rejection(driver.requestq.submit(data(1)))).toMatchObject({ rule: "device-needs-reset" });
    await driver.stop();
    expect(inner.allocator.bytesFree).toBe(free);
  });

  it.each([
    ["an id out of range", 4096, 1],
    ["an id that is not in flight", 3, 1],
    ["an index that jumps", 0, 500],
  ])("in its used ring ends what is outstanding: %s", async (_what, id, index) => {
    const { transport, device, inner, free } = connect({ requestq: () => undefined });
    const { driver, errors } = await start(transport);
    const outcome = rejection(driver.requestq.submit(data(1)));
    await turn();
    const used = (device.queue(0)?.addresses?.device ?? 0) - 0x1000;
    const view = inner.memory.regions[0]?.view;
    view?.setUint32(used + 4, id, true);
    view?.setUint16(used + 2, index, true);
    inner.onQueueUsed?.(0);
    expect(await outcome).toMatchObject({ name: "RingError" });
    expect(errors).toMatchObject([{ name: "RingError" }]);
    await driver.stop();
    expect(inner.allocator.bytesFree).toBe(free);
  });

  it("is reported on the console, once, if nobody listens", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const { transport, device, inner } = connect({ requestq: () => undefined });
    const driver = await EchoDriver.start(transport);
    const outcome = rejection(driver.requestq.submit(data(1)));
    const used = (device.queue(0)?.addresses?.device ?? 0) - 0x1000;
    inner.memory.regions[0]?.view.setUint16(used + 2, 99, true);
    inner.onQueueUsed?.(0);
    inner.onQueueUsed?.(0);
    await outcome;
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  });
});
