import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BlkDriver } from "../../../../../generated/blk.js";
import { FeatureSet } from "../../../../../src/runtime/index.js";
import {
  type ConnectOptions,
  type VhostUserDriverTransport,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import { decodePayload } from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { type ScriptedBackEnd, u64 } from "../scripted-back-end.js";
import { ScriptedConnection } from "../scripted-connection.js";
import { until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";

const VERSION_1 = 32;
const RING_RESET = 40;
const NEEDS_RESET = 0x40;
const SECTOR = 512;
const places = [
  { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 },
  { size: 8, descriptor: 0x10_4000, driver: 0x10_5000, device: 0x10_6000 },
];

describe.runIf(await requireVhostUser())("a back end that says that a ring is broken", () => {
  const connection = new ScriptedConnection();
  const { ends } = connection;
  let back: ScriptedBackEnd;
  let changes: number;

  beforeEach(async () => {
    changes = 0;
    back = await connection.begin();
    back.features |= 1n << BigInt(RING_RESET);
    back.keepsFailures = true;
  });
  afterEach(() => connection.end());

  const open = (options: Partial<ConnectOptions> = {}): Promise<VhostUserDriverTransport> =>
    connection.open({ patience: 20_000, ...options });
  /** As a driver does it, with two rings. */
  async function start(on: VhostUserDriverTransport): Promise<void> {
    await on.setStatus(0);
    await on.setStatus(3);
    await on.setFeatures(FeatureSet.of([VERSION_1, RING_RESET]));
    for (const [index, place] of places.entries()) await on.enableQueue(index, place);
    await on.setStatus(15);
    on.onConfigChange = () => changes++;
  }
  /** What comes after that has come after everything that was signalled before. */
  async function afterSignals(on: VhostUserDriverTransport): Promise<void> {
    for (let count = 0; count < 3; count++) await on.readConfig(0, 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const statuses = (): number => back.names(0).filter((name) => name === "GET_STATUS").length;

  it("is told how, for each ring, before the ring starts", async () => {
    await start(await open());
    const told = back.seen[0]?.filter(({ name }) => name === "SET_VRING_ERR") ?? [];
    expect(told.map((message) => decodePayload("u64", message))).toEqual([0n, 1n]);
    expect(new Set(back.failures.map(({ fd }) => fd)).size).toBe(2);
    const names = back.names(0);
    expect(names.indexOf("SET_VRING_ERR")).toBeLessThan(names.indexOf("SET_VRING_KICK"));
  });

  it("makes the device need a reset, once, however often it says so, and need not answer for that", async () => {
    const on = await open();
    await start(on);
    await afterSignals(on);
    expect([changes, await on.getStatus()]).toEqual([0, 15]);
    const asked = statuses();
    // From here on it does not say a word.
    back.script = (name) => (name === "GET_STATUS" ? "nothing" : undefined);
    for (let count = 0; count < 100; count++) for (const failure of back.failures) failure.signal();
    await until(() => changes > 0);
    expect(await on.getStatus()).toBe(15 | NEEDS_RESET);
    for (let count = 0; count < 100; count++) for (const failure of back.failures) failure.signal();
    await afterSignals(on);
    expect(changes).toBe(1);
    expect(statuses()).toBe(asked);
    back.script = () => undefined;
    await start(on);
    expect(await on.getStatus()).toBe(15);
    // Those of before mean nothing any more.
    for (const failure of back.failures.slice(0, 2)) failure.signal();
    await afterSignals(on);
    expect([changes, await on.getStatus()]).toEqual([1, 15]);
    back.failures[3]?.signal();
    await until(() => changes === 2);
    expect(await on.getStatus()).toBe(15 | NEEDS_RESET);
    expect(ends).toEqual([]);
  });

  it("has the requests in flight rejected, and can be used again after a recovery", async () => {
    const on = await open();
    const errors: string[] = [];
    const driver = await BlkDriver.start(on, { onError: ({ message }) => void errors.push(message) });
    const requests = [1n, 2n].map((sector) => driver.requestq.submit({ type: "IN", sector, data: SECTOR }));
    back.failures.at(-1)?.signal();
    for (const request of requests) await expect(request).rejects.toMatchObject({ rule: "device-needs-reset" });
    await expect(driver.requestq.submit({ type: "IN", sector: 0n, data: SECTOR })).rejects.toMatchObject({
      rule: "device-needs-reset",
    });
    expect(errors).toEqual([expect.stringContaining("device-needs-reset")]);
    await driver.recover();
    const waiting = driver.requestq.submit({ type: "IN", sector: 0n, data: SECTOR });
    back.failures.at(-1)?.signal();
    await expect(waiting).rejects.toMatchObject({ rule: "device-needs-reset" });
    expect(errors).toHaveLength(2);
    await driver.stop();
    expect(ends).toEqual([]);
  });

  it.each(["SET_VRING_KICK", "SET_VRING_ENABLE"] as const)("says it at %s: the driver does not start", async (when) => {
    const on = await open();
    back.script = (name) => {
      if (name === when) back.failures.at(-1)?.signal();
      return undefined;
    };
    await expect(BlkDriver.start(on, { onError: () => undefined })).rejects.toMatchObject({
      rule: "device-needs-reset",
    });
    expect(on.queueEnabled(0)).toBe(false);
    back.script = () => undefined;
    const driver = await BlkDriver.start(on);
    await driver.stop();
    expect(ends).toEqual([]);
  });

  it("says it while a ring is stopped, or of one that is there no more, which does no harm", async () => {
    const on = await open();
    await start(on);
    back.script = (name) => {
      if (name === "GET_VRING_BASE") for (const failure of back.failures) failure.signal();
      return undefined;
    };
    await on.setStatus(0);
    await afterSignals(on);
    expect([changes, await on.getStatus()]).toEqual([0, 0]);
    back.script = () => undefined;
    await start(on);
    back.script = (name) => {
      if (name === "GET_VRING_BASE") back.failures[2]?.signal();
      return undefined;
    };
    on.resetQueue(0);
    await until(() => !on.queueResetting(0));
    back.failures[2]?.signal();
    await afterSignals(on);
    expect(changes).toBe(0);
    await on.enableQueue(0, { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 });
    back.failures[2]?.signal();
    await afterSignals(on);
    expect([changes, await on.getStatus()]).toEqual([0, 15]);
    on.close();
    for (const failure of back.failures) failure.signal();
    await new Promise((resolve) => setImmediate(resolve));
    expect(ends).toHaveLength(1);
  });

  it("says it as its last word: the next one does not make it whole, a reset does", async () => {
    let returned = 0;
    const on = await open({ reconnect: { delay: 1, longestDelay: 20, onReturn: () => returned++ } });
    await start(on);
    back.failures[1]?.signal();
    back.cutOff();
    await until(() => returned === 1);
    await until(() => changes > 0);
    expect(await on.getStatus()).toBe(15 | NEEDS_RESET);
    await start(on);
    expect(await on.getStatus()).toBe(15);
    expect(ends).toEqual([]);
  });

  it("may refuse to say it at all", async () => {
    const on = await open();
    back.script = (name) => (name === "SET_VRING_ERR" ? u64(1n) : undefined);
    await start(on);
    expect(await on.getStatus()).toBe(15);
    expect(back.names(0).filter((name) => name === "SET_VRING_ENABLE")).toHaveLength(2);
    expect(ends).toEqual([]);
  });

  it.each([
    { what: "is gone at that", answer: "gone", rule: "peer-gone" },
    { what: "does not answer to it", answer: "nothing", rule: "unanswered" },
  ] as const)("$what: that is the end", async ({ answer, rule }) => {
    const on = await open({ patience: 2000 });
    back.script = (name) => (name === "SET_VRING_ERR" ? answer : undefined);
    await expect(start(on)).rejects.toMatchObject({ rule });
    expect(ends).toMatchObject([{ rule }]);
    expect(on.queueEnabled(0)).toBe(false);
  });
});
