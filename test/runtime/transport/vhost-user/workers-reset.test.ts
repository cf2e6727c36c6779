// What a correct per-queue reset shows, of a disk whose queues are worked on in Workers.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { BLK_DEVICE_ID, BlkDriver } from "../../../../generated/blk.js";
import { queueResetSuite } from "../../../../src/probe/queue-reset-suite.js";
import { ProtocolError } from "../../../../src/runtime/index.js";
import {
  connect,
  type ConnectOptions,
  type VhostUserDriverTransport,
} from "../../../../src/runtime/transport/vhost-user/index.js";
import { until } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk, type SpreadDisk } from "./spread-disk.js";
import { numberOf } from "./worker-disk-data.js";

const ways = [
  { name: "no inflight region", reconnect: false, inbandNotifications: false },
  { name: "with an inflight region", reconnect: true, inbandNotifications: false },
  { name: "notifications as messages", reconnect: true, inbandNotifications: true },
] as const;

async function opened(
  options: Pick<ConnectOptions, "reconnect" | "inbandNotifications">,
): Promise<SpreadDisk & { readonly transport: VhostUserDriverTransport }> {
  const { inbandNotifications = false } = options;
  const disk = await spreadDisk([], undefined, { ringReset: true, stopTimeout: 100, inbandNotifications });
  const transport = await connect(disk.path, { deviceId: BLK_DEVICE_ID, memorySize: 16 << 20, ...options });
  onTestFinished(() => transport.close());
  return { ...disk, transport };
}
/** What the device has not answered in time is what a reset is for. */
function complaints({ errors }: SpreadDisk): string[] {
  return errors.map(({ message }) => message).filter((message) => !message.includes("requests unanswered"));
}

if (await requireVhostUser()) {
  describe("reset of a queue that a Worker works on", { timeout: 600_000 }, () => {
    beforeAll(makeWorkerProgram);
    afterAll(forgetWorkerProgram);

    it.each(ways)("lets go of what was in flight, and late answers come to nothing: $name", async (way) => {
      const disk = await opened(way);
      const { transport, numbers } = disk;
      const results = await queueResetSuite({
        ...{
          transport,
          kind: "mmio",
          offered: new Set(transport.getFeatures().bits()),
          queueSizes: [256],
        },
        slowDown: () => {
          // In the middle of the checks of the new ring.
          Atomics.store(numbers, numberOf.lateness, 300);
          return Promise.resolve(true);
        },
        speedUp: () => {
          Atomics.store(numbers, numberOf.lateness, 0);
          return Promise.resolve();
        },
      });
      const found: Record<string, string[]> = {};
      for (const { id, verdict, seen } of results) {
        const name = id.replace("queue-reset.", "");
        (found[verdict] ??= []).push(verdict === "pass" ? name : `${name}: ${seen}`);
      }
      expect(found).toEqual({
        pass: [
          ...["idle", "resize", "serves", "again", "twice", "early", "unconfigured", "every", "missing"],
          ...[
            "in-flight",
            "untouched",
            "quiet",
            "fresh",
            "event_idx",
            "indirect",
            "packed",
            "packed-all",
            "unnegotiated",
          ],
        ],
        "not checked": [
          "others: it has one queue",
          ...["default: it cannot be read over MMIO", "vector: there are none over MMIO"],
          "others-busy: there is no other queue to ask for something",
        ],
      });
      // A stop may overtake a kick on its way to the Worker, which has not taken the requests then; not one that is acknowledged.
      const least = way.inbandNotifications ? 5 * 8 : 8;
      const stale = (): number => Atomics.load(numbers, numberOf.stale);
      await until(() => stale() >= least && stale() % 8 === 0, "late answers");
      expect(Atomics.load(numbers, numberOf.notStale)).toBe(0);
      expect(complaints(disk)).toEqual([]);
    });

    it.each(ways)("leaves the other queues alone, of the same Worker and of the other: $name", async (way) => {
      const disk = await opened(way);
      const { transport } = disk;
      const driver = await BlkDriver.start(transport, { features: ["MQ", "RING_RESET"], queueSize: 64 });
      const outcomes = { ok: 0, reset: 0, reads: [0, 0, 0, 0] };
      let isOver = false;
      const reading = driver.requestqs.map(async (queue, index) => {
        for (let sector = 1; !isOver; sector = (sector % 200) + 1) {
          try {
            const { status, data } = await queue.submit({ type: "IN", sector: BigInt(sector), data: 512 });
            expect([status, data[0], data[511]]).toEqual(["OK", sector, sector]);
            outcomes.ok++;
            outcomes.reads[index] = (outcomes.reads[index] ?? 0) + 1;
          } catch (error) {
            // Only what is reset is taken back.
            if (!(error instanceof ProtocolError) || error.rule !== "queue-reset" || index !== 0) throw error;
            outcomes.reset++;
          }
        }
      });
      for (let round = 0; round < 20; round++) {
        const before = [...outcomes.reads];
        await driver.resizeQueue("requestq", round % 2 === 0 ? 16 : 64, 0);
        await until(() => outcomes.reads.every((count, index) => count > (before[index] ?? 0)), "a read of each queue");
      }
      isOver = true;
      await Promise.all(reading);
      await driver.stop();
      expect(complaints(disk)).toEqual([]);
      expect(outcomes.ok).toBeGreaterThanOrEqual(80);
    });
  });
}
