// What a Worker uses stays until it has heard that there is something else, and not longer.
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { SharedMapping } from "../../../../src/runtime/transport/posix/index.js";
import { DirtyLog } from "../../../../src/runtime/transport/vhost-user/back-end/dirty-log.js";
import { guestStart, isSignalled, LOG_ALL, memoryBytes, plain, ScriptedFrontEnd, until } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { MQ } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { numberOf, special } from "./worker-disk-data.js";

const RING_RESET = 1n << 40n;
const logBytes = Math.ceil((guestStart + memoryBytes) / 4096 / 8);

beforeAll(makeWorkerProgram);
afterAll(forgetWorkerProgram);

describe.runIf(await requireVhostUser())("a Worker", { timeout: 600_000 }, () => {
  it("marks pages in the old log until it has heard of the new one", async () => {
    const { path, numbers } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    onTestFinished(() => front.close());
    await front.setUp(plain | LOG_ALL);
    const logs = [front.file(logBytes), front.file(logBytes)].map((file) => {
      const mapping = new SharedMapping(front.system, file, 0, logBytes);
      onTestFinished(() => mapping.release());
      return { file, bits: mapping.view(0, logBytes) };
    });
    const setLog = async (which: number): Promise<void> => {
      front.send("SET_LOG_BASE", "log", { size: logBytes, offset: 0 }, { fds: [logs[which]?.file ?? -1] });
      expect((await front.receive()).name).toBe("SET_LOG_BASE");
    };
    await setLog(0);
    const ring = await front.startRing(0, { flags: 1 });
    ring.submit(special.gate);
    await until(() => Atomics.load(numbers, numberOf.atGate) === 1);
    logs[0]?.bits.fill(0);
    // The main thread changes from one to the other while the Worker is at work.
    const change = vi.spyOn(DirtyLog.prototype, "setArea");
    onTestFinished(() => change.mockRestore());
    const changed = setLog(1);
    await until(() => change.mock.calls.length > 0);
    Atomics.store(numbers, numberOf.gate, 1);
    Atomics.notify(numbers, numberOf.gate);
    await changed;
    const [read] = await ring.completions(1);
    expect(read).toMatchObject({ first: 5, status: 0 });
    for (const address of [read?.address ?? 0, ring.addresses.device]) {
      const page = Math.floor(address / 4096);
      expect(logs.some(({ bits }) => ((bits[page >> 3] ?? 0) & (1 << (page & 7))) !== 0)).toBe(true);
    }
  });

  it("lets go of the kick of a ring that it cannot stop", async () => {
    const { path, errors } = await spreadDisk([], undefined, { ringReset: true, stopTimeout: 100 });
    const front = await ScriptedFrontEnd.connect(path);
    onTestFinished(() => front.close());
    await front.setUp(plain | MQ | RING_RESET);
    const ring = await front.startRing(0);
    const other = await front.startRing(2);
    ring.submit(special.holdMemory);
    expect(await ring.readOne(1)).toBe(1);
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num: 0 })).toBe(false);
    expect(errors).toContainEqual(expect.objectContaining({ rule: "memory-in-use" }));
    ring.kick.signal();
    // The same Worker has looked at its descriptors since.
    for (let sector = 0; sector < 5; sector++) expect(await other.readOne(sector)).toBe(sector);
    expect(isSignalled(ring.kick)).toBe(true);
  });

  it("knows where a ring is that it could not take memory back from", async () => {
    const { path } = await spreadDisk([], undefined, { ringReset: true, stopTimeout: 100 });
    const front = await ScriptedFrontEnd.connect(path);
    onTestFinished(() => front.close());
    await front.setUp(plain | MQ | RING_RESET);
    const ring = await front.startRing(0);
    for (let sector = 0; sector < 5; sector++) expect(await ring.readOne(sector)).toBe(sector);
    ring.submit(special.holdMemory);
    expect(await ring.readOne(5)).toBe(5);
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num: 0 })).toBe(false);
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num: 1 })).toBe(true);
    for (let sector = 6; sector < 12; sector++) expect(await ring.readOne(sector)).toBe(sector);
    expect(ring.poll()).toEqual([]);
  });
});
