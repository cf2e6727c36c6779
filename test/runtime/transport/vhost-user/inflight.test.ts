import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { decodePayload, type InflightArea } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { doneBy, startMortalBackEnd } from "./mortal-process.js";
import { ringForms } from "./ring-forms.js";
import { isSignalled, PACKED, pause, plain, ScriptedFrontEnd, until, type ScriptedRing } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { answer, serveDisk, type BlkRequest } from "./served-disk.js";

const REQUESTS = 1000;
const SIZE = 4096;

async function connected(socket: string, memoryFile?: number): Promise<ScriptedFrontEnd> {
  for (const end = performance.now() + 120_000; ;) {
    try {
      return await ScriptedFrontEnd.connect(socket, memoryFile);
    } catch (error) {
      if (performance.now() > end) throw error;
      await pause(20);
    }
  }
}

async function inflightOf(front: ScriptedFrontEnd, queueSize: number): Promise<{ area: InflightArea; fd: number }> {
  const reply = await front.ask("GET_INFLIGHT_FD", "inflight", { size: 0, offset: 0, queues: 1, queueSize });
  return { area: decodePayload("inflight", reply), fd: reply.fds[0] ?? -1 };
}

/** What a front end takes for the position of a ring whose back end is lost: that of the used ring. */
function lostBase(ring: ScriptedRing, isPacked: boolean): number {
  const { device } = ring.addresses;
  const region = ring.front.memory.locate(device, 4);
  if (isPacked || region === undefined) return 0x8000_8000;
  return region.view.getUint16(device - region.start + 2, true);
}

