import { describe, expect, it } from "vitest";
import {
  CommonFeature,
  DeviceStateError,
  GuestMemory,
  type DeviceState,
  type DeviceTransport,
} from "../../../src/runtime/index.js";
import { EchoDevice, type EchoDeviceOptions, type EchoRequest } from "../fixtures/echo-device.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import { combinations } from "../reset/combinations.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function makeDevice(options: Partial<EchoDeviceOptions> = {}) {
  const requests: EchoRequest[] = [];
  const device = new EchoDevice({
    features: ["COUNT", "RING_RESET"],
    config: { level: 3, maxData: 4 },
    requestq: (request) => void requests.push(request),
    onProtocolError: () => undefined,
    ...options,
  });
  return { device, requests };
}
function finish(requests: EchoRequest[]): unknown[] {
  return requests.splice(0).map((request) => (request.operation === "ECHO" ? request.complete("OK") : "?"));
}
function send(driver: RawDriver, ring: ReturnType<RawDriver["queue"]>, cookie: number): number {
  const head = new Uint8Array(16);
  head[8] = cookie;
  ring.begin();
  ring.addReadable(driver.write(head), 16);
  ring.addWritable(driver.write(Uint8Array.of(0xee)), 1);
  const token = ring.end();
  ring.kick();
  return token;
}

/** A device with three requests in flight of four taken, one more that it has not seen, and buffers for events. */
async function inOperation(options: Partial<EchoDeviceOptions> = {}, bits: readonly number[] = []) {
  const { device, requests } = makeDevice(options);
  const driver = new RawDriver(device);
  driver.negotiate([CommonFeature.RING_RESET, ...bits]);
  const ring = driver.queue(0, 16);
  const events = driver.queue(1, 4);
  driver.ready();
  const tokens = [1, 2, 3, 4].map((cookie) => send(driver, ring, cookie));
  for (let i = 0; i < 2; i++) {
    events.begin();
    events.addWritable(driver.write(new Uint8Array(16)), 16);
    events.end();
  }
  events.kick();
  await turn();
  expect(device.eventq.available).toBe(2);
  expect(finish(requests.splice(0, 1))).toEqual(["completed"]);
  return { device, requests, driver, ring, events, tokens };
}
function transportOf(driver: RawDriver, memory: GuestMemory = driver.memory): DeviceTransport {
  return { memory, notifyDriver: (index) => driver.interrupts.push(index), notifyConfig: () => driver.configChanges++ };
}

for (const combination of combinations) {
  const run = combination.supported ? it : it.skip;
  const why = combination.supported ? "" : " (SKIPPED: the runtime has no such ring yet)";
  run(`a device in flight goes on elsewhere, each chain once: ${combination.name}${why}`, async () => {
    const options = { features: ["COUNT" as const, ...combination.features], withhold: combination.withhold };
    const bits = combination.features.map((name) => CommonFeature[name]);
    const optional = (["EVENT_IDX", "INDIRECT_DESC"] as const).filter((name) => !combination.withhold.includes(name));
    const old = await inOperation(options, [...bits, ...optional.map((name) => CommonFeature[name])]);
    old.device.config.level = 99;
    const state = await old.device.save();
    expect(old.device.status).toBe(0);
    const memory = old.driver.memory.regions[0]?.bytes.slice() ?? new Uint8Array(0);
    expect(finish(old.requests)).toEqual(["stale", "stale", "stale"]);
    expect(old.device.eventq.send({ kind: 1, data: new Uint8Array(1) })).toBe(false);
    expect(Buffer.compare(old.driver.memory.regions[0]?.bytes ?? new Uint8Array(0), memory)).toBe(0);
    // Plain data: through JSON and through a structured clone.
    const copies: DeviceState[] = [structuredClone(state), JSON.parse(JSON.stringify(state)) as DeviceState];
    for (const copy of copies) expect(copy).toEqual(state);

    const { device, requests } = makeDevice(options);
    device.attach(transportOf(old.driver));
    old.driver.interrupts.length = 0;
    device.restore(copies[1]);
    expect(device.config.level).toBe(99);
    // One that the driver makes available while the device moves.
    await turn();
    expect(old.driver.interrupts).toEqual([0, 1]);
    expect(requests.map(({ cookie }) => Number(cookie))).toEqual([2, 3, 4]);
    const late = send(old.driver, old.ring, 5);
    device.queue(0)?.notify();
    await turn();
    expect(requests.map(({ cookie }) => Number(cookie))).toEqual([2, 3, 4, 5]);
    expect(finish(requests)).toEqual(["completed", "completed", "completed", "completed"]);
    const used: number[] = [];
    for (let token = old.ring.poll(); token >= 0; token = old.ring.poll()) used.push(token);
    expect(used.sort()).toEqual([...old.tokens, late].sort());
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(1) })).toBe(true);
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(1) })).toBe(true);
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(1) })).toBe(false);
    expect([old.events.poll() >= 0, old.events.poll() >= 0, old.events.poll()]).toEqual([true, true, -1]);
    expect(old.ring.broken).toBeUndefined();
  });
}

