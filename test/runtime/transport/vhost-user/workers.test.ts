import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventFd, UnixSocket } from "../../../../src/runtime/transport/posix/index.js";
import { backEndTable, MessageChannel } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../fixtures/process-state.js";
import { ringForms } from "./ring-forms.js";
import { isSignalled, pause, plain, ScriptedFrontEnd, until, type ScriptedRing } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { CONFIG_WCE, FLUSH, MQ, SECTOR, SECTORS } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { numberOf, special } from "./worker-disk-data.js";

beforeAll(makeWorkerProgram);
afterAll(forgetWorkerProgram);

describe.runIf(await requireVhostUser())("queues spread over Workers", { timeout: 600_000 }, () => {
  it.each(ringForms)("read and write, over several laps of each ring: $name", async ({ wanted, ring: form }) => {
    const { path, sectors, errors, ends, device } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(wanted | MQ);
    const rings: ScriptedRing[] = [];
    for (let index = 0; index < 4; index++) rings.push(await front.startRing(index, { features: form }));
    for (const [index, ring] of rings.entries()) expect(await ring.readOne(special.who)).toBe(100 + (index % 2));
    await Promise.all(
      rings.map(async (ring, index) => {
        for (let round = 0; round < 30; round++) {
          const sector = index * 50 + round;
          ring.submit(sector);
          expect(await ring.completions(1)).toMatchObject([{ first: sector, status: 0 }]);
          ring.submit(sector, 200 - round);
          expect(await ring.completions(1)).toMatchObject([{ status: 0 }]);
          expect(sectors[sector * SECTOR + 511]).toBe(200 - round);
        }
      }),
    );
    expect(device.live).toBe(true);
    front.close();
    await until(() => ends.length === 1);
    expect([errors, ends]).toEqual([[], ["closed"]]);
  });

  it("leave to the main thread what is not given to a Worker", async () => {
    const { path } = await spreadDisk([], (queue) => (queue === 0 ? undefined : 1));
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const rings: ScriptedRing[] = [];
    for (let index = 0; index < 4; index++) rings.push(await front.startRing(index));
    // The main thread's handler knows no such sector, and is told of nothing but what it can read.
    rings[0]?.submit(17);
    expect(await rings[0]?.completions(1)).toMatchObject([{ first: 17, status: 0 }]);
    for (const ring of rings.slice(1)) expect(await ring.readOne(special.who)).toBe(101);
    front.close();
  });

  it("complete out of order, and go on while others are late", async () => {
    const { path } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const ring = await front.startRing(0);
    const tokens = [800, 400, 0].map((milliseconds) => ring.submit(special.late + milliseconds));
    const done = await ring.completions(3);
    expect(done.map(({ token }) => token)).toEqual(tokens.reverse());
    ring.submit(special.kept);
    for (let sector = 1; sector < 20; sector++) expect(await ring.readOne(sector)).toBe(sector);
    front.close();
  });

  it.each(ringForms)(
    "stop with requests in flight, and go on where they stopped: $name",
    async ({ wanted, ring: form }) => {
      const { path, errors, numbers } = await spreadDisk([], undefined, { stopTimeout: 60_000 });
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp(wanted | MQ);
      const ring = await front.startRing(1, { features: form });
      for (let n = 0; n < 3; n++) ring.submit(special.kept);
      await until(() => Atomics.load(numbers, numberOf.kept) === 3);
      const stopping = ring.stop();
      // The Worker hears of it.
      await pause(1000);
      ring.submit(4);
      await pause(20);
      Atomics.store(numbers, numberOf.released, 1);
      const base = await stopping;
      expect(await ring.completions(3)).toHaveLength(3);
      if (wanted === plain) expect(base).toBe(3);
      await pause(20);
      expect(ring.poll()).toEqual([]);
      front.send("SET_FEATURES", "u64", wanted | MQ);
      await ring.start(base);
      expect(await ring.completions(1)).toMatchObject([{ first: 4, status: 0 }]);
      expect(await ring.readOne(5)).toBe(5);
      // Disabled it stands still, too.
      expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 1, num: 0 })).toBe(true);
      ring.submit(6);
      await pause(20);
      expect(ring.poll()).toEqual([]);
      expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 1, num: 1 })).toBe(true);
      expect(await ring.completions(1)).toMatchObject([{ first: 6, status: 0 }]);
      expect(errors).toEqual([]);
      front.close();
    },
  );

  it("answer a stop although a handler never does, and say so", async () => {
    const { path, errors } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    ring.submit(special.hold);
    expect(await ring.readOne(10)).toBe(10);
    expect(await ring.stop()).toBe(2);
    await until(() => errors.length > 0);
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining("1 requests unanswered")]);
    await ring.start(2);
    // What is answered too late changes nothing.
    expect(await ring.readOne(special.letGo)).toBe(1);
    expect(await ring.readOne(11)).toBe(11);
    expect(ring.poll()).toEqual([]);
    front.close();
  });

  it("take new eventfds while they run, and are polled without", async () => {
    const { path } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    expect(await ring.readOne(1)).toBe(1);
    const before = openFiles();
    const call = EventFd.create(front.system);
    const kick = EventFd.create(front.system);
    expect(await front.acknowledged("SET_VRING_CALL", "u64", 0n, [call.fd])).toBe(true);
    expect(await front.acknowledged("SET_VRING_KICK", "u64", 0n, [kick.fd])).toBe(true);
    expect(openFiles()).toBe(before + 2);
    ring.submit(2);
    await pause(20);
    expect(ring.poll()).toEqual([]);
    kick.signal();
    expect(await ring.completions(1)).toMatchObject([{ first: 2 }]);
    await until(() => isSignalled(call));
    expect(await front.acknowledged("SET_VRING_KICK", "u64", 0x100n)).toBe(true);
    expect(await ring.readOne(3)).toBe(3);
    // A file can always be read, and is no kick.
    expect(await front.acknowledged("SET_VRING_KICK", "u64", 0n, [front.file(4096)])).toBe(false);
    front.close();
    call.close();
    kick.close();
  });

  it("know the configuration: what the driver writes, and what the device changes", async () => {
    const { path, device } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ | CONFIG_WCE | FLUSH);
    const [ours, theirs] = UnixSocket.pair(front.system);
    expect(await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [theirs.fd])).toBe(true);
    theirs.close();
    const channel = new MessageChannel(ours, backEndTable, "requests");
    const write = (value: number): Promise<boolean> =>
      front.acknowledged("SET_CONFIG", "config", { offset: 32, flags: 0, bytes: Uint8Array.of(value) });
    expect(await write(0)).toBe(true);
    const rings = [await front.startRing(0), await front.startRing(1)];
    const all = (sector: number): Promise<number[]> => Promise.all(rings.map((ring) => ring.readOne(sector)));
    expect(await all(special.capacity)).toEqual([SECTORS & 0xff, SECTORS & 0xff]);
    expect(await all(special.writeback)).toEqual([0, 0]);
    expect(await write(1)).toBe(true);
    expect(await all(special.writeback)).toEqual([1, 1]);
    device.config.capacity = 77n;
    await until(() => channel.receive()?.name === "CONFIG_CHANGE_MSG", "a message of the change");
    // Who is told of it finds that the Workers have been.
    expect(await all(special.capacity)).toEqual([77, 77]);
    channel.close();
    front.close();
  });

  it("tell of a ring that is broken, and go on after a reset", async () => {
    const { path, device } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const ring = await front.startRing(0);
    const other = await front.startRing(1);
    const error = EventFd.create(front.system);
    expect(await front.acknowledged("SET_VRING_ERR", "u64", 0n, [error.fd])).toBe(true);
    expect(await ring.readOne(1)).toBe(1);
    // More is available than the ring has entries.
    const region = front.memory.locate(ring.addresses.driver, 4);
    region?.view.setUint16(ring.addresses.driver - region.start + 2, 5000, true);
    ring.kick.signal();
    await until(() => isSignalled(error));
    expect(Number(await front.askNumber("GET_STATUS")) & 64).toBe(64);
    expect(await other.readOne(2)).toBe(2);
    expect(await front.acknowledged("RESET_DEVICE", "none", undefined)).toBe(true);
    expect(await front.askNumber("GET_STATUS")).toBe(0n);
    expect(device.status).toBe(0);
    const again = await front.startRing(2);
    expect(await again.readOne(3)).toBe(3);
    front.close();
    error.close();
  });
});
