import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { until } from "../qemu/until.js";
import { requireGuest } from "./guest.js";
import { ScsiDisk } from "./scsi-disk.js";
import { guestWith } from "./vhost-user.js";

const MIB = 1 << 20;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const suite = describe.runIf(await requireGuest());
suite("Linux's SCSI driver and a generated device over vhost-user", { timeout: 900_000 }, () => {
  const disk = new ScsiDisk(16 * MIB, 2);
  const start = randomBytes(MIB);
  start.copy(disk.bytes);
  const session = guestWith([disk.device], (socket) => ({
    devices: ["-chardev", `socket,id=host,path=${socket}`, "-device", "vhost-user-scsi-pci,chardev=host,num_queues=2"],
    modules: ["virtio_scsi", "sd_mod"],
    processors: 2,
  }));

  it("finds the one unit that there is", async () => {
    const { guest } = session;
    await guest.until("[ -e /sys/block/sda/size ]");
    expect(await guest.run("ls /sys/class/scsi_disk")).toMatch(/^\d+:0:1:3$/);
    expect(await guest.run("cat /sys/block/sda/size")).toBe(String((16 * MIB) / 512));
    expect(await guest.run("cat /sys/block/sda/device/vendor /sys/block/sda/device/model")).toMatch(
      /^MADE BY\s+A TEST/,
    );
    expect(disk.count("REPORT_LUNS")).toBeGreaterThan(0);
  });

  it("reads what is on it", async () => {
    expect(await session.guest.run("head -c 1048576 /dev/sda | sha256sum")).toBe(`${sha256(start)}  -`);
  });

  it("writes, and what is written is on the disk of the host", async () => {
    const { guest } = session;
    await guest.run(
      "head -c 3000000 /dev/urandom >/tmp/written && dd if=/tmp/written of=/dev/sda bs=64k seek=32 conv=fsync 2>/dev/null",
    );
    const sum = sha256(disk.bytes.subarray(2 * MIB, 2 * MIB + 3_000_000));
    expect(await guest.run("sha256sum </tmp/written")).toBe(`${sum}  -`);
    expect(disk.count("WRITE_10") + disk.count("WRITE_16")).toBeGreaterThan(0);
  });

  it("looks at all targets, and finds nothing at the others", async () => {
    const { guest } = session;
    const before = disk.count("INQUIRY");
    await guest.run("echo - - - >$(ls -d /sys/class/scsi_host/host* | tail -n 1)/scan");
    expect(disk.count("INQUIRY") - before).toBeGreaterThan(200);
    expect((await guest.run("ls /sys/class/scsi_device")).split("\n")).toHaveLength(1);
  });

  it("is let go of while programs read from it, and taken anew", async () => {
    const { guest } = session;
    const driver = "/sys/bus/virtio/drivers/virtio_scsi";
    const device = await guest.run(`basename $(ls -d ${driver}/virtio*)`);
    const before = disk.count("READ_10");
    const reader = guest.attempt("while dd if=/dev/sda of=/dev/null bs=4096 iflag=direct; do :; done", 600);
    await until(() => disk.count("READ_10") > before + 200, 300);
    await guest.run(`echo ${device} >${driver}/unbind`);
    await reader;
    expect((await guest.attempt("ls /sys/block/sda")).status).not.toBe(0);
    await guest.run(`echo ${device} >${driver}/bind`);
    await guest.until("[ -e /sys/block/sd?/size ]");
    const sum = sha256(disk.bytes.subarray(0, MIB));
    expect(await guest.run("head -c 1048576 /dev/sd? | sha256sum")).toBe(`${sum}  -`);
  });

  it("lets the guest power off", async () => {
    await session.guest.powerOff();
    expect(session.problems).toEqual([]);
  });
});
