import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { withImage } from "../qemu/machine.js";
import { requireGuest, withGuest } from "./guest.js";

/** The guest itself, proven with QEMU's own devices: where a suite with generated devices fails, these say whose fault it is. */
describe.runIf(await requireGuest())("the guest with QEMU's own devices", () => {
  it("makes a file system on a disk, and what it writes is in the image", { timeout: 900_000 }, async () => {
    const bytes = new Uint8Array(16 << 20);
    const written = randomBytes(20_000);
    await withImage(bytes, async (image) => {
      const devices = [
        "-drive", `file=${image.path},format=raw,if=none,id=disk`, "-device", "virtio-blk-pci,drive=disk",
      ]; // prettier-ignore
      await withGuest({ devices, modules: ["virtio_blk", "ext4"] }, async (guest) => {
        expect(await guest.run("cat /sys/block/vda/size")).toBe(String(bytes.length / 512));
        await guest.run("mke2fs /dev/vda && mount -t ext2 /dev/vda /mnt");
        await guest.run(`printf %s ${written.toString("base64")} | base64 -d >/mnt/file && sync && umount /mnt`);
        await guest.run("echo 3 >/proc/sys/vm/drop_caches; mount -t ext2 /dev/vda /mnt");
        const sum = createHash("sha256").update(written).digest("hex");
        expect(await guest.run("sha256sum </mnt/file")).toBe(`${sum}  -`);
        await guest.run("umount /mnt");
        await guest.powerOff();
      });
      // One block of ext2 is 1 KiB here; the file is larger, so its blocks are looked for one by one.
      const disk = Buffer.from(await image.read());
      for (let at = 0; at + 1024 <= written.length; at += 1024)
        expect(disk.includes(written.subarray(at, at + 1024))).toBe(true);
    });
  });

  it("reads bytes of its entropy source", { timeout: 900_000 }, async () => {
    const devices = ["-object", "rng-builtin,id=source", "-device", "virtio-rng-pci,rng=source"];
    await withGuest({ devices, modules: ["virtio-rng"] }, async (guest) => {
      expect(await guest.run("cat /sys/class/misc/hw_random/rng_current")).toMatch(/^virtio_rng\./);
      const { bytes } = await guest.attempt("dd if=/dev/hwrng bs=4096 count=4 iflag=fullblock 2>/dev/null");
      expect(bytes.length).toBe(16384);
      expect(new Set(bytes).size).toBe(256);
    });
  });

  it("says what a command printed and how it ended, side by side with others", { timeout: 900_000 }, async () => {
    await withGuest({ devices: [] }, async (guest) => {
      const slow = guest.attempt("sleep 1; echo late; exit 3");
      expect(await guest.run("echo out; echo err >&2")).toBe("out\nerr");
      const many = await guest.attempt("head -c 300000 /bin/busybox");
      expect(many.bytes.length).toBe(300_000);
      const sum = createHash("sha256").update(many.bytes).digest("hex");
      expect(await guest.run("head -c 300000 /bin/busybox | sha256sum")).toBe(`${sum}  -`);
      expect(await slow).toMatchObject({ status: 3, output: "late" });
      expect((await guest.attempt("kill -9 $$")).status).toBe(128 + 9);
      await expect(guest.run("echo why; false")).rejects.toThrow(/`echo why; false` ended with status 1:\nwhy/);
      await expect(guest.run("sleep 5", 0.2)).rejects.toThrow(/`sleep 5` did not end within 0.2 s/);
    });
  });

  it("shows the guest's console in a failure", { timeout: 900_000 }, async () => {
    const lost = withGuest({ devices: [] }, async (guest) => {
      await guest.run("echo c >/proc/sysrq-trigger");
    });
    await expect(lost).rejects.toThrow(/the guest is gone[^]*Kernel panic - not syncing: sysrq triggered crash/);
  });
});
