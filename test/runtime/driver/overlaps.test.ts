import { describe, expect, it } from "vitest";
import {
  DeviceStatus,
  GuestMemory,
  ProtocolError,
  type CommonFeatureName,
  type HandlerResult,
} from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { EchoDevice, type EchoDeviceOptions, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoDriver, type EchoDriverOptions } from "../fixtures/echo-driver.js";
import { RecordingTransport } from "../fixtures/recording-transport.js";

// What a driver is asked for while it is still busy with something else.

const { DRIVER_OK, SUSPEND } = DeviceStatus;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const input = { operation: "ECHO", cookie: 0n, data: Uint8Array.of(1), reply: 1 } as const;

function answer(request: EchoRequest): HandlerResult {
  return request.operation === "ECHO" ? request.complete("OK") : undefined;
}

async function connect(options: Partial<EchoDeviceOptions> = {}, driverOptions: EchoDriverOptions = {}) {
  const features: readonly CommonFeatureName[] = ["RING_RESET", "SUSPEND"];
  const device = new EchoDevice({
    features,
    config: { level: 1, maxData: 2 },
    requestq: answer,
    onProtocolError: () => undefined,
    ...options,
  });
  const inner = loopback(device, { memory: GuestMemory.flat(1 << 20, 0x1000) });
  const free = inner.allocator.bytesFree;
  const transport = new RecordingTransport(inner);
  const errors: Error[] = [];
  const driver = await EchoDriver.start(transport, {
    features,
    onError: (error) => errors.push(error),
    ...driverOptions,
  });
  return { device, inner, transport, driver, errors, free };
}

