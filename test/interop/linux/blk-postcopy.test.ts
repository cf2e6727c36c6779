import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { requireGuest, withGuest } from "./guest.js";
import { BLOCK, withMovingDisk } from "./moving-disk.js";
import { newerQemu, requireNewerQemu } from "./newer-qemu.js";

/** Blocks that are written and read all the time, and blocks behind them that are read again and again through the page cache. */
const BUSY = 1024;
const HELD = 3072;
/** So often the device is to touch memory that has not come. */
const FAULTS = 20;
const threads = [
  { where: "on the main thread", workers: 0 },
  { where: "in a Worker", workers: 1 },
];

const hasPeers = (await requireGuest()) && (await requireNewerQemu());

describe.runIf(hasPeers)("Linux's disk while the guest moves to another QEMU by post-copy", () => {
  // Tried: with nothing registered with the userfaultfd, QEMU finds pages that it has not brought, and the migration stops.
  it.each(threads)("waits for memory that has not come yet, $where", { timeout: 300_000 }, async ({ workers }) => {
    await withMovingDisk({ size: BUSY + HELD, workers }, async ({ folder, here, there, sha256 }) => {
      const options = {
        program: newerQemu(),
        devices: here.devices,
        modules: ["virtio_blk"],
        // Otherwise the processor touches each page before the device does.
        extraKernelArguments: "init_on_alloc=0",
      };
      await withGuest(options, async (guest) => {
        await guest.run("echo none >/sys/block/vda/queue/scheduler");
        await guest.run(`write-storm write /dev/vda ${BUSY + HELD} 1 64 1`, 60);
        const readHeld = `dd if=/dev/vda bs=${BLOCK} skip=${BUSY} 2>/dev/null | sha256sum`;
        const held = await guest.run(readHeld);
        const busy = guest.attempt(`write-storm check /dev/vda ${BUSY} 1000000 16 1 /tmp/stop`, 200);
        const reads = guest.attempt(
          `while [ ! -e /tmp/stop ]; do echo 1 >/proc/sys/vm/drop_caches; ${readHeld}; done`,
          200,
        );
        for (const command of [busy, reads]) command.catch(() => undefined);
        await guest.run("sleep 1");
        expect(there.served()).toBe(0);

        const trace = join(folder, "trace");
        const events = ["fault_handler", "listen", "end_exit"];
        const count = (event: string): number =>
          readFileSync(trace, "utf8").split(`vhost_user_postcopy_${event} `).length - 1;
        const traced = events.flatMap((event) => ["-trace", `enable=vhost_user_postcopy_${event}`]);
        let served = 0;
        const requests = await guest.migratePostCopy([...there.devices, "-D", trace, ...traced], async () => {
          // The device's own, not those of the guest's processor.
          while (count("fault_handler") < FAULTS) await delay(100);
          served = there.served();
        });
        const last = here.served();
        expect(served).toBeGreaterThan(0);
        expect([count("listen"), count("end_exit")]).toEqual([1, 1]);
        expect(requests).toBeGreaterThan(FAULTS);
        const first = there.served();
        expect(first).toBeGreaterThan(100);
        await guest.run("sleep 1; touch /tmp/stop");
        const { output, status } = await busy;
        expect(output).toMatch(/^(\d+) written, \1 read back, 0 errors, 1024 blocks as written$/);
        expect(status).toBe(0);
        const sums = (await reads).output.split("\n");
        expect(sums.length).toBeGreaterThan(0);
        expect([...new Set(sums)]).toEqual([held]);
        expect(there.served()).toBeGreaterThan(first + 100);
        expect(here.served()).toBe(last);
        const sum = sha256();
        expect(await guest.run("echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/vda")).toBe(`${sum}  -`);
        await guest.powerOff();
      });
    });
  });
});
