// What a correct per-queue reset shows, points a to h, in every layout of the ring: the device against a driver that works
// registers and rings by hand, then both cores together.
import { describe, expect, it } from "vitest";
import {
  CommonFeature,
  DeviceStatus,
  ProtocolError,
  type CommonFeatureName,
  type Completion,
} from "../../../src/runtime/index.js";
import type { DriverTransport, VirtioDevice } from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { EchoDevice, type EchoDeviceOptions, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoDriver } from "../fixtures/echo-driver.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import { directSide, type MakeRawSide } from "../fixtures/raw-side.js";
import { RecordingTransport } from "../fixtures/recording-transport.js";
import { MmioSide, PciSide } from "../fixtures/register-sides.js";
import { mmioMachine, pciMachine } from "../transport/machines.js";
import { openVhostUser } from "../transport/vhost-user/both-ends.js";
import { requireVhostUser } from "../transport/vhost-user/served-device.js";
import { combinations, type Combination } from "./combinations.js";

const SENTINEL = 0xa5;

/** How the two sides are connected: a raw driver's way to the device, and a whole driver's transport. */
interface Connection {
  readonly name: string;
  /** Absent: there are no registers, so what there is of the device alone is in another test. */
  readonly side?: MakeRawSide;
  /** Milliseconds, at least: long enough for a notification and for the interrupt that answers it. */
  readonly turn?: number;
  /** `isHolding`: requests hold on to memory for a while. */
  open(device: VirtioDevice, isHolding: boolean): DriverTransport | Promise<DriverTransport>;
}
/** A stop waits for requests; longer than the driver, if they hold on to memory. */
const overVhostUser: Connection["open"] = (device, isHolding) =>
  openVhostUser(device, { serve: { stopTimeout: isHolding ? 250 : 30 } });
const connections: readonly Connection[] = [
  { name: "no registers", side: directSide, open: (device) => loopback(device, { memorySize: 1 << 20 }) },
  {
    name: "PCI",
    side: (device, told) => new PciSide(device, told, { messages: true }),
    open: (device) => pciMachine(device, { messages: true }).open(),
  },
  {
    name: "MMIO",
    side: (device, told) => new MmioSide(device, told),
    open: (device) => mmioMachine(device).open(),
  },
  // The device alone: test/runtime/transport/vhost-user/ring-reset.test.ts
  ...((await requireVhostUser()) ? [{ name: "vhost-user", turn: 5, open: overVhostUser }] : []),
];
const bits = (names: readonly CommonFeatureName[]): number[] => names.map((name) => CommonFeature[name]);

function answer(request: EchoRequest): Completion {
  if (request.operation === "COUNT") return request.complete({ ones: 0, bytes: 0, status: "OK" });
  return "reply" in request ? request.complete("OK") : "stale";
}

interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}
function gate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

/** A device whose requests stay with the test, and a raw driver on it. */
function setupOver(connection: Connection, combination: Combination, options: Partial<EchoDeviceOptions> = {}) {
  const errors: Error[] = [];
  const requests: EchoRequest[] = [];
  const device = new EchoDevice({
    features: ["COUNT", ...combination.features],
    withhold: combination.withhold,
    config: { level: 0, maxData: 0 },
    requestq: (request) => void requests.push(request),
    onProtocolError: (error) => errors.push(error),
    ...options,
  });
  const driver = new RawDriver(device, connection.side === undefined ? {} : { side: connection.side });
  const rules = (): unknown[] => errors.map((error) => (error instanceof ProtocolError ? error.rule : error));
  const optional = (["EVENT_IDX", "INDIRECT_DESC"] as const).filter((name) => !combination.withhold.includes(name));
  driver.negotiate(bits([...combination.features, ...optional]));
  expect(device.status & DeviceStatus.FEATURES_OK).not.toBe(0);
  const queue = (index: number) => {
    const found = driver.side.queue(index);
    if (found === undefined) throw new Error("no queue");
    return found;
  };
  return { device, driver, errors, rules, requests, queue };
}

/** One ECHO request with 8 bytes of data, and room for 8 bytes and a status, all with the sentinel in it. */
function send(driver: RawDriver, ring: ReturnType<RawDriver["queue"]>): { token: number; reply: number } {
  const reply = driver.write(new Uint8Array(9).fill(SENTINEL));
  ring.begin();
  ring.addReadable(driver.write(new Uint8Array(16)), 16);
  ring.addReadable(driver.write(new Uint8Array(8).fill(1)), 8);
  ring.addWritable(reply, 9);
  const token = ring.end();
  ring.kick();
  return { token, reply };
}
const image = (driver: RawDriver): Uint8Array => driver.memory.regions[0]?.bytes.slice() ?? new Uint8Array(0);

