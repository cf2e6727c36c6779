// What a correct per-queue reset shows, of devices behind a vhost-user back end: the same checks as of foreign devices.
import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../../../generated/blk.js";
import { ConsoleDevice } from "../../../../generated/console.js";
import { queueResetSuite, type Subject } from "../../../../src/probe/queue-reset-suite.js";
import type { VirtioDevice } from "../../../../src/runtime/index.js";
import { openVhostUser } from "./both-ends.js";
import { until } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { answer, SECTOR, SECTORS, type BlkRequest } from "./served-disk.js";

/** Checks by what came of them. */
async function verdictsOf(
  device: VirtioDevice,
  reconnect: boolean,
  subject: Pick<Subject, "queueSizes" | "slowDown" | "speedUp">,
): Promise<Record<string, string[]>> {
  const errors: Error[] = [];
  device.onProtocolError = (error) => void errors.push(error);
  const onError = (error: Error): void => {
    // What the device has not answered in time is what the reset is for.
    if (!error.message.includes("requests unanswered")) errors.push(error);
  };
  const transport = await openVhostUser(device, { serve: { onError }, connect: { reconnect, memorySize: 16 << 20 } });
  const offered = new Set(transport.getFeatures().bits());
  const results = await queueResetSuite({ transport, kind: "mmio", offered, ...subject });
  expect(errors).toEqual([]);
  const found: Record<string, string[]> = {};
  for (const { id, verdict, seen } of results) {
    const name = id.replace("queue-reset.", "");
    (found[verdict] ??= []).push(verdict === "pass" ? name : `${name}: ${seen}`);
  }
  return found;
}

const forms = ["event_idx", "indirect", "packed", "packed-all"];
const ofRegisters = ["default: it cannot be read over MMIO", "vector: there are none over MMIO"];

describe.runIf(await requireVhostUser())("reset of a queue over vhost-user", { timeout: 600_000 }, () => {
  describe.each([
    { name: "no inflight region", reconnect: false },
    { name: "with an inflight region", reconnect: true },
  ])("$name", ({ reconnect }) => {
    it("of a disk: what was in flight is let go of, and late answers come to nothing", async () => {
      const disk = new Uint8Array(SECTORS * SECTOR);
      let held: BlkRequest[] | undefined;
      let late = 0;
      const device = new BlkDevice({
        features: ["RING_PACKED", "RING_RESET"],
        config: { capacity: BigInt(SECTORS) },
        requestq: (request) => {
          if (held === undefined) return answer(request, disk);
          held.push(request);
          return undefined;
        },
      });
      const verdicts = await verdictsOf(device, reconnect, {
        queueSizes: [256],
        slowDown: () => {
          const requests: BlkRequest[] = (held = []);
          const timer = setInterval(() => {
            if (requests.length < 8 || requests.some(({ live }) => live)) return;
            clearInterval(timer);
            // In the middle of the checks of the new ring.
            setTimeout(() => {
              for (const request of requests) expect(answer(request, disk)).toBe("stale");
              late += requests.length;
            }, 300);
          }, 5);
          return Promise.resolve(true);
        },
        speedUp: () => {
          held = undefined;
          return Promise.resolve();
        },
      });
      expect(verdicts).toEqual({
        pass: [
          ...["idle", "resize", "serves", "again", "twice", "early", "unconfigured", "every", "missing"],
          ...["in-flight", "untouched", "quiet", "fresh", ...forms, "unnegotiated"],
        ],
        "not checked": [
          "others: it has one queue",
          ...ofRegisters,
          "others-busy: there is no other queue to ask for something",
        ],
      });
      await until(() => late === 5 * 8, "late answers");
    });

    it("of a console: the other queue goes on meanwhile", async () => {
      const device = new ConsoleDevice({
        features: ["RING_PACKED", "RING_RESET"],
        transmitq: (buffer) => buffer.complete(),
      });
      const nothing = (): Promise<never> => Promise.reject(new Error("it is not a disk"));
      const verdicts = await verdictsOf(device, reconnect, {
        queueSizes: [256, 256],
        slowDown: nothing,
        speedUp: nothing,
      });
      expect(verdicts).toEqual({
        pass: [
          ...["idle", "others", "resize", "again", "twice", "early", "unconfigured", "every", "missing"],
          ...["in-flight", "untouched", "quiet", "others-busy", "fresh", ...forms, "unnegotiated"],
        ],
        "not checked": [...ofRegisters, "serves: queue 0 has nothing to do"],
      });
    });
  });
});
