import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../../../generated/blk.js";
import { DeviceStatus } from "../../../../src/runtime/negotiation/index.js";
import { ringForms } from "./ring-forms.js";
import { PACKED, pause, plain, ScriptedFrontEnd, until } from "./scripted-front-end.js";
import { requireVhostUser, serveDevice } from "./served-device.js";
import { answer, MQ, SECTORS, serveDisk, type BlkRequest } from "./served-disk.js";

describe.runIf(await requireVhostUser())("the rings of a served device", () => {
  it.each(ringForms)(
    "reads and writes, over several laps of the ring: $name",
    async ({ wanted, ring: ringFeatures }) => {
      const { path, disk, errors, ends } = await serveDisk();
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp(wanted);
      const ring = await front.startRing(0, { features: ringFeatures });
      for (let round = 0; round < 30; round++) {
        ring.submit(round);
        ring.submit(100 + round, 200 - round);
        const done = await ring.completions(2);
        expect(done.map(({ status }) => status)).toEqual([0, 0]);
        expect(done[0]?.first).toBe(round);
        expect(disk[(100 + round) * 512 + 511]).toBe(200 - round);
      }
      front.close();
      await until(() => ends.length === 1);
      expect([errors, ends]).toEqual([[], ["closed"]]);
    },
  );

  it.each(ringForms)(
    "stops with requests in flight, and goes on where it stopped: $name",
    async ({ wanted, ring: form }) => {
      const waiting: BlkRequest[] = [];
      const { path, device, errors } = await serveDisk((request, disk) => {
        if (waiting.length < 3) waiting.push(request);
        else answer(request, disk);
      });
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp(wanted);
      const ring = await front.startRing(0, { features: form });
      for (let sector = 1; sector <= 3; sector++) ring.submit(sector);
      await until(() => waiting.length === 3);
      const stopping = ring.stop();
      await pause(20);
      ring.submit(4);
      await pause(20);
      for (const request of waiting) answer(request, new Uint8Array(SECTORS * 512));
      const base = await stopping;
      expect(await ring.completions(3)).toHaveLength(3);
      if (wanted === plain) expect(base).toBe(3);
      await pause(20);
      expect(ring.poll()).toEqual([]);
      // A pause of the machine: the same features, the same place. The device is not reset.
      front.send("SET_FEATURES", "u64", wanted);
      const before = device.status;
      await ring.start(base);
      expect(device.status).toBe(before);
      expect((await ring.completions(1))[0]).toMatchObject({ first: 4, status: 0 });
      ring.submit(5);
      expect((await ring.completions(1))[0]).toMatchObject({ first: 5, status: 0 });
      front.close();
      expect(errors).toEqual([]);
    },
  );

  it("is reset when a driver starts anew, with other features", async () => {
    const { path, device } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain);
    const first = await front.startRing(0);
    first.submit(1);
    await first.completions(1);
    await first.stop();
    front.send("SET_FEATURES", "u64", plain | PACKED);
    const second = await front.startRing(0, { features: { packed: true }, base: 0x8000_8000 });
    expect(device.negotiated.has(34)).toBe(true);
    second.submit(2);
    expect(await second.completions(1)).toMatchObject([{ first: 2, status: 0 }]);
    front.close();
  });

  it("serves four rings, out of order, and disables and enables one", async () => {
    const { path, device } = await serveDisk(async (request, disk) => {
      await pause(Number(request.sector % 7n));
      return answer(request, disk);
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    expect(await front.askNumber("GET_QUEUE_NUM")).toBe(4n);
    const rings = [];
    for (let index = 0; index < 4; index++) rings.push(await front.startRing(index, { size: 64 }));
    for (let sector = 1; sector <= 40; sector++) rings[sector % 4]?.submit(sector);
    const sums = await Promise.all(
      rings.map(async (ring) => (await ring.completions(10)).reduce((sum, { first }) => sum + first, 0)),
    );
    expect(sums.reduce((a, b) => a + b)).toBe(820);
    expect(device.live).toBe(true);
    const [, ring] = rings;
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 1, num: 0 })).toBe(true);
    ring?.submit(50);
    rings[0]?.submit(51);
    await rings[0]?.completions(1);
    expect(ring?.poll()).toEqual([]);
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 1, num: 1 })).toBe(true);
    expect(await ring?.completions(1)).toMatchObject([{ first: 50 }]);
    front.close();
  });

  it("polls a ring without a kick", async () => {
    const { path } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0, { polled: true });
    for (let sector = 1; sector <= 20; sector++) {
      ring.submit(sector);
      expect(await ring.completions(1)).toMatchObject([{ first: sector }]);
      if (sector === 10) await pause(50);
    }
    expect(await ring.stop()).toBe(20);
    front.close();
  });

  it("keeps the status, and resets on request", async () => {
    const { path, device } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    front.send("SET_STATUS", "u64", 11n);
    expect(await front.askNumber("GET_STATUS")).toBe(11n);
    const ring = await front.startRing(0);
    ring.submit(1);
    await ring.completions(1);
    expect(await front.acknowledged("RESET_DEVICE", "none", undefined)).toBe(true);
    expect(device.status).toBe(0);
    expect(await front.askNumber("GET_STATUS")).toBe(0n);
    const again = await front.startRing(0);
    again.submit(2);
    expect(await again.completions(1)).toMatchObject([{ first: 2 }]);
    front.close();
  });

  it.each(ringForms)(
    "answers a stop although a handler never does, and says so: $name",
    async ({ wanted, ring: form }) => {
      let late: BlkRequest | undefined;
      const { path, errors } = await serveDisk((request, disk) => {
        if (request.sector === 9n) late = request;
        else answer(request, disk);
      });
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp(wanted);
      const ring = await front.startRing(0, { features: form });
      ring.submit(9);
      ring.submit(10);
      await ring.completions(1);
      const base = await ring.stop();
      expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining("1 requests unanswered")]);
      await ring.start(base);
      for (let round = 0; round < 30; round++) {
        ring.submit(11 + round);
        expect(await ring.completions(1)).toMatchObject([{ first: 11 + round }]);
      }
      expect(late === undefined ? "" : answer(late, new Uint8Array(SECTORS * 512))).toBe("stale");
      expect(ring.poll()).toEqual([]);
      expect(errors).toHaveLength(1);
      front.close();
    },
  );

  it("need a reset when what is done for a stop fails after the stop was answered", async () => {
    let fail: ((error: Error) => void) | undefined;
    let taken = 0;
    const device = new BlkDevice({
      config: { capacity: BigInt(SECTORS) },
      requestq: () => {
        taken++;
      },
      // Only of the first stop.
      queueReset: () => (fail === undefined ? new Promise((_, reject) => (fail = reject)) : undefined),
    });
    const { path, errors } = await serveDevice(device, { stopTimeout: 50 });
    device.onProtocolError = (error) => errors.push(error);
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    ring.submit(9);
    await until(() => taken === 1);
    expect(await ring.stop()).toBe(1);
    errors.length = 0;
    fail?.(new Error("not today"));
    await until(() => errors.length > 0);
    expect(errors).toMatchObject([{ name: "HandlerError", cause: { message: "not today" } }]);
    expect(device.status & DeviceStatus.NEEDS_RESET).not.toBe(0);
    front.close();
  });

  it("completes the request of a handler that throws", async () => {
    const { path, errors } = await serveDisk((request, disk) => {
      if (request.sector === 9n) throw new Error("no such luck");
      return answer(request, disk);
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    ring.submit(9);
    ring.submit(10);
    expect((await ring.completions(2)).map(({ status }) => status)).toEqual([1, 0]);
    expect(errors.map(({ name }) => name)).toEqual(["HandlerError"]);
    front.close();
  });
});
