import { beforeEach, describe, expect, test } from "vitest";
import { expectBroken } from "./expect-broken.js";
import { buffers, DeviceRig, INDIRECT, memorySize, NEXT, WRITE, type RigOptions } from "./ring-rig.js";

let rig: DeviceRig;
const make = (options?: RigOptions) => (rig = new DeviceRig(options));
beforeEach(() => make());

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
