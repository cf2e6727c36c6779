// A driver that keeps an inflight region, a disk whose queues are worked on in Workers, and Workers that are lost.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { BLK_DEVICE_ID, BlkDriver } from "../../../../generated/blk.js";
import { CommonFeature } from "../../../../src/runtime/index.js";
import { connect, VhostUserError } from "../../../../src/runtime/transport/vhost-user/index.js";
import { pause, until } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { numberOf } from "./worker-disk-data.js";

const REQUESTS = 400;
const PATIENCE = 120_000;

const ways = [
  { name: "split", features: [], inbandNotifications: false },
  { name: "packed", features: ["RING_PACKED"], inbandNotifications: false },
  { name: "split, in order", features: ["IN_ORDER"], inbandNotifications: false },
  { name: "packed, in order", features: ["RING_PACKED", "IN_ORDER"], inbandNotifications: false },
  { name: "split, notifications as messages", features: [], inbandNotifications: true },
  { name: "packed, in order, notifications as messages", features: ["RING_PACKED", "IN_ORDER"], inbandNotifications: true },
] as const; // prettier-ignore

if (await requireVhostUser()) {
  describe("a front end whose back end loses Workers", { timeout: 600_000 }, () => {
    beforeAll(makeWorkerProgram);
    afterAll(forgetWorkerProgram);

    it.each(ways)("loses no write and gets no answer twice, three times over: $name", async (way) => {
      const { inbandNotifications, features } = way;
      const { path, ends, errors, numbers, started } = await spreadDisk([], undefined, { inbandNotifications });
      let lost = 0;
      let returned = 0;
      const failures: Error[] = [];
      const transport = await connect(path, {
        deviceId: BLK_DEVICE_ID,
        reconnect: { onLost: () => lost++, onReturn: () => returned++ },
        inbandNotifications,
        onEnd: (error) => failures.push(error),
      });
      onTestFinished(() => transport.close());
      const driver = await BlkDriver.start(transport, {
        features: ["MQ", ...features],
        onError: (error) => failures.push(error),
      });
      for (const name of features) expect(driver.negotiated.has(CommonFeature[name])).toBe(true);
      expect(driver.requestqs).toHaveLength(4);

      /** Writes are slow, and some are never answered; but in order, where each waits for those before it, not the first ones. */
      const slowDown = (): void => {
        Atomics.store(numbers, numberOf.certain, features.some((name) => name === "IN_ORDER") ? 120 : 0);
        Atomics.store(numbers, numberOf.slowness, 20);
      };
      const served = (sector: number): number => Atomics.load(numbers, numberOf.firstSector + sector);
      const answered = new Set<number>();
      const submit = (sector: number): void => {
        const request = { type: "OUT", sector: BigInt(sector), data: new Uint8Array(512).fill(sector) } as const;
        driver.requestqs[sector % 4]?.submit(request).then(
          ({ status }) => {
            expect(status).toBe("OK");
            expect(answered.has(sector)).toBe(false);
            expect(served(sector)).toBeGreaterThan(0);
            answered.add(sector);
          },
          (error: unknown) => failures.push(error instanceof Error ? error : new Error(String(error))),
        );
      };

      slowDown();
      for (let sector = 0; sector < REQUESTS - 40; sector++) submit(sector);
      for (let life = 0; life < 3; life++) {
        const wanted = (REQUESTS * (life + 1)) / 8;
        await until(() => answered.size >= wanted, `life ${life}: ${wanted} answers`, PATIENCE);
        await started[life]?.terminate();
        await until(() => lost === life + 1, "the loss", PATIENCE);
        await pause(5);
        const before = [...answered].map((sector) => [sector, served(sector)] as const);
        if (life === 1) for (let sector = REQUESTS - 40; sector < REQUESTS; sector++) submit(sector);
        slowDown();
        if (life === 2) Atomics.store(numbers, numberOf.certain, 1 << 20);
        await until(() => returned === life + 1, "the return", PATIENCE);
        await until(() => answered.size > before.length, "an answer", PATIENCE);
        // What was answered is not served again.
        expect(before.filter(([sector, times]) => served(sector) !== times)).toEqual([]);
      }
      await until(() => answered.size === REQUESTS, "all answers", PATIENCE);
      await driver.stop();
      expect(failures).toEqual([]);
      expect(ends).toEqual(["worker-gone", "worker-gone", "worker-gone"]);
      expect(started).toHaveLength(5);
      // A kick by a message may have waited for the Worker.
      expect(errors.filter((error) => !(error instanceof VhostUserError && error.rule === "worker-gone"))).toEqual([]);
    });
  });
}
