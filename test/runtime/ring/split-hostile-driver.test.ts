import { beforeEach, describe, expect, test } from "vitest";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import { ringErrorRules, type RingRule } from "../../../src/runtime/ring/index.js";
import { buffers, DeviceRig, INDIRECT, memorySize, NEXT, WRITE, type RigOptions } from "./ring-rig.js";

/**
 * The inputs 1 to 22 of a hostile driver on a split ring. The verdict is the same for all that are malformed: the queue
 * is broken with the rule named here, `onBroken` is called once, nothing is taken any more, what was in flight is stale,
 * and guest memory is not written.
 */
function expectBroken(rig: DeviceRig, rule: RingRule, clause: string): void {
  const before = rig.memory.regions.map(({ bytes }) => bytes.slice());
  expect(rig.queue.take()).toBeUndefined();
  expect(rig.broken).toHaveLength(1);
  expect(rig.broken[0]).toMatchObject({ name: "RingError", rule, clause, queue: 3 });
  expect(rig.broken[0]?.message).toContain(ringErrorRules[rule].says);
  expect(rig.queue.broken).toBe(rig.broken[0]);
  // From then on nothing happens, whatever the driver goes on to do.
  rig.descriptor(0, { address: buffers, length: 4 });
  rig.availableIndex = rig.availableIndex + 1;
  for (let again = 0; again < 3; again++) expect(rig.queue.take()).toBeUndefined();
  rig.queue.flush();
  expect(rig.broken).toHaveLength(1);
  expect(rig.notifications).toBe(0);
  rig.availableIndex = rig.availableIndex - 1;
  const table = rig.addresses.descriptor;
  rig.memory.regions.forEach(({ bytes, start }, index) => {
    // The suppression hint is the only word that a device may have written while it looked; entry 0 was ours.
    const now = bytes.slice();
    const then = before[index] ?? now;
    for (const [from, length] of [
      [table, 16],
      [rig.addresses.device, 2],
    ] as const) {
      if (from < start || from - start >= now.length) continue;
      now.fill(0, from - start, from - start + length);
      then.fill(0, from - start, from - start + length);
    }
    expect(Buffer.compare(now, then)).toBe(0);
  });
}

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

