import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BalloonDevice } from "../../../generated/balloon.js";
import { NetStatus } from "../../../generated/net.js";
import { openSharedDirectory } from "../../../src/serve/shared-directory.js";
import { openSocketBridge } from "../../../src/serve/vsock/socket-bridge.js";
import { Cable } from "../linux/cable.js";
import { FAR, moveFar } from "../linux/far-namespace.js";
import { ScsiDisk } from "../linux/scsi-disk.js";
import { until } from "../qemu/until.js";
import { requireUml, umlWith } from "./uml.js";

const MIB = 1 << 20;
const MTU = 1400;
const CID = 42;
const HOST_PORT = 1234;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

if (await requireUml())
  describe("Linux's other drivers, Linux as the front end, generated devices", { timeout: 900_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-uml-"));
    const errors: string[] = [];
    const onError = (error: Error): void => void errors.push(error.message);

    const cable = new Cable({ pairs: 1, mtu: MTU });
    const scsi = new ScsiDisk(16 * MIB, 1);
    const start = randomBytes(MIB);
    start.copy(scsi.bytes);
    writeFileSync(join(folder, "greeting"), "hello from the host\n");
    const shared = openSharedDirectory({ path: folder, tag: "shared", onError });
    const path = join(folder, "vsock");
    const bridge = await openSocketBridge({ path, guestCid: CID, onError });
    /** Pages of the guest's memory that are in the balloon. */
    const pages = new Set<number>();
    let said = 0;
    let statistics = 0;
    const balloon = new BalloonDevice({
      features: ["STATS_VQ"],
      config: { numPages: 0 },
      inflateq(buffer) {
        for (const page of buffer.pages) pages.add(page);
        return buffer.complete();
      },
      deflateq(buffer) {
        for (const page of buffer.pages) pages.delete(page);
        return buffer.complete();
      },
      statsq(buffer) {
        statistics = buffer.stats.length;
        return buffer.complete();
      },
      configWritten: { actual: (value) => void (said = value) },
      onProtocolError: onError,
    });
    let echo: Server | undefined;
    beforeAll(async () => {
      echo = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
      await new Promise<void>((resolve) => echo?.listen(`${path}_${HOST_PORT}`, resolve));
    });
    afterAll(async () => {
      echo?.close();
      await bridge.close();
      await shared.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const [near, far] = cable.ends;
    const session = umlWith(
      [near.device, far.device, scsi.device, shared.device, bridge.device, balloon],
      ["virtio_net", "virtio_scsi", "sd_mod", "virtiofs", "vmw_vsock_virtio_transport", "virtio_balloon"],
    );

    it("network: two cards carry ARP, ICMP and 8 MiB of TCP from one namespace to the other", async () => {
      const { guest } = session;
      expect(await guest.run("cat /sys/class/net/eth0/mtu")).toBe(String(MTU));
      await moveFar(guest, "eth1");
      await guest.run(`${FAR} ip addr add 10.9.0.2/24 dev eth1 && ${FAR} ip link set eth1 up`);
      await guest.run("ip addr add 10.9.0.1/24 dev eth0 && ip link set eth0 up");
      expect(await guest.run("ping -c 5 -i 0.2 -W 60 10.9.0.2")).toContain("5 packets received, 0% packet loss");
      expect([near.traffic.icmp, far.traffic.icmp]).toEqual([5, 5]);
      const receiving = guest.run(`${FAR} stream receive 5000 ${8 * MIB}`);
      await guest.until(`${FAR} netstat -tln | grep -q :5000`);
      await guest.run(`stream send 10.9.0.2 5000 ${8 * MIB}`);
      expect(await receiving).toMatch(/^8388608 bytes in /);
      expect(near.traffic.bytes).toBeGreaterThan(8 * MIB);
      expect(near.traffic.unsegmented).toBeGreaterThan(10);
    });

    it("network: the link goes down and up by the device's configuration", async () => {
      const { guest } = session;
      near.device.config.status = 0;
      await guest.until("[ $(cat /sys/class/net/eth0/carrier) = 0 ]");
      expect((await guest.attempt("ping -c 1 -W 1 10.9.0.2")).status).not.toBe(0);
      near.device.config.status = NetStatus.LINK_UP;
      await guest.until("[ $(cat /sys/class/net/eth0/carrier) = 1 ]");
      await guest.until("ping -c 1 -W 1 10.9.0.2");
    });

    it("SCSI: the one unit is found, read and written", async () => {
      const { guest } = session;
      await guest.until("[ -e /sys/block/sda/size ]");
      expect(await guest.run("cat /sys/block/sda/size")).toBe(String((16 * MIB) / 512));
      expect(await guest.run("head -c 1048576 /dev/sda | sha256sum")).toBe(`${sha256(start)}  -`);
      await guest.run("head -c 3000000 /dev/urandom >/tmp/written");
      await guest.run("dd if=/tmp/written of=/dev/sda bs=64k seek=32 conv=fsync 2>/dev/null");
      const sum = sha256(scsi.bytes.subarray(2 * MIB, 2 * MIB + 3_000_000));
      expect(await guest.run("sha256sum </tmp/written")).toBe(`${sum}  -`);
    });

    it("file system: mounted by the tag of its configuration, read and written", async () => {
      const { guest } = session;
      expect((await guest.attempt("mount -t virtiofs no-such-tag /mnt")).status).not.toBe(0);
      await guest.run("mount -t virtiofs shared /mnt");
      expect(await guest.run("cat /mnt/greeting")).toBe("hello from the host");
      await guest.run("head -c 2000000 /dev/urandom >/mnt/written && sync");
      expect(await guest.run("sha256sum </mnt/written")).toBe(`${sha256(readFileSync(join(folder, "written")))}  -`);
      await guest.run("umount /mnt");
    });

    it("sockets: the host is called, and answers: 1 MiB there and back", async () => {
      expect(await session.guest.run(`vsock call 2 ${HOST_PORT} ${MIB}`)).toBe(`${MIB} bytes came back`);
      const { status, output } = await session.guest.attempt("vsock call 2 99 10");
      expect([status, output]).toEqual([1, "connect: Connection reset by peer"]);
    });

    it("balloon: pages are given and taken back, as many as the configuration asks for", async () => {
      const { guest } = session;
      const free = async (): Promise<number> => Number(await guest.run("awk '/^MemFree/ { print $2 }' /proc/meminfo"));
      const before = await free();
      balloon.config.numPages = 4096;
      await until(() => said === 4096, 300);
      expect(pages.size).toBe(4096);
      // All in the memory that there is, and gone from what is free: 16 MiB.
      expect(Math.max(...pages)).toBeLessThan((128 * MIB) / 4096);
      expect(before - (await free())).toBeGreaterThan(12 * 1024);
      balloon.config.numPages = 1000;
      await until(() => said === 1000, 300);
      expect(pages.size).toBe(1000);
      expect(before - (await free())).toBeLessThan(8 * 1024);
      expect(statistics).toBeGreaterThan(3);
    });

    it("lets go of all of them, and powers off", async () => {
      await session.guest.powerOff();
      expect([...errors, ...session.problems]).toEqual([]);
    });
  });
