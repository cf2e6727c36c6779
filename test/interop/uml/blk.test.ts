import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { RamDisk } from "../linux/ram-disk.js";
import { requireUml, umlWith } from "./uml.js";

const MIB = 1 << 20;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const suite = describe.runIf(await requireUml());
suite("Linux's disk driver, with Linux as the front end, and a generated device", { timeout: 900_000 }, () => {
  const disk = new RamDisk(32 * MIB, 48 * MIB, 4);
  const session = umlWith([disk.device], ["virtio_blk"]);

  it("has the size, the block size and the name that it says", async () => {
    const { guest } = session;
    expect(await guest.run("cat /sys/block/vda/size")).toBe(String((32 * MIB) / 512));
    expect(await guest.run("cat /sys/block/vda/queue/logical_block_size")).toBe("512");
    expect(await guest.run("cat /sys/block/vda/serial")).toBe("ram-disk-of-a-test");
    // There is one processor, so Linux uses one queue of the four.
    expect(await guest.run("ls /sys/block/vda/mq | wc -l")).toBe("1");
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
    await guest.run("head -c 5000000 /dev/urandom >/mnt/big && echo is it there >/mnt/small");
    const before = await guest.run("cat /mnt/big /mnt/small | sha256sum");
    await guest.run("umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext2 /dev/vda /mnt");
    expect(await guest.run("cat /mnt/big /mnt/small | sha256sum")).toBe(before);
    expect(disk.bytes.includes("is it there\n")).toBe(true);
    const flushes = disk.count("FLUSH");
    await guest.run("dd if=/dev/zero of=/mnt/synced bs=4096 count=4 conv=fsync 2>/dev/null");
    expect(disk.count("FLUSH")).toBeGreaterThan(flushes);
  });

  it("grows while it is mounted: the front end is told over a pipe", async () => {
    const { guest } = session;
    disk.resize(48 * MIB);
    await guest.until(`[ "$(cat /sys/block/vda/size)" = ${(48 * MIB) / 512} ]`);
    const end = randomBytes(4096);
    end.copy(disk.bytes, 48 * MIB - 4096);
    const skip = (48 * MIB) / 4096 - 1;
    const { bytes } = await guest.attempt(`dd if=/dev/vda bs=4096 skip=${skip} iflag=direct 2>/dev/null`);
    expect(sha256(bytes)).toBe(sha256(end));
    await guest.run("umount /mnt");
  });

  it("forgets what is discarded and what is written over with zeroes", async () => {
    const { guest } = session;
    disk.bytes.fill(0xa5, 40 * MIB, 44 * MIB);
    await guest.run(`blkdiscard -o ${40 * MIB} -l ${2 * MIB} /dev/vda`);
    await guest.run(`zero-range /dev/vda ${42 * MIB} ${MIB}`);
    expect(disk.count("DISCARD")).toBeGreaterThan(0);
    expect(disk.count("WRITE_ZEROES")).toBeGreaterThan(0);
    expect(disk.bytes.subarray(40 * MIB, 43 * MIB).every((byte) => byte === 0)).toBe(true);
    expect(disk.bytes.subarray(43 * MIB, 44 * MIB).every((byte) => byte === 0xa5)).toBe(true);
  });

  it("hands on an error of the device as an error of the program", async () => {
    disk.badSector = 70_000;
    const read = "dd if=/dev/vda of=/dev/null bs=512 skip=70000 count=1 iflag=direct";
    expect((await session.guest.attempt(read)).output).toContain("Input/output error");
    disk.badSector = undefined;
    await session.guest.run(read);
  });

  it("is let go of while a program reads from it, and taken anew", async () => {
    const { guest } = session;
    const before = disk.count("IN");
    const reading = guest.attempt("while dd if=/dev/vda of=/dev/null bs=4096 count=100000 iflag=direct; do :; done");
    await expect.poll(() => disk.count("IN"), { timeout: 300_000 }).toBeGreaterThan(before + 500);
    await guest.run("echo virtio0 >/sys/bus/virtio/drivers/virtio_blk/unbind");
    expect((await reading).status).toBe(0);
    await guest.until("[ ! -e /sys/block/vda ]");
    await guest.run("echo virtio0 >/sys/bus/virtio/drivers/virtio_blk/bind");
    await guest.until("[ -e /sys/block/vda/size ]");
    const sum = sha256(disk.bytes.subarray(0, 4 * MIB));
    expect(await guest.run("head -c 4194304 /dev/vda | sha256sum")).toBe(`${sum}  -`);
    await guest.powerOff();
    expect(session.problems).toEqual([]);
  });
});
