import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryAllocator } from "../../../../src/runtime/index.js";
import { EventFd, SharedMapping } from "../../../../src/runtime/transport/posix/index.js";
import { decodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import {
  guestStart,
  isSignalled,
  LOG_ALL,
  memoryBytes,
  plain,
  ScriptedFrontEnd,
  until,
  userStart,
} from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { MQ, serveDisk } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";

beforeAll(makeWorkerProgram);
afterAll(forgetWorkerProgram);

describe.runIf(await requireVhostUser()).each([
  { where: "one thread", open: () => serveDisk() },
  { where: "Workers", open: () => spreadDisk() },
])("the memory of a guest whose rings are served by $where", { timeout: 600_000 }, ({ open }) => {
  it("comes and goes while a ring runs", async () => {
    const { path, ends } = await open();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | MQ);
    expect(await front.askNumber("GET_MAX_MEM_SLOTS")).toBeGreaterThanOrEqual(32n);
    const ring = await front.startRing(1);
    expect(await ring.readOne(1)).toBe(1);
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
      expect(await ring.readOne(2)).toBe(2);
      front.allocator = before;
      // Where it is in its file says nothing about which region it is.
      const fileOffset = round % 2 === 0 ? 0 : 4096;
      expect(await front.acknowledged("REM_MEM_REG", "memoryRegion", { ...more, fileOffset })).toBe(true);
      expect(await front.acknowledged("REM_MEM_REG", "memoryRegion", more)).toBe(false);
      expect(await ring.readOne(3)).toBe(3);
    }
    // The whole table anew, with the region of the ring in it, and without.
    front.send("SET_MEM_TABLE", "memoryTable", [front.region, more], { fds: [front.memoryFile, file] });
    expect(await ring.readOne(4)).toBe(4);
    front.send("SET_MEM_TABLE", "memoryTable", [more], { fds: [file] });
    await front.cutOff();
    await until(() => ends.length === 1);
    expect(ends).toEqual(["ring-address"]);
    there.release();
    front.close();
  });

  it("is marked in the dirty log where it is written", async () => {
    const { path } = await open();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    const size = Math.ceil((guestStart + memoryBytes) / 4096 / 8);
    const file = front.file(size + 4096);
    const log = new SharedMapping(front.system, file, 4096, size);
    const bits = log.view(0, size);
    const isMarked = (address: number): boolean => {
      const page = Math.floor(address / 4096);
      return ((bits[page >> 3] ?? 0) & (1 << (page & 7))) !== 0;
    };
    const event = EventFd.create(front.system);
    expect(await front.acknowledged("SET_LOG_FD", "none", undefined, [event.fd])).toBe(true);
    front.send("SET_LOG_BASE", "log", { size, offset: 4096 }, { fds: [file] });
    expect(decodePayload("u64", await front.receive())).toBe(0n);
    expect(await ring.readOne(1)).toBe(1);
    expect(bits.every((byte) => byte === 0)).toBe(true);
    front.send("SET_FEATURES", "u64", plain | LOG_ALL);
    front.send("SET_VRING_ADDR", "vringAddress", ring.address(1));
    expect(await front.acknowledged("SET_OWNER", "none", undefined)).toBe(true);
    // A page of its own for the data.
    const own = front.allocator.allocate(8192, 4096);
    ring.submit(2);
    const [read] = await ring.completions(1);
    expect(isMarked(read?.address ?? 0)).toBe(true);
    // The ring is marked after it was written.
    await until(() => isSignalled(event));
    expect(isMarked(ring.addresses.device)).toBe(true);
    expect(isMarked(own)).toBe(false);
    const marked = bits.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
    expect(marked).toBeLessThanOrEqual(3);
    bits.fill(0);
    front.send("SET_VRING_ADDR", "vringAddress", ring.address(0));
    front.send("SET_FEATURES", "u64", plain);
    expect(await front.acknowledged("SET_OWNER", "none", undefined)).toBe(true);
    expect(await ring.readOne(3)).toBe(3);
    expect(bits.every((byte) => byte === 0)).toBe(true);
    log.release();
    event.close();
    front.close();
  });
});