for (const { connection, combination } of connections.flatMap((connection) =>
  combinations.map((combination) => ({ connection, combination })),
)) {
  const setup = (of: Combination, options: Partial<EchoDeviceOptions> = {}) => setupOver(connection, of, options);
  const turn = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, connection.turn ?? 0));
  };
  // What the rings cannot do yet stands in the report as skipped, with the reason in its name.
  const run = combination.supported ? describe : describe.skip;
  const why = combination.supported ? "" : " (SKIPPED: the runtime has no such ring yet)";

  const alone = connection.side === undefined ? () => undefined : run;
  alone(`reset of a queue over ${connection.name}, ${combination.name}${why}: the device`, () => {
    it("a: reads 1 in queue_reset and queue_enable while work holds on to memory, and 0 in both after it", async () => {
      const held = gate();
      const { driver, queue, requests } = setup(combination, {
        requestq: (request) => {
          requests.push(request);
          void request.hold(() => held.opened);
        },
      });
      const ring = driver.queue(0);
      driver.ready();
      send(driver, ring);
      await turn();
      expect(requests).toHaveLength(1);
      expect(queue(0).reset()).toBe(true);
      await turn();
      expect([queue(0).resetting, queue(0).enabled]).toEqual([true, true]);
      expect(driver.resets).toEqual([]);
      expect(queue(0).configure(driver.place(8))).toBe(false);
      held.open();
      await turn();
      expect([queue(0).resetting, queue(0).enabled, queue(0).addresses]).toEqual([false, false, undefined]);
      expect(driver.resets).toEqual([0]);
    });

    it("a: waits for what the author does for it (queueReset), and is done at once when nobody holds anything", async () => {
      const done = gate();
      const names: string[] = [];
      const { driver, queue } = setup(combination, {
        queueReset: ({ name, index }) => {
          names.push(name);
          return index === 0 ? done.opened : undefined;
        },
      });
      driver.queue(0);
      driver.queue(1);
      driver.ready();
      queue(0).reset();
      queue(1).reset();
      expect([queue(0).resetting, queue(1).resetting, queue(1).enabled]).toEqual([true, false, false]);
      expect(names).toEqual(["requestq", "eventq"]);
      done.open();
      await turn();
      expect(queue(0).enabled).toBe(false);
    });

    it("b, c, f: late work finds its windows empty, writes nothing, notifies nobody, and is told that it is stale", async () => {
      const { device, driver, queue, requests } = setup(combination);
      const ring = driver.queue(0);
      const events = driver.queue(1);
      driver.ready();
      const sent = [send(driver, ring), send(driver, ring), send(driver, ring)];
      events.begin();
      events.addWritable(driver.write(new Uint8Array(64).fill(SENTINEL)), 64);
      events.end();
      events.kick();
      await turn();
      expect(requests).toHaveLength(3);
      // One has been answered before.
      const first = requests.shift();
      if (first !== undefined) expect(answer(first)).toBe("completed");
      expect(device.eventq.available).toBe(1);
      queue(0).reset();
      queue(1).reset();
      // The driver takes its memory back and fills all of it.
      driver.memory.regions[0]?.bytes.fill(SENTINEL);
      const before = image(driver);
      const interrupts = driver.interrupts.length;
      for (const request of requests) {
        expect("live" in request && request.live).toBe(false);
        if (request.operation === "ECHO") {
          expect([request.data.length, request.reply.length]).toEqual([0, 0]);
          request.reply.fill(0);
        }
        expect(answer(request)).toBe("stale");
        expect(request.signal.aborted).toBe(true);
      }
      expect(device.eventq.send({ kind: 1, data: new Uint8Array(4) })).toBe(false);
      queue(0).notify();
      await turn();
      expect(Buffer.compare(image(driver), before)).toBe(0);
      expect(driver.interrupts).toHaveLength(interrupts);
      expect(sent).toHaveLength(3);
    });

    it("d: other queues go on during the reset", async () => {
      const held = gate();
      const { device, driver, queue } = setup(combination, {
        requestq: (request) => void request.hold(() => held.opened),
      });
      const ring = driver.queue(0);
      const events = driver.queue(1);
      driver.ready();
      send(driver, ring);
      await turn();
      queue(0).reset();
      events.begin();
      events.addWritable(driver.write(new Uint8Array(64)), 64);
      const token = events.end();
      events.kick();
      expect(device.eventq.send({ kind: 1, data: new Uint8Array(4) })).toBe(true);
      expect(queue(0).resetting).toBe(true);
      expect(events.poll()).toBe(token);
      expect(driver.interrupts).toContain(1);
      held.open();
      await turn();
    });

    it("e: is enabled again with another size and place, starts at the beginning, and an old request cannot hit a new one", async () => {
      const { driver, queue, requests } = setup(combination);
      let ring = driver.queue(0, 16);
      driver.ready();
      for (const size of [64, 4, 16]) {
        // Enough rounds to wrap, so that indexes and counters are away from where they start.
        for (let i = 0; i < 37; i++) {
          send(driver, ring);
          await Promise.resolve();
          const request = requests.shift();
          expect(request === undefined ? "none" : answer(request)).toBe("completed");
          expect(ring.poll()).toBeGreaterThanOrEqual(0);
        }
        send(driver, ring);
        await turn();
        const old = requests.shift();
        queue(0).reset();
        expect(queue(0).epoch).toBeGreaterThan(0);
        ring = driver.queue(0, size);
        const { token, reply } = send(driver, ring);
        await turn();
        const present = requests.shift();
        if (old === undefined || present === undefined) throw new Error("requests are missing");
        expect(answer(old)).toBe("stale");
        expect(ring.poll()).toBe(-1);
        expect(driver.read(reply, 9)).toEqual(new Uint8Array(9).fill(SENTINEL));
        driver.interrupts.length = 0;
        expect(answer(present)).toBe("completed");
        expect(driver.interrupts).toEqual([0]);
        expect(ring.poll()).toBe(token);
        expect(driver.read(reply + 8, 1)).toEqual(Uint8Array.of(0));
      }
    });

    it("h: twice, of a queue that is disabled or only configured, before DRIVER_OK, and of the device meanwhile", async () => {
      const held = gate();
      const { device, driver, queue, rules } = setup(combination, {
        requestq: (request) => void request.hold(() => held.opened),
      });
      // Never set up: complete at once, nothing else.
      expect(queue(0).reset()).toBe(true);
      expect([queue(0).enabled, queue(0).resetting]).toEqual([false, false]);
      // Configured: what was configured is forgotten.
      queue(0).configure(driver.place(8));
      expect(queue(0).reset()).toBe(true);
      expect(queue(0).enable()).toBe(false);
      // Enabled, before DRIVER_OK.
      driver.queue(0);
      expect(queue(0).reset()).toBe(true);
      expect(queue(0).enabled).toBe(false);
      expect(device.queue(7)).toBeUndefined();
      const ring = driver.queue(0);
      driver.ready();
      send(driver, ring);
      await turn();
      // Twice: one reset, one completion.
      driver.resets.length = 0;
      expect(queue(0).reset()).toBe(true);
      expect(queue(0).reset()).toBe(true);
      // A reset of the device in the middle waits for the same work.
      driver.side.writeStatus(0);
      expect(device.resetting).toBe(true);
      expect(device.status).not.toBe(0);
      expect(device.live).toBe(false);
      driver.side.writeStatus(DeviceStatus.ACKNOWLEDGE);
      held.open();
      await turn();
      expect(device.status).toBe(0);
      expect(driver.resets).toEqual([]);
      expect(rules()).toEqual(["queue-not-configured"]);
    });

    it("stays incomplete, and the device needs a reset, if what the author does for it fails", async () => {
      const { device, driver, queue } = setup(combination, { queueReset: () => Promise.reject(new Error("stuck")) });
      driver.queue(0);
      driver.ready();
      queue(0).reset();
      await turn();
      expect([queue(0).resetting, queue(0).enabled]).toEqual([true, true]);
      expect(device.status & DeviceStatus.NEEDS_RESET).not.toBe(0);
      driver.side.writeStatus(0);
      await turn();
      expect(device.status).toBe(0);
    });
  });

  run(`reset of a queue over ${connection.name}, ${combination.name}${why}: both cores`, () => {
    async function connect(options: Partial<EchoDeviceOptions> = {}, isHolding = false) {
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
        resetTimeout: 200,
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
      setTimeout(() => held.open(), 20);
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
      const { driver, recording, requests } = await connect();
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
}

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
