import { describe, expect, it, vi } from "vitest";
import { DirtyLog } from "../../../src/runtime/transport/vhost-user/back-end/dirty-log.js";
import { requireGuest, withGuest } from "./guest.js";
import { BLOCK, withMovingDisk } from "./moving-disk.js";
import { newerQemu, requireNewerQemu } from "./newer-qemu.js";

/** Blocks that are written and read all the time, and blocks behind them that are read once and looked at after the move. */
const BUSY = 1024;
const HELD = 3072;

const hasPeers = (await requireGuest()) && (await requireNewerQemu());

describe.runIf(hasPeers)("Linux's disk while the guest moves to another QEMU", () => {
  // Tried: with a `DirtyLog.mark` that does nothing, the guest finds none of the 3,072 blocks in the memory that it takes along.
  // Not with QEMU 7.2: without KVM it loses writes of the processor when a guest moves, with or without a device of ours.
  it("goes on, and the guest takes along what the device wrote to its memory", { timeout: 900_000 }, async () => {
    const pages = new Set<number>();
    const mark = vi.spyOn(DirtyLog.prototype, "mark").mockName("mark");
    try {
      await withMovingDisk({ size: BUSY + HELD }, async ({ here, there, sha256 }) => {
        const options = { program: newerQemu(), devices: here.devices, modules: ["virtio_blk"] };
        await withGuest(options, async (guest) => {
          await guest.run("echo none >/sys/block/vda/queue/scheduler");
          await guest.run(`write-storm write /dev/vda ${BUSY + HELD} 1 64 1`);
          const held = guest.attempt(`held-reads /dev/vda ${BUSY} ${HELD} 1 /tmp/held`, 800);
          const busy = guest.attempt(`write-storm check /dev/vda ${BUSY} 1000000 16 1 /tmp/stop`, 800);
          for (const command of [held, busy]) command.catch(() => undefined);
          await guest.until("[ -e /tmp/held.filled ]");
          expect(there.served()).toBe(0);

          let before = 0;
          await guest.migrate(there.devices, async () => {
            mark.mockClear();
            before = here.served();
            await guest.run("touch /tmp/held.read");
            await guest.until("[ -e /tmp/held.done ]");
          });
          for (const [address, length] of mark.mock.calls) {
            for (let page = Math.floor(address / BLOCK); page * BLOCK < address + length; page++) pages.add(page);
          }
          expect(pages.size).toBeGreaterThanOrEqual(HELD);
          expect(here.served()).toBeGreaterThan(before + HELD / 32);
          const last = here.served();

          const first = there.served();
          await guest.run("touch /tmp/held.check");
          expect((await held).output).toBe(`${HELD} of ${HELD} blocks`);
          await guest.run("sleep 1; touch /tmp/stop");
          const { output, status } = await busy;
          expect(output).toMatch(/^(\d+) written, \1 read back, 0 errors, 1024 blocks as written$/);
          expect(status).toBe(0);
          expect(there.served()).toBeGreaterThan(first + 100);
          expect(here.served()).toBe(last);
          const sum = sha256();
          expect(await guest.run("echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/vda")).toBe(`${sum}  -`);
          await guest.powerOff();
        });
      });
    } finally {
      mark.mockRestore();
    }
  });
});
