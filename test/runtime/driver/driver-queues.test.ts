import { describe, expect, it } from "vitest";
import { CodecError, GuestMemory, type HandlerResult } from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { EchoDevice, type EchoDeviceOptions, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoDriver, type EchoDriverOptions, type EchoRequestInput } from "../fixtures/echo-driver.js";
import type { EchoEvent } from "../fixtures/echo-protocol.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const data = (length: number, fill = 1, reply = length) => ({
  operation: "ECHO" as const,
  cookie: BigInt(fill),
  data: new Uint8Array(length).fill(fill),
  reply,
});

function answer(request: EchoRequest): HandlerResult {
  if (request.operation !== "ECHO") return undefined;
  request.reply.write(request.data.toUint8Array());
  return request.complete("OK");
}

async function connect(
  { memory = 1 << 20, ...options }: Partial<EchoDeviceOptions> & { readonly memory?: number } = {},
  driverOptions: EchoDriverOptions = {},
) {
  const device = new EchoDevice({
    features: ["COUNT", "MERGE"],
    config: { level: 1, maxData: 2 },
    requestq: answer,
    onProtocolError: () => undefined,
    ...options,
  });
  const transport = loopback(device, { memory: GuestMemory.flat(memory, 0x1000) });
  const free = transport.allocator.bytesFree;
  const errors: Error[] = [];
  const driver = await EchoDriver.start(transport, { onError: (error) => errors.push(error), ...driverOptions });
  return { device, driver, transport, errors, free };
}

describe("DriverRequestQueue", () => {
  it("waits for room when the ring is full, and keeps the order", async () => {
    const order: bigint[] = [];
    const { driver, transport, free } = await connect({
      queueSize: 4,
      requestq: (request) => {
        order.push(request.cookie);
        return answer(request);
      },
    });
    const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => driver.requestq.submit(data(3, i))));
    expect(replies.map(({ reply }) => reply?.[0])).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => BigInt(i)));
    await driver.stop();
    expect(transport.allocator.bytesFree).toBe(free);
  });

  it("waits for memory when that is short, in order, and fails only if it can never be enough", async () => {
    const order: number[] = [];
    const { driver, transport, free } = await connect(
      {
        memory: 1 << 16,
        queueSize: 16,
        requestq: (request) => {
          order.push(Number(request.cookie));
          return answer(request);
        },
      },
      { eventqBuffers: { count: 1, size: 8 } },
    );
    const sizes = [100, 9000, 20000, 50, 12000, 20000, 20000, 7];
    const replies = await Promise.all(sizes.map((size, i) => driver.requestq.submit(data(size, i, 1))));
    expect(replies.map(({ reply }) => reply?.[0])).toEqual(sizes.map((_, i) => i));
    expect(order).toEqual(sizes.map((_, i) => i));
    await expect(driver.requestq.submit(data(1 << 17))).rejects.toMatchObject({ name: "OutOfGuestMemory" });
    expect(await driver.requestq.submit(data(1))).toMatchObject({ status: "OK" });
    await driver.stop();
    expect(transport.allocator.bytesFree).toBe(free);
  });

  it("rejects what cannot be encoded, and goes on", async () => {
    const { driver } = await connect();
    await expect(
      driver.requestq.submit({ operation: "ECHO", cookie: -1n, data: new Uint8Array(1), reply: 1 }),
    ).rejects.toMatchObject({
      name: "CodecError",
      rule: "out-of-range",
    });
    await expect(driver.requestq.submit({ operation: 2 ** 40, cookie: 0n })).rejects.toBeInstanceOf(CodecError);
    expect(driver.requestq.inFlight).toBe(0);
    expect(await driver.requestq.submit(data(1))).toMatchObject({ status: "OK" });
  });

  it("never shows in a reply what an earlier one left there", async () => {
    const { driver } = await connect({
      requestq: (request) => {
        if (request.operation !== "ECHO") return undefined;
        if (request.cookie === 1n) request.reply.fill(0xaa);
        return request.complete("OK");
      },
    });
    expect((await driver.requestq.submit(data(4, 1))).reply).toEqual(new Uint8Array(4).fill(0xaa));
    expect((await driver.requestq.submit(data(4, 2))).reply).toEqual(new Uint8Array(4));
  });

  it("keeps replies apart: each has bytes of its own", async () => {
    const { driver } = await connect();
    const first = await driver.requestq.submit(data(4, 1));
    await driver.requestq.submit(data(4, 2));
    expect(first.reply).toEqual(new Uint8Array(4).fill(1));
  });

  it("posts without promises, one notice for all", async () => {
    const { driver, device } = await connect();
    const replies: number[] = [];
    const sink = {
      reply: (_input: EchoRequestInput, bytes: Uint8Array, written: number) => {
        replies.push(bytes[0] ?? -1, written);
      },
      failed: () => replies.push(-1),
    };
    for (let i = 0; i < 4; i++) expect(driver.requestq.post(data(2, i), sink)).toBe(true);
    await turn();
    expect(replies).toEqual([]);
    driver.requestq.kick();
    await turn();
    expect(replies).toEqual([0, 3, 1, 3, 2, 3, 3, 3]);
    expect(device.live).toBe(true);
  });

  it("says when there is no room to post", async () => {
    const { driver } = await connect({ queueSize: 4 }, { withhold: ["INDIRECT_DESC"] });
    const sink = { reply: () => undefined, failed: () => undefined };
    expect([1, 2, 3].map(() => driver.requestq.post(data(1), sink))).toEqual([true, true, false]);
    expect(() => driver.requestq.post({ operation: -1, cookie: 0n }, sink)).not.toThrow();
    driver.requestq.kick();
    await turn();
    expect(() => driver.requestq.post({ operation: -1, cookie: 0n }, sink)).toThrow(CodecError);
  });

  it("reports a sink that throws and goes on", async () => {
    const { driver, errors } = await connect();
    const sink = {
      reply: () => {
        throw new Error("mine");
      },
      failed: () => undefined,
    };
    driver.requestq.post(data(1), sink);
    driver.requestq.kick();
    await turn();
    expect(errors).toMatchObject([{ name: "HandlerError", message: "reply: mine" }]);
    expect(await driver.requestq.submit(data(1))).toMatchObject({ status: "OK" });
  });
});

