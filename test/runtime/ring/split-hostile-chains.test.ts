import { beforeEach, describe, expect, test } from "vitest";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import { expectBroken } from "./expect-broken.js";
import { buffers, DeviceRig, INDIRECT, memorySize, NEXT, WRITE, type RigOptions } from "./ring-rig.js";

let rig: DeviceRig;
const make = (options?: RigOptions) => (rig = new DeviceRig(options));
beforeEach(() => make());

describe("direct chains", () => {
  test("1: a loop of descriptors [T0001]", () => {
    rig.descriptor(0, { address: buffers, length: 1, flags: NEXT, next: 1 });
    rig.descriptor(1, { address: buffers, length: 1, flags: NEXT, next: 0 });
    rig.offer(0, 0);
    expectBroken(rig, "descriptor-loop", "2.7.5.2");
  });

  test("1: a descriptor that is its own next", () => {
    rig.descriptor(5, { address: buffers, length: 0, flags: NEXT, next: 5 });
    rig.offer(0, 5);
    expectBroken(rig, "descriptor-loop", "2.7.5.2");
  });

  test("2: a chain longer than the queue, in an indirect table [T0054]", () => {
    make({ features: { indirect: true } });
    for (let index = 0; index < 9; index++) {
      const flags = index === 8 ? 0 : NEXT;
      rig.descriptorAt(buffers + 16 * index, { address: 0x10000, length: 1, flags, next: index + 1 });
    }
    rig.descriptor(0, { address: buffers, length: 9 * 16, flags: INDIRECT });
    rig.offer(0, 0);
    expectBroken(rig, "chain-too-long", "2.7.5.3.1");
  });

  test("2: descriptors in front of an indirect table count as well", () => {
    make({ features: { indirect: true }, size: 4 });
    for (let index = 0; index < 4; index++) {
      const flags = index === 3 ? 0 : NEXT;
      rig.descriptorAt(buffers + 16 * index, { address: 0x10000, length: 1, flags, next: index + 1 });
    }
    rig.descriptor(0, { address: 0x10000, length: 1, flags: NEXT, next: 1 });
    rig.descriptor(1, { address: buffers, length: 4 * 16, flags: INDIRECT });
    rig.offer(0, 0);
    expectBroken(rig, "chain-too-long", "2.7.5.3.1");
  });

  test("2: as long as the queue is fine, direct and indirect", () => {
    make({ features: { indirect: true } });
    for (let index = 0; index < 8; index++) {
      const flags = index === 7 ? 0 : NEXT;
      rig.descriptor(index, { address: 0x10000, length: 1, flags, next: index + 1 });
    }
    rig.offer(0, 0);
    const direct = rig.queue.take();
    expect(direct?.readable.segmentCount).toBe(8);
    if (direct !== undefined) rig.queue.complete(direct, 0);
    for (let index = 0; index < 8; index++) {
      const flags = index === 7 ? 0 : NEXT;
      rig.descriptorAt(buffers + 16 * index, { address: 0x10000, length: 1, flags, next: index + 1 });
    }
    rig.descriptor(0, { address: buffers, length: 8 * 16, flags: INDIRECT });
    rig.offer(1, 0);
    expect(rig.queue.take()?.readable.segmentCount).toBe(8);
  });

  test.each([8, 9, 0xffff])("3: next out of range: %d of 8 [T0003]", (next) => {
    rig.descriptor(0, { address: buffers, length: 1, flags: NEXT, next });
    rig.offer(0, 0);
    expectBroken(rig, "next-out-of-range", "2.7.5");
  });

  test("3: a next without the NEXT flag means nothing", () => {
    rig.descriptor(0, { address: buffers, length: 1, next: 0xffff });
    rig.offer(0, 0);
    expect(rig.queue.take()?.readable.length).toBe(1);
  });

  test.each<[string, bigint, number]>([
    ["behind the end", BigInt(memorySize), 1],
    ["far behind the end", 1n << 40n, 1],
    ["at 2^53", 1n << 53n, 1],
    ["at 2^53 + 1, which no number can say", (1n << 53n) + 1n, 1],
    ["at the top of 64 bits", 0xffff_ffff_ffff_ff00n, 0xff],
    ["with the lower half in memory", (1n << 32n) + BigInt(buffers), 1],
  ])("4: an address past guest memory, %s [T0005]", (_, address, length) => {
    rig.descriptor(0, { address, length });
    rig.offer(0, 0);
    expectBroken(rig, "address-outside-memory", "2.7.5");
  });

  test.each([1, 0xffff_ffff])("4: a buffer that starts in memory and runs %d bytes over its end", (over) => {
    rig.descriptor(0, { address: memorySize - 16, length: Math.min(16 + over, 0xffff_ffff), flags: WRITE });
    rig.offer(0, 0);
    expectBroken(rig, "buffer-across-hole", "2.7.5");
  });

  test.each<[bigint, number]>([
    [0xffff_ffff_ffff_fff0n, 0x11],
    [0xffff_ffff_ffff_ffffn, 2],
    [0xffff_ffff_0000_0001n, 0xffff_ffff + 0],
    [0xffff_ffff_8000_0000n, 0x8000_0001],
  ])("5: address plus length wraps 2^64: %d + %d [T0008]", (address, length) => {
    const wraps = address + BigInt(length) > 1n << 64n;
    rig.descriptor(0, { address, length });
    rig.offer(0, 0);
    expectBroken(rig, wraps ? "address-wraps" : "address-outside-memory", "2.7.5");
  });

  test("6: more than 2^32 bytes in total [T0077]", () => {
    const big = 1 << 30;
    const memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(big + 0x1_0000) }]);
    const chain = (lengths: number[]) => {
      make({ memory });
      lengths.forEach((length, index) => {
        const last = index === lengths.length - 1;
        const address = 0x1_0000;
        rig.descriptor(index, { address, length, flags: (last ? 0 : NEXT) | (index > 1 ? WRITE : 0), next: index + 1 });
      });
      rig.offer(0, 0);
    };
    chain([big, big, big, big]);
    const chainOfMost = rig.queue.take();
    expect(chainOfMost?.readable.length).toBe(2 ** 31);
    expect(chainOfMost?.writable.length).toBe(2 ** 31);

    chain([big, big, big, big, 1]);
    expect(rig.queue.take()).toBeUndefined();
    expect(rig.broken).toMatchObject([{ rule: "chain-too-many-bytes", clause: "2.7.5.2" }]);
    expect(rig.queue.take()).toBeUndefined();
    expect(rig.broken).toHaveLength(1);
  });

  describe("7: a buffer that spans a hole between regions [T0090]", () => {
    const regions = (second: number) =>
      new GuestMemory([
        { start: 0, bytes: new Uint8Array(memorySize) },
        { start: second, bytes: new Uint8Array(0x1000) },
      ]);

    test("a hole of one byte breaks the queue", () => {
      make({ memory: regions(memorySize + 1) });
      rig.descriptor(0, { address: memorySize - 8, length: 16 });
      rig.offer(0, 0);
      expectBroken(rig, "buffer-across-hole", "2.7.5");
    });

    test("regions that touch are one memory: the buffer is cut in two", () => {
      make({ memory: regions(memorySize) });
      rig.bytes(memorySize - 3, 3).set([1, 2, 3]);
      rig.bytes(memorySize, 3).set([4, 5, 6]);
      rig.descriptor(0, { address: memorySize - 3, length: 6, flags: NEXT, next: 1 });
      rig.descriptor(1, { address: memorySize - 2, length: 4, flags: WRITE });
      rig.offer(0, 0);
      const chain = rig.queue.take();
      expect(chain?.readable.segmentCount).toBe(2);
      expect([...(chain?.readable.toUint8Array() ?? [])]).toEqual([1, 2, 3, 4, 5, 6]);
      expect(chain?.writable.write(Uint8Array.of(7, 8, 9, 10))).toBe(4);
      expect([...rig.bytes(memorySize - 2, 2), ...rig.bytes(memorySize, 2)]).toEqual([7, 8, 9, 10]);
    });

    test("pieces that only overlapping buffers can have are too many", () => {
      make({ memory: regions(memorySize), size: 4 });
      for (let index = 0; index < 4; index++) {
        const flags = index === 3 ? 0 : NEXT;
        rig.descriptor(index, { address: memorySize - 1, length: 2, flags, next: index + 1 });
      }
      rig.offer(0, 0);
      expectBroken(rig, "chain-too-scattered", "2.7.4.1");
    });
  });

  test("8: writable before readable [T0053]", () => {
    rig.descriptor(0, { address: buffers, length: 1, flags: WRITE | NEXT, next: 1 });
    rig.descriptor(1, { address: buffers, length: 1 });
    rig.offer(0, 0);
    expectBroken(rig, "readable-after-writable", "2.7.4.2");
  });
});
