import { beforeEach, describe, expect, test } from "vitest";
import { expectBroken } from "./expect-broken.js";
import { buffers, DeviceRig, NEXT, WRITE, type RigOptions } from "./ring-rig.js";

let rig: DeviceRig;
const make = (options?: RigOptions) => (rig = new DeviceRig(options));
beforeEach(() => make());

describe("the available ring", () => {
  beforeEach(() => {
    for (let index = 0; index < 8; index++) rig.descriptor(index, { address: buffers, length: index + 1 });
  });

  test.each([9, 100, 0x7fff])("15: the index jumps by %d, the queue has 8 [T0023]", (index) => {
    rig.availableIndex = index;
    expectBroken(rig, "available-index-jump", "2.7.13.3");
  });

  test("15: a jump after everything was taken", () => {
    rig.offer(0, 0, 1, 2);
    while (rig.queue.take() !== undefined);
    rig.availableIndex = 3 + 9;
    expectBroken(rig, "available-index-jump", "2.7.13.3");
  });

  test.each([1, 3])("16: the index goes back by %d [T0024]", (back) => {
    rig.offer(0, 0, 1, 2);
    while (rig.queue.take() !== undefined);
    rig.availableIndex = 3 - back;
    expectBroken(rig, "available-index-backwards", "2.7.6.1");
  });

  test("16: back while chains that were seen are not taken yet: noticed when the index is looked at again", () => {
    rig.offer(0, 0, 1, 2);
    expect(rig.queue.take()?.slot).toBe(0);
    rig.availableIndex = 2;
    expect(rig.queue.take()?.slot).toBe(1);
    expect(rig.queue.take()?.slot).toBe(2);
    expectBroken(rig, "available-index-backwards", "2.7.6.1");
  });

  test.each([8, 0xffff])("17: head %d out of range [T0025]", (head) => {
    rig.offer(0, head);
    expectBroken(rig, "head-out-of-range", "2.7.6");
  });

  test("18: the same head twice in flight [T0022]", () => {
    rig.offer(0, 2, 2);
    const first = rig.queue.take();
    expect(first?.live).toBe(true);
    expectBroken(rig, "head-in-flight", "2.7.13");
    expect(first?.live).toBe(false);
    expect(first?.readable.length).toBe(0);
    if (first !== undefined) expect(rig.queue.complete(first, 0)).toBe("stale");
  });

  test("18: the same head again after it was completed is fine", () => {
    rig.offer(0, 2);
    for (let round = 1; round < 5; round++) {
      const chain = rig.queue.take();
      expect(chain?.slot).toBe(2);
      if (chain !== undefined) rig.queue.complete(chain, 0);
      rig.queue.flush();
      rig.offer(round, 2);
    }
    expect(rig.broken).toHaveLength(0);
  });

  test("19: a descriptor edited while in flight changes nothing [T0051]", () => {
    rig.bytes(buffers, 3).set([1, 2, 3]);
    rig.offer(0, 2);
    const chain = rig.queue.take();
    rig.descriptor(2, { address: 1n << 60n, length: 0xffff_ffff, flags: WRITE | NEXT, next: 0xffff });
    expect([...(chain?.readable.toUint8Array() ?? [])]).toEqual([1, 2, 3]);
    expect(chain?.writable.length).toBe(0);
    if (chain !== undefined) expect(rig.queue.complete(chain, 0)).toBe("completed");
    rig.queue.flush();
    expect(rig.usedEntry(0)).toEqual({ id: 2, length: 0 });
    expect(rig.broken).toHaveLength(0);
  });

  test("20: a buffer that is the queue's own ring: the driver hurts only itself [T0070]", () => {
    rig.descriptor(0, { address: 0x1000, length: 0x4000, flags: WRITE });
    rig.offer(0, 0);
    const chain = rig.queue.take();
    expect(chain?.writable.fill(0xff)).toBe(0x4000);
    if (chain !== undefined) expect(rig.queue.complete(chain, 0x4000)).toBe("completed");
    rig.queue.flush();
    expect(rig.usedEntry(0)).toEqual({ id: 0, length: 0x4000 });
    // The available index is 0xffff now, which is behind the 1 that was there.
    expect(rig.queue.take()).toBeUndefined();
    expect(rig.broken).toMatchObject([{ rule: "available-index-backwards" }]);
  });

  test.each([0, 1, 0x7fff, 0xfffe, 0xffff])("22: used_event poisoned with %d is harmless [T0027]", (event) => {
    make({ features: { eventIdx: true } });
    rig.descriptor(0, { address: buffers, length: 1 });
    for (let round = 0; round < 20; round++) {
      rig.usedEvent = event;
      rig.offer(round, 0);
      const chain = rig.queue.take();
      if (chain !== undefined) rig.queue.complete(chain, 0);
      rig.queue.flush();
    }
    expect(rig.usedIndex).toBe(20);
    expect(rig.notifications).toBe(event < 20 ? 1 : 0);
    expect(rig.broken).toHaveLength(0);
  });
});
