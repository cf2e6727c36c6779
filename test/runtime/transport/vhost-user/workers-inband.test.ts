import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFiles } from "../../fixtures/process-state.js";
import { Ear } from "./ear.js";
import { isSignalled, plain, ScriptedFrontEnd, until, type ScriptedRing } from "./scripted-front-end.js";
import { ringForms } from "./ring-forms.js";
import { requireVhostUser } from "./served-device.js";
import { MQ } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { special } from "./worker-disk-data.js";

const inband = { inbandNotifications: true };

async function listening(path: string, wanted = plain): Promise<{ front: ScriptedFrontEnd; ear: Ear }> {
  const front = await ScriptedFrontEnd.connect(path);
  await front.setUp(wanted | MQ);
  return { front, ear: await Ear.open(front) };
}
async function readOne(ring: ScriptedRing, ear: Ear, sector: number): Promise<number> {
  ring.queue.enableNotifications();
  ring.submit(sector);
  await ear.hears(`VRING_CALL ${ring.index}`);
  const [done] = ring.poll();
  expect(done?.status).toBe(0);
  return done?.first ?? -1;
}

if (await requireVhostUser()) {
  describe("notifications as messages, of queues spread over Workers", { timeout: 600_000 }, () => {
    beforeAll(makeWorkerProgram);
    afterAll(forgetWorkerProgram);

    it.each(ringForms)("read and write, over several laps of the ring: $name", async ({ wanted, ring: form }) => {
      const { path, errors } = await spreadDisk([], undefined, inband);
      const { front, ear } = await listening(path, wanted);
      const rings: ScriptedRing[] = [];
      for (const index of [0, 1, 2]) rings.push(await front.startRing(index, { features: form, inband: true }));
      for (const [index, ring] of rings.entries()) {
        expect(await readOne(ring, ear, special.who)).toBe(100 + (index % 2));
        for (let sector = 0; sector < 40; sector++) expect(await readOne(ring, ear, sector)).toBe(sector);
      }
      expect(errors).toEqual([]);
      front.close();
      ear.channel.close();
    });

    it("are acknowledged when the Worker has looked at the ring", async () => {
      const { path } = await spreadDisk([], undefined, inband);
      const { front, ear } = await listening(path);
      const ring = await front.startRing(0, { inband: true });
      for (let round = 0; round < 20; round++) {
        ring.queue.disableNotifications();
        ring.submit(round);
        expect(await front.acknowledged("VRING_KICK", "vringState", { index: 0, num: 0 })).toBe(true);
        expect(ring.poll()).toMatchObject([{ first: round }]);
      }
      front.close();
      ear.channel.close();
    });

    it("give way to eventfds, and to polling, and take their place again", async () => {
      const { path } = await spreadDisk([], undefined, inband);
      const { front, ear } = await listening(path);
      const ring = await front.startRing(0, { inband: true });
      expect(await readOne(ring, ear, 1)).toBe(1);
      expect(await front.acknowledged("SET_VRING_CALL", "u64", 0n, [ring.call.fd])).toBe(true);
      await until(() => isSignalled(ring.call), "a call");
      ring.queue.enableNotifications();
      ring.submit(2);
      await until(() => isSignalled(ring.call), "a call");
      expect(ring.poll()).toMatchObject([{ first: 2 }]);
      expect(await ear.all()).toEqual([]);
      expect(await front.acknowledged("SET_VRING_CALL", "u64", 0x100n)).toBe(true);
      await ear.hears("VRING_CALL 0");
      expect(await readOne(ring, ear, 3)).toBe(3);
      expect(await front.acknowledged("SET_VRING_KICK", "u64", 0n, [ring.kick.fd])).toBe(true);
      expect(await readOne(ring, ear, 4)).toBe(4);
      expect(await front.acknowledged("SET_VRING_KICK", "u64", 0x100n)).toBe(true);
      expect(await readOne(ring, ear, 5)).toBe(5);
      // A stop, and a start by a message.
      expect(await ring.stop()).toBe(5);
      expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num: 1 })).toBe(true);
      expect(await readOne(ring, ear, 6)).toBe(6);
      front.close();
      ear.channel.close();
    });

    it("keep one call at most for a front end that does not answer", async () => {
      const { path } = await spreadDisk([], undefined, inband);
      const { front, ear } = await listening(path);
      const ring = await front.startRing(0, { inband: true });
      for (let round = 0; round < 100; round++) {
        ring.queue.enableNotifications();
        ring.submit(1);
        await ring.completions(1);
      }
      expect(await ear.all()).toEqual(["VRING_CALL 0"]);
      ear.answer();
      expect(await ear.all()).toEqual(["VRING_CALL 0"]);
      ear.answer();
      expect(await ear.all()).toEqual([]);
      front.close();
      ear.channel.close();
    });

    it("leave nothing behind, also when Workers are lost", async () => {
      const { path, ends, started } = await spreadDisk([], undefined, inband);
      const round = async (isLost: boolean): Promise<void> => {
        const { front, ear } = await listening(path);
        const rings = [await front.startRing(0, { inband: true }), await front.startRing(1, { inband: true })];
        for (const ring of rings) expect(await readOne(ring, ear, 3)).toBe(3);
        const ended = ends.length;
        if (isLost) await started.at(-1)?.terminate();
        else front.close();
        await until(() => ends.length > ended);
        if (isLost) front.close();
        ear.channel.close();
      };
      await round(false);
      const before = openFiles();
      for (let count = 0; count < 50; count++) await round(false);
      await until(() => openFiles() <= before, "as few open files as before");
      await round(true);
      expect(ends.at(-1)).toBe("worker-gone");
      await round(false);
      await until(() => openFiles() <= before, "as few open files as before");
    });
  });
}
