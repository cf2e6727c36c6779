import { describe, expect, it } from "vitest";
import {
  CommonFeature,
  FeatureSet,
  GuestMemory,
  type HandlerResult,
  type TraceEvent,
} from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { EchoDevice, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoDriver } from "../fixtures/echo-driver.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function answer(request: EchoRequest): HandlerResult {
  switch (request.operation) {
    case "ECHO":
      request.reply.write(request.data.toUint8Array());
      return request.complete("OK");
    case "COUNT": {
      let ones = 0;
      for (const byte of request.data.toUint8Array()) for (let bit = 0; bit < 8; bit++) ones += (byte >> bit) & 1;
      return request.complete({ ones, bytes: request.data.length, status: "OK" });
    }
    default:
      return request.complete("UNSUPP");
  }
}

/** How a handler gets to its answers. */
const manners = {
  immediate: () => answer,
  asynchronous: () => async (request: EchoRequest) => {
    await Promise.resolve();
    return answer(request);
  },
  later: () => (request: EchoRequest) => {
    setTimeout(() => void answer(request), 1);
  },
  "out of order": () => {
    const kept: EchoRequest[] = [];
    return (request: EchoRequest) => {
      kept.push(request);
      setTimeout(() => {
        // The newest first.
        const last = kept.pop();
        if (last !== undefined) void answer(last);
      }, 0);
    };
  },
} as const;

const rings = [[], ["IN_ORDER"], ["RING_PACKED"], ["RING_PACKED", "IN_ORDER"]] as const;
const matrix = [true, false].flatMap((indirect) =>
  [true, false].flatMap((eventIdx) =>
    rings.flatMap((ring) =>
      (["immediate", "asynchronous", "later", "out of order"] as const).map((manner) => ({
        indirect,
        eventIdx,
        ring,
        manner,
      })),
    ),
  ),
);