describe("saving", () => {
  it("waits for what holds on to memory, and for the reset of a queue", async () => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const made = makeDevice({ requestq: (request) => void request.hold(() => opened) });
    const raw = new RawDriver(made.device);
    raw.negotiate([CommonFeature.RING_RESET]);
    const ring = raw.queue(0);
    raw.ready();
    send(raw, ring, 1);
    await turn();
    made.device.queue(0)?.reset();
    let saved: DeviceState | undefined;
    void made.device.save().then((state) => (saved = state));
    await turn();
    expect(saved).toBeUndefined();
    open();
    await turn();
    expect(saved?.queues[0]).toMatchObject({ addresses: null, position: null, inFlight: [] });
  });
});

describe("restoring is refused, and the device is as before", () => {
  const spoil: readonly (readonly [what: string, rule: string, change: (state: DeviceState) => unknown])[] = [
    ["no object", "malformed", () => 7],
    ["another version", "version", (state) => ({ ...state, version: 2 })],
    ["a queue that is nothing", "malformed", (state) => ({ ...state, queues: [null] })],
    ["a byte of 256", "malformed", (state) => ({ ...state, config: state.config.map(() => 256) })],
    ["another type of device", "device-id", (state) => ({ ...state, deviceId: 2 })],
    ["features that are not offered", "features", (state) => ({ ...state, driverFeatures: [32, 50] })],
    ["another size of the configuration", "config-size", (state) => ({ ...state, config: state.config.slice(1) })],
    ["fewer queues", "queues", (state) => ({ ...state, queues: state.queues.slice(1) })],
    ["other queues", "queues", (state) => ({ ...state, queues: [...state.queues].reverse() })],
    [
      "a ring outside of memory",
      "memory",
      (state) => ({
        ...state,
        queues: state.queues.map((q) => ({ ...q, addresses: q.addresses && { ...q.addresses, driver: 2 ** 40 } })),
      }),
    ],
    [
      "a chain that no queue can have",
      "memory",
      (state) => ({ ...state, queues: state.queues.map((q) => ({ ...q, inFlight: [{ id: 9999, entries: 1 }] })) }),
    ],
    [
      "a queue that is too large",
      "queues",
      (state) => ({
        ...state,
        queues: state.queues.map((q) => ({ ...q, addresses: q.addresses && { ...q.addresses, size: 4096 } })),
      }),
    ],
  ];
  it.each(spoil)("%s: %s", async (_what, rule, change) => {
    const { device: old, driver } = await inOperation();
    const state = await old.save();
    const { device } = makeDevice({ config: { level: 1, maxData: 4 } });
    device.attach(transportOf(driver));
    let thrown: unknown;
    try {
      device.restore(change(state));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DeviceStateError);
    expect(thrown).toMatchObject({ rule });
    expect([device.status, device.config.level]).toEqual([0, 1]);
    device.restore(state);
    expect(device.live).toBe(true);
    expect(() => device.restore(state)).toThrow("not-reset");
  });

  it("without a transport, or with other memory", async () => {
    const { device: old, driver } = await inOperation();
    const state = await old.save();
    const { device } = makeDevice();
    expect(() => device.restore(state)).toThrow("not-attached");
    device.attach(transportOf(driver, GuestMemory.flat(64)));
    expect(() => device.restore(state)).toThrow(DeviceStateError);
    expect(device.status).toBe(0);
  });
});

describe("stopping a queue without a reset", () => {
  it("waits for requests, gives empty buffers back, and says where to go on", async () => {
    const { device, requests, ring, events, driver } = await inOperation();
    const stops = [
      device.queue(0)?.stop() ?? Promise.reject(new Error("no queue")),
      device.queue(1)?.stop() ?? Promise.resolve(undefined),
    ];
    const late = send(driver, ring, 5);
    await turn();
    expect(finish(requests)).toEqual(["completed", "completed", "completed"]);
    const [request, event] = await Promise.all(stops);
    expect(request).toMatchObject({ position: { available: 4, used: 4 }, unanswered: 0 });
    expect(event).toMatchObject({ position: { available: 0, used: 0 }, unanswered: 0 });
    expect(device.queue(0)?.enabled).toBe(false);
    expect(device.queue(0)?.enable(request?.position)).toBe(true);
    expect(device.queue(1)?.enable(event?.position)).toBe(true);
    await turn();
    expect(requests).toHaveLength(1);
    finish(requests);
    const used: number[] = [];
    for (let token = ring.poll(); token >= 0; token = ring.poll()) used.push(token);
    expect(used).toHaveLength(5);
    expect(used).toContain(late);
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(1) })).toBe(true);
    expect(events.poll()).toBeGreaterThanOrEqual(0);
  });
});
