import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { BLK_DEVICE_ID, BlkDriver } from "../../../../../generated/blk.js";
import { CommonFeature, ProtocolError } from "../../../../../src/runtime/index.js";
import {
  connect,
  type ConnectOptions,
  type VhostUserDriverTransport,
  type VhostUserError,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import { doneBy, startMortalBackEnd } from "../mortal-process.js";
import { pause } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";

const REQUESTS = 1000;
const QUEUE_SIZE = 4096;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-reconnect-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
/** Until something holds; fails after two minutes. */
async function until(holds: () => boolean, what: () => string): Promise<void> {
  for (const end = performance.now() + 120_000; !holds();) {
    if (performance.now() > end) throw new Error(`${what()} did not happen`);
    await pause(2);
  }
}
async function connected(socket: string, options: Partial<ConnectOptions> = {}): Promise<VhostUserDriverTransport> {
  for (const end = performance.now() + 120_000; ;) {
    try {
      const transport = await connect(socket, { deviceId: BLK_DEVICE_ID, queueSize: QUEUE_SIZE, ...options });
      onTestFinished(() => transport.close());
      return transport;
    } catch (error) {
      if (performance.now() > end) throw error;
      await pause(20);
    }
  }
}

describe.runIf(await requireVhostUser())("a front end whose back end is killed", () => {
  it.each([
    { rings: "split", features: [], withhold: [] },
    { rings: "split, no event index, no indirect descriptors", features: [], withhold: ["EVENT_IDX", "INDIRECT_DESC"] },
    { rings: "packed", features: ["RING_PACKED"], withhold: [] },
    { rings: "packed, no event index, no indirect descriptors", features: ["RING_PACKED"], withhold: ["EVENT_IDX", "INDIRECT_DESC"] },
    { rings: "split, in order", features: ["IN_ORDER"], withhold: [] },
    { rings: "packed, in order", features: ["RING_PACKED", "IN_ORDER"], withhold: ["INDIRECT_DESC"] },
  ] as const)("loses no write and gets no answer twice, three times over: $rings", { timeout: 600_000 }, async ({ features, withhold }) => {
    const folder = temporaryFolder();
    const socket = join(folder, "socket");
    // In order, one that is never answered holds up all that come after it.
    const certain = features.some((name) => name === "IN_ORDER") ? 200 : 0;
    let back = startMortalBackEnd(socket, join(folder, "log0"), 1, certain);
    let lost = 0;
    let returned = 0;
    const ends: VhostUserError[] = [];
    const transport = await connected(socket, {
      reconnect: { onLost: () => lost++, onReturn: () => returned++ },
      onEnd: (error) => void ends.push(error),
    });
    const errors: Error[] = [];
    const driver = await BlkDriver.start(transport, {
      features: [...features],
      withhold: [...withhold],
      queueSize: QUEUE_SIZE,
      onError: (error) => void errors.push(error),
    });
    for (const name of features) expect(driver.negotiated.has(CommonFeature[name])).toBe(true);
    const answered = new Set<number>();
    const rejected: unknown[] = [];
    let next = 0;
    const submit = (count: number): void => {
      for (; count > 0; count--) {
        const sector = next++;
        driver.requestq.submit({ type: "OUT", sector: BigInt(sector), data: new Uint8Array(512).fill(sector) }).then(
          ({ status }) => {
            expect(status).toBe("OK");
            expect(answered.has(sector)).toBe(false);
            answered.add(sector);
          },
          (error: unknown) => rejected.push(error),
        );
      }
    };
    submit(REQUESTS - 100);
    for (let life = 0; life < 4; life++) {
      const wanted = life === 3 ? REQUESTS : (REQUESTS * (life + 1)) / 8;
      await until(() => answered.size >= wanted, () => `life ${life}: ${answered.size} of ${wanted}`);
      if (life === 3) break;
      await back.kill();
      await until(() => lost === life + 1, () => "the loss");
      await pause(5);
      const before = new Set(answered);
      // Some are submitted while there is no back end at all.
      if (life === 1) submit(100);
      expect(transport.connected).toBe(false);
      const log = join(folder, `log${life + 1}`);
      back = startMortalBackEnd(socket, log, life === 2 ? 0 : 1, certain);
      await until(() => returned === life + 1, () => "the return");
      await until(() => doneBy(log).length > 0, () => "a sign of life");
      for (const sector of doneBy(log)) expect(before.has(sector), `${sector} again`).toBe(false);
    }
    await pause(50);
    expect(answered.size).toBe(REQUESTS);
    expect([rejected, errors, ends]).toEqual([[], [], []]);
    await driver.stop();
  }); // prettier-ignore

  it.each([
    { rings: "split", features: [] },
    { rings: "packed", features: ["RING_PACKED"] },
  ] as const)("does not get what a reset of the queue took back served again: $rings", { timeout: 600_000 }, async ({ features }) => {
    const folder = temporaryFolder();
    const socket = join(folder, "socket");
    const back = startMortalBackEnd(socket, join(folder, "log0"), 1);
    let returned = 0;
    const transport = await connected(socket, { reconnect: { onReturn: () => returned++ } });
    const driver = await BlkDriver.start(transport, { features: ["RING_RESET", ...features], queueSize: 256 });
    const outcomes = new Map<number, string>();
    const submit = (sector: number): void => {
      driver.requestq.submit({ type: "OUT", sector: BigInt(sector), data: new Uint8Array(512) }).then(
        ({ status }) => outcomes.set(sector, String(status)),
        (error: unknown) => outcomes.set(sector, error instanceof ProtocolError ? error.rule : String(error)),
      );
    };
    const first = Array.from({ length: 60 }, (_, sector) => sector);
    first.forEach(submit);
    await until(() => outcomes.size > 10, () => "some answers");
    // Some of them are never answered: they stay in the inflight region of the back end.
    await driver.resetQueue("requestq");
    expect(outcomes.size).toBe(60);
    expect([...new Set(outcomes.values())].sort()).toEqual(["OK", "queue-reset"]);
    await driver.resizeQueue("requestq", 64);
    const second = Array.from({ length: 20 }, (_, index) => 100 + index);
    second.forEach(submit);
    await until(() => second.some((sector) => outcomes.has(sector)), () => "an answer");
    await back.kill();
    // What was answered, was served.
    const served = doneBy(join(folder, "log0"));
    for (const sector of second.filter((one) => outcomes.has(one))) expect(served).toContain(sector);
    const log = join(folder, "log1");
    startMortalBackEnd(socket, log, 0);
    await until(() => second.every((sector) => outcomes.get(sector) === "OK"), () => "all answers");
    await until(() => returned === 1, () => "the return");
    expect(doneBy(log).filter((sector) => sector < 100)).toEqual([]);
    await driver.stop();
  }); // prettier-ignore
});