describe("a device and a driver over loopback", () => {
  it.each(matrix)("work together: indirect $indirect, event_idx $eventIdx, $ring, $manner", async (options) => {
    const errors: Error[] = [];
    const device = new EchoDevice({
      features: ["COUNT", "MERGE", ...options.ring],
      config: { level: 1, maxData: 2 },
      queueSize: 8,
      requestq: manners[options.manner](),
      onProtocolError: (error) => errors.push(error),
    });
    const transport = loopback(device, { memorySize: 1 << 20 });
    const free = transport.allocator.bytesFree;
    const events: number[] = [];
    const driver = await EchoDriver.start(transport, {
      features: ["COUNT", "MERGE", ...options.ring],
      withhold: [
        ...(options.indirect ? [] : ["INDIRECT_DESC" as const]),
        ...(options.eventIdx ? [] : ["EVENT_IDX" as const]),
      ],
      onError: (error) => errors.push(error),
      eventq: (event) => void events.push(event.kind, event.data.length),
      eventqBuffers: { count: 8, size: 16 },
    });
    expect(driver.negotiated.has(28)).toBe(options.indirect);
    expect(driver.negotiated.has(29)).toBe(options.eventIdx);
    expect(driver.dropped).toEqual([]);

    const submitted = Array.from({ length: 40 }, (_, i) => {
      const bytes = new Uint8Array(i).fill(i);
      if (i % 4 === 3) return driver.requestq.submit({ operation: "COUNT", cookie: BigInt(i), data: bytes });
      return driver.requestq.submit({ operation: "ECHO", cookie: BigInt(i), data: bytes, reply: i + 1 });
    });
    submitted.push(driver.requestq.submit({ operation: 99, cookie: 0n }));
    const replies = await Promise.all(submitted);
    replies.forEach((reply, i) => {
      if (i === 40) expect(reply).toEqual({ status: "UNSUPP" });
      else if (i % 4 === 3) expect(reply).toMatchObject({ status: "OK", bytes: i });
      else expect(reply).toEqual({ status: "OK", reply: Uint8Array.of(...new Uint8Array(i).fill(i), 0) });
    });

    expect(device.eventq.send({ kind: 5, data: new Uint8Array(50) })).toBe(true);
    await turn();
    expect(events).toEqual([5, 50]);
    expect(driver.requestq.inFlight).toBe(0);
    await driver.stop();
    expect(transport.allocator.bytesFree).toBe(free);
    expect(errors).toEqual([]);
  });

  it("leave out what a notification here has no room for", async () => {
    const features = ["NOTIFICATION_DATA", "NOTIF_CONFIG_DATA", "RING_PACKED"] as const;
    const device = new EchoDevice({ features, config: { level: 1, maxData: 2 }, requestq: answer });
    expect(device.offered.has(CommonFeature.NOTIFICATION_DATA)).toBe(true);
    const transport = loopback(device);
    const driver = await EchoDriver.start(transport, { features });
    expect(driver.dropped).toEqual(["NOTIFICATION_DATA", "NOTIF_CONFIG_DATA"]);
    expect(device.negotiated.has(CommonFeature.RING_PACKED)).toBe(true);
    await driver.stop();
    // A driver that accepts it nonetheless is refused.
    transport.setStatus(3);
    transport.setFeatures(FeatureSet.of([CommonFeature.VERSION_1, CommonFeature.NOTIF_CONFIG_DATA]));
    transport.setStatus(11);
    expect(transport.getStatus()).toBe(3);
  });

  it("do not keep the event loop from its work, however busy they keep each other", async () => {
    const device = new EchoDevice({ config: { level: 0, maxData: 0 }, requestq: answer });
    const driver = await EchoDriver.start(loopback(device), {});
    let replies = 0;
    let stopped = false;
    const again = (): void => {
      if (stopped) return;
      void driver.requestq.submit({ operation: "ECHO", cookie: 0n, data: new Uint8Array(1), reply: 1 }).then(() => {
        replies++;
        again();
      });
    };
    for (let i = 0; i < 10; i++) again();
    let ticks = 0;
    while (ticks < 20) {
      await turn();
      ticks++;
    }
    stopped = true;
    expect(replies).toBeGreaterThan(20);
    await turn();
    await driver.stop();
  });

  it("never call each other from inside of a call", async () => {
    let inside = false;
    const device = new EchoDevice({
      config: { level: 0, maxData: 0 },
      requestq: (request) => {
        expect(inside).toBe(false);
        return answer(request);
      },
    });
    const driver = await EchoDriver.start(loopback(device), { eventq: () => expect(inside).toBe(false) });
    await turn();
    inside = true;
    const replies = [1, 2, 3].map((i) =>
      driver.requestq.submit({ operation: "ECHO", cookie: BigInt(i), data: new Uint8Array(1), reply: 1 }),
    );
    device.eventq.send({ kind: 1, data: new Uint8Array(0) });
    device.config.level = 4;
    inside = false;
    expect(await Promise.all(replies)).toHaveLength(3);
    await driver.stop();
  });

  it("can work in memory of several regions", async () => {
    const memory = new GuestMemory([
      { start: 0x10000, bytes: new Uint8Array(1 << 18) },
      { start: 2 ** 40, bytes: new Uint8Array(new SharedArrayBuffer(4096)) },
    ]);
    const device = new EchoDevice({ config: { level: 0, maxData: 0 }, requestq: answer });
    const driver = await EchoDriver.start(loopback(device, { memory }));
    const reply = await driver.requestq.submit({ operation: "ECHO", cookie: 0n, data: Uint8Array.of(7), reply: 1 });
    expect(reply).toEqual({ status: "OK", reply: Uint8Array.of(7) });
    await driver.stop();
  });

  it("tells the driver's side when the device refuses a queue or its reset", () => {
    const device = new EchoDevice({
      config: { level: 0, maxData: 0 },
      requestq: answer,
      onProtocolError: () => undefined,
    });
    const transport = loopback(device, { memorySize: 1 << 16 });
    const addresses = { size: 8, descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
    expect(() => transport.enableQueue(0, addresses)).toThrow("queue-enable-refused");
    expect(() => transport.enableQueue(7, addresses)).toThrow("queue-enable-refused");
    expect(() => transport.resetQueue(0)).toThrow("queue-reset-refused");
    expect(() => transport.resetQueue(7)).toThrow("queue-reset-refused");
    expect(transport.queueMaxSize(7)).toBe(0);
  });

  it("can be connected anew", async () => {
    const device = new EchoDevice({ config: { level: 0, maxData: 0 }, requestq: answer });
    for (let round = 0; round < 2; round++) {
      const transport = loopback(device, { memorySize: 1 << 20 });
      const driver = await EchoDriver.start(transport);
      expect(await driver.requestq.submit({ operation: 5, cookie: 0n })).toEqual({ status: "UNSUPP" });
      await driver.stop();
      transport.disconnect();
    }
  });
});

describe("the trace of loopback", () => {
  async function run(): Promise<TraceEvent[]> {
    const events: TraceEvent[] = [];
    const device = new EchoDevice({
      features: ["COUNT"],
      config: { level: 0, maxData: 0 },
      queueSize: 4,
      requestq: answer,
    });
    const transport = loopback(device, { memorySize: 1 << 20, trace: (event) => events.push(event) });
    const driver = await EchoDriver.start(transport, { features: ["COUNT"], eventqBuffers: { count: 1, size: 8 } });
    await turn();
    const requests = [1, 2, 3].map((i) =>
      driver.requestq.submit({ operation: "ECHO", cookie: BigInt(i), data: new Uint8Array(i), reply: 4 }),
    );
    await Promise.all(requests);
    device.eventq.send({ kind: 2, data: new Uint8Array(1) });
    device.config.level = 4;
    await turn();
    await driver.writeConfig({ mode: 1 });
    await driver.stop();
    return events;
  }

  it("tells what went over it", async () => {
    const events = await run();
    const kinds = events.map(({ kind }) => kind);
    expect(kinds).toEqual([
      ...["status", "status", "status", "features", "status", "status", "driver-notify"],
      ...["driver-notify", "chain", "request", "reply", "completion"],
      ...["chain", "request", "reply", "completion", "chain", "request", "reply", "completion", "interrupt"],
      ...["chain", "completion", "interrupt", "config-change", "config-write", "status"],
    ]);
    expect(events.find(({ kind }) => kind === "chain")).toMatchObject({
      queue: 0,
      descriptors: [
        { direction: "readable", length: 17 },
        { direction: "writable", length: 5 },
      ],
    });
    expect(events.find(({ kind }) => kind === "request")).toMatchObject({ request: { operation: "ECHO", cookie: 1n } });
    expect(events.find(({ kind }) => kind === "reply")).toMatchObject({ reply: { status: "OK" } });
    expect(events.find(({ kind }) => kind === "completion")).toMatchObject({ written: 5, outcome: "completed" });
  });

  it("is the same each time", async () => {
    expect(await run()).toEqual(await run());
  });
});
