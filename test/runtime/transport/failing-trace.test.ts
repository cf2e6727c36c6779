// A trace that throws breaks nothing: every request is answered, once, and nothing stays behind.
import { onTestFinished, describe, expect, it } from "vitest";
import type { DriverTransport, Trace, TraceEvent } from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { connectThread, createThreadChannel, serveThread } from "../../../src/runtime/transport/threads/index.js";
import { EchoDevice, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoDriver } from "../fixtures/echo-driver.js";
import { mmioMachine, pciMachine } from "./machines.js";
import { openVhostUser } from "./vhost-user/both-ends.js";
import { requireVhostUser } from "./vhost-user/served-device.js";

type Kind = TraceEvent["kind"];
type Connect = (device: EchoDevice, trace: Trace) => DriverTransport | Promise<DriverTransport>;

/** What a driver in the same process makes happen. */
const KINDS: readonly Kind[] = [
  ...(["status", "features", "config-write", "config-change", "driver-notify", "interrupt"] as const),
  ...(["queue-reset", "chain", "request", "reply", "completion"] as const),
];

async function overThreads(device: EchoDevice, trace: Trace): Promise<DriverTransport> {
  const { driver, device: far } = createThreadChannel({ memorySize: 1 << 20 });
  const served = serveThread(device, far, { trace });
  const transport = await connectThread(driver);
  onTestFinished(async () => {
    transport.close();
    await served.closed;
  });
  return transport;
}

const connections: readonly { readonly name: string; readonly connect: Connect; readonly kinds: readonly Kind[] }[] = [
  { name: "loopback", connect: (device, trace) => loopback(device, { memorySize: 1 << 20, trace }), kinds: KINDS },
  { name: "PCI", connect: (device, trace) => pciMachine(device, { trace }).open(), kinds: KINDS },
  {
    name: "PCI with messages",
    connect: (device, trace) => pciMachine(device, { trace, messages: true }).open(),
    kinds: KINDS,
  },
  { name: "MMIO", connect: (device, trace) => mmioMachine(device, { trace }).open(), kinds: KINDS },
  // These see no notifications of the driver: they are bells, not calls.
  { name: "threads", connect: overThreads, kinds: KINDS.filter((kind) => kind !== "driver-notify") },
  ...((await requireVhostUser())
    ? [
        {
          name: "vhost-user",
          connect: (device: EchoDevice, trace: Trace) => openVhostUser(device, { serve: { trace } }),
          // A ring is stopped there, not reset.
          kinds: KINDS.filter((kind) => kind !== "driver-notify" && kind !== "queue-reset"),
        },
      ]
    : []),
];

const input = (cookie: number) =>
  ({ operation: "ECHO", cookie: BigInt(cookie), data: Uint8Array.of(cookie), reply: 1 }) as const;

/** Does a bit of everything; says which requests were served, and what the device complained about. */
async function run(connect: Connect, trace: Trace) {
  const errors: Error[] = [];
  const kept: EchoRequest[] = [];
  const served: bigint[] = [];
  const answer = (request: EchoRequest): void => {
    if (request.operation !== "ECHO" || !("reply" in request)) return;
    served.push(request.cookie);
    request.reply.write(request.data.toUint8Array());
    request.complete("OK");
  };
  const device = new EchoDevice({
    features: ["COUNT", "RING_RESET"],
    config: { level: 0, maxData: 0 },
    queueSize: 8,
    requestq(request) {
      // Some at once, some later.
      if (request.cookie % 2n === 0n) answer(request);
      else kept.push(request);
      // Those that are kept hold nobody up.
      if (kept.length > 0) setImmediate(() => kept.splice(0).forEach(answer));
    },
    onProtocolError: (error) => errors.push(error),
  });
  const transport = await connect(device, trace);
  const free = transport.allocator.bytesFree;
  const events: number[] = [];
  const driver = await EchoDriver.start(transport, {
    features: ["COUNT", "RING_RESET"],
    queueSize: 8,
    eventq: (event) => void events.push(event.kind),
    eventqBuffers: { count: 4, size: 16 },
  });
  const ask = async (from: number, count: number): Promise<void> => {
    const cookies = Array.from({ length: count }, (_, i) => from + i);
    const replies = await Promise.all(cookies.map((cookie) => driver.requestq.submit(input(cookie))));
    expect(replies).toEqual(cookies.map((cookie) => ({ status: "OK", reply: Uint8Array.of(cookie) })));
  };
  await ask(0, 40);
  await expect.poll(() => device.eventq.available).toBe(4);
  expect(device.eventq.send({ kind: 7, data: new Uint8Array(2) })).toBe(true);
  await expect.poll(() => events).toEqual([7]);
  await driver.writeConfig({ mode: 1 });
  const changed = new Promise((resolve) => (driver.onConfigChange = resolve));
  device.config.level = 9;
  await changed;
  await driver.resizeQueue("requestq", 4);
  await ask(40, 20);
  expect(device.live).toBe(true);
  expect(driver.requestq.inFlight).toBe(0);
  await driver.stop();
  expect(device.status).toBe(0);
  expect(transport.allocator.bytesFree).toBe(free);
  expect(served.toSorted((a, b) => Number(a - b))).toEqual(Array.from({ length: 60 }, (_, i) => BigInt(i)));
  return errors;
}

describe.each(connections)("a trace that fails over $name", ({ connect, kinds }) => {
  it.each([...kinds.map((kind) => [kind, [kind]] as const), ["everything", kinds] as const])(
    "on %s: nothing is lost, and each failure is reported",
    async (_, failing) => {
      let failures = 0;
      const errors = await run(connect, ({ kind }) => {
        if (!failing.includes(kind)) return;
        failures++;
        throw new Error(`no ${kind}`);
      });
      expect(failures).toBeGreaterThanOrEqual(failing.length);
      expect(errors).toHaveLength(failures);
      for (const error of errors) expect(error).toMatchObject({ name: "HandlerError" });
      expect(new Set(errors.map(({ message }) => message))).toEqual(
        new Set(failing.map((kind) => `trace: no ${kind}`)),
      );
    },
  );

  it("later, with a promise that is rejected: that is reported, too", async () => {
    let failures = 0;
    // A function that returns nothing may return a promise, as far as the type goes.
    const trace: () => unknown = () => {
      failures++;
      return Promise.reject(new Error("later"));
    };
    const errors = await run(connect, trace);
    await expect.poll(() => errors.length).toBe(failures);
    expect(new Set(errors.map(({ message }) => message))).toEqual(new Set(["trace: later"]));
  });
});
