import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { requireGuest, withGuest } from "./guest.js";
import { BLOCK, withMovingDisk } from "./moving-disk.js";
import { newerQemu, requireNewerQemu } from "./newer-qemu.js";

/** Blocks that are written and read all the time, and blocks behind them that are read once, after the move. */
const BUSY = 1024;
const HELD = 16384;
/** The block behind them: says that the guest has moved. */
const SIGN = BUSY + HELD;
/** So often the device is to touch memory that has not come. */
const FAULTS = 20;
const threads = [
  { where: "on the main thread", workers: 0 },
  { where: "in a Worker", workers: 1 },
];

const hasPeers = (await requireGuest()) && (await requireNewerQemu());

describe.runIf(hasPeers)("Linux's disk while the guest moves to another QEMU by post-copy", () => {
  // Tried: with nothing registered with the userfaultfd, QEMU finds pages that it has not brought, and the migration stops.
  it.each(threads)("waits for memory that has not come yet, $where", { timeout: 900_000 }, async ({ workers }) => {
    await withMovingDisk({ size: SIGN + 1, workers }, async ({ folder, image, here, there, sha256 }) => {
      const options = {
        program: newerQemu(),
        devices: here.devices,
        modules: ["virtio_blk"],
      };
      await withGuest(options, async (guest) => {
        await guest.run("echo none >/sys/block/vda/queue/scheduler");
        await guest.run(`write-storm write /dev/vda ${BUSY + HELD} 1 64 1`);
        // It is filled, so that it has to come, and no processor touches it before the device does.
        const held = guest.attempt(`touch /tmp/held.check; held-reads /dev/vda ${BUSY} ${HELD} 1 /tmp/held`, 800);
        await guest.until("[ -e /tmp/held.filled ]");
        const sign = `dd if=/dev/vda iflag=direct bs=${BLOCK} skip=${SIGN} count=1 2>/dev/null`;
        const begin = guest.attempt(`until ${sign} | grep -q moved; do usleep 50000; done; touch /tmp/held.read`, 800);
        const busy = guest.attempt(`write-storm check /dev/vda ${BUSY} 1000000 16 1 /tmp/stop`, 800);
        for (const command of [held, begin, busy]) command.catch(() => undefined);
        await guest.run("sleep 1");
        expect(there.served()).toBe(0);

        const trace = join(folder, "trace");
        const events = ["fault_handler", "listen", "end_exit"];
        const count = (event: string): number =>
          readFileSync(trace, "utf8").split(`vhost_user_postcopy_${event} `).length - 1;
        const traced = events.flatMap((event) => ["-trace", `enable=vhost_user_postcopy_${event}`]);
        let served = 0;
        const requests = await guest.migratePostCopy([...there.devices, "-D", trace, ...traced], async () => {
          writeBlock(image, SIGN, "moved");
          // The device's own, not those of the guest's processor.
          while (count("fault_handler") < FAULTS) await delay(100);
          served = there.served();
        });
        const last = here.served();
        expect(served).toBeGreaterThan(0);
        expect([count("listen"), count("end_exit")]).toEqual([1, 1]);
        expect(requests).toBeGreaterThan(FAULTS);
        const first = there.served();
        await guest.run("sleep 1; touch /tmp/stop");
        const { output, status } = await busy;
        expect(output).toMatch(/^(\d+) written, \1 read back, 0 errors, 1024 blocks as written$/);
        expect(status).toBe(0);
        expect((await held).output).toBe(`${HELD} of ${HELD} blocks`);
        expect(there.served()).toBeGreaterThan(first + 100);
        expect(here.served()).toBe(last);
        const sum = sha256();
        expect(await guest.run("echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/vda")).toBe(`${sum}  -`);
        await guest.powerOff();
      });
    });
  });
});

function writeBlock(image: string, block: number, text: string): void {
  const file = openSync(image, "r+");
  writeSync(file, Buffer.from(text), 0, text.length, block * BLOCK);
  closeSync(file);
}
