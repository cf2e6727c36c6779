// Rings that wait for translations while something else happens: they are stopped, or what is known is taken back.
import { describe, expect, it, vi } from "vitest";
import { MemoryAllocator } from "../../../../src/runtime/index.js";
import { decodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { buffers, rig } from "./iotlb-rig.js";
import { memoryBytes, pause, plain, until, type ScriptedRing } from "./scripted-front-end.js";
import { ACCESS_PLATFORM, ioStart, PAGE, ScriptedIommu, takingBack } from "./scripted-iommu.js";
import { requireVhostUser } from "./served-device.js";
import { answer, serveDisk, type BlkRequest } from "./served-disk.js";

/** Its parts are on two pages. */
const large = { size: 256 };

function allocateAt({ front }: ScriptedIommu, start: number): void {
  front.allocator = new MemoryAllocator(front.memory, start, memoryBytes - (start - ioStart));
}
/** The next request is on another page than the one before. */
function fillPage({ front }: ScriptedIommu): void {
  front.allocator.allocate(PAGE - 600);
}
/** Of the ring itself. */
async function missedParts(iommu: ScriptedIommu, { addresses }: ScriptedRing): Promise<void> {
  const { descriptor, driver, device } = addresses;
  expect(await iommu.missed()).toEqual([descriptor, driver, device]);
}

describe.runIf(await requireVhostUser())("a ring that waits for a translation", () => {
  it("is stopped although the front end has none, and nothing starts it meanwhile", async () => {
    const held: BlkRequest[] = [];
    const { iommu, ring, other, disk, device, errors } = await rig((request) => void held.push(request));
    await other.stop();
    ring.submit(3);
    await iommu.serve(() => held.length === 1);
    iommu.isMute = true;
    fillPage(iommu);
    ring.submit(4);
    await iommu.missed();
    const queue = device.queue(0);
    if (queue === undefined) throw new Error("no queue");
    const reset = vi.spyOn(device, "reset");
    const stop = vi.spyOn(queue, "stop");
    const stopping = ring.stop();
    await until(() => stop.mock.calls.length === 1, "the stop");
    // The ring waits for the first request by now.
    iommu.answer(1n);
    await pause(50);
    expect(held[0] && answer(held[0], disk)).toBe("completed");
    expect(await stopping).toBe(1);
    expect(await ring.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
    iommu.isMute = false;
    await ring.start(1);
    await iommu.serve(() => held.length === 2);
    expect(held[1] && answer(held[1], disk)).toBe("completed");
    expect(await ring.completions(1)).toMatchObject([{ first: 4, status: 0 }]);
    expect(reset).not.toHaveBeenCalled();
    expect([held.length, errors]).toEqual([2, []]);
  });

  it("goes on when other translations were taken back, although the front end had none then", async () => {
    const held: BlkRequest[] = [];
    const { iommu, ring, disk, device, errors } = await rig((request) => void held.push(request));
    ring.submit(3);
    await iommu.serve(() => held.length === 1);
    iommu.isMute = true;
    fillPage(iommu);
    ring.submit(4);
    await iommu.missed();
    const queue = device.queue(0);
    if (queue === undefined) throw new Error("no queue");
    const stop = vi.spyOn(queue, "stop");
    const taking = iommu.invalidate(buffers, PAGE);
    await until(() => stop.mock.calls.length === 1, "the halt");
    iommu.answer(1n);
    await pause(50);
    expect(held[0] && answer(held[0], disk)).toBe("completed");
    expect(await taking).toBe(true);
    expect(await ring.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
    iommu.isMute = false;
    await iommu.serve(() => held.length === 2);
    expect(held[1] && answer(held[1], disk)).toBe("completed");
    expect(await ring.completions(1)).toMatchObject([{ first: 4, status: 0 }]);
    expect(errors).toEqual([]);
  });

  it("and that is disabled, is started by nothing before it is enabled", async () => {
    const { iommu, ring, errors } = await rig();
    iommu.isMute = true;
    ring.submit(3);
    await iommu.missed();
    expect(await iommu.front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num: 0 })).toBe(true);
    iommu.answer(1n);
    expect(await iommu.updatePage(buffers)).toBe(true);
    await pause(50);
    expect(ring.poll()).toEqual([]);
    expect(await iommu.invalidate(buffers, PAGE)).toBe(true);
    iommu.isMute = false;
    expect(await iommu.front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num: 1 })).toBe(true);
    await iommu.serve(() => ring.poll().some(({ first }) => first === 3));
    expect(errors).toEqual([]);
  });

  it.each([
    { what: "the driver takes everything back", takeBack: (iommu: ScriptedIommu) => iommu.tell(takingBack(0, 0)) },
    {
      what: "the table of memory changes",
      takeBack: ({ front }: ScriptedIommu) =>
        front.acknowledged("SET_MEM_TABLE", "memoryTable", [front.region], [front.memoryFile]),
    },
  ])("for its own memory, asks again for what is forgotten meanwhile: $what", async ({ takeBack }) => {
    const { path, errors } = await serveDisk(undefined, {}, ["ACCESS_PLATFORM"]);
    const iommu = await ScriptedIommu.connect(path);
    const ring = await iommu.front.startRing(0, large);
    const { descriptor, driver } = ring.addresses;
    ring.submit(3);
    await iommu.serve(() => ring.poll().some(({ first }) => first === 3));
    expect(await takeBack(iommu)).toBe(true);
    await missedParts(iommu, ring);
    expect(await iommu.updatePage(descriptor)).toBe(true);
    expect(await takeBack(iommu)).toBe(true);
    expect(await iommu.updatePage(driver)).toBe(true);
    ring.submit(4);
    await iommu.serve(() => ring.poll().some(({ first }) => first === 4));
    expect(errors).toEqual([]);
  });

  it("before it has run, asks again for what the front end's features make it forget", async () => {
    const { path, errors } = await serveDisk(undefined, {}, ["ACCESS_PLATFORM"]);
    const iommu = await ScriptedIommu.connect(path);
    const ring = await iommu.front.startRing(0, large);
    const { descriptor, driver } = ring.addresses;
    await missedParts(iommu, ring);
    expect(await iommu.updatePage(descriptor)).toBe(true);
    expect(await iommu.front.acknowledged("SET_FEATURES", "u64", plain | ACCESS_PLATFORM)).toBe(true);
    expect(await iommu.updatePage(driver)).toBe(true);
    ring.submit(4);
    await iommu.serve(() => ring.poll().some(({ first }) => first === 4));
    expect(errors).toEqual([]);
  });

  it("of a buffer, asks again for what is taken back meanwhile", async () => {
    const { iommu, ring, errors } = await rig();
    // A request on two pages.
    allocateAt(iommu, buffers + PAGE - 64);
    ring.submit(3);
    expect(await iommu.missed()).toEqual([buffers + PAGE - 64, buffers + PAGE - 48, buffers + PAGE]);
    expect(await iommu.updatePage(buffers)).toBe(true);
    expect(await iommu.invalidate(buffers, PAGE)).toBe(true);
    expect(await iommu.updatePage(buffers + PAGE)).toBe(true);
    await iommu.serve(() => ring.poll().some(({ first, status }) => first === 3 && status === 0));
    expect(errors).toEqual([]);
  });

  it("and is polled, breaks when the front end has none", async () => {
    const { iommu, ring, errors, device } = await rig(undefined, { polled: true });
    iommu.isMute = true;
    const queue = device.queue(0);
    if (queue === undefined) throw new Error("no queue");
    const looks = vi.spyOn(queue, "notify");
    ring.submit(3);
    let asked = (await iommu.missed()).length;
    const before = looks.mock.calls.length;
    await until(() => looks.mock.calls.length > before + 5, "looks at the ring");
    iommu.answer(1n);
    await until(() => {
      asked += iommu.receive().length;
      iommu.answer(1n);
      return errors.length > 0;
    }, "an error");
    expect(errors[0]).toMatchObject({ rule: "address-not-allowed", queue: 0 });
    expect(device.status & 64).toBe(64);
    expect(asked).toBeLessThan(6);
  });

  it("is asked for once by a polled ring while an answer says that it comes", async () => {
    const { iommu, ring } = await rig(undefined, { polled: true });
    const start = performance.now();
    ring.submit(3);
    expect(await iommu.missed()).toEqual([buffers, buffers + 16]);
    await pause(100);
    iommu.receive();
    // After a second it is asked for again.
    expect(iommu.misses.length).toBeLessThanOrEqual(2 * Math.floor((performance.now() - start) / 1000));
    expect(await iommu.updatePage(buffers)).toBe(true);
    expect(await ring.completions(1)).toMatchObject([{ first: 3 }]);
  });

  it("for its own memory, fails when the front end has none of one part of it", async () => {
    const { path, errors } = await serveDisk(undefined, {}, ["ACCESS_PLATFORM"]);
    const iommu = await ScriptedIommu.connect(path);
    iommu.isMute = true;
    const ring = await iommu.front.startRing(0, large);
    await missedParts(iommu, ring);
    iommu.answer(1n);
    let asked = 0;
    await until(() => {
      asked += iommu.receive().length;
      iommu.answer(1n);
      return errors.length > 0;
    }, "an error");
    await pause(100);
    expect(errors).toEqual([expect.objectContaining({ rule: "ring-address" })]);
    expect(asked).toBeLessThan(6);
    // It may be set up anew.
    await ring.stop();
    iommu.isMute = false;
    await ring.start(0);
    ring.submit(4);
    await iommu.serve(() => ring.poll().some(({ first }) => first === 4));
  });

  it("keeps what is in flight after a crash until it starts", async () => {
    const held: BlkRequest[] = [];
    const { path, ends } = await serveDisk(
      (request, disk) => {
        if (held.length > 0 || request.sector !== 3n) return answer(request, disk);
        held.push(request);
        return undefined;
      },
      {},
      ["ACCESS_PLATFORM"],
    );
    const first = await ScriptedIommu.connect(path);
    const form = { size: 0, offset: 0, queues: 1, queueSize: 256 };
    const reply = await first.front.ask("GET_INFLIGHT_FD", "inflight", form);
    const [area, fd] = [decodePayload("inflight", reply), reply.fds[0] ?? -1];
    expect(await first.front.acknowledged("SET_INFLIGHT_FD", "inflight", area, [fd])).toBe(true);
    const ring = await first.front.startRing(0, large);
    // The second request is answered first: only the region tells that the first one is not.
    ring.submit(3);
    ring.submit(8);
    await first.serve(() => ring.poll().some(({ first: byte }) => byte === 8));
    first.front.channel.close();
    await until(() => ends.length === 1);
    const second = await ScriptedIommu.connect(path, undefined, first.front.memoryFile);
    expect(await second.front.acknowledged("SET_INFLIGHT_FD", "inflight", area, [fd])).toBe(true);
    ring.front = second.front;
    await ring.start(1);
    await second.serve(() => ring.poll().some(({ first: byte, status }) => byte === 3 && status === 0));
  });
});
