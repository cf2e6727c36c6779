import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { until } from "../qemu/until.js";
import { requireGuest } from "./guest.js";
import { RamDisk } from "./ram-disk.js";
import { guestWith } from "./vhost-user.js";

const MIB = 1 << 20;
const QUEUES = 4;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const suite = describe.runIf(await requireGuest());
suite("Linux's disk driver and a generated device over vhost-user", { timeout: 900_000 }, () => {
  const disk = new RamDisk(32 * MIB, 48 * MIB, QUEUES);
  const session = guestWith([disk.device], (socket) => ({
    devices: [
      ...["-chardev", `socket,id=disk,path=${socket}`],
      ...["-device", `vhost-user-blk-pci,chardev=disk,num-queues=${QUEUES}`],
    ],
    modules: ["virtio_blk", "ext4"],
    processors: QUEUES,
  }));

  it("has the size, the block size, the name and the queues that it says", async () => {
    const { guest } = session;
    expect(await guest.run("cat /sys/block/vda/size")).toBe(String((32 * MIB) / 512));
    expect(await guest.run("cat /sys/block/vda/queue/logical_block_size")).toBe("512");
    expect(await guest.run("cat /sys/block/vda/serial")).toBe("ram-disk-of-a-test");
    expect(await guest.run("ls /sys/block/vda/mq | wc -l")).toBe(String(QUEUES));
    expect(disk.count("GET_ID")).toBeGreaterThan(0);
  });

  it("is asked for what is on it, sector by sector", async () => {
    const pattern = randomBytes(64 * 512);
    pattern.copy(disk.bytes, MIB);
    const dd = "dd if=/dev/vda bs=512 skip=2048 count=64 iflag=direct 2>/dev/null";
    const { bytes } = await session.guest.attempt(dd);
    expect(sha256(bytes)).toBe(sha256(pattern));
  });

  it("holds a file system: what is written reads the same after a new mount, and is in the image", async () => {
    const { guest } = session;
    await guest.run("mke2fs /dev/vda >/dev/null && mount -t ext2 /dev/vda /mnt");
    await guest.run("head -c 5000000 /dev/urandom >/mnt/big && mkdir /mnt/folder");
    await guest.run("for n in $(seq 200); do echo file $n of 200 >/mnt/folder/$n; done");
    const before = await guest.run("cat /mnt/big /mnt/folder/* | sha256sum");
    await guest.run("umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext2 /dev/vda /mnt");
    expect(await guest.run("cat /mnt/big /mnt/folder/* | sha256sum")).toBe(before);
    const [first] = (await guest.run("head -c 65536 /mnt/big | base64 | tr -d '\\n'")).split("\n");
    const start = Buffer.from(first ?? "", "base64");
    expect(start.length).toBe(65536);
    for (let at = 0; at < start.length; at += 1024) {
      expect(disk.bytes.includes(start.subarray(at, at + 1024)), `block at ${at}`).toBe(true);
    }
    expect(disk.bytes.includes("file 117 of 200")).toBe(true);
  });

  it("flushes when a file is synchronized", async () => {
    const before = disk.count("FLUSH");
    await session.guest.run("dd if=/dev/zero of=/mnt/synced bs=4096 count=4 conv=fsync 2>/dev/null");
    expect(disk.count("FLUSH")).toBeGreaterThan(before);
  });

  it("grows while it is mounted", async () => {
    const { guest } = session;
    disk.resize(48 * MIB);
    await guest.until(`[ "$(cat /sys/block/vda/size)" = ${(48 * MIB) / 512} ]`);
    const end = randomBytes(4096);
    end.copy(disk.bytes, 48 * MIB - 4096);
    const { bytes } = await guest.attempt(
      `dd if=/dev/vda bs=4096 skip=${(48 * MIB) / 4096 - 1} iflag=direct 2>/dev/null`,
    );
    expect(sha256(bytes)).toBe(sha256(end));
    // And what is mounted goes on.
    await guest.run("echo still here >/mnt/after && sync && umount /mnt && mount -t ext2 /dev/vda /mnt");
    expect(await guest.run("cat /mnt/after")).toBe("still here");
    await guest.run("umount /mnt");
  });

  it("forgets what is discarded and what is written over with zeroes", async () => {
    disk.bytes.fill(0xa5, 40 * MIB, 44 * MIB);
    const { guest } = session;
    await guest.run(`blkdiscard -o ${40 * MIB} -l ${2 * MIB} /dev/vda`);
    expect(disk.count("DISCARD")).toBeGreaterThan(0);
    expect(disk.bytes.subarray(40 * MIB, 42 * MIB).every((byte) => byte === 0)).toBe(true);
    expect(disk.bytes.subarray(42 * MIB, 44 * MIB).every((byte) => byte === 0xa5)).toBe(true);
    await guest.run(`zero-range /dev/vda ${42 * MIB} ${MIB}`);
    expect(disk.count("WRITE_ZEROES")).toBeGreaterThan(0);
    expect(disk.bytes.subarray(42 * MIB, 43 * MIB).every((byte) => byte === 0)).toBe(true);
    expect(disk.bytes.subarray(43 * MIB, 44 * MIB).every((byte) => byte === 0xa5)).toBe(true);
  });

  it("is reached by all of its queues", async () => {
    disk.perQueue.fill(0);
    const read = `dd if=/dev/vda of=/dev/null bs=4096 count=100 iflag=direct 2>/dev/null`;
    for (let cpu = 0; cpu < QUEUES; cpu++) await session.guest.run(`taskset ${1 << cpu} ${read}`);
    for (const count of disk.perQueue) expect(count).toBeGreaterThanOrEqual(100);
  });

  it("hands on an error of the device as an error of the program", async () => {
    const { guest } = session;
    disk.badSector = 70_000;
    const read = (sector: number): string => `dd if=/dev/vda of=/dev/null bs=512 skip=${sector} count=1 iflag=direct`;
    expect((await guest.attempt(read(70_000))).output).toContain("Input/output error");
    await guest.run(read(71_000));
    disk.badSector = undefined;
    await guest.run(read(70_000));
  });

  it("is let go of while programs read from it, and taken anew", async () => {
    const { guest } = session;
    const device = await guest.run("basename $(readlink /sys/block/vda/device)");
    const read = "dd if=/dev/vda of=/dev/null bs=4096 count=1000000 iflag=direct";
    const forever = `while ${read}; do :; done`;
    const before = disk.count("IN");
    const readers = Array.from({ length: QUEUES }, (_, cpu) =>
      guest.attempt(`taskset ${1 << cpu} sh -c '${forever}'`, 600),
    );
    await until(() => disk.count("IN") > before + 1000, 300);
    await guest.run(`echo ${device} >/sys/bus/virtio/drivers/virtio_blk/unbind`);
    for (const { status } of await Promise.all(readers)) expect(status).toBe(0);
    expect((await guest.attempt("ls /sys/block/vda")).status).not.toBe(0);
    await guest.run(`echo ${device} >/sys/bus/virtio/drivers/virtio_blk/bind`);
    await guest.until("[ -e /sys/block/vda/size ]");
    const sum = sha256(disk.bytes.subarray(0, 4 * MIB));
    expect(await guest.run("head -c 4194304 /dev/vda | sha256sum")).toBe(`${sum}  -`);
    await guest.powerOff();
    expect(session.problems).toEqual([]);
  });
});