describe("indirect tables", () => {
  /** Descriptor 0 refers to a table of two good entries at `buffers`. */
  const table = (changes: { parent?: object; first?: object; second?: object } = {}) => {
    const data = 0x10000;
    rig.descriptorAt(buffers, { address: data, length: 4, flags: NEXT, next: 1, ...changes.first });
    rig.descriptorAt(buffers + 16, { address: data + 4, length: 4, flags: WRITE, ...changes.second });
    rig.descriptor(0, { address: buffers, length: 32, flags: INDIRECT, ...changes.parent });
    rig.offer(0, 0);
  };
  beforeEach(() => make({ features: { indirect: true } }));

  test("a good one is taken; WRITE on the descriptor that refers to it means nothing", () => {
    table({ parent: { flags: INDIRECT | WRITE } });
    const chain = rig.queue.take();
    expect([chain?.readable.length, chain?.writable.length]).toEqual([4, 4]);
  });

  test("a good one may lie at any address and follow direct descriptors", () => {
    const odd = buffers + 0x1003;
    rig.descriptorAt(odd, { address: 0x10000, length: 7, flags: WRITE });
    rig.descriptor(4, { address: buffers, length: 5, flags: NEXT, next: 2 });
    rig.descriptor(2, { address: odd, length: 16, flags: INDIRECT });
    rig.offer(0, 4);
    const chain = rig.queue.take();
    expect([chain?.slot, chain?.readable.length, chain?.writable.length]).toEqual([4, 5, 7]);
  });

  test("9: INDIRECT when it was not negotiated [T0015]", () => {
    make();
    table();
    expectBroken(rig, "indirect-not-negotiated", "2.7.5.3.1");
  });

  test("10: nested [T0016]", () => {
    table({ second: { address: buffers + 0x100, length: 16, flags: INDIRECT } });
    expectBroken(rig, "indirect-nested", "2.7.5.3.1");
  });

  test("11: INDIRECT with NEXT [T0017]", () => {
    table({ parent: { flags: INDIRECT | NEXT, next: 1 } });
    expectBroken(rig, "indirect-with-next", "2.7.5.3.1");
  });

  test.each([1, 15, 17, 33, 0xffff_ffff])("12: length %d is not a multiple of 16 [T0018]", (length) => {
    table({ parent: { length } });
    expectBroken(rig, "indirect-length", "2.7.5.3");
  });

  test("13: length 0 [T0019]", () => {
    table({ parent: { length: 0 } });
    expectBroken(rig, "indirect-empty", "2.7.5.3");
  });

  test.each<[number | bigint, number]>([
    [memorySize, 16],
    [memorySize - 16, 32],
    [buffers, 0xffff_fff0],
    [1n << 60n, 16],
    [(1n << 32n) + BigInt(buffers), 16],
  ])("14: table out of range: %d, %d bytes [T0020]", (address, length) => {
    table({ parent: { address, length } });
    expectBroken(rig, "indirect-outside-memory", "2.7.5.3");
  });

  test("14: table that wraps 2^64", () => {
    table({ parent: { address: 0xffff_ffff_ffff_fff0n, length: 32 } });
    expectBroken(rig, "address-wraps", "2.7.5");
  });

  test("3: next past the end of the indirect table, although the queue is longer", () => {
    table({ first: { next: 2 } });
    expectBroken(rig, "next-out-of-range", "2.7.5");
  });

  test("21: a table whose entry is its own next", () => {
    table({ first: { next: 0 } });
    expectBroken(rig, "descriptor-loop", "2.7.5.2");
  });

  test("21: a descriptor that refers to itself as its table", () => {
    rig.descriptor(0, { address: rig.addresses.descriptor, length: 16, flags: INDIRECT });
    rig.offer(0, 0);
    expectBroken(rig, "indirect-nested", "2.7.5.3.1");
  });

  test("21: a table that hands itself out as a buffer is shadowed: writing to it changes nothing", () => {
    rig.descriptorAt(buffers, { address: buffers, length: 16, flags: WRITE });
    rig.descriptor(0, { address: buffers, length: 16, flags: INDIRECT });
    rig.offer(0, 0);
    const chain = rig.queue.take();
    expect(chain?.writable.fill(0xff)).toBe(16);
    expect(chain?.writable.length).toBe(16);
    expect(chain?.writable.fill(0xee)).toBe(16);
    expect(rig.queue.broken).toBeUndefined();
  });
});

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

test("what every malformed input says names its section", () => {
  for (const { clause, says } of Object.values(ringErrorRules)) {
    expect(clause).toMatch(/^[12](\.\d+)+$/);
    expect(says).toMatch(/^[a-z]/);
  }
});

test("what a driver can make the device allocate is bounded: one long table for every head", () => {
  const size = 32768;
  const memory = GuestMemory.flat(0x20_0000);
  make({
    memory,
    addresses: { size, descriptor: 0, driver: 0x8_0000, device: 0xa_0000 },
    features: { indirect: true },
  });
  const table = 0x10_0000;
  for (let index = 0; index < size; index++) {
    const flags = index === size - 1 ? 0 : NEXT;
    rig.descriptorAt(table + 16 * index, { address: 0, length: 1, flags, next: index + 1 });
    rig.descriptor(index, { address: table, length: size * 16, flags: INDIRECT });
  }
  rig.offer(0, ...Array.from({ length: size }, (_, index) => index));
  let taken = 0;
  while (rig.queue.take() !== undefined) taken++;
  // 2^22 segments in all; as many slots of 2^15 fit.
  expect(taken).toBe(128);
  expect(rig.broken).toMatchObject([{ rule: "chain-too-scattered", clause: "2.7.4.1" }]);
});

test("a slot that held a long chain lets go of its room when room is scarce", () => {
  const size = 32768;
  const memory = GuestMemory.flat(0x20_0000);
  make({
    memory,
    addresses: { size, descriptor: 0, driver: 0x8_0000, device: 0xa_0000 },
    features: { indirect: true },
  });
  const table = 0x10_0000;
  for (let index = 0; index < size; index++) {
    const flags = index === size - 1 ? 0 : NEXT;
    rig.descriptorAt(table + 16 * index, { address: 0, length: 1, flags, next: index + 1 });
  }
  for (let head = 0; head < 140; head++) {
    rig.descriptor(head, { address: table, length: size * 16, flags: INDIRECT });
    rig.offer(head, head);
    const chain = rig.queue.take();
    expect(chain?.readable.length).toBe(size);
    if (chain !== undefined) rig.queue.complete(chain, 0);
  }
});
