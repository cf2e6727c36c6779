import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { BlkDevice, BlkDriver } from "../../../generated/blk.js";
import { QemuProcess } from "../../../src/runtime/transport/qtest/index.js";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import type { TraceEvent } from "../../../src/runtime/index.js";
import { onPc, requireQemu, withFolder } from "./machine.js";
import { until } from "./until.js";

const LENGTH = 65_536;
const LANES = 8;
/** In bytes. */
const FILLER = 24 << 20;

const frontEnd = (socket: string): string[] => [
  "-chardev",
  `socket,id=c,path=${socket}`,
  "-device",
  "vhost-user-blk-pci,chardev=c",
];

const statusOf = (answer: unknown): unknown =>
  typeof answer === "object" && answer !== null && "status" in answer ? answer.status : undefined;
/** How often QEMU has looked for the pages that changed; the first time, these are all. */
const roundsOf = (answer: unknown): number =>
  (answer as { readonly ram?: Readonly<Record<string, number>> }).ram?.["dirty-sync-count"] ?? 0;

describe.runIf(await requireQemu())("live migration between two QEMUs", () => {
  it("takes all pages along that the device wrote meanwhile", { timeout: 900_000 }, async () => {
    await withFolder(async (folder) => {
      let answers = 0;
      const disk = (): BlkDevice =>
        new BlkDevice({
          config: { capacity: 8192n },
          requestq(request) {
            if (request.type !== "IN") return request.complete("UNSUPP");
            // Other bytes each time, so that an old page is known.
            answers++;
            request.data.fill(1 + (answers % 255));
            return request.complete("OK");
          },
        });
      const [first, second] = [disk(), disk()];
      const errors: unknown[] = [];
      /** Buffers that the first device wrote, and what it wrote there last. */
      const buffers = new Map<number, number>();
      const trace = (event: TraceEvent): void => {
        if (event.kind !== "chain") return;
        for (const { address, length, direction } of event.descriptors) {
          // The handler is called next, and answers at once.
          if (direction === "writable" && length >= LENGTH) buffers.set(address, 1 + ((answers + 1) % 255));
        }
      };
      const onError = (error: Error): void => void errors.push(error);
      const here = await serve(first, { socket: join(folder, "first"), trace, onError });
      const there = await serve(second, { socket: join(folder, "second"), onError });
      await onPc(frontEnd(here.socket), async (source) => {
        const driver = await BlkDriver.start(await source.open(2));
        // What is not empty takes seconds to be sent: the device has its turns meanwhile.
        const filler = source.allocator.allocate(FILLER, 4096);
        const region = source.memory.locate(filler, FILLER);
        region?.bytes.fill(0x5a, filler - region.start, filler - region.start + FILLER);
        const uri = `unix:${join(folder, "migration")}`;
        const target = await QemuProcess.start({
          machine: "pc",
          arguments: [...frontEnd(there.socket), "-S", "-incoming", uri],
        });
        try {
          let isGoing = true;
          const lanes = Array.from({ length: LANES }, async () => {
            while (isGoing) await driver.requestq.submit({ type: "IN", sector: 0n, data: LENGTH });
          });
          void Promise.allSettled(lanes);
          await until(() => answers > 50);
          // Slowly at first, so that many pages are written again after they were sent; and it is not done before no page is left.
          await source.qemu.qmp.execute("migrate-set-parameters", { "max-bandwidth": 8 << 20, "downtime-limit": 1 });
          const before = answers;
          await source.qemu.qmp.execute("migrate", { uri });
          // All memory has been sent once; on a machine with other work to do no page may be left after that, and all be over.
          let progress = await source.qemu.qmp.execute("query-migrate");
          const isUnderWay = (): boolean => statusOf(progress) !== "completed";
          while (isUnderWay() && (roundsOf(progress) < 2 || answers < before + 100)) {
            await delay(20);
            progress = await source.qemu.qmp.execute("query-migrate");
          }
          expect(answers).toBeGreaterThan(before + 50);
          await source.qemu.qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 30, "downtime-limit": 2000 });
          for (let status: unknown = "active"; status !== "completed";) {
            expect(["setup", "active", "device"]).toContain(status);
            await delay(20);
            status = statusOf(await source.qemu.qmp.execute("query-migrate"));
          }
          isGoing = false;
          expect(buffers.size).toBeGreaterThanOrEqual(LANES);
          const [from, to] = [source.qemu.mapped?.bytes, target.mapped?.bytes];
          if (from === undefined || to === undefined) throw new Error("memory is not mapped");
          for (const [address, value] of buffers) {
            const whole = to.subarray(address, address + LENGTH);
            // The driver clears a buffer before it uses it again, behind QEMU's back, which may have sent some of its pages by then.
            const isCleared = from[address] === 0;
            const isTaken = whole.every((byte) => byte === value || (isCleared && byte === 0));
            expect(isTaken, `buffer at ${String(address)}`).toBe(true);
          }
          const used = first.queue(0)?.addresses?.device ?? 0;
          expect(used).toBeGreaterThan(0);
          const ring = (bytes: Uint8Array): Buffer => Buffer.from(bytes.subarray(used, used + 4 + 8 * 128));
          expect(ring(from).equals(ring(to))).toBe(true);
          // The other back end goes on with the rings where this one stopped.
          const done = answers;
          await target.qmp.execute("cont");
          await until(() => second.live);
          expect(second.queue(0)?.enabled).toBe(true);
          expect(answers - done).toBeLessThanOrEqual(LANES);
        } finally {
          await target.close();
        }
      });
      await here.close();
      await there.close();
      expect(errors).toEqual([]);
    });
  });
});
