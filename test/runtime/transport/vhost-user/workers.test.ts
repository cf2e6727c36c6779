import { readdirSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryAllocator } from "../../../../src/runtime/index.js";
import { EventFd, SharedMapping, UnixSocket } from "../../../../src/runtime/transport/posix/index.js";
import {
  backEndTable,
  decodePayload,
  MessageChannel,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import {
  features,
  guestStart,
  isSignalled,
  LOG_ALL,
  memoryBytes,
  PACKED,
  pause,
  plain,
  ScriptedFrontEnd,
  until,
  userStart,
  type ScriptedRing,
} from "./scripted-front-end.js";
import { requireVhostUser, SECTOR, SECTORS } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { special } from "./worker-disk-data.js";

const [CONFIG_WCE, MQ] = [1n << 11n, 1n << 12n];
const openFiles = (): number => readdirSync("/proc/self/fd").length;
const guestMappings = (): number => readFileSync("/proc/self/maps", "utf8").match(/memfd:guest/g)?.length ?? 0;
/** Address space in use, in bytes. */
const addressSpace = (): number =>
  1024 * Number(/VmSize:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);

beforeAll(makeWorkerProgram);
afterAll(forgetWorkerProgram);

const forms = [
  { name: "split", wanted: plain, ring: {} },
  { name: "split, event_idx", wanted: plain | features.EVENT_IDX, ring: { eventIdx: true } },
  { name: "packed", wanted: plain | PACKED, ring: { packed: true } },
  { name: "packed, event_idx", wanted: plain | PACKED | features.EVENT_IDX, ring: { packed: true, eventIdx: true } },
] as const;

async function readOne(ring: ScriptedRing, sector: number): Promise<number> {
  ring.submit(sector);
  const [done] = await ring.completions(1);
  expect(done?.status).toBe(0);
  return done?.first ?? -1;
}

describe.runIf(await requireVhostUser())("queues spread over Workers", { timeout: 60_000 }, () => {
  it.each(forms)("read and write, over several laps of each ring: $name", async ({ wanted, ring: form }) => {
    const { path, sectors, errors, ends, device } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(wanted | MQ);
    const rings: ScriptedRing[] = [];
    for (let index = 0; index < 4; index++) rings.push(await front.startRing(index, { features: form }));
    for (const [index, ring] of rings.entries()) expect(await readOne(ring, special.who)).toBe(100 + (index % 2));
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
    for (const ring of rings.slice(1)) expect(await readOne(ring, special.who)).toBe(101);
    front.close();
  });

  it("complete out of order, and go on while others are late", async () => {
    const { path } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const ring = await front.startRing(0);
    const tokens = [80, 40, 0].map((milliseconds) => ring.submit(special.late + milliseconds));
    const done = await ring.completions(3);
    expect(done.map(({ token }) => token)).toEqual(tokens.reverse());
    ring.submit(special.late + 5000);
    for (let sector = 1; sector < 20; sector++) expect(await readOne(ring, sector)).toBe(sector);
    front.close();
  });

  it.each(forms)(
    "stop with requests in flight, and go on where they stopped: $name",
    async ({ wanted, ring: form }) => {
      const { path, errors } = await spreadDisk([], undefined, { stopTimeout: 3000 });
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp(wanted | MQ);
      const ring = await front.startRing(1, { features: form });
      for (let n = 0; n < 3; n++) ring.submit(special.late + 600);
      await pause(100);
      const stopping = ring.stop();
      await pause(250);
      ring.submit(4);
      const base = await stopping;
      expect(await ring.completions(3)).toHaveLength(3);
      if (wanted === plain) expect(base).toBe(3);
      await pause(20);
      expect(ring.poll()).toEqual([]);
      front.send("SET_FEATURES", "u64", wanted | MQ);
      await ring.start(base);
      expect(await ring.completions(1)).toMatchObject([{ first: 4, status: 0 }]);
      expect(await readOne(ring, 5)).toBe(5);
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
    expect(await readOne(ring, 10)).toBe(10);
    expect(await ring.stop()).toBe(2);
    await until(() => errors.length > 0);
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining("1 requests unanswered")]);
    await ring.start(2);
    // What is answered too late changes nothing.
    expect(await readOne(ring, special.letGo)).toBe(1);
    expect(await readOne(ring, 11)).toBe(11);
    expect(ring.poll()).toEqual([]);
    front.close();
  });

  it("take new eventfds while they run, and are polled without", async () => {
    const { path } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    expect(await readOne(ring, 1)).toBe(1);
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
    expect(await readOne(ring, 3)).toBe(3);
    // A file can always be read, and is no kick.
    expect(await front.acknowledged("SET_VRING_KICK", "u64", 0n, [front.file(4096)])).toBe(false);
    front.close();
    call.close();
    kick.close();
  });

  it("know the configuration: what the driver writes, and what the device changes", async () => {
    const { path, device } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ | CONFIG_WCE | (1n << 9n));
    const [ours, theirs] = UnixSocket.pair(front.system);
    expect(await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [theirs.fd])).toBe(true);
    theirs.close();
    const channel = new MessageChannel(ours, backEndTable, "requests");
    const write = (value: number): Promise<boolean> =>
      front.acknowledged("SET_CONFIG", "config", { offset: 32, flags: 0, bytes: Uint8Array.of(value) });
    expect(await write(0)).toBe(true);
    const rings = [await front.startRing(0), await front.startRing(1)];
    const all = (sector: number): Promise<number[]> => Promise.all(rings.map((ring) => readOne(ring, sector)));
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
    expect(await readOne(ring, 1)).toBe(1);
    // More is available than the ring has entries.
    const region = front.memory.locate(ring.addresses.driver, 4);
    region?.view.setUint16(ring.addresses.driver - region.start + 2, 5000, true);
    ring.kick.signal();
    await until(() => isSignalled(error));
    expect(Number(await front.askNumber("GET_STATUS")) & 64).toBe(64);
    expect(await readOne(other, 2)).toBe(2);
    expect(await front.acknowledged("RESET_DEVICE", "none", undefined)).toBe(true);
    expect(await front.askNumber("GET_STATUS")).toBe(0n);
    expect(device.status).toBe(0);
    const again = await front.startRing(2);
    expect(await readOne(again, 3)).toBe(3);
    front.close();
    error.close();
  });

  it("follow memory that comes and goes while a ring runs", async () => {
    const { path, ends } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const ring = await front.startRing(1);
    expect(await readOne(ring, 1)).toBe(1);
    const more = { guestAddress: 2 ** 32, size: 1 << 20, userAddress: userStart + 2 ** 33, fileOffset: 4096 };
    const file = front.file(2 << 20);
    const there = new SharedMapping(front.system, file, 4096, 1 << 20);
    const own = { start: guestStart, bytes: front.mapping.view(0, memoryBytes) };
    front.memory.replace([own, { start: 2 ** 32, bytes: there.view(0, 1 << 20) }]);
    const before = front.allocator;
    const elsewhere = new MemoryAllocator(front.memory, 2 ** 32, 1 << 20);
    for (let round = 0; round < 20; round++) {
      expect(await front.acknowledged("ADD_MEM_REG", "memoryRegion", more, [file])).toBe(true);
      front.allocator = elsewhere;
      expect(await readOne(ring, 2)).toBe(2);
      front.allocator = before;
      expect(await front.acknowledged("REM_MEM_REG", "memoryRegion", more)).toBe(true);
      expect(await readOne(ring, 3)).toBe(3);
    }
    // The whole table anew, with the region of the ring in it, and without.
    front.send("SET_MEM_TABLE", "memoryTable", [front.region, more], { fds: [front.memoryFile, file] });
    expect(await readOne(ring, 4)).toBe(4);
    front.send("SET_MEM_TABLE", "memoryTable", [more], { fds: [file] });
    await front.cutOff();
    await until(() => ends.length === 1);
    expect(ends).toEqual(["ring-address"]);
    there.release();
    front.close();
  });

  it("mark what they write in the dirty log", async () => {
    const { path } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    const logSize = Math.ceil((guestStart + memoryBytes) / 4096 / 8);
    const logFile = front.file(logSize);
    const log = new SharedMapping(front.system, logFile, 0, logSize);
    const bits = log.view(0, logSize);
    const isMarked = (address: number): boolean => {
      const page = Math.floor(address / 4096);
      return ((bits[page >> 3] ?? 0) & (1 << (page & 7))) !== 0;
    };
    const event = EventFd.create(front.system);
    expect(await front.acknowledged("SET_LOG_FD", "none", undefined, [event.fd])).toBe(true);
    front.send("SET_LOG_BASE", "log", { size: logSize, offset: 0 }, { fds: [logFile] });
    expect(decodePayload("u64", await front.receive())).toBe(0n);
    expect(await readOne(ring, 1)).toBe(1);
    expect(bits.every((byte) => byte === 0)).toBe(true);
    front.send("SET_FEATURES", "u64", plain | LOG_ALL);
    front.send("SET_VRING_ADDR", "vringAddress", ring.address(1));
    expect(await front.acknowledged("SET_OWNER", "none", undefined)).toBe(true);
    ring.submit(2);
    const [read] = await ring.completions(1);
    expect(isMarked(read?.address ?? 0)).toBe(true);
    // The ring is marked after it was written.
    await until(() => isSignalled(event));
    expect(isMarked(ring.addresses.device)).toBe(true);
    front.send("SET_FEATURES", "u64", plain);
    expect(await front.acknowledged("SET_OWNER", "none", undefined)).toBe(true);
    bits.fill(0);
    expect(await readOne(ring, 3)).toBe(3);
    expect(bits.every((byte) => byte === 0)).toBe(true);
    front.close();
    log.release();
    event.close();
  });

  it.each([
    { name: "crashes", sector: special.crash, says: "a crash" },
    { name: "ends", sector: special.exit, says: "ended with 3" },
  ])("end the connection when a Worker $name, and the next front end is served", async ({ sector, says }) => {
    const problems: (Error | undefined)[] = [];
    const { path, device, started } = await spreadDisk([], undefined, {
      onDisconnect: (error) => problems.push(error),
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const ring = await front.startRing(0);
    const other = await front.startRing(1);
    expect(await readOne(other, 1)).toBe(1);
    ring.submit(sector);
    await front.cutOff();
    front.close();
    await until(() => problems.length === 1);
    expect(problems).toMatchObject([{ rule: "worker-gone", message: expect.stringContaining(says) as string }]);
    expect(device.status).toBe(0);
    const next = await ScriptedFrontEnd.connect(path);
    await next.setUp(plain | MQ);
    for (let index = 0; index < 4; index++) {
      expect(await readOne(await next.startRing(index), special.who)).toBe(100 + (index % 2));
    }
    expect(started).toHaveLength(3);
    next.close();
  });

  it("end the connection when a Worker does not answer to a stop", async () => {
    const { path, ends, started } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    const ring = await front.startRing(0);
    ring.submit(special.spin);
    await pause(20);
    front.send("GET_VRING_BASE", "vringState", { index: 0, num: 0 });
    await until(() => ends.length === 1, "the end", 15_000);
    expect(ends).toEqual(["worker-gone"]);
    front.close();
    const next = await ScriptedFrontEnd.connect(path);
    await next.setUp();
    expect(await readOne(await next.startRing(0), 5)).toBe(5);
    expect(started).toHaveLength(3);
    next.close();
  });

  it.each([
    { name: "split", wanted: plain, isPacked: false },
    { name: "packed", wanted: plain | PACKED, isPacked: true },
  ])("serve what was in flight again after a Worker was lost, once: $name", async ({ wanted, isPacked }) => {
    const { path, ends, started } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(wanted | MQ);
    const reply = await front.ask("GET_INFLIGHT_FD", "inflight", { size: 0, offset: 0, queues: 4, queueSize: 16 });
    const area = decodePayload("inflight", reply);
    const fd = reply.fds[0] ?? -1;
    front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    const rings: ScriptedRing[] = [];
    for (const index of [0, 1]) rings.push(await front.startRing(index, { features: { packed: isPacked } }));
    const late = rings.map((ring) => [ring.submit(special.late + 1000), ring.submit(special.late + 1000)]);
    for (const ring of rings) expect(await readOne(ring, 3)).toBe(3);
    await started[0]?.terminate();
    await until(() => ends.length === 1);
    expect(ends).toEqual(["worker-gone"]);
    for (const ring of rings) expect(ring.poll()).toEqual([]);
    const next = await ScriptedFrontEnd.connect(path, front.memoryFile);
    await next.setUp(wanted | MQ);
    next.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
    for (const [index, ring] of rings.entries()) {
      ring.front = next;
      await ring.start(isPacked ? 0x8000_8000 : 1);
      const done = await ring.completions(2);
      expect(done.map(({ token }) => token).sort()).toEqual(late[index]?.sort());
      expect(done.map(({ first }) => first)).toEqual([7, 7]);
      expect(await readOne(ring, 8)).toBe(8);
      expect(ring.poll()).toEqual([]);
    }
    next.close();
    front.close();
  });

  it("leave nothing behind, 100 times", async () => {
    const { path, ends } = await spreadDisk();
    const round = async (last: boolean): Promise<void> => {
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp(plain | MQ);
      const rings = [await front.startRing(0), await front.startRing(1), await front.startRing(2)];
      const [ring] = rings;
      if (!last) ring?.submit(special.hold);
      else if (ring !== undefined) await readOne(ring, special.letGo);
      for (const ring of rings) expect(await readOne(ring, last ? special.collectGarbage : 6)).toBe(last ? 0 : 6);
      const ended = ends.length;
      front.close();
      await until(() => ends.length > ended);
    };
    await round(false);
    const before = openFiles();
    for (let i = 0; i < 100; i++) await round(false);
    expect(openFiles()).toBe(before);
    expect(new Set(ends)).toEqual(new Set(["closed"]));
    const most = addressSpace();
    // Memory that was lent is given back when the Workers have collected their views.
    for (let tries = 0; tries < 20 && addressSpace() > most - 90 * memoryBytes; tries++) {
      await round(true);
      setFlagsFromString("--expose-gc");
      runInNewContext("gc()");
      await pause(10);
    }
    expect(guestMappings()).toBeLessThanOrEqual(2);
    expect(addressSpace()).toBeLessThan(most - 90 * memoryBytes);
  });

  it("end with the device that is served", async () => {
    const { path, served, started } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    await front.startRing(0);
    const exits = started.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
    await served.close();
    expect(await Promise.all(exits)).toEqual([0, 0]);
    await front.cutOff();
    front.close();
  });

  it.each([
    { kind: "throws", says: "not today" },
    { kind: "differs", says: "not the same" },
    { kind: "silent", says: "did not call serveQueues" },
  ] as const)("are not served with a Worker that $kind", async ({ kind, says }) => {
    const before = openFiles();
    const problem: unknown = await spreadDisk(["same", kind]).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(problem).toMatchObject({ rule: "worker-gone", message: expect.stringContaining(says) as string });
    await pause(50);
    expect(openFiles()).toBe(before);
  });
});
