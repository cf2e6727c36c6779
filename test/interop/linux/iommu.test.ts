import { describe, expect, it } from "vitest";
import { requireGuest } from "./guest.js";
import { newerQemu, requireNewerQemu } from "./newer-qemu.js";
import { RamDisk } from "./ram-disk.js";
import { guestWith } from "./vhost-user.js";

const MIB = 1 << 20;
const QUEUES = 2;
/** ACCESS_PLATFORM, as Linux prints the features of a device: bit 0 first. */
const ACCESS_PLATFORM = 33;

const suite = describe.runIf(await requireGuest());
suite("Linux behind an IOMMU, and a generated device over vhost-user", { timeout: 900_000 }, () => {
  const disk = new RamDisk(32 * MIB, 32 * MIB, QUEUES, ["ACCESS_PLATFORM"]);
  const session = guestWith([disk.device], (socket) => ({
    devices: [
      ...["-device", "intel-iommu,intremap=off,device-iotlb=on,caching-mode=on"],
      ...["-chardev", `socket,id=disk,path=${socket}`, "-device"],
      `vhost-user-blk-pci,chardev=disk,num-queues=${QUEUES},iommu_platform=on,ats=on,disable-legacy=on`,
    ],
    modules: ["virtio_blk", "ext4"],
    processors: QUEUES,
    extraKernelArguments: "intel_iommu=on iommu.strict=1",
  }));

  it("translates: what the driver negotiates says so, and the disk is in a domain of its own", async () => {
    const { guest } = session;
    const features = await guest.run("cat /sys/block/vda/device/features");
    expect(features[ACCESS_PLATFORM]).toBe("1");
    expect(await guest.run("cat /sys/block/vda/device/../iommu_group/type")).toBe("DMA");
    expect(session.problems).toEqual([]);
  });

  it("reads back what it has written, while every buffer is mapped for its request alone", async () => {
    const { guest } = session;
    const storm = await guest.run("write-storm check /dev/vda 512 2 16 2");
    expect(storm).toBe("1024 written, 1024 read back, 0 errors, 512 blocks as written");
    expect(disk.perQueue.every((count) => count > 0)).toBe(true);
    expect(session.problems).toEqual([]);
  });

  it("holds a file system, with requests of many pages", async () => {
    const { guest } = session;
    await guest.run("mke2fs /dev/vda >/dev/null && mount -t ext2 /dev/vda /mnt");
    await guest.run("head -c 5000000 /dev/urandom >/mnt/big && sync");
    const before = await guest.run("sha256sum </mnt/big");
    await guest.run("umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext2 /dev/vda /mnt");
    expect(await guest.run("sha256sum </mnt/big")).toBe(before);
    await guest.run("umount /mnt");
    expect(session.problems).toEqual([]);
  });

  it("is let go of and taken anew", async () => {
    const { guest } = session;
    const device = await guest.run("basename $(readlink /sys/block/vda/device)");
    await guest.run(`echo ${device} >/sys/bus/virtio/drivers/virtio_blk/unbind`);
    await guest.run(`echo ${device} >/sys/bus/virtio/drivers/virtio_blk/bind`);
    await guest.until("[ -e /sys/block/vda/size ]");
    expect(await guest.run("head -c 1048576 /dev/vda | wc -c")).toBe("1048576");
    await guest.powerOff();
    expect(session.problems).toEqual([]);
  });
});

const lazySuite = describe.runIf((await requireGuest()) && (await requireNewerQemu()));
lazySuite("Linux behind an IOMMU that it invalidates as a whole, now and then", { timeout: 900_000 }, () => {
  const disk = new RamDisk(32 * MIB, 32 * MIB, QUEUES, ["ACCESS_PLATFORM"]);
  const session = guestWith([disk.device], (socket) => ({
    program: newerQemu(),
    devices: [
      ...["-device", "intel-iommu,intremap=off,device-iotlb=on"],
      ...["-chardev", `socket,id=disk,path=${socket}`, "-device"],
      `vhost-user-blk-pci,chardev=disk,num-queues=${QUEUES},iommu_platform=on,ats=on,disable-legacy=on`,
    ],
    modules: ["virtio_blk"],
    processors: QUEUES,
    extraKernelArguments: "intel_iommu=on iommu.strict=0",
  }));

  it("reads back what it has written, while rings are taken back under requests and go on", async () => {
    const { guest } = session;
    expect((await guest.run("cat /sys/block/vda/device/features"))[ACCESS_PLATFORM]).toBe("1");
    expect(await guest.run("cat /sys/block/vda/device/../iommu_group/type")).toBe("DMA-FQ");
    const storm = await guest.run("write-storm check /dev/vda 512 2 16 2");
    expect(storm).toBe("1024 written, 1024 read back, 0 errors, 512 blocks as written");
    expect(session.problems).toEqual([]);
  });
});