describe.runIf(await requireVhostUser())("the inflight region", () => {
  it.each([
    { name: "split", wanted: plain, isPacked: false },
    { name: "packed", wanted: plain | PACKED, isPacked: true },
  ])(
    "loses no request and completes none twice when the back end is killed, three times: $name",
    { timeout: 600_000 },
    async ({ wanted, isPacked }) => {
      const folder = mkdtempSync(join(tmpdir(), "virtio-gen-inflight-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const socket = join(folder, "socket");
      let back = startMortalBackEnd(socket, join(folder, "log0"), 1);
      let front = await connected(socket);
      const first = front;
      await front.setUp(wanted);
      const { area, fd } = await inflightOf(front, SIZE);
      front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
      const ring = await front.startRing(0, { size: SIZE, features: { packed: isPacked } });
      const sectors = new Map<number, number>();
      const completed = new Set<number>();
      const collect = (): void => {
        for (const { token, status } of ring.poll()) {
          expect(status).toBe(0);
          completed.add(sectors.get(token) ?? -1);
          sectors.delete(token);
        }
      };
      let next = 0;
      const submit = (count: number): void => {
        for (; count > 0; count--) sectors.set(ring.submit(next, next & 0xff), next++);
      };
      submit(REQUESTS / 2);
      for (let life = 0; life < 4; life++) {
        const wantedNow = life === 3 ? REQUESTS : (REQUESTS * (life + 1)) / 8;
        await until(() => {
          collect();
          return completed.size >= wantedNow;
        }, `life ${life}: ${completed.size} of ${wantedNow}`);
        if (life === 3) break;
        if (life === 1) submit(REQUESTS / 2);
        await back.kill();
        collect();
        const before = new Set(completed);
        front.channel.close();
        const log = join(folder, `log${life + 1}`);
        back = startMortalBackEnd(socket, log, life === 2 ? 0 : 1);
        front = await connected(socket, first.memoryFile);
        ring.front = front;
        await front.setUp(wanted);
        front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
        await ring.start(lostBase(ring, isPacked));
        await until(() => doneBy(log).length > 0, "a sign of life");
        // What was completed is not done again.
        for (const sector of doneBy(log)) expect(before.has(sector)).toBe(false);
      }
      expect(completed.size).toBe(REQUESTS);
      await pause(100);
      expect(ring.poll()).toEqual([]);
      front.close();
      first.close();
    },
  );

  it("is empty after a stop in good order, and keeps what a handler never answered", async () => {
    const held: BlkRequest[] = [];
    let isHolding = true;
    const { path, ends } = await serveDisk((request, disk) => {
      if (isHolding && request.sector === 7n) held.push(request);
      else answer(request, disk);
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const { area, fd } = await inflightOf(front, 16);
    front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    const ring = await front.startRing(0);
    ring.submit(7);
    ring.submit(8);
    await ring.completions(1);
    expect(await ring.stop()).toBe(2);
    isHolding = false;
    front.channel.close();
    await until(() => ends.length === 1);
    const second = await ScriptedFrontEnd.connect(path, front.memoryFile);
    ring.front = second;
    await second.setUp();
    second.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    await ring.start(2);
    expect(await ring.completions(1)).toMatchObject([{ first: 7, status: 0 }]);
    expect(await ring.stop()).toBe(2);
    second.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    await ring.start(2);
    await pause(20);
    expect(ring.poll()).toEqual([]);
    second.close();
    front.close();
  });

  it("makes a ring call when it starts, and when it is told how: the last answers may not have been called for", async () => {
    const { path, ends } = await serveDisk(answer);
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const { area, fd } = await inflightOf(front, 16);
    front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    const ring = await front.startRing(0);
    ring.submit(7);
    await ring.completions(1);
    front.channel.close();
    await until(() => ends.length === 1);
    ring.call.drain();
    const second = await ScriptedFrontEnd.connect(path, front.memoryFile);
    ring.front = second;
    await second.setUp();
    second.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    await ring.start(1);
    expect(isSignalled(ring.call)).toBe(true);
    second.send("SET_VRING_CALL", "u64", 0n, { fds: [ring.call.fd] });
    await until(() => isSignalled(ring.call), "a call");
    second.close();
    front.close();
  });

  it("is forgotten when a driver starts anew, although a request was never answered", async () => {
    let taken = 0;
    const { path } = await serveDisk((request, disk) => {
      taken++;
      if (request.sector !== 7n) answer(request, disk);
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const { area, fd } = await inflightOf(front, 16);
    front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    const ring = await front.startRing(0);
    ring.submit(7);
    await until(() => taken === 1);
    expect(await ring.stop()).toBe(1);
    const again = await front.startRing(0);
    again.submit(8);
    expect(await again.completions(1)).toMatchObject([{ first: 8, status: 0 }]);
    expect(taken).toBe(2);
    front.close();
  });

  it.each(ringForms)("is forgotten when the device is reset: $name", async ({ wanted, ring: form }) => {
    const taken: bigint[] = [];
    const { path } = await serveDisk((request, disk) => {
      taken.push(request.sector);
      if (request.sector !== 7n) answer(request, disk);
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(wanted);
    const { area, fd } = await inflightOf(front, 16);
    front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    const ring = await front.startRing(0, { features: form });
    ring.submit(6);
    ring.submit(7);
    await until(() => taken.length === 2);
    expect(await front.acknowledged("RESET_DEVICE", "none", undefined)).toBe(true);
    front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    const again = await front.startRing(0, { features: form });
    again.submit(8);
    expect(await again.completions(1)).toMatchObject([{ first: 8, status: 0 }]);
    expect(taken).toEqual([6n, 7n, 8n]);
    front.close();
  });

  it("is not made anew while a ring runs, nor for more rings than there can be", async () => {
    const { path, ends } = await serveDisk();
    const ask = { size: 0, offset: 0, queues: 1, queueSize: 16 };
    for (const running of [true, false]) {
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp();
      if (running) await front.startRing(0);
      front.send("GET_INFLIGHT_FD", "inflight", running ? ask : { ...ask, queues: 257 });
      await front.cutOff();
      front.close();
    }
    await until(() => ends.length === 2);
    expect(ends).toEqual(["ring-running", "inflight-size"]);
  });
});
