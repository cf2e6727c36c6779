import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { CommonFeature, DeviceStatus, type VirtioDevice } from "../../../src/runtime/index.js";
import { Cable } from "../linux/cable.js";
import { FAR, moveFar } from "../linux/far-namespace.js";
import { until } from "../qemu/until.js";
import { AnsweringHost } from "./answering-host.js";
import { ResetLedger } from "./reset-ledger.js";
import { onPci, requireV86, V86Guest } from "./v86-guest.js";

const RECEIVE = 0;
const TRANSMIT = 1;
/** How often sizes are set under load: each end and each size the same number of times. */
const CHANGES = 52;
/** Linux takes no other than a power of two at the start, not even for a packed ring, which gets other sizes later. */
const SIZE = 256;
const CARDS = ["split", "packed", "plain", "held"] as const;
type Card = (typeof CARDS)[number];

/**
 * Linux resets single queues when the sizes of a card's rings are set, as with `ethtool -G`: transmitq, then receiveq, each
 * if its size is another one. Two cards are the ends of a cable, one of them in a network namespace of its own; behind each
 * of the other two is a host in this process.
 */
const suite = describe.runIf(await requireV86());
suite("Linux resets queues of generated network cards in v86", { timeout: 900_000 }, () => {
  const cable = new Cable({
    pairs: 1,
    mtu: 1500,
    latency: 10,
    ends: [
      { features: ["RING_RESET"], queueSize: SIZE },
      { features: ["RING_RESET", "RING_PACKED"], queueSize: SIZE },
    ],
  });
  const plain = new AnsweringHost(3, []);
  /** What comes of the card's own work for a reset, if it fails. */
  let failure: Error | undefined;
  const held = new AnsweringHost(4, ["RING_RESET"], {
    queueReset({ index }) {
      // It is called when memory has moved, too, of the other queue also while this one is being reset.
      const isReset = index === TRANSMIT && ledgers.held.resets.at(-1) === `${TRANSMIT} started`;
      return failure === undefined || !isReset ? undefined : Promise.reject(failure);
    },
  });
  const ledgers: Readonly<Record<Card, ResetLedger>> = {
    split: new ResetLedger(cable.ends[0].device),
    packed: new ResetLedger(cable.ends[1].device),
    plain: new ResetLedger(plain.device),
    held: new ResetLedger(held.device),
  };
  const ledgerOf = new Map<VirtioDevice, ResetLedger>(Object.values(ledgers).map((ledger) => [ledger.device, ledger]));
  /** How a card is reached in the guest, and the host at the other end of its line. */
  const names: Readonly<Record<Card, { readonly at: string; readonly card: string; readonly peer: string }>> = {
    split: { at: "", card: "eth0", peer: "10.9.1.2" },
    packed: { at: FAR, card: "eth1", peer: "10.9.1.1" },
    plain: { at: "", card: "eth2", peer: "10.9.3.2" },
    held: { at: "", card: "eth3", peer: "10.9.4.2" },
  };
  const problems: string[] = [];
  let guest: V86Guest;

  beforeAll(async () => {
    for (const { device } of Object.values(ledgers)) device.onProtocolError = (error) => problems.push(error.message);
    const cards = onPci(
      Object.values(ledgers).map(({ device }) => device),
      {
        trace: (device, event) => ledgerOf.get(device)?.note(event),
        refused: (error) => problems.push(error.message),
      },
    );
    guest = await V86Guest.start(cards, ["virtio_pci", "virtio_net"]);
    await moveFar(guest, "eth1");
    await guest.run(`${FAR} ip addr add 10.9.1.2/24 dev eth1 && ${FAR} ip link set eth1 up`);
    for (const [card, network] of Object.entries({ eth0: 1, eth2: 3, eth3: 4 })) {
      await guest.run(`ip addr add 10.9.${network}.1/24 dev ${card} && ip link set ${card} up`);
    }
  }, 900_000);
  afterEach(async (context) => {
    if (context.task.result?.state === "fail") console.error([...problems, guest.account()].join("\n"));
    expect(problems).toEqual([]);
    for (const { breaches } of Object.values(ledgers)) expect(breaches).toEqual([]);
    expect(await guest.run("dmesg | grep -E 'BUG|WARNING|Call Trace|not a head|out of range' || true")).toBe("");
  }, 900_000);
  afterAll(async () => await guest.close());

  const ringSize = async (card: Card, words = "") =>
    await guest.attempt(`${names[card].at} ring-size ${names[card].card} ${words}`);
  const pings = async (card: Card, count = 2): Promise<void> => {
    const output = await guest.run(`${names[card].at} ping -c ${count} -i 0.1 -W 5 ${names[card].peer}`);
    expect(output).toContain(`${count} packets received, 0% packet loss`);
  };
  const sizes = (card: Card): (number | undefined)[] =>
    [RECEIVE, TRANSMIT].map((index) => ledgers[card].device.queue(index)?.addresses?.size);

  /** Sets the sizes and checks that the queues whose size changes are reset, and nothing else happens. */
  async function resize(card: Card, receive: number, transmit: number): Promise<void> {
    const ledger = ledgers[card];
    const { resets, writes, device } = ledger;
    const [from, before] = [resets.length, sizes(card)];
    const rings = [RECEIVE, TRANSMIT].map((index) => device.queue(index)?.addresses);
    expect(await ringSize(card, `${receive} ${transmit}`)).toMatchObject({ status: 0 });
    expect((await ringSize(card)).output).toBe(`${receive} ${transmit} of ${SIZE} ${SIZE}`);
    const changed = [TRANSMIT, RECEIVE].filter((index) => before[index] !== [receive, transmit][index]);
    expect(resets.slice(from)).toEqual(changed.flatMap((index) => [`${index} started`, `${index} complete`]));
    expect(sizes(card)).toEqual([receive, transmit]);
    for (const index of [RECEIVE, TRANSMIT])
      if (!changed.includes(index)) expect(device.queue(index)?.addresses).toBe(rings[index]);
    expect(ledger.writes).toBe(writes);
  }

  it("says the sizes that the devices offer", async () => {
    for (const card of CARDS) {
      const { negotiated } = ledgers[card].device;
      expect(negotiated.has(CommonFeature.RING_RESET)).toBe(card !== "plain");
      expect(negotiated.has(CommonFeature.RING_PACKED)).toBe(card === "packed");
      expect((await ringSize(card)).output).toBe(`${SIZE} ${SIZE} of ${SIZE} ${SIZE}`);
      await pings(card);
    }
  });

  it("sets sizes of split rings", async () => {
    for (const [receive, transmit] of [[256, 64], [128, 64], [2, 32], [64, 256], [256, 256]] as const) {
      await resize("split", receive, transmit);
      await pings("split");
    } // prettier-ignore
  });

  it("sets sizes of packed rings", async () => {
    for (const [receive, transmit] of [[200, 64], [128, 64], [3, 37], [77, 200], [256, 256]] as const) {
      await resize("packed", receive, transmit);
      await pings("packed");
    } // prettier-ignore
  });

  it("sends nothing more with 16 places to transmit, which is Linux's doing, until it has more", async () => {
    // Linux 6.1 stops after a frame while fewer than 19 places are free, which a ring of 16 never has again.
    await resize("split", SIZE, 16);
    expect(await guest.run(`ping -c 2 -i 0.1 -W 1 ${names.split.peer} || true`)).toMatch(/ [01] packets received/);
    await resize("split", SIZE, 32);
    await pings("split");
    await resize("split", SIZE, SIZE);
  });

  it("goes on with the old ring where Linux cannot make the new one", async () => {
    // More than the device offers: nothing is asked of it.
    const { resets } = ledgers.split;
    const from = resets.length;
    expect(await ringSize("split", `${2 * SIZE} ${SIZE}`)).toMatchObject({
      status: 1,
      output: "set: Invalid argument",
    });
    expect(resets.length).toBe(from);
    // Split rings have a power of two. Linux finds that out between reset and enabling.
    expect(await ringSize("split", `${SIZE} 48`)).toMatchObject({ status: 1, output: "set: Out of memory" });
    expect(await guest.run("dmesg | tail -n 2")).toMatch(
      /Bad virtqueue length 48[^]*resize tx fail: tx queue index: 0/,
    );
    expect(resets.slice(from)).toEqual(["1 started", "1 complete"]);
    expect(sizes("split")).toEqual([SIZE, SIZE]);
    await pings("split");
  });

  it("sets sizes 52 times at both ends of a TCP stream, and nothing of it is lost", { timeout: 900_000 }, async () => {
    await guest.run("mkfifo /tmp/copy; sha256sum </tmp/copy >/tmp/sent 2>&1 &");
    const receive = "tail -f /dev/null | nc -l -p 5000 | sha256sum >/tmp/received";
    await guest.run(`${FAR} sh -c '${receive}' >/dev/null 2>&1 &`);
    await guest.until(`${FAR} netstat -tln | grep -q :5000`);
    const send = "while [ ! -e /tmp/stop ]; do cat /bin/busybox; done | tee /tmp/copy | nc 10.9.1.2 5000";
    await guest.run(`sh -c '${send}' >/dev/null 2>&1 &`);
    const from = { split: ledgers.split.resets.length, packed: ledgers.packed.resets.length };
    const { traffic } = cable.ends[0];
    const before = traffic.bytes;
    for (let turn = 0; turn < CHANGES / 4; turn++) {
      // Receive rings have room for the longest frame, which is 64 KiB: a shorter one would never have it.
      for (const [card, words] of [["split", "64 32"], ["packed", "77 37"], ["split", "256 256"], ["packed", "256 256"]] as const) {
        const { bytes } = traffic;
        await until(() => traffic.bytes > bytes + 20_000, 300);
        expect(await ringSize(card, words)).toMatchObject({ status: 0 });
      } // prettier-ignore
    }
    await guest.run("touch /tmp/stop");
    await guest.until("[ -s /tmp/received ] && [ -s /tmp/sent ]");
    await guest.run("killall tail");
    expect(await guest.run("cat /tmp/received")).toBe(await guest.run("cat /tmp/sent"));
    expect(traffic.bytes - before).toBeGreaterThan(20_000 * CHANGES);
    for (const [end, card] of (["split", "packed"] as const).entries()) {
      // Two queues of each card, of which each reset starts and ends.
      expect(ledgers[card].resets.length - from[card]).toBe((CHANGES / 2) * 2 * 2);
      const transmit = ledgers[card].queue(TRANSMIT);
      // Frames were in flight when their queue was reset: none of them was sent, and each was refused once.
      expect(transmit.reclaimed).toBeGreaterThan(0);
      await until(() => transmit.stale === transmit.reclaimed + transmit.retaken);
      expect(cable.ends[end]?.traffic.stale).toBe(transmit.stale);
      for (const index of [RECEIVE, TRANSMIT]) {
        const { taken, completed, reclaimed, retaken, inFlight } = ledgers[card].queue(index);
        expect(taken).toBe(completed + reclaimed + retaken + inFlight.size);
      }
    }
    await pings("split");
    await pings("packed");
  });

  it("waits for a handler that holds a frame, and the frame stays as it is until then", async () => {
    const { device, resets } = ledgers.held;
    const queue = device.queue(TRANSMIT);
    if (queue === undefined) throw new Error("the card has no transmitq");
    const from = resets.length;
    const log: string[] = [];
    let isHeld = false;
    const reads = vi.spyOn(queue, "resetting", "get");
    const looks = (): number => reads.mock.results.filter(({ value }) => value === true).length;
    held.before = async (buffer) => {
      await buffer.hold(async (signal) => {
        const [bytes, copy] = [buffer.data.segment(0), buffer.data.toUint8Array()];
        isHeld = true;
        while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
        // Otherwise memory has moved, and the frame comes again.
        if (!queue.resetting) return;
        // Linux looks again and again.
        await until(() => looks() > 2);
        log.push(
          Buffer.compare(bytes, copy.subarray(0, bytes.length)) === 0 ? "frame is the same" : "frame has changed",
        );
        log.push(`${queue.enabled ? "enabled" : "disabled"}, ${resets.slice(from).join(", ")}`);
      });
    };
    await guest.run(`ping -c 1 -W 1 ${names.held.peer} >/dev/null 2>&1 &`);
    await until(() => isHeld);
    expect(await ringSize("held", `${SIZE} 64`)).toMatchObject({ status: 0 });
    held.before = undefined;
    expect(new Set(log)).toEqual(new Set(["frame is the same", "enabled, 1 started"]));
    expect(resets.slice(from)).toEqual(["1 started", "1 complete"]);
    expect(looks()).toBeGreaterThan(2);
    reads.mockRestore();
    expect(sizes("held")).toEqual([SIZE, 64]);
    await pings("held");
  });

  it("says that a device without RING_RESET cannot do it, and goes on", async () => {
    expect(await ringSize("plain", "64 64")).toMatchObject({ status: 1, output: "set: No such file or directory" });
    expect(await guest.run("dmesg | tail -n 1")).toMatch(/resize tx fail: tx queue index: 0 err: -2$/);
    expect(await ringSize("plain", `64 ${SIZE}`)).toMatchObject({ status: 1 });
    expect(await guest.run("dmesg | tail -n 1")).toMatch(/resize rx fail: rx queue index: 0 err: -2$/);
    expect(ledgers.plain.resets).toEqual([]);
    await pings("plain");
  });

  it("unbinds the driver of a card whose rings are short, and binds it again", async () => {
    await resize("held", 32, 64);
    const device = await guest.run("basename $(readlink /sys/class/net/eth3/device)");
    await guest.run(`cd /sys/bus/virtio/drivers/virtio_net; echo ${device} >unbind; echo ${device} >bind`);
    // It has got the first name that is free.
    await guest.run(`ip link set $(ls /sys/bus/virtio/devices/${device}/net) name eth3`);
    await guest.run("ip addr add 10.9.4.1/24 dev eth3 && ip link set eth3 up");
    await pings("held");
    expect(sizes("held")).toEqual([SIZE, SIZE]);
    await resize("held", 128, 32);
    await pings("held");
  });

  it("is not told that a queue is reset while a handler does not let go", async () => {
    await resize("held", SIZE, SIZE);
    const { device, resets } = ledgers.held;
    const from = resets.length;
    let letGo = (): void => undefined;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    let isHeld = false;
    held.before = async (buffer) => {
      isHeld = true;
      await buffer.hold(() => gate);
    };
    await guest.run(`ping -c 1 -W 1 ${names.held.peer} >/dev/null 2>&1 &`);
    await until(() => isHeld, 300);
    await guest.run(`sh -c 'ring-size eth3 ${SIZE} 64 >/tmp/size; echo $? >>/tmp/size' >/dev/null 2>&1 &`);
    // It cannot be killed.
    const waits = "grep -q '^State:.D' /proc/$(pidof ring-size)/status";
    await until(() => resets.length > from);
    await guest.until(waits);
    // Others go on; what has to do with the settings of network cards waits.
    await pings("split", 10);
    await guest.until(waits);
    expect(device.queue(TRANSMIT)).toMatchObject({ enabled: true, resetting: true });
    expect(resets.slice(from)).toEqual(["1 started"]);
    held.before = undefined;
    letGo();
    await guest.until("[ $(wc -l </tmp/size) = 2 ]");
    expect(await guest.run("cat /tmp/size")).toBe("256 64 of 256 256\n0");
    expect(resets.slice(from)).toEqual(["1 started", "1 complete"]);
    await pings("held");
  });

  // The last one: the guest never gets over it.
  it("is not told, either, if nobody can say that memory was let go", async () => {
    await resize("held", SIZE, SIZE);
    const { device, resets } = ledgers.held;
    const from = resets.length;
    failure = new Error("the adapter still reads the frames");
    await guest.run("sh -c 'ring-size eth3 256 64 >/tmp/failed' >/dev/null 2>&1 &");
    await until(() => (device.status & DeviceStatus.NEEDS_RESET) !== 0);
    expect(problems.splice(0)).toEqual([expect.stringMatching(/reset of queue 1 \(transmitq\)/)]);
    await pings("split", 10);
    await guest.until("grep -q '^State:.D' /proc/$(pidof ring-size)/status");
    expect(device.queue(TRANSMIT)).toMatchObject({ enabled: true, resetting: true });
    expect(resets.slice(from)).toEqual(["1 started"]);
  });
});
