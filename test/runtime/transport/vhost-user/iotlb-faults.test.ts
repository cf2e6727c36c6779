import { describe, expect, it } from "vitest";
import { MemoryAllocator } from "../../../../src/runtime/index.js";
import { IotlbType } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { buffers, rig } from "./iotlb-rig.js";
import { guestStart, memoryBytes, pause, until, userStart } from "./scripted-front-end.js";
import { PAGE, permission, takingBack } from "./scripted-iommu.js";
import { requireVhostUser } from "./served-device.js";
import { answer, type BlkRequest } from "./served-disk.js";

describe.runIf(await requireVhostUser())("addresses that are not as they should be", () => {
  it("keep one ring waiting when nobody answers: the others go on, and it can be stopped", async () => {
    const { iommu, ring, other, errors } = await rig();
    iommu.isMute = true;
    ring.submit(3);
    expect(await iommu.missed()).toEqual([buffers, buffers + 16]);
    expect(await iommu.update(buffers + PAGE, PAGE, guestStart + 17 * PAGE)).toBe(true);
    iommu.front.allocator = new MemoryAllocator(iommu.front.memory, buffers + PAGE, PAGE);
    other.submit(5);
    expect((await other.completions(1))[0]).toMatchObject({ first: 5, status: 0 });
    expect(ring.poll()).toEqual([]);
    expect(await ring.stop()).toBe(0);
    expect(await other.stop()).toBe(1);
    expect(errors).toEqual([]);
  });

  it("are asked for again after a while, when the driver notifies again", async () => {
    const { iommu, ring } = await rig();
    iommu.isMute = true;
    const start = performance.now();
    ring.submit(3);
    const { length } = await iommu.missed();
    ring.kick.signal();
    await pause(100);
    iommu.receive();
    // Not within a second.
    expect(iommu.misses.length).toBeLessThanOrEqual(length * Math.floor((performance.now() - start) / 1000));
    await pause(1000);
    ring.kick.signal();
    await iommu.serve(() => ring.poll().some(({ first }) => first === 3));
  });

  it("break the queue when the front end has no translation", async () => {
    const { iommu, ring, errors, device } = await rig();
    ring.submit(3);
    await until(() => iommu.receive(1n).length > 0, "a miss");
    await until(() => errors.length > 0, "an error");
    expect(errors[0]).toMatchObject({ rule: "address-not-allowed", queue: 0 });
    expect(device.status & 64).toBe(64);
    expect(iommu.failures).toEqual([]);
    await ring.stop();
  });

  it("break the queue when they may not be written to, which the front end is told", async () => {
    const { iommu, ring, errors } = await rig();
    ring.submit(3, 1);
    await iommu.missed();
    expect(await iommu.updatePage(buffers, permission.READ)).toBe(true);
    await until(() => errors.length > 0, "an error");
    expect(errors[0]).toMatchObject({ rule: "address-not-allowed" });
    await until(() => iommu.receive().length > 0, "word of the failure");
    // The status is the first thing that is written.
    expect(iommu.failures).toEqual([
      { iova: BigInt(buffers + 16 + 512), size: 0n, userAddress: 0n, permission: 2, type: IotlbType.ACCESS_FAIL },
    ]);
  });

  it("are not taken back while a request works there", async () => {
    const held: BlkRequest[] = [];
    const { iommu, ring, disk, errors } = await rig((request) => void held.push(request));
    ring.submit(3);
    await iommu.serve(() => held.length === 1);
    // Where nothing is being done, nothing is waited for.
    expect(await iommu.invalidate(buffers + PAGE, PAGE)).toBe(true);
    let isDone = false;
    const taken = iommu.invalidate(buffers, PAGE).then((isTaken) => (isDone = isTaken));
    await pause(100);
    expect(isDone).toBe(false);
    const [request] = held;
    if (request === undefined) throw new Error("no request");
    expect(answer(request, disk)).toBe("completed");
    expect(await taken).toBe(true);
    expect((await ring.completions(1))[0]).toMatchObject({ first: 3, status: 0 });
    // The ring goes on where it was.
    ring.submit(4);
    await iommu.serve(() => held.length === 2);
    if (held[1] !== undefined) answer(held[1], disk);
    expect((await ring.completions(1))[0]).toMatchObject({ first: 4, status: 0 });
    expect(errors).toEqual([]);
  });

  it("are taken back from a request that does not end: it is stale, and touches nothing any more", async () => {
    const held: BlkRequest[] = [];
    const { iommu, ring, disk, errors } = await rig((request) => void held.push(request));
    ring.submit(3);
    await iommu.serve(() => held.length === 1);
    const start = performance.now();
    expect(await iommu.invalidate(buffers, PAGE)).toBe(true);
    expect(performance.now() - start).toBeGreaterThan(250);
    const [request] = held;
    if (request === undefined) throw new Error("no request");
    expect(answer(request, disk)).toBe("stale");
    const bytes = iommu.front.memory.locate(buffers, PAGE)?.bytes.subarray(16 * PAGE, 17 * PAGE);
    expect(bytes?.subarray(16, 16 + 512).every((byte) => byte === 0)).toBe(true);
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining("1 requests unanswered")]);
    // The next one is served.
    ring.submit(4);
    await iommu.serve(() => held.length === 2);
  });

  it("of the ring itself are asked for anew, and it goes on where it was", async () => {
    const { iommu, ring, errors } = await rig();
    ring.submit(3);
    await iommu.serve(() => ring.poll().length === 1);
    // As a whole address space is taken back.
    expect(await iommu.tell(takingBack(0, 0))).toBe(true);
    ring.submit(4);
    expect(
      await iommu.serve(() => ring.poll().some(({ first, status }) => first === 4 && status === 0)),
    ).toBeGreaterThan(2);
    expect(await ring.stop()).toBe(2);
    expect(errors).toEqual([]);
  });

  it("are refused when they lead nowhere or say what is not known", async () => {
    const { iommu, ring } = await rig();
    expect(await iommu.update(buffers, PAGE, guestStart + memoryBytes)).toBe(false);
    expect(await iommu.update(buffers, 2 * PAGE, guestStart + memoryBytes - PAGE)).toBe(false);
    expect(await iommu.update(buffers, 0, guestStart)).toBe(false);
    expect(await iommu.update(buffers, PAGE, guestStart, 4)).toBe(false);
    const update = {
      iova: BigInt(buffers),
      size: BigInt(PAGE),
      userAddress: BigInt(userStart),
      permission: 3,
      type: IotlbType.UPDATE,
    };
    expect(await iommu.tell({ ...update, iova: 2n ** 64n - 4096n })).toBe(false);
    expect(await iommu.tell({ ...update, size: 2n ** 63n })).toBe(false);
    expect(await iommu.tell({ ...update, type: IotlbType.MISS })).toBe(false);
    expect(await iommu.tell({ ...update, type: 9 })).toBe(false);
    ring.submit(3);
    await iommu.serve(() => ring.poll().some(({ first }) => first === 3));
  });
});
