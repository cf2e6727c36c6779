import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../../../generated/blk.js";
import { MemoryAllocator } from "../../../../src/runtime/index.js";
import {
  MessageChannel,
  backEndTable,
  decodePayload,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { SharedMapping, UnixSocket } from "../../../../src/runtime/transport/posix/index.js";
import { serve } from "../../../../src/runtime/transport/vhost-user/index.js";
import {
  features,
  guestStart,
  LOG_ALL,
  memoryBytes,
  PACKED,
  pause,
  plain,
  ScriptedFrontEnd,
  until,
  userStart,
} from "./scripted-front-end.js";
import { answer, requireVhostUser, SECTORS, serveDisk, type BlkRequest } from "./served-disk.js";

const openFiles = (): number => readdirSync("/proc/self/fd").length;
const guestMappings = (): number => readFileSync("/proc/self/maps", "utf8").match(/memfd:guest/g)?.length ?? 0;
const collectGarbage = (): void => {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc()");
};

const [FLUSH, CONFIG_WCE, MQ] = [1n << 9n, 1n << 11n, 1n << 12n];

const forms = [
  { name: "split", wanted: plain, ring: {} },
  { name: "split, event_idx", wanted: plain | features.EVENT_IDX, ring: { eventIdx: true } },
  { name: "packed", wanted: plain | PACKED, ring: { packed: true } },
  { name: "packed, event_idx", wanted: plain | PACKED | features.EVENT_IDX, ring: { packed: true, eventIdx: true } },
] as const;

describe.runIf(await requireVhostUser())("serve", () => {
  it.each(forms)("reads and writes, over several laps of the ring: $name", async ({ wanted, ring: ringFeatures }) => {
    const { path, disk, errors, ends } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(wanted);
    const ring = await front.startRing(0, { features: ringFeatures });
    for (let round = 0; round < 30; round++) {
      ring.submit(round);
      ring.submit(100 + round, 200 - round);
      const done = await ring.completions(2);
      expect(done.map(({ status }) => status)).toEqual([0, 0]);
      expect(done[0]?.first).toBe(round);
      expect(disk[(100 + round) * 512 + 511]).toBe(200 - round);
    }
    front.close();
    await until(() => ends.length === 1);
    expect([errors, ends]).toEqual([[], ["closed"]]);
  });

  it.each(forms)(
    "stops with requests in flight, and goes on where it stopped: $name",
    async ({ wanted, ring: form }) => {
      const waiting: BlkRequest[] = [];
      const { path, device, errors } = await serveDisk((request, disk) => {
        if (waiting.length < 3) waiting.push(request);
        else answer(request, disk);
      });
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp(wanted);
      const ring = await front.startRing(0, { features: form });
      for (let sector = 1; sector <= 3; sector++) ring.submit(sector);
      await until(() => waiting.length === 3);
      const stopping = ring.stop();
      await pause(20);
      ring.submit(4);
      await pause(20);
      for (const request of waiting) answer(request, new Uint8Array(SECTORS * 512));
      const base = await stopping;
      expect(await ring.completions(3)).toHaveLength(3);
      if (wanted === plain) expect(base).toBe(3);
      await pause(20);
      expect(ring.poll()).toEqual([]);
      // A pause of the machine: the same features, the same place. The device is not reset.
      front.send("SET_FEATURES", "u64", wanted);
      const before = device.status;
      await ring.start(base);
      expect(device.status).toBe(before);
      expect((await ring.completions(1))[0]).toMatchObject({ first: 4, status: 0 });
      ring.submit(5);
      expect((await ring.completions(1))[0]).toMatchObject({ first: 5, status: 0 });
      front.close();
      expect(errors).toEqual([]);
    },
  );

  it("is reset when a driver starts anew, with other features", async () => {
    const { path, device } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain);
    const first = await front.startRing(0);
    first.submit(1);
    await first.completions(1);
    await first.stop();
    front.send("SET_FEATURES", "u64", plain | PACKED);
    const second = await front.startRing(0, { features: { packed: true }, base: 0x8000_8000 });
    expect(device.negotiated.has(34)).toBe(true);
    second.submit(2);
    expect(await second.completions(1)).toMatchObject([{ first: 2, status: 0 }]);
    front.close();
  });

  it("serves four rings, out of order, and disables and enables one", async () => {
    const { path, device } = await serveDisk(async (request, disk) => {
      await pause(Number(request.sector % 7n));
      return answer(request, disk);
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    expect(await front.askNumber("GET_QUEUE_NUM")).toBe(4n);
    const rings = [];
    for (let index = 0; index < 4; index++) rings.push(await front.startRing(index, { size: 64 }));
    for (let sector = 1; sector <= 40; sector++) rings[sector % 4]?.submit(sector);
    const sums = await Promise.all(
      rings.map(async (ring) => (await ring.completions(10)).reduce((sum, { first }) => sum + first, 0)),
    );
    expect(sums.reduce((a, b) => a + b)).toBe(820);
    expect(device.live).toBe(true);
    const [, ring] = rings;
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 1, num: 0 })).toBe(true);
    ring?.submit(50);
    rings[0]?.submit(51);
    await rings[0]?.completions(1);
    expect(ring?.poll()).toEqual([]);
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 1, num: 1 })).toBe(true);
    expect(await ring?.completions(1)).toMatchObject([{ first: 50 }]);
    front.close();
  });

  it("polls a ring without a kick", async () => {
    const { path } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0, { polled: true });
    for (let sector = 1; sector <= 20; sector++) {
      ring.submit(sector);
      expect(await ring.completions(1)).toMatchObject([{ first: sector }]);
      if (sector === 10) await pause(50);
    }
    expect(await ring.stop()).toBe(20);
    front.close();
  });

  it("reads and writes the configuration, and tells of its changes", async () => {
    const { path, device, errors } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | FLUSH | CONFIG_WCE);
    const [ours, theirs] = UnixSocket.pair(front.system);
    expect(await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [theirs.fd])).toBe(true);
    theirs.close();
    const channel = new MessageChannel(ours, backEndTable, "requests");
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const reply = await front.ask("GET_CONFIG", "config", { offset, flags: 0, bytes: new Uint8Array(length) });
      return decodePayload("config", reply).bytes;
    };
    expect(new DataView((await read(0, 8)).buffer).getBigUint64(0, true)).toBe(BigInt(SECTORS));
    expect((await read(0, 256)).length).toBe(256);
    const refused = await front.ask("GET_CONFIG", "config", { offset: 5000, flags: 0, bytes: new Uint8Array(4) });
    expect(refused.payload).toHaveLength(0);
    const write = (offset: number, value: number): Promise<boolean> =>
      front.acknowledged("SET_CONFIG", "config", { offset, flags: 0, bytes: Uint8Array.of(value) });
    // Writes from before the start of the device are kept for it.
    expect(await write(32, 0)).toBe(true);
    await front.startRing(0);
    expect(device.config.writeback).toBe(0);
    device.config.capacity = 4711n;
    await until(() => channel.receive()?.name === "CONFIG_CHANGE_MSG", "a message of the change");
    expect(new DataView((await read(0, 8)).buffer).getBigUint64(0, true)).toBe(4711n);
    expect(await write(32, 1)).toBe(true);
    expect(device.config.writeback).toBe(1);
    // A field that the driver may not write is left alone.
    expect(await write(0, 99)).toBe(true);
    expect(device.config.capacity).toBe(4711n);
    expect(errors.map((error) => error.message)).toEqual([expect.stringContaining("config-read-only")]);
    expect(await write(5000, 1)).toBe(false);
    channel.close();
    device.config.capacity = 4712n;
    front.close();
  });

  it("tells of changes of the configuration over a pipe, too", async () => {
    const { path, device, errors } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain);
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-pipe-"));
    spawnSync("mkfifo", [join(folder, "pipe")]);
    const pipe = openSync(join(folder, "pipe"), constants.O_RDWR | constants.O_NONBLOCK);
    rmSync(folder, { recursive: true });
    expect(await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [pipe])).toBe(true);
    await front.startRing(0);
    const told = (): number[] => {
      const bytes = Buffer.alloc(100);
      const length = readSync(pipe, bytes);
      return Array.from({ length: length / 4 }, (_, index) => bytes.readUInt32LE(4 * index));
    };
    device.config.capacity = 4711n;
    // The request's number, version 1, no payload.
    expect(told()).toEqual([2, 1, 0]);
    // What nobody reads does not stop the device, but is said.
    for (let round = 0; round < 6000; round++) device.config.capacity = BigInt(round);
    expect(errors.map((error) => error.message)).toEqual([expect.stringContaining("peer-slow")]);
    closeSync(pipe);
    front.close();
  });

  it("keeps the status, and resets on request", async () => {
    const { path, device } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    front.send("SET_STATUS", "u64", 11n);
    expect(await front.askNumber("GET_STATUS")).toBe(11n);
    const ring = await front.startRing(0);
    ring.submit(1);
    await ring.completions(1);
    expect(await front.acknowledged("RESET_DEVICE", "none", undefined)).toBe(true);
    expect(device.status).toBe(0);
    expect(await front.askNumber("GET_STATUS")).toBe(0n);
    const again = await front.startRing(0);
    again.submit(2);
    expect(await again.completions(1)).toMatchObject([{ first: 2 }]);
    front.close();
  });

  it("follows memory that comes and goes while a ring runs", async () => {
    const { path, ends } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    expect(await front.askNumber("GET_MAX_MEM_SLOTS")).toBeGreaterThanOrEqual(32n);
    const ring = await front.startRing(0);
    ring.submit(1);
    await ring.completions(1);
    const more = { guestAddress: 2 ** 32, size: 1 << 20, userAddress: userStart + 2 ** 33, fileOffset: 4096 };
    const file = front.file(2 << 20);
    expect(await front.acknowledged("ADD_MEM_REG", "memoryRegion", more, [file])).toBe(true);
    const there = new SharedMapping(front.system, file, 4096, 1 << 20);
    const own = { start: guestStart, bytes: front.mapping.view(0, memoryBytes) };
    front.memory.replace([own, { start: 2 ** 32, bytes: there.view(0, 1 << 20) }]);
    const before = front.allocator;
    front.allocator = new MemoryAllocator(front.memory, 2 ** 32, 1 << 20);
    ring.submit(2);
    expect(await ring.completions(1)).toMatchObject([{ first: 2, status: 0 }]);
    front.allocator = before;
    expect(await front.acknowledged("REM_MEM_REG", "memoryRegion", { ...more, fileOffset: 0 })).toBe(true);
    expect(await front.acknowledged("REM_MEM_REG", "memoryRegion", more)).toBe(false);
    ring.submit(3);
    expect(await ring.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
    // The whole table anew, with the region of the ring in it, and without.
    front.send("SET_MEM_TABLE", "memoryTable", [front.region, more], { fds: [front.memoryFile, file] });
    ring.submit(4);
    expect(await ring.completions(1)).toMatchObject([{ first: 4, status: 0 }]);
    front.send("SET_MEM_TABLE", "memoryTable", [more], { fds: [file] });
    await front.cutOff();
    expect(ends).toEqual(["ring-address"]);
    there.release();
    front.close();
  });

  it("marks what it writes in the dirty log", async () => {
    const { path } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    const logSize = Math.ceil((guestStart + memoryBytes) / 4096 / 8);
    const logFile = front.file(logSize + 4096);
    const log = new SharedMapping(front.system, logFile, 4096, logSize);
    const bits = log.view(0, logSize);
    const isMarked = (address: number): boolean => {
      const page = Math.floor(address / 4096);
      return ((bits[page >> 3] ?? 0) & (1 << (page & 7))) !== 0;
    };
    front.send("SET_LOG_BASE", "log", { size: logSize, offset: 4096 }, { fds: [logFile] });
    expect(decodePayload("u64", await front.receive())).toBe(0n);
    ring.submit(1);
    await ring.completions(1);
    expect(bits.every((byte) => byte === 0)).toBe(true);
    front.send("SET_FEATURES", "u64", plain | LOG_ALL);
    front.send("SET_VRING_ADDR", "vringAddress", ring.address(1));
    expect(await front.acknowledged("SET_OWNER", "none", undefined)).toBe(true);
    // A page of its own for the data.
    const own = front.allocator.allocate(8192, 4096);
    ring.submit(2);
    const [read] = await ring.completions(1);
    expect(isMarked(read?.address ?? 0)).toBe(true);
    expect(isMarked(ring.addresses.device)).toBe(true);
    expect(isMarked(own)).toBe(false);
    const marked = bits.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
    expect(marked).toBeLessThanOrEqual(3);
    bits.fill(0);
    front.send("SET_VRING_ADDR", "vringAddress", ring.address(0));
    front.send("SET_FEATURES", "u64", plain);
    expect(await front.acknowledged("SET_OWNER", "none", undefined)).toBe(true);
    ring.submit(3);
    await ring.completions(1);
    expect(bits.every((byte) => byte === 0)).toBe(true);
    log.release();
    front.close();
  });

  it("answers a stop although a handler never does, and says so", async () => {
    let late: BlkRequest | undefined;
    const { path, errors } = await serveDisk((request, disk) => {
      if (request.sector === 9n) late = request;
      else answer(request, disk);
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    ring.submit(9);
    ring.submit(10);
    await ring.completions(1);
    expect(await ring.stop()).toBe(2);
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining("1 requests unanswered")]);
    await ring.start(2);
    ring.submit(11);
    expect(await ring.completions(1)).toMatchObject([{ first: 11 }]);
    expect(late === undefined ? "" : answer(late, new Uint8Array(SECTORS * 512))).toBe("stale");
    expect(ring.poll()).toEqual([]);
    front.close();
  });

  it("completes the request of a handler that throws", async () => {
    const { path, errors } = await serveDisk((request, disk) => {
      if (request.sector === 9n) throw new Error("no such luck");
      return answer(request, disk);
    });
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    ring.submit(9);
    ring.submit(10);
    expect((await ring.completions(2)).map(({ status }) => status)).toEqual([1, 0]);
    expect(errors.map(({ name }) => name)).toEqual(["HandlerError"]);
    front.close();
  });

  it("frees everything of a front end that goes away in the middle, 100 times", { timeout: 60_000 }, async () => {
    const held: BlkRequest[] = [];
    const { path, ends } = await serveDisk((request, disk) => {
      if (request.sector === 5n) held.push(request);
      else answer(request, disk);
    });
    const round = async (): Promise<void> => {
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp();
      const ring = await front.startRing(0);
      ring.submit(5);
      ring.submit(6);
      await ring.completions(1);
      const ended = ends.length;
      front.close();
      await until(() => ends.length > ended);
    };
    await round();
    const before = openFiles();
    for (let i = 0; i < 100; i++) await round();
    expect(openFiles()).toBe(before);
    expect(new Set(ends)).toEqual(new Set(["closed"]));
    // Those who still have a request do no harm.
    for (const request of held) {
      expect(request.live).toBe(false);
      expect(answer(request, new Uint8Array(SECTORS * 512))).toBe("stale");
    }
    held.length = 0;
    for (let tries = 0; tries < 20 && guestMappings() > 0; tries++) {
      collectGarbage();
      await pause(10);
    }
    expect(guestMappings()).toBe(0);
  });

  it("takes the next front end when one is gone, and not before", async () => {
    const { path, ends, served } = await serveDisk();
    const first = await ScriptedFrontEnd.connect(path);
    await first.setUp();
    expect(served.connected).toBe(true);
    const second = await ScriptedFrontEnd.connect(path);
    second.send("GET_FEATURES", "none", undefined);
    await pause(30);
    expect(second.channel.receive()).toBeUndefined();
    first.close();
    expect((await second.receive()).name).toBe("GET_FEATURES");
    second.close();
    await until(() => ends.length === 2);
  });

  it("ends on request: cuts the front end off and removes the socket", async () => {
    const { path, served, device } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    await front.startRing(0);
    await Promise.all([served.close(), served.closed, served.close()]);
    await front.cutOff();
    expect(existsSync(path)).toBe(false);
    expect(device.status).toBe(0);
    front.close();
    const again = await serve(device, { socket: path });
    await again.close();
  });

  it("replaces a socket that is left over, and nothing else", async () => {
    const { path, served, device } = await serveDisk();
    const other = new BlkDevice({ config: { capacity: 1n }, requestq: (request) => request.complete("IOERR") });
    await expect(serve(other, { socket: path })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await served.close();
    writeFileSync(path, "a file");
    await expect(serve(device, { socket: path })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(readFileSync(path, "utf8")).toBe("a file");
    const left = `${path}-left`;
    // A program that ends without removing its socket.
    const program = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", program, left]);
    expect(existsSync(left)).toBe(true);
    const again = await serve(device, { socket: left });
    const front = await ScriptedFrontEnd.connect(left);
    await front.setUp();
    front.close();
    await again.close();
    expect(existsSync(left)).toBe(false);
  });
});
