// Memory that changes under rings that run, and under requests in flight.
import { closeSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { MemoryAllocator } from "../../../../src/runtime/index.js";
import { createMemoryFile, loadSystemCalls, SharedMapping } from "../../../../src/runtime/transport/posix/index.js";
import type { SharedRegion } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { ringForms } from "./ring-forms.js";
import {
  guestStart,
  memoryBytes,
  plain,
  ScriptedFrontEnd,
  until,
  userStart,
  type ScriptedRing,
} from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { answer, MQ, serveDisk, type BlkRequest, type ServedDisk } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { special } from "./worker-disk-data.js";

beforeAll(makeWorkerProgram);
afterAll(forgetWorkerProgram);

type Read = Extract<BlkRequest, { readonly type: "IN" }>;

/** A disk of one thread that has a Worker's ways with the sectors beyond its end, as far as they are wanted here. */
function serveHere(options: { stopTimeout: number }): Promise<ServedDisk> {
  let held: Read[] = [];
  const filled = (request: Read, value: number): ReturnType<Read["complete"]> => {
    request.data.write(new Uint8Array(request.data.length).fill(value));
    return request.complete("OK");
  };
  return serveDisk((request, disk) => {
    if (request.type !== "IN") return answer(request, disk);
    const sector = Number(request.sector);
    if (sector === special.hold) {
      held.push(request);
      return undefined;
    }
    if (sector === special.letGo) {
      for (const one of held) filled(one, 1);
      const count = held.length;
      held = [];
      return filled(request, count);
    }
    if (sector < special.late) return answer(request, disk);
    return new Promise((resolve) => {
      setTimeout(() => resolve(request.live ? filled(request, 7) : undefined), sector - special.late);
    });
  }, options);
}

/** Milliseconds in which everything is answered. */
const patient = 20_000;

/** A front end whose memory is in a file twice as long, and not all of it shared. */
async function connect(path: string, wanted = plain): Promise<ScriptedFrontEnd> {
  const file = createMemoryFile(await loadSystemCalls(), "long", 2 * memoryBytes);
  const front = await ScriptedFrontEnd.connect(path, file);
  onTestFinished(() => {
    front.close();
    closeSync(file);
  });
  await front.setUp(wanted | MQ);
  return front;
}

/** The region of the rings, twice as long. */
function longer(front: ScriptedFrontEnd): SharedRegion {
  return { ...front.region, size: 2 * memoryBytes };
}

const elsewhereStart = 2 ** 32;
const elsewhereBytes = 1 << 20;

interface Elsewhere {
  readonly file: number;
  /** Its first half, which is in the table, and all of it. */
  readonly half: SharedRegion;
  readonly whole: SharedRegion;
  readonly bytes: Uint8Array;
  /** Of the first half. */
  readonly allocator: MemoryAllocator;
}

/** Adds a second region. */
async function addElsewhere(front: ScriptedFrontEnd): Promise<Elsewhere> {
  const file = front.file(elsewhereBytes);
  const there = new SharedMapping(front.system, file, 0, elsewhereBytes);
  onTestFinished(() => there.release());
  const bytes = there.view(0, elsewhereBytes);
  const own = { start: guestStart, bytes: front.mapping.view(0, memoryBytes) };
  front.memory.replace([own, { start: elsewhereStart, bytes }]);
  const size = elsewhereBytes / 2;
  const half = { guestAddress: elsewhereStart, size, userAddress: userStart + 2 ** 33, fileOffset: 0 };
  expect(await front.acknowledged("ADD_MEM_REG", "memoryRegion", half, [file])).toBe(true);
  const allocator = new MemoryAllocator(front.memory, elsewhereStart, size);
  return { file, half, whole: { ...half, size: elsewhereBytes }, bytes, allocator };
}

/** Has a request in flight, taken and not answered for as many milliseconds; returns what was answered so far. */
async function fly(ring: ScriptedRing, milliseconds: number): Promise<ReturnType<ScriptedRing["poll"]>> {
  ring.submit(special.late + milliseconds);
  // Taken later, and answered at once.
  ring.submit(1);
  return await ring.completions(1);
}
const firsts = (done: ReturnType<ScriptedRing["poll"]>): number[] => done.map(({ first }) => first).sort();

describe.runIf(await requireVhostUser()).each([
  { where: "one thread", open: (stopTimeout: number) => serveHere({ stopTimeout }) },
  { where: "Workers", open: (stopTimeout: number) => spreadDisk([], undefined, { stopTimeout }) },
])("a change of the memory table, with rings served by $where", { timeout: 600_000 }, ({ open }) => {
  it.each(ringForms)("leaves a ring where it is when its region is longer, and shorter again: $name", async (form) => {
    const { path, errors, device } = await open(patient);
    const front = await connect(path, form.wanted);
    const ring = await front.startRing(1, { features: form.ring });
    for (let round = 0; round < 10; round++) {
      expect(await ring.readOne(2 * round)).toBe(2 * round);
      const region = round % 2 === 0 ? longer(front) : front.region;
      expect(await front.acknowledged("SET_MEM_TABLE", "memoryTable", [region], [front.memoryFile])).toBe(true);
      expect(await ring.readOne(2 * round + 1)).toBe(2 * round + 1);
    }
    ring.submit(200, 9);
    expect(await ring.completions(1)).toMatchObject([{ status: 0 }]);
    expect(await ring.readOne(200)).toBe(9);
    expect(device.live).toBe(true);
    expect(errors).toEqual([]);
  });

  it("waits for requests in flight that have their data in the region that changes, and for no others", async () => {
    const { path, errors } = await open(patient);
    const front = await connect(path);
    const ring = await front.startRing(0);
    const other = await front.startRing(1);
    const { file, half, whole, allocator } = await addElsewhere(front);
    const own = front.allocator;
    const change = (region: SharedRegion): Promise<boolean> =>
      front.acknowledged("SET_MEM_TABLE", "memoryTable", [front.region, region], [front.memoryFile, file]);
    other.submit(special.hold);
    expect(await other.readOne(1)).toBe(1);
    front.allocator = allocator;
    const done = await fly(ring, 300);
    expect(await change(whole)).toBe(true);
    // What is acknowledged is not waited for any more.
    expect(firsts([...done, ...ring.poll()])).toEqual([1, 7]);
    expect(await ring.readOne(3)).toBe(3);
    expect(await change(half)).toBe(true);
    expect(await ring.readOne(4)).toBe(4);
    front.allocator = own;
    // The other ring has not been stopped, or its request would be lost.
    other.submit(special.letGo);
    expect(firsts(await other.completions(2))).toEqual([1, 1]);
    expect(errors).toEqual([]);
  });

  it("does not wait for ever, and what is late then writes nowhere", async () => {
    const { path, errors } = await open(200);
    const front = await connect(path);
    const ring = await front.startRing(0);
    const { file, whole, bytes, allocator } = await addElsewhere(front);
    const own = front.allocator;
    front.allocator = allocator;
    ring.submit(special.hold);
    front.allocator = own;
    expect(await ring.readOne(1)).toBe(1);
    const table = [front.region, whole];
    expect(await front.acknowledged("SET_MEM_TABLE", "memoryTable", table, [front.memoryFile, file])).toBe(true);
    await until(() => errors.length > 0);
    expect(errors).toEqual([expect.objectContaining({ rule: "memory-in-use" })]);
    const before = bytes.slice();
    expect(await ring.readOne(special.letGo)).toBe(1);
    expect(await ring.readOne(2)).toBe(2);
    expect(bytes.every((byte, index) => byte === before[index])).toBe(true);
    expect(ring.poll()).toEqual([]);
  });

  it("takes the memory of a ring away and brings it back as another region, and the ring waits", async () => {
    const { path, errors, ends } = await open(patient);
    const front = await connect(path);
    const ring = await front.startRing(0);
    const other = await front.startRing(1);
    for (let round = 0; round < 4; round++) {
      const [old, next] = round % 2 === 0 ? [front.region, longer(front)] : [longer(front), front.region];
      expect(await ring.readOne(round)).toBe(round);
      const done = await fly(ring, 100);
      expect(await front.acknowledged("REM_MEM_REG", "memoryRegion", old)).toBe(true);
      expect(firsts([...done, ...ring.poll()])).toEqual([1, 7]);
      ring.submit(10 + round);
      // Disabled and enabled without its memory, it waits all the same.
      for (const num of round > 1 ? [0, 1] : [1]) {
        expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num })).toBe(true);
      }
      expect(await front.acknowledged("ADD_MEM_REG", "memoryRegion", next, [front.memoryFile])).toBe(true);
      expect(await ring.completions(1)).toMatchObject([{ first: 10 + round, status: 0 }]);
      expect(await other.readOne(round)).toBe(round);
    }
    // While it waits it can be stopped, and says where it is.
    expect(await front.acknowledged("REM_MEM_REG", "memoryRegion", front.region)).toBe(true);
    expect(await ring.stop()).toBe(16);
    expect(await front.acknowledged("ADD_MEM_REG", "memoryRegion", front.region, [front.memoryFile])).toBe(true);
    ring.submit(20);
    expect(await other.readOne(21)).toBe(21);
    expect(ring.poll()).toEqual([]);
    await ring.start(16);
    expect(await ring.completions(1)).toMatchObject([{ first: 20, status: 0 }]);
    expect([errors, ends]).toEqual([[], []]);
  });

  it("is refused as a table without the ring, and nothing has changed then", async () => {
    const { path, errors } = await open(patient);
    const front = await connect(path);
    const ring = await front.startRing(0);
    const away = { ...front.region, guestAddress: 2 ** 33, userAddress: userStart + 2 ** 33 };
    expect(await front.acknowledged("SET_MEM_TABLE", "memoryTable", [away], [front.memoryFile])).toBe(false);
    expect(errors).toEqual([expect.objectContaining({ rule: "ring-address" })]);
    for (let sector = 1; sector < 40; sector++) expect(await ring.readOne(sector)).toBe(sector);
    expect(await front.acknowledged("ADD_MEM_REG", "memoryRegion", away, [front.memoryFile])).toBe(true);
  });
});
