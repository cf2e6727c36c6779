import { createHash, randomBytes } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import { ScsiEventWordKind, ScsiResetReason } from "../../../generated/scsi.js";
import type { ScsiDisk } from "../linux/scsi-disk.js";
import { until } from "../qemu/until.js";
import { PATIENCE, unbind, type V86Session } from "./v86-session.js";

const MIB = 1 << 20;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Tests of Linux's virtio_scsi. */
export function judgeScsi(session: V86Session, disk: ScsiDisk): void {
  const start = randomBytes(MIB);
  start.copy(disk.bytes);
  beforeAll(async () => {
    await session.guest.run("modprobe -a virtio_scsi sd_mod", PATIENCE);
  }, 3000 * PATIENCE);

  it("finds the one unit that there is, reads and writes it", async () => {
    const { guest } = session;
    await guest.until("[ -e /sys/block/sda/size ]", PATIENCE);
    expect(await guest.run("ls /sys/class/scsi_disk")).toMatch(/^\d+:0:1:3$/);
    expect(await guest.run("cat /sys/block/sda/size")).toBe(String(disk.bytes.length / 512));
    expect(await guest.run("head -c 1048576 /dev/sda | sha256sum", PATIENCE)).toBe(`${sha256(start)}  -`);
    await guest.run("head -c 1000000 /dev/urandom >/tmp/written", PATIENCE);
    await guest.run("dd if=/tmp/written of=/dev/sda bs=64k seek=32 conv=fsync 2>/dev/null", PATIENCE);
    const sum = sha256(disk.bytes.subarray(2 * MIB, 2 * MIB + 1_000_000));
    expect(await guest.run("sha256sum </tmp/written", PATIENCE)).toBe(`${sum}  -`);
    await guest.run("rm /tmp/written");
  });

  it("has errors where the device has some", async () => {
    const { guest } = session;
    disk.beforeTransfer = (block) => {
      if (block < 16384) return undefined;
      throw new Error("nobody reads this");
    };
    await guest.run("echo 3 >/proc/sys/vm/drop_caches");
    const { status, output } = await guest.attempt("dd if=/dev/sda of=/dev/null bs=4096 skip=2048 count=1", PATIENCE);
    disk.beforeTransfer = undefined;
    expect([status, output]).toEqual([1, expect.stringContaining("Input/output error")]);
    await guest.run("dd if=/dev/sda of=/dev/null bs=4096 skip=2048 count=1 2>/dev/null", PATIENCE);
  });

  it("is told that the unit goes and comes", async () => {
    const { guest } = session;
    const { eventq } = disk.device;
    const lun = { format: 1, target: 1, unit: 3 };
    expect(eventq.available).toBeGreaterThan(0);
    const event = ScsiEventWordKind.TRANSPORT_RESET;
    expect(eventq.send({ event, lun, reason: ScsiResetReason.REMOVED })).toBe(true);
    await guest.until("[ ! -e /sys/block/sda ]", PATIENCE);
    expect(eventq.send({ event, lun, reason: ScsiResetReason.RESCAN })).toBe(true);
    await guest.until("[ -e /sys/block/sd?/size ]", PATIENCE);
    expect(await guest.run("cat /sys/block/sd?/size")).toBe(String(disk.bytes.length / 512));
  });

  it("is let go of while a program reads from it, and taken anew", async () => {
    const { guest } = session;
    const before = disk.count("READ_10");
    await guest.run(
      "(while dd if=$(ls /dev/sd?) of=/dev/null bs=4096 iflag=direct; do :; done; echo >/tmp/ended) >/dev/null 2>&1 &",
    );
    await until(() => disk.count("READ_10") > before + 100, PATIENCE);
    const bind = await unbind(session, "virtio_scsi");
    await guest.until("[ -e /tmp/ended ]", PATIENCE);
    await bind();
    await guest.until("[ -e /sys/block/sd?/size ]", PATIENCE);
    const sum = sha256(disk.bytes.subarray(0, MIB));
    expect(await guest.run("head -c 1048576 /dev/sd? | sha256sum", PATIENCE)).toBe(`${sum}  -`);
  });
}
