import { describe, expect, it } from "vitest";
import { until } from "../qemu/until.js";
import { Cable } from "./cable.js";
import { FAR, moveFar } from "./far-namespace.js";
import { requireGuest, type GuestOptions } from "./guest.js";
import { guestWith } from "./vhost-user.js";

const PAIRS = 2;
const MTU = 1400;
const MIB = 1 << 20;

/**
 * Two cards in one guest, with the devices' own cable between them; one of them is in a network namespace of its own, so
 * that what the guest sends to itself has to go through both devices.
 */
const suite = describe.runIf(await requireGuest());
suite("Linux's network driver and two generated devices over vhost-user", { timeout: 900_000 }, () => {
  const cable = new Cable({ pairs: PAIRS, mtu: MTU });
  const [near, far] = cable.ends;
  /** What QEMU says of the cards when it starts them. */
  const mtus: number[] = [];
  const network = { setMtu: (mtu: number): boolean => mtus.push(mtu) > 0 };
  const guestOptions = (...sockets: readonly string[]): GuestOptions => ({
    devices: sockets.flatMap((socket, index) => [
      ...["-chardev", `socket,id=card${index},path=${socket}`],
      ...["-netdev", `vhost-user,id=net${index},chardev=card${index},queues=${PAIRS}`],
      "-device",
      `virtio-net-pci,netdev=net${index},mac=52:54:00:00:00:0${index + 1},mq=on,vectors=0,host_mtu=${MTU},romfile=`,
    ]),
    modules: ["virtio_net"],
    processors: PAIRS,
  });
  const session = guestWith([near.device, far.device], guestOptions, { network });

  it("has the address, the MTU and the queues that it says", async () => {
    const { guest } = session;
    expect(await guest.run("cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu")).toBe(
      `52:54:00:00:00:01\n${MTU}`,
    );
    expect(mtus.length).toBeGreaterThanOrEqual(2);
    expect(new Set(mtus)).toEqual(new Set([MTU]));
    expect((await guest.run("ls /sys/class/net/eth0/queues")).split("\n")).toEqual(["rx-0", "rx-1", "tx-0", "tx-1"]);
  });

  it("carries ARP and ICMP", async () => {
    const { guest } = session;
    await moveFar(guest, "eth1");
    await guest.run(`${FAR} ip addr add 10.9.0.2/24 dev eth1 && ${FAR} ip link set eth1 up`);
    await guest.run("ip addr add 10.9.0.1/24 dev eth0 && ip link set eth0 up");
    expect(await guest.run("ping -c 5 -i 0.2 -W 60 10.9.0.2")).toContain("5 packets received, 0% packet loss");
    expect(await guest.run("arp -n 10.9.0.2")).toContain("52:54:00:00:00:02");
    expect(near.traffic.arp).toBeGreaterThanOrEqual(1);
    expect(far.traffic.arp).toBeGreaterThanOrEqual(1);
    expect([near.traffic.icmp, far.traffic.icmp]).toEqual([5, 5]);
    // As long as the MTU allows, and in pieces beyond it.
    expect(await guest.run(`ping -c 2 -i 0.2 -W 60 -s ${MTU - 28} 10.9.0.2`)).toContain("0% packet loss");
    expect(near.traffic.largest).toBe(MTU + 14);
    expect(await guest.run("ping -c 2 -i 0.2 -W 60 -s 20000 10.9.0.2")).toContain("0% packet loss");
  });

  it("carries 64 MiB over TCP, with checksums and segmentation left to the other end", async () => {
    const { guest } = session;
    const frames = near.traffic.frames;
    const receiving = guest.run(`${FAR} stream receive 5000 ${64 * MIB}`);
    await guest.run(`stream send 10.9.0.2 5000 ${64 * MIB}`);
    expect(await receiving).toMatch(/^67108864 bytes in /);
    expect(near.traffic.bytes).toBeGreaterThan(64 * MIB);
    expect(near.traffic.unsegmented).toBeGreaterThan(100);
    expect(near.traffic.withoutChecksum).toBeGreaterThan(100);
    // Fewer than there are segments.
    expect(near.traffic.frames - frames).toBeLessThan((64 * MIB) / (MTU - 52) / 1.2);
  });

  it("carries it the other way, too, and both at once", async () => {
    const { guest } = session;
    const receivers = [guest.run(`stream receive 5001 ${8 * MIB}`), guest.run(`${FAR} stream receive 5002 ${8 * MIB}`)];
    const senders = [
      guest.run(`${FAR} stream send 10.9.0.1 5001 ${8 * MIB}`),
      guest.run(`stream send 10.9.0.2 5002 ${8 * MIB}`),
    ];
    for (const output of await Promise.all(receivers)) expect(output).toMatch(/^8388608 bytes in /);
    await Promise.all(senders);
  });

  it("uses all of its queue pairs", async () => {
    for (let cpu = 0; cpu < PAIRS; cpu++) {
      await session.guest.run(`taskset ${1 << cpu} ping -c 3 -i 0.1 -W 60 10.9.0.2`);
    }
    for (const count of near.traffic.perPair) expect(count).toBeGreaterThan(0);
  });

  it("sees the link go down and up", async () => {
    const { guest } = session;
    await guest.qmp.execute("set_link", { name: "net0", up: false });
    await guest.until("[ $(cat /sys/class/net/eth0/carrier) = 0 ]");
    expect((await guest.attempt("ping -c 1 -W 1 10.9.0.2")).status).not.toBe(0);
    await guest.qmp.execute("set_link", { name: "net0", up: true });
    await guest.until("[ $(cat /sys/class/net/eth0/carrier) = 1 ]");
    await guest.until("ping -c 1 -W 1 10.9.0.2");
  });

  it("is let go of in the middle of a transfer, and taken anew", async () => {
    const { guest } = session;
    const device = await guest.run("basename $(readlink /sys/class/net/eth0/device)");
    const receiving = guest.attempt(`${FAR} timeout 600 stream receive 5003 ${1024 * MIB}`, 700);
    const sending = guest.attempt(`timeout 600 stream send 10.9.0.2 5003 ${1024 * MIB}`, 700);
    const before = near.traffic.bytes;
    await until(() => near.traffic.bytes > before + 4 * MIB, 300);
    await guest.run(`echo ${device} >/sys/bus/virtio/drivers/virtio_net/unbind`);
    expect((await guest.attempt("ls /sys/class/net/eth0")).status).not.toBe(0);
    await guest.run("killall stream");
    expect((await sending).status).not.toBe(0);
    expect((await receiving).status).not.toBe(0);
    await guest.run(`echo ${device} >/sys/bus/virtio/drivers/virtio_net/bind`);
    await guest.run("ip addr add 10.9.0.1/24 dev eth0 && ip link set eth0 up");
    await guest.until("ping -c 1 -W 1 10.9.0.2");
    await guest.powerOff();
    expect(session.problems).toEqual([]);
  });
});
