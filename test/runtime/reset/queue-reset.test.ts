// What a correct per-queue reset shows, points a to h, in every layout of the ring: both cores together.
import { describe, expect, it } from "vitest";
import { CommonFeature, ProtocolError } from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { EchoDevice, type EchoDeviceOptions, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoDriver } from "../fixtures/echo-driver.js";
import { RecordingTransport } from "../fixtures/recording-transport.js";
import { answer, connections, everywhere, gate } from "./everywhere.js";

everywhere("both cores", connections, ({ connection, combination, turn }) => {
  /** `isImpatient`: the driver gives a reset up after a short time. */
  async function connect(options: Partial<EchoDeviceOptions> = {}, isHolding = false, isImpatient = isHolding) {
    const requests: EchoRequest[] = [];
    const device = new EchoDevice({
      features: ["COUNT", ...combination.features],
      config: { level: 0, maxData: 0 },
      requestq: (request) => void requests.push(request),
      ...options,
    });
    const transport = await connection.open(device, isHolding);
    const free = transport.allocator.bytesFree;
    const events: number[] = [];
    const errors: Error[] = [];
    const recording = new RecordingTransport(transport);
    const driver = await EchoDriver.start(recording, {
      features: ["COUNT", ...combination.features],
      withhold: combination.withhold,
      queueSize: 8,
      resetTimeout: isImpatient ? 200 : 5000,
      eventq: (event) => void events.push(event.kind),
      eventqBuffers: { count: 8, size: 16 },
      onError: (error) => errors.push(error),
    });
    for (const name of combination.features) expect(driver.negotiated.has(CommonFeature[name])).toBe(true);
    return { device, driver, transport, recording, requests, events, errors, free };
  }
  const input = (i: number) => ({ operation: "ECHO" as const, cookie: BigInt(i), data: new Uint8Array(4), reply: 4 });
  /** How a promise ended, and how often. */
  function watch(promises: readonly Promise<unknown>[]): string[] {
    const ends: string[] = [];
    promises.forEach((promise, i) => {
      promise.then(
        () => ends.push(`${String(i)} answered`),
        (error: unknown) => ends.push(`${String(i)} ${error instanceof ProtocolError ? error.rule : String(error)}`),
      );
    });
    return ends;
  }

  it("g: each outstanding buffer comes back once; what was answered before is answered; new requests get their own replies", async () => {
    const { driver, transport, requests, free, errors } = await connect();
    const ends = watch([0, 1, 2, 3].map((i) => driver.requestq.submit(input(i))));
    await turn();
    const [first, ...rest] = requests.splice(0);
    if (first !== undefined) answer(first);
    await driver.resetQueue("requestq");
    await turn();
    expect(ends).toEqual(["0 answered", "1 queue-reset", "2 queue-reset", "3 queue-reset"]);
    expect(driver.requestq.inFlight).toBe(0);
    await expect(driver.requestq.submit(input(9))).rejects.toMatchObject({ rule: "queue-reset" });
    // A notification from before comes late.
    transport.onQueueUsed?.(0);
    await driver.resetQueue("requestq");
    await driver.enableQueue("requestq");
    transport.onQueueUsed?.(0);
    const again = watch([driver.requestq.submit(input(5))]);
    await turn();
    for (const request of rest) expect(answer(request)).toBe("stale");
    await turn();
    expect(again).toEqual([]);
    for (const request of requests) answer(request);
    await turn();
    expect(again).toEqual(["0 answered"]);
    await driver.stop();
    expect(ends).toHaveLength(4);
    expect(transport.allocator.bytesFree).toBe(free);
    expect(errors).toEqual([]);
  });

  it("resize: every kind of queue takes another size while others run; what the device never had is sent afterwards", async () => {
    const { device, driver, transport, requests, events, free } = await connect();
    // More than fit: the rest waits.
    const ends = watch(Array.from({ length: 20 }, (_, i) => driver.requestq.submit(input(i))));
    await turn();
    const { inFlight, waiting } = driver.requestq;
    expect(inFlight + waiting).toBe(20);
    expect(waiting).toBeGreaterThan(0);
    await driver.resizeQueue("requestq", 64);
    expect(device.queue(0)?.addresses?.size).toBe(64);
    const meanwhile = watch([driver.requestq.submit(input(30))]);
    await turn();
    expect(ends.filter((end) => end.endsWith("queue-reset"))).toHaveLength(inFlight);
    for (const request of requests) answer(request);
    await turn();
    expect(ends.filter((end) => end.endsWith("answered"))).toHaveLength(waiting);
    expect(meanwhile).toEqual(["0 answered"]);

    device.eventq.send({ kind: 1, data: new Uint8Array(2) });
    await driver.resizeQueue("eventq", 4);
    expect(device.eventq.available).toBe(4);
    device.eventq.send({ kind: 2, data: new Uint8Array(2) });
    await turn();
    expect(events).toEqual([1, 2]);
    for (const size of [0, -1, 1.5, 4096, NaN]) {
      await expect(driver.resizeQueue("eventq", size)).rejects.toMatchObject({ rule: "queue-size" });
    }
    expect(device.queue(1)?.addresses?.size).toBe(4);
    await driver.stop();
    expect(transport.allocator.bytesFree).toBe(free);
  });

  it("waits for a device that takes its time, and gives nothing back when it never ends", async () => {
    const held = gate();
    const { driver, transport, requests, free } = await connect(
      {
        requestq: (request) => {
          void request.hold(() => held.opened);
          requests.push(request);
        },
      },
      true,
    );
    const ends = watch([driver.requestq.submit(input(0))]);
    await turn();
    const taken = free - transport.allocator.bytesFree;
    await expect(driver.resetQueue("requestq")).rejects.toMatchObject({ rule: "queue-reset-incomplete" });
    expect(ends).toEqual(["0 queue-reset-incomplete"]);
    expect(free - transport.allocator.bytesFree).toBe(taken);
    await expect(driver.enableQueue("requestq")).rejects.toMatchObject({ rule: "queue-reset-incomplete" });
    // Before the driver looks for the first time, however long this process has no processor.
    setTimeout(() => held.open(), 0);
    await driver.resetQueue("requestq");
    expect(free - transport.allocator.bytesFree).toBeLessThan(taken);
    await driver.enableQueue("requestq");
    const again = watch([driver.requestq.submit(input(1))]);
    await turn();
    for (const request of requests.splice(0)) answer(request);
    await turn();
    expect(again).toEqual(["0 answered"]);
    expect(ends).toHaveLength(1);
    await driver.stop();
    expect(transport.allocator.bytesFree).toBe(free);
  });

  it("h: a device that ignores queue_reset is found out, one that refuses changes nothing, and there are no other queues", async () => {
    const { driver, recording, requests } = await connect({}, false, true);
    const names: readonly string[] = ["nothing"];
    await expect(driver.resetQueue(names[0] as "requestq")).rejects.toMatchObject({ rule: "queue-unknown" });
    await expect(driver.resetQueue("requestq", 1)).rejects.toMatchObject({ rule: "queue-unknown" });
    await expect(driver.enableQueue("requestq")).rejects.toMatchObject({ rule: "queue-already-enabled" });
    const reset = recording.resetQueue.bind(recording);
    recording.resetQueue = () => Promise.reject(new ProtocolError("queue-reset-refused", "2.6.1", "no"));
    const ends = watch([driver.requestq.submit(input(0))]);
    await expect(driver.resetQueue("requestq")).rejects.toMatchObject({ rule: "queue-reset-refused" });
    await turn();
    for (const request of requests.splice(0)) answer(request);
    await turn();
    expect(ends).toEqual(["0 answered"]);
    recording.resetQueue = () => Promise.resolve();
    await expect(driver.resetQueue("requestq")).rejects.toMatchObject({ rule: "queue-reset-incomplete" });
    recording.resetQueue = reset;
    await Promise.all([driver.resetQueue("requestq"), driver.resizeQueue("requestq", 16)]);
    const again = watch([driver.requestq.submit(input(1))]);
    await turn();
    for (const request of requests.splice(0)) answer(request);
    await turn();
    expect(again).toEqual(["0 answered"]);
    await driver.stop();
    await expect(driver.resetQueue("requestq")).rejects.toThrow("while it is running");
  });
});

describe("reset of a queue without RING_RESET", () => {
  it("is refused by both sides, and nothing changes", async () => {
    const device = new EchoDevice({
      config: { level: 0, maxData: 0 },
      requestq: answer,
      onProtocolError: () => undefined,
    });
    const driver = await EchoDriver.start(loopback(device, { memorySize: 1 << 20 }), { features: ["RING_RESET"] });
    await expect(driver.resetQueue("requestq")).rejects.toMatchObject({ rule: "queue-reset-refused" });
    expect(device.queue(0)?.reset()).toBe(false);
    const request = { operation: "ECHO", cookie: 0n, data: new Uint8Array(1), reply: 1 } as const;
    expect(await driver.requestq.submit(request)).toMatchObject({ status: "OK" });
    await driver.stop();
  });
});
