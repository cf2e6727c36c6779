import { describe, expect, it } from "vitest";
import { DeviceOptionsError, MemoryAllocator } from "../../../../src/runtime/index.js";
import { SharedMapping } from "../../../../src/runtime/transport/posix/index.js";
import {
  guestStart,
  LOG_ALL,
  memoryBytes,
  PACKED,
  plain,
  features,
  until,
  type ScriptedRing,
} from "./scripted-front-end.js";
import { ACCESS_PLATFORM, ioStart, PAGE, ScriptedIommu } from "./scripted-iommu.js";
import { requireVhostUser } from "./served-device.js";
import { serveDisk, SECTOR } from "./served-disk.js";

/** Where a test puts a request, and addresses that it maps as it likes. */
const request = ioStart + 16 * PAGE;
const far = ioStart + 1000 * PAGE;
const [firstPage, secondPage] = [40, 30];

/** Reads two sectors to `far` and behind, where memory is in two places. */
async function readAcross(iommu: ScriptedIommu, ring: ScriptedRing, sector: number): Promise<void> {
  const { front } = iommu;
  const head = front.mapping.view(16 * PAGE, PAGE);
  head.fill(0);
  head[8] = sector;
  head[16] = 0xff;
  ring.queue.begin();
  ring.queue.addReadable(request, 16);
  ring.queue.addWritable(far + PAGE - SECTOR, 2 * SECTOR);
  ring.queue.addWritable(request + 16, 1);
  expect(ring.queue.end()).toBeGreaterThanOrEqual(0);
  ring.queue.kick();
  await iommu.missed();
  expect(await iommu.updatePage(request)).toBe(true);
  expect(await iommu.update(far, PAGE, guestStart + firstPage * PAGE)).toBe(true);
  expect(await iommu.update(far + PAGE, PAGE, guestStart + secondPage * PAGE)).toBe(true);
  await until(() => ring.queue.poll() >= 0, "a reply");
  expect(head[16]).toBe(0);
  const bytes = (page: number): Uint8Array => front.mapping.view(page * PAGE, PAGE);
  expect([...new Set(bytes(firstPage).subarray(PAGE - SECTOR))]).toEqual([sector]);
  expect([...new Set(bytes(secondPage).subarray(0, SECTOR))]).toEqual([sector + 1]);
  expect([...new Set(bytes(firstPage).subarray(0, PAGE - SECTOR))]).toEqual([0]);
  expect([...new Set(bytes(secondPage).subarray(SECTOR))]).toEqual([0]);
}

describe.runIf(await requireVhostUser())("memory behind an IOMMU", () => {
  it.each([
    { packed: false, indirect: false },
    { packed: false, indirect: true },
    { packed: true, indirect: false },
    { packed: true, indirect: true },
  ])("is in several places, for one buffer: packed $packed, indirect $indirect", async ({ packed, indirect }) => {
    const { path, errors } = await serveDisk(undefined, {}, ["ACCESS_PLATFORM"]);
    const wanted = plain | ACCESS_PLATFORM | (packed ? PACKED : 0n) | (indirect ? features.INDIRECT : 0n);
    const iommu = await ScriptedIommu.connect(path, wanted);
    const ring = await iommu.front.startRing(0, { features: { packed, indirect } });
    await iommu.missed();
    expect(await iommu.update(ioStart, 16 * PAGE, guestStart)).toBe(true);
    await readAcross(iommu, ring, 9);
    await ring.stop();
    expect(errors).toEqual([]);
  });

  it("is logged where it is, and not where the driver has it", async () => {
    const { path, errors } = await serveDisk(undefined, {}, ["ACCESS_PLATFORM"]);
    const iommu = await ScriptedIommu.connect(path);
    const { front } = iommu;
    const ring = await front.startRing(0);
    await iommu.missed();
    expect(await iommu.update(ioStart, 16 * PAGE, guestStart)).toBe(true);
    const log = front.file(PAGE);
    front.send("SET_LOG_BASE", "log", { size: PAGE, offset: 0 }, { fds: [log] });
    await front.receive();
    expect(await front.acknowledged("SET_FEATURES", "u64", plain | ACCESS_PLATFORM | LOG_ALL)).toBe(true);
    expect(await front.acknowledged("SET_VRING_ADDR", "vringAddress", ring.address(1))).toBe(true);
    await readAcross(iommu, ring, 9);
    const bytes = new SharedMapping(front.system, log, 0, PAGE).view(0, PAGE);
    const pages: number[] = [];
    bytes.forEach((byte, index) => {
      for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) pages.push(8 * index + bit - guestStart / PAGE);
    });
    // The used ring, the status, and the two places of the sectors.
    expect(pages).toEqual([0, 16, secondPage, firstPage]);
    expect(errors).toEqual([]);
  });

  it("is found anew when the table of memory changes", async () => {
    const { path, errors } = await serveDisk(undefined, {}, ["ACCESS_PLATFORM"]);
    const iommu = await ScriptedIommu.connect(path);
    const { front } = iommu;
    const ring = await front.startRing(0);
    ring.submit(5);
    await iommu.serve(() => ring.poll().some(({ first }) => first === 5));
    front.send("SET_MEM_TABLE", "memoryTable", [front.region], { fds: [front.memoryFile] });
    front.allocator = new MemoryAllocator(front.memory, request, memoryBytes - 16 * PAGE);
    ring.submit(6);
    const asked = await iommu.serve(() => ring.poll().some(({ first }) => first === 6));
    expect(asked).toBeGreaterThan(2);
    expect(errors).toEqual([]);
  });

  it("is not there for Workers", async () => {
    const start = (): never => {
      throw new Error("no Worker is started");
    };
    await expect(serveDisk(undefined, { workers: { count: 1, start } }, ["ACCESS_PLATFORM"])).rejects.toThrow(
      DeviceOptionsError,
    );
  });
});
