// What a correct per-queue reset shows, points a to h, in every layout of the ring: the device against a driver that works registers and rings by hand.
import { expect, it } from "vitest";
import { CommonFeature, DeviceStatus, ProtocolError, type CommonFeatureName } from "../../../src/runtime/index.js";
import { EchoDevice, type EchoDeviceOptions, type EchoRequest } from "../fixtures/echo-device.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import type { MakeRawSide } from "../fixtures/raw-side.js";
import type { Combination } from "./combinations.js";
import { answer, everywhere, gate, rawConnections } from "./everywhere.js";

const SENTINEL = 0xa5;
const bits = (names: readonly CommonFeatureName[]): number[] => names.map((name) => CommonFeature[name]);

/** A device whose requests stay with the test, and a raw driver on it. */
function setupAt(side: MakeRawSide, combination: Combination, options: Partial<EchoDeviceOptions> = {}) {
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
  const driver = new RawDriver(device, { side });
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

everywhere("the device", rawConnections, ({ connection, combination, turn }) => {
  const setup = (options: Partial<EchoDeviceOptions> = {}) => setupAt(connection.side, combination, options);

  it("a: reads 1 in queue_reset and queue_enable while work holds on to memory, and 0 in both after it", async () => {
    const held = gate();
    const { driver, queue, requests } = setup({
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
    const { driver, queue } = setup({
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
    const { device, driver, queue, requests } = setup();
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
    const { device, driver, queue } = setup({
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
    const { driver, queue, requests } = setup();
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
    const { device, driver, queue, rules } = setup({
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
    const { device, driver, queue } = setup({ queueReset: () => Promise.reject(new Error("stuck")) });
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
