import { createHash, randomBytes } from "node:crypto";
import { afterAll, describe, expect, it, vi } from "vitest";
import { MessageChannel } from "../../../src/runtime/transport/vhost-user/protocol/index.js";
import { Cable } from "../linux/cable.js";
import { FAR, moveFar } from "../linux/far-namespace.js";
import { RamDisk } from "../linux/ram-disk.js";
import { requireUml, umlWith } from "./uml.js";

const MIB = 1 << 20;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Linux takes in-band notifications wherever they are offered; its time-travel mode, which they were made for, is not needed. */
const suite = describe.runIf(await requireUml());
suite("Linux's drivers, with Linux as a front end that kicks and is called by messages", { timeout: 900_000 }, () => {
  const sent = vi.spyOn(MessageChannel.prototype, "offer");
  const received = vi.spyOn(MessageChannel.prototype, "receive");
  afterAll(() => vi.restoreAllMocks());
  /** Messages of this name in both directions. */
  const counted = (name: string): number =>
    sent.mock.calls.filter(([called]) => called === name).length +
    received.mock.results.filter(({ type, value }) => type === "return" && value?.name === name).length;

  const disk = new RamDisk(32 * MIB, 48 * MIB, 1);
  const cable = new Cable({ pairs: 1, mtu: 1400 });
  const [near, far] = cable.ends;
  const devices = [disk.device, near.device, far.device];
  const session = umlWith(devices, ["virtio_blk", "virtio_net"], { inbandNotifications: true });

  it("reads and writes a disk, without any eventfd", async () => {
    const pattern = randomBytes(64 * 512);
    pattern.copy(disk.bytes, MIB);
    const dd = "dd if=/dev/vda bs=512 skip=2048 count=64 iflag=direct 2>/dev/null";
    expect(sha256((await session.guest.attempt(dd)).bytes)).toBe(sha256(pattern));
    const { guest } = session;
    await guest.run("mke2fs /dev/vda >/dev/null && mount -t ext2 /dev/vda /mnt");
    await guest.run("head -c 5000000 /dev/urandom >/mnt/big");
    const before = await guest.run("sha256sum </mnt/big");
    await guest.run("umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext2 /dev/vda /mnt");
    expect(await guest.run("sha256sum </mnt/big")).toBe(before);
    await guest.run("umount /mnt");
    expect(counted("VRING_KICK")).toBeGreaterThan(50);
    expect(counted("VRING_CALL")).toBeGreaterThan(50);
    expect(counted("SET_VRING_KICK")).toBe(0);
  });

  it("grows while it is used: news of the configuration go the same way as calls", async () => {
    const { guest } = session;
    disk.resize(48 * MIB);
    await guest.until(`[ "$(cat /sys/block/vda/size)" = ${(48 * MIB) / 512} ]`);
  });

  it("carries frames between two cards, which nobody asks for", async () => {
    const { guest } = session;
    await moveFar(guest, "eth1");
    await guest.run(`${FAR} ip addr add 10.9.0.2/24 dev eth1 && ${FAR} ip link set eth1 up`);
    await guest.run("ip addr add 10.9.0.1/24 dev eth0 && ip link set eth0 up");
    expect(await guest.run("ping -c 5 -i 0.2 -W 60 10.9.0.2")).toContain("5 packets received, 0% packet loss");
    const receiving = guest.run(`${FAR} stream receive 5000 ${MIB}`);
    await guest.until(`${FAR} netstat -tln | grep -q :5000`);
    await guest.run(`stream send 10.9.0.2 5000 ${MIB}`);
    expect(await receiving).toMatch(/^1048576 bytes in /);
    // Linux answers to every call.
    expect(
      received.mock.results.some(
        ({ type, value }) => type === "return" && value?.name === "VRING_CALL" && value.isReply,
      ),
    ).toBe(true);
    await guest.powerOff();
    expect(session.problems).toEqual([]);
  });
});