/** A promise, and what settles it. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe("the reset of a queue that the device refuses", () => {
  it("loses nothing that was used meanwhile", async () => {
    const kept: EchoRequest[] = [];
    const { driver, transport, device } = await connect({ requestq: (request) => void kept.push(request) });
    const { opened, open } = gate();
    transport.resetQueue = async () => {
      await opened;
      throw new ProtocolError("queue-reset-refused", "2.6.1", "not now");
    };
    const reply = driver.requestq.submit(input);
    await turn();
    const reset = driver.resetQueue("requestq");
    const refused = expect(reset).rejects.toMatchObject({ rule: "queue-reset-refused" });
    await turn();
    for (const request of kept) void answer(request);
    await turn();
    open();
    await refused;
    expect((await reply).status).toBe("OK");
    expect(device.live).toBe(true);
    await driver.stop();
  });
});

describe("stopping a driver", () => {
  it("that is recovering resets the device after that, and leaves nothing behind", async () => {
    const { driver, device, inner, free } = await connect();
    const recovered = driver.recover();
    await Promise.all([driver.stop(), recovered.catch(() => undefined)]);
    await turn();
    expect(device.status).toBe(0);
    expect(inner.allocator.bytesFree).toBe(free);
    expect(inner.onQueueUsed).toBeUndefined();
    await expect(driver.requestq.submit(input)).rejects.toMatchObject({ rule: "stopped" });
    await expect(driver.recover()).rejects.toThrow("stopped");
  });

  it("that is resuming leaves it stopped", async () => {
    const { driver, transport, device } = await connect();
    await driver.suspend();
    const { opened, open } = gate();
    const { getStatus } = transport;
    let isReached = false;
    // The answer that the device runs comes late, and the reset of the device before it.
    transport.getStatus = async () => {
      const status = await getStatus();
      if ((status & (DRIVER_OK | SUSPEND)) === DRIVER_OK && !isReached) {
        isReached = true;
        await opened;
      }
      return status;
    };
    const resumed = driver.resume();
    await expect.poll(() => isReached).toBe(true);
    await driver.stop();
    open();
    await expect(resumed).rejects.toThrow("stopped");
    await expect(driver.suspend()).rejects.toThrow("stopped");
    expect(device.status).toBe(0);
  });
});

describe("suspending a device", () => {
  it("waits for a queue that is being given another size, and makes nothing available after it", async () => {
    const seen: number[] = [];
    const { driver, transport } = await connect();
    const { opened, open } = gate();
    const { enableQueue } = transport;
    transport.enableQueue = async (index, addresses) => {
      await opened;
      await enableQueue(index, addresses);
    };
    const resized = driver.resizeQueue("requestq", 8);
    const reply = driver.requestq.submit(input);
    await turn();
    const suspended = driver.suspend();
    await turn();
    transport.calls.length = 0;
    open();
    await Promise.all([resized, suspended]);
    const late = driver.requestq.submit(input);
    await turn();
    const suspension = transport.calls.findIndex((call) => call.startsWith("setStatus "));
    expect(transport.calls.slice(suspension).filter((call) => call.startsWith("notify"))).toEqual([]);
    seen.push(driver.requestq.waiting);
    await driver.resume();
    expect((await reply).status).toBe("OK");
    expect((await late).status).toBe("OK");
    expect(seen).toEqual([1]);
    await driver.stop();
  });
});

describe("recovering a device", () => {
  it("ends a change of a queue's size before it touches the device again", async () => {
    const { driver, transport, inner, free, device } = await connect();
    const { opened, open } = gate();
    const { queueMaxSize } = transport;
    let isFirst = true;
    transport.queueMaxSize = async (index) => {
      if (isFirst) {
        isFirst = false;
        await opened;
      }
      return queueMaxSize(index);
    };
    const resized = driver.resizeQueue("requestq", 8);
    const refused = expect(resized).rejects.toMatchObject({ rule: "device-needs-reset" });
    await turn();
    await driver.recover();
    transport.calls.length = 0;
    open();
    await refused;
    expect(transport.calls.filter((call) => /^(enable|reset)Queue/.test(call))).toEqual([]);
    expect((await driver.requestq.submit(input)).status).toBe("OK");
    await driver.stop();
    expect([device.status, inner.allocator.bytesFree]).toEqual([0, free]);
  });
});

describe("a change of the configuration", () => {
  it("is told of, also while the driver waits for the device to resume", async () => {
    const { driver, transport, device } = await connect();
    await driver.suspend();
    const { opened, open } = gate();
    const { getStatus } = transport;
    let isWaiting = false;
    // The answer that the device runs comes late.
    transport.getStatus = async () => {
      const status = await getStatus();
      if ((status & DRIVER_OK) === 0 || isWaiting) return status;
      isWaiting = true;
      await opened;
      return status;
    };
    const seen: number[] = [];
    driver.onConfigChange = ({ level }) => void seen.push(level);
    const resumed = driver.resume();
    await expect.poll(() => isWaiting).toBe(true);
    device.config.level = 9;
    await expect.poll(() => driver.config.level).toBe(9);
    open();
    await resumed;
    await turn();
    expect(seen).toEqual([9]);
    await driver.stop();
  });

  it("that comes just after the last one was told of is not lost", async () => {
    const { driver, device, inner } = await connect();
    const seen: number[] = [];
    driver.onConfigChange = ({ level }) => {
      seen.push(level);
      if (level !== 7) return;
      // The only notification of the second change.
      const told = inner.onConfigChange;
      inner.onConfigChange = undefined;
      queueMicrotask(() => {
        device.config.level = 8;
        told?.();
      });
    };
    device.config.level = 7;
    await expect.poll(() => seen).toContain(8);
    await driver.stop();
  });
});

describe("a queue of messages that is always full", () => {
  it("is looked at once a turn of the event loop, however often the device has notified", async () => {
    const size = 4;
    let seen = 0;
    let goesOn = true;
    const { driver, inner, device } = await connect(
      { queueSize: size },
      {
        eventq: () => {
          seen++;
          // As a device in another thread that uses each buffer as soon as it can.
          if (goesOn && seen % size === 0) queueMicrotask(flood);
        },
        eventqBuffers: { count: size, size: 8 },
      },
    );
    function flood(): void {
      while (device.eventq.send({ kind: 1, data: new Uint8Array(1) }));
    }
    await turn();
    flood();
    for (let count = 0; count < 20; count++) {
      inner.onQueueUsed?.(1);
      await Promise.resolve();
    }
    expect(seen).toBeGreaterThanOrEqual(20 * size);
    for (let turns = 0; turns < 5; turns++) {
      const before = seen;
      await new Promise((resolve) => setImmediate(resolve));
      expect(seen - before).toBeGreaterThanOrEqual(size);
      // A notification of the device itself may be under way.
      expect(seen - before).toBeLessThanOrEqual(2 * size);
    }
    goesOn = false;
    await driver.stop();
  });
});