describe("DriverReceiveQueue", () => {
  it("gets messages in order, and posts its buffers again", async () => {
    const seen: number[] = [];
    const { device, driver } = await connect(
      { queueSize: 4 },
      { eventq: (event) => void seen.push(event.kind), eventqBuffers: { count: 3, size: 8 } },
    );
    await turn();
    for (let i = 0; i < 20; i++) {
      while (!device.eventq.send({ kind: i, data: new Uint8Array(i % 5) })) await turn();
    }
    await turn();
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(device.eventq.available).toBe(3);
    await driver.stop();
  });

  it("puts merged messages together", async () => {
    const seen: EchoEvent[] = [];
    const { device, transport, driver, free } = await connect(
      {},
      { features: ["MERGE"], eventq: (event) => void seen.push(event), eventqBuffers: { count: 16, size: 7 } },
    );
    await turn();
    const message = Uint8Array.from({ length: 40 }, (_, i) => i);
    expect(device.eventq.send({ kind: 1, data: message })).toBe(true);
    expect(device.eventq.send({ kind: 2, data: message.subarray(0, 3) })).toBe(true);
    expect(device.eventq.send({ kind: 3, data: message.subarray(0, 4) })).toBe(true);
    await turn();
    expect(seen).toEqual([
      { kind: 1, data: message },
      { kind: 2, data: message.subarray(0, 3) },
      { kind: 3, data: message.subarray(0, 4) },
    ]);
    await driver.stop();
    expect(transport.allocator.bytesFree).toBe(free);
  });

  it("reports malformed messages, and handlers that throw or reject, and goes on", async () => {
    const seen: number[] = [];
    const { device, errors } = await connect(
      {},
      {
        eventq: (event) => {
          if (event.kind === 1) throw new Error("thrown");
          if (event.kind === 2) return Promise.reject(new Error("rejected"));
          seen.push(event.kind);
          return undefined;
        },
      },
    );
    await turn();
    for (let kind = 1; kind <= 3; kind++) device.eventq.send({ kind, data: new Uint8Array(0) });
    await turn();
    expect(errors.map((error) => error.message)).toEqual([
      "message on queue 1: thrown",
      "message on queue 1: rejected",
    ]);
    expect(seen).toEqual([3]);
  });

  it.each([
    [0, "a message of 0 buffers"],
    [300, "a message of 300 buffers"],
  ])("does not believe a count of %d buffers", async (count, text) => {
    const seen: EchoEvent[] = [];
    const { device, transport, errors } = await connect(
      {},
      { features: ["MERGE"], eventq: (event) => void seen.push(event), eventqBuffers: { count: 4, size: 64 } },
    );
    await turn();
    expect(device.eventq.send({ kind: 9, data: new Uint8Array(2) })).toBe(true);
    // The device changes its mind before the driver looks.
    const { bytes, view } = transport.memory.regions[0] ?? {};
    const at = bytes?.findIndex((byte, i) => byte === 9 && bytes[i + 2] === 1 && bytes[i + 1] === 0) ?? -1;
    view?.setUint16(at + 2, count, true);
    await turn();
    expect(seen).toEqual([]);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toContain(text);
    device.eventq.send({ kind: 8, data: new Uint8Array(0) });
    await turn();
    expect(seen).toMatchObject([{ kind: 8 }]);
  });
});
