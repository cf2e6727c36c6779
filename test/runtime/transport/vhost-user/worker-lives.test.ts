import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { addressSpace, collectGarbage, guestMappings, openFiles } from "../../fixtures/process-state.js";
import { memoryBytes, PACKED, pause, plain, ScriptedFrontEnd, until, type ScriptedRing } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { MQ } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { numberOf, special } from "./worker-disk-data.js";

beforeAll(makeWorkerProgram);
afterAll(forgetWorkerProgram);

describe.runIf(await requireVhostUser())("Workers with queues of a served device", { timeout: 600_000 }, () => {
  it.each([
    { name: "crashes", sector: special.crash, says: "a crash" },
    { name: "ends", sector: special.exit, says: "ended with 3" },
  ])("end the connection when a Worker $name, and the next front end is served", async ({ sector, says }) => {
    const problems: (Error | undefined)[] = [];
    const { path, device, started } = await spreadDisk([], undefined, {
      onDisconnect: (error) => problems.push(error),
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const ring = await front.startRing(0);
    const other = await front.startRing(1);
    expect(await other.readOne(1)).toBe(1);
    ring.submit(sector);
    await front.cutOff();
    front.close();
    await until(() => problems.length === 1);
    expect(problems).toMatchObject([{ rule: "worker-gone", message: expect.stringContaining(says) as string }]);
    expect(device.status).toBe(0);
    const next = await ScriptedFrontEnd.connect(path);
    await next.setUp(plain | MQ);
    for (let index = 0; index < 4; index++) {
      expect(await (await next.startRing(index)).readOne(special.who)).toBe(100 + (index % 2));
    }
    expect(started).toHaveLength(3);
    next.close();
  });

  it("end the connection when a Worker does not answer to a stop", async () => {
    const { path, ends, started, numbers } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const ring = await front.startRing(0);
    ring.submit(special.spin);
    await until(() => Atomics.load(numbers, numberOf.spinning) === 1, "a Worker that is busy");
    front.send("GET_VRING_BASE", "vringState", { index: 0, num: 0 });
    await until(() => ends.length === 1, "the end");
    expect(ends).toEqual(["worker-gone"]);
    front.close();
    const next = await ScriptedFrontEnd.connect(path);
    await next.setUp();
    expect(await (await next.startRing(0)).readOne(5)).toBe(5);
    expect(started).toHaveLength(3);
    next.close();
  });

  it.each([
    { name: "split", wanted: plain, isPacked: false },
    { name: "packed", wanted: plain | PACKED, isPacked: true },
  ])("serve what was in flight again after a Worker was lost, once: $name", async ({ wanted, isPacked }) => {
    const { path, ends, started, numbers } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(wanted | MQ);
    const reply = await front.ask("GET_INFLIGHT_FD", "inflight", { size: 0, offset: 0, queues: 4, queueSize: 16 });
    const area = decodePayload("inflight", reply);
    const fd = reply.fds[0] ?? -1;
    front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    const rings: ScriptedRing[] = [];
    for (const index of [0, 1]) rings.push(await front.startRing(index, { features: { packed: isPacked } }));
    const late = rings.map((ring) => [ring.submit(special.kept), ring.submit(special.kept)]);
    for (const ring of rings) expect(await ring.readOne(3)).toBe(3);
    await started[0]?.terminate();
    await until(() => ends.length === 1);
    expect(ends).toEqual(["worker-gone"]);
    for (const ring of rings) expect(ring.poll()).toEqual([]);
    Atomics.store(numbers, numberOf.released, 1);
    const next = await ScriptedFrontEnd.connect(path, front.memoryFile);
    await next.setUp(wanted | MQ);
    next.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    for (const [index, ring] of rings.entries()) {
      ring.front = next;
      await ring.start(isPacked ? 0x8000_8000 : 1);
      const done = await ring.completions(2);
      expect(done.map(({ token }) => token).sort()).toEqual(late[index]?.sort());
      expect(done.map(({ first }) => first)).toEqual([7, 7]);
      expect(await ring.readOne(8)).toBe(8);
      expect(ring.poll()).toEqual([]);
    }
    next.close();
    front.close();
  });

  it("leave nothing behind, 100 times", async () => {
    const { path, ends } = await spreadDisk();
    const round = async (last: boolean): Promise<void> => {
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp(plain | MQ);
      const rings = [await front.startRing(0), await front.startRing(1), await front.startRing(2)];
      const [ring] = rings;
      if (!last) ring?.submit(special.hold);
      else if (ring !== undefined) await ring.readOne(special.letGo);
      for (const ring of rings) expect(await ring.readOne(last ? special.collectGarbage : 6)).toBe(last ? 0 : 6);
      const ended = ends.length;
      front.close();
      await until(() => ends.length > ended);
    };
    await round(false);
    const [before, start] = [openFiles(), addressSpace()];
    for (let i = 0; i < 100; i++) await round(false);
    await until(() => openFiles() <= before, "as few open files as before");
    expect(new Set(ends)).toEqual(new Set(["closed"]));
    // Memory that was lent is given back when the Workers have collected their views: now, or when they did so by themselves.
    for (let tries = 0; tries < 100 && (addressSpace() > start + 50 * memoryBytes || guestMappings() > 2); tries++) {
      await round(true);
      collectGarbage();
      await pause(10);
    }
    expect(guestMappings()).toBeLessThanOrEqual(2);
    expect(addressSpace()).toBeLessThanOrEqual(start + 50 * memoryBytes);
  });

  it("end with the device that is served", async () => {
    const { path, served, started } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    await front.startRing(0);
    const exits = started.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
    await served.close();
    expect(await Promise.all(exits)).toEqual([0, 0]);
    await front.cutOff();
    front.close();
  });

  it.each([
    { kind: "throws", says: "not today" },
    { kind: "differs", says: "not the same" },
    { kind: "silent", says: "did not call serveQueues" },
  ] as const)("are not served with a Worker that $kind", async ({ kind, says }) => {
    const before = openFiles();
    const problem: unknown = await spreadDisk(["same", kind]).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(problem).toMatchObject({ rule: "worker-gone", message: expect.stringContaining(says) as string });
    await until(() => openFiles() <= before, "as few open files as before");
  });
});
