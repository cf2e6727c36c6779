import { describe, expect, test } from "vitest";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import { RingError, ringLayout, type QueueAddresses } from "../../../src/runtime/ring/index.js";
import { addresses, buffers, DeviceRig, DriverRig, INDIRECT, PairRig, plain, same, WRITE } from "./ring-rig.js";

/** Takes the next chain; a test that gets none fails here. */
function take(rig: { queue: DeviceRig["queue"] } | { device: DeviceRig["queue"] }) {
  const queue = "device" in rig ? rig.device : rig.queue;
  const chain = queue.take();
  if (chain === undefined) throw new Error(queue.broken?.message ?? "nothing to take");
  return chain;
}

describe("layout", () => {
  test("has the sizes and alignments of the specification", () => {
    expect(ringLayout(256, plain)).toEqual({
      descriptorBytes: 4096,
      descriptorAlignment: 16,
      driverBytes: 518,
      driverAlignment: 2,
      deviceBytes: 2054,
      deviceAlignment: 4,
    });
  });

  test.each([0, 3, 100, 65536, -8, 1.5, NaN])("a size of %d is refused, by the layout and by both sides", (size) => {
    const refused = expect.objectContaining({ rule: "queue-size", clause: "2.7" });
    expect(() => ringLayout(size, plain)).toThrow(refused);
    expect(() => new DeviceRig({ addresses: addresses(size) })).toThrow(refused);
    expect(() => new DriverRig({ addresses: addresses(size) })).toThrow(refused);
  });

  test.each<[string, Partial<QueueAddresses>, string]>([
    ["descriptor table misaligned", { descriptor: 0x1008 }, "ring-alignment"],
    ["available ring misaligned", { driver: 0x3001 }, "ring-alignment"],
    ["used ring misaligned", { device: 0x4002 }, "ring-alignment"],
    ["descriptor table outside", { descriptor: 0x2_0000 }, "ring-outside-memory"],
    ["available ring over the end", { driver: 0x2_0000 - 20 }, "ring-outside-memory"],
    ["used ring over the end", { device: 0x2_0000 - 68 }, "ring-outside-memory"],
    ["an address that is no number", { device: NaN }, "ring-alignment"],
    ["a negative address", { driver: -16 }, "ring-alignment"],
  ])("%s is refused", (_, change, rule) => {
    const options = { addresses: { ...addresses(8), ...change } };
    expect(() => new DeviceRig(options)).toThrow(RingError);
    expect(() => new DeviceRig(options)).toThrow(expect.objectContaining({ rule }));
    expect(() => new DriverRig(options)).toThrow(expect.objectContaining({ rule }));
  });

  test("memory whose bytes start unaligned in their buffer is refused", () => {
    const memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(new ArrayBuffer(0x1_0001), 1) }]);
    expect(() => new DeviceRig({ memory })).toThrow(expect.objectContaining({ rule: "ring-backing-alignment" }));
  });

  test("the driver clears the three parts", () => {
    const memory = GuestMemory.flat(0x2_0000);
    memory.regions[0]?.bytes.fill(0xff);
    const rig = new DriverRig({ memory });
    expect([rig.availableIndex, rig.usedIndex, rig.usedFlags, rig.usedEvent, rig.availEvent]).toEqual([0, 0, 0, 0, 0]);
    expect(rig.bytes(0x1000 + 8 * 16, 1)[0]).toBe(0xff);
    expect(rig.bytes(0x4000 + 6 + 8 * 8, 1)[0]).toBe(0xff);
  });
});

describe.each([1, 2, 8, 256, 32768])("a queue of %d", (size) => {
  const big: QueueAddresses = { size, descriptor: 0, driver: 0x8_0000, device: 0xa_0000 };

  test("carries as many buffers as it has entries, across the wrap of the indexes", () => {
    const rig = new PairRig({ memory: GuestMemory.flat(0x10_0000), addresses: big, features: { eventIdx: true } });
    const rounds = Math.ceil(70_000 / size);
    for (let round = 0; round < rounds; round++) {
      for (let count = 0; count < size; count++) {
        rig.queue.begin();
        rig.queue.addWritable(0xf_0000, 8);
        same(rig.queue.end() >= 0, true);
      }
      same(rig.queue.free, 0);
      rig.queue.begin();
      rig.queue.addWritable(0xf_0000, 8);
      same(rig.queue.end(), -1);
      rig.queue.kick();
      for (let chain = rig.device.take(); chain !== undefined; chain = rig.device.take()) {
        rig.device.complete(chain, 8);
      }
      rig.device.flush();
      let polled = 0;
      while (rig.queue.poll() >= 0) polled++;
      same(polled, size);
      same(rig.queue.free, size);
    }
    expect(rig.deviceBroken.concat(rig.broken)).toEqual([]);
    expect(rig.usedIndex).toBe((rounds * size) & 0xffff);
  });
});

describe("driver side", () => {
  test("writes a chain as the specification says", () => {
    const rig = new DriverRig();
    rig.queue.begin();
    rig.queue.addReadable(0x1_0000, 10);
    rig.queue.addReadable(0x1_1000, 20);
    rig.queue.addWritable(2 ** 45 + 5, 30);
    const head = rig.queue.end();
    rig.queue.kick();
    const { view } = rig.memory.regions[0] ?? { view: new DataView(new ArrayBuffer(0)) };
    const seen = [];
    for (let index = head, flags = 1; (flags & 1) !== 0; index = view.getUint16(0x1000 + 16 * index + 14, true)) {
      const at = 0x1000 + 16 * index;
      flags = view.getUint16(at + 12, true);
      seen.push([view.getBigUint64(at, true), view.getUint32(at + 8, true), flags]);
    }
    expect(seen).toEqual([
      [0x1_0000n, 10, 1],
      [0x1_1000n, 20, 1],
      [2n ** 45n + 5n, 30, WRITE],
    ]);
    expect(rig.availableIndex).toBe(1);
    expect(rig.getU16(0x3000 + 4)).toBe(head);
    expect(rig.queue.free).toBe(5);
  });

  test("nothing is visible before kick, and one kick publishes all", () => {
    const rig = new DriverRig();
    for (let count = 0; count < 3; count++) {
      rig.queue.begin();
      rig.queue.addReadable(buffers, 1);
      rig.queue.end();
    }
    expect([rig.availableIndex, rig.notifications]).toEqual([0, 0]);
    rig.queue.kick();
    expect([rig.availableIndex, rig.notifications]).toEqual([3, 1]);
    rig.queue.kick();
    expect(rig.notifications).toBe(1);
  });

  test("uses one descriptor a buffer when there is room for indirect tables", () => {
    const rig = new DriverRig({ features: { indirect: true }, indirectTable: { address: buffers, entries: 3 } });
    rig.queue.begin();
    rig.queue.addReadable(0x1_0000, 10);
    rig.queue.addWritable(0x1_1000, 20);
    const head = rig.queue.end();
    expect(rig.queue.free).toBe(7);
    const table = buffers + head * 48;
    const entry = rig.bytes(0x1000 + 16 * head, 16);
    expect(new Uint32Array(entry.slice().buffer)).toEqual(Uint32Array.of(table, 0, 32, INDIRECT));
    expect(new Uint32Array(rig.bytes(table, 32).slice().buffer)).toEqual(
      Uint32Array.of(0x1_0000, 0, 10, 0x1_0001, 0x1_1000, 0, 20, WRITE),
    );
  });

  test.each([1, 4])("a buffer of %d segments does not fit or need the indirect table, and goes direct", (segments) => {
    const rig = new PairRig({ features: { indirect: true }, indirectTable: { address: buffers, entries: 3 } });
    rig.queue.begin();
    for (let segment = 0; segment < segments; segment++) rig.queue.addReadable(0x1_0000 + segment, 1);
    expect(rig.queue.end()).toBeGreaterThanOrEqual(0);
    expect(rig.queue.free).toBe(8 - segments);
    rig.queue.kick();
    expect(take(rig).readable.segmentCount).toBe(segments);
  });

  test("a full ring gives -1, and the same buffer can be ended when there is room", () => {
    const rig = new PairRig({ size: 2 });
    const first = rig.submit();
    rig.queue.begin();
    rig.queue.addReadable(buffers, 1);
    rig.queue.addWritable(buffers, 1);
    expect(rig.queue.end()).toBe(-1);
    rig.device.complete(take(rig), 0);
    rig.device.flush();
    expect(rig.queue.poll()).toBe(first);
    expect(rig.queue.end()).toBeGreaterThanOrEqual(0);
    rig.queue.kick();
    expect(take(rig).readable.length).toBe(1);
  });

  test.each<[string, (queue: DriverRig["queue"]) => void]>([
    ["segment-range", (queue) => queue.addReadable(-1, 1)],
    ["segment-range", (queue) => queue.addReadable(2 ** 53, 1)],
    ["segment-range", (queue) => queue.addWritable(0, 2 ** 32)],
    ["segment-range", (queue) => queue.addWritable(0, NaN)],
    [
      "readable-after-writable",
      (queue) => {
        queue.addWritable(0, 1);
        queue.addReadable(0, 1);
      },
    ],
    [
      "chain-too-many-bytes",
      (queue) => {
        queue.addReadable(0, 2 ** 32 - 1);
        queue.addReadable(0, 2);
      },
    ],
    ["chain-too-long", (queue) => Array.from({ length: 9 }, () => queue.addReadable(0, 1))],
    ["chain-empty", (queue) => queue.end()],
    [
      "chain-empty",
      (queue) => {
        queue.addReadable(0, 0);
        queue.end();
      },
    ],
  ])("a local mistake is thrown: %s", (rule, act) => {
    const { queue, broken } = new DriverRig();
    queue.begin();
    expect(() => act(queue)).toThrow(expect.objectContaining({ rule }));
    expect(broken).toEqual([]);
  });

  test("dispose ends it", () => {
    const rig = new PairRig();
    rig.submit();
    rig.device.complete(take(rig), 0);
    rig.device.flush();
    rig.queue.dispose();
    expect([rig.queue.poll(), rig.submit()]).toEqual([-1, -1]);
    expect([rig.availableIndex, rig.queue.broken]).toEqual([1, undefined]);
  });
});

describe("device side", () => {
  test("completes in any order, and publishes at flush", () => {
    const rig = new PairRig();
    const tokens = [rig.submit(), rig.submit(), rig.submit()];
    const chains = [take(rig), take(rig), take(rig)];
    for (const index of [2, 0, 1]) {
      const chain = chains[index];
      if (chain !== undefined) rig.device.complete(chain, index);
    }
    expect([rig.usedIndex, rig.queue.poll()]).toEqual([0, -1]);
    rig.device.flush();
    expect(rig.usedIndex).toBe(3);
    expect([2, 0, 1].map((index) => [rig.queue.poll(), rig.queue.lastWritten, index])).toEqual(
      [2, 0, 1].map((index) => [tokens[index], index, index]),
    );
  });

  test.each([
    [5, 5],
    [16, 16],
    [17, 16],
    [1e12, 16],
    [-1, 0],
    [NaN, 0],
  ])("a written length of %d is published as %d", (written, published) => {
    const rig = new PairRig();
    rig.submit(16);
    rig.device.complete(take(rig), written);
    rig.device.flush();
    expect(rig.usedEntry(0).length).toBe(published);
  });

  test("completing twice is stale and touches nothing", () => {
    const rig = new PairRig();
    rig.submit();
    const chain = take(rig);
    expect(rig.device.complete(chain, 1)).toBe("completed");
    expect(rig.device.complete(chain, 2)).toBe("stale");
    rig.device.flush();
    expect([rig.usedIndex, rig.usedEntry(0).length, rig.usedEntry(1).length]).toEqual([1, 1, 0]);
  });

  test("completing a chain of another queue is stale", () => {
    const [one, other] = [new PairRig(), new PairRig()];
    one.submit();
    other.submit();
    const foreign = take(other);
    const own = take(one);
    expect(own.slot).toBe(foreign.slot);
    expect(one.device.complete(foreign, 0)).toBe("stale");
    expect([own.live, foreign.live]).toEqual([true, true]);
  });

  test("a buffer of no bytes is a chain", () => {
    const rig = new DeviceRig();
    rig.descriptor(0, { address: 1n << 60n, length: 0, flags: WRITE });
    rig.offer(0, 0);
    const chain = take(rig);
    expect([chain.readable.length, chain.writable.length, chain.writable.segmentCount]).toEqual([0, 0, 0]);
    expect(rig.queue.complete(chain, 0)).toBe("completed");
  });

  describe("after a reset", () => {
    const sentinel = 0xa5;
    const reset = () => {
      const rig = new PairRig({ features: { eventIdx: true } });
      rig.submit();
      rig.submit();
      const [done, open] = [take(rig), take(rig)];
      const { writable } = open;
      rig.device.complete(done, 4);
      rig.device.dispose();
      rig.memory.regions[0]?.bytes.fill(sentinel);
      return { rig, done, open, writable };
    };
    const untouched = (rig: PairRig) => rig.memory.regions[0]?.bytes.every((byte) => byte === sentinel);

    test("a late completion is stale, late writes do nothing, and no byte of guest memory changes", () => {
      const { rig, done, open, writable } = reset();
      expect(open.live).toBe(false);
      expect(writable.write(Uint8Array.of(1, 2))).toBe(0);
      expect(open.writable.fill(1)).toBe(0);
      expect(rig.device.complete(open, 4)).toBe("stale");
      expect(rig.device.complete(done, 4)).toBe("stale");
      const notifications = rig.deviceNotifications;
      rig.device.flush();
      expect(rig.device.take()).toBeUndefined();
      rig.device.dispose();
      expect(untouched(rig)).toBe(true);
      expect(rig.deviceNotifications).toBe(notifications);
      expect(rig.device.broken).toBeUndefined();
    });

    test("a chain from before does not complete the one that has its slot in the new queue", () => {
      const { rig, open } = reset();
      const renewed = new PairRig({ memory: rig.memory, features: { eventIdx: true } });
      renewed.submit();
      renewed.submit();
      const chains = [take(renewed), take(renewed)];
      expect(chains.map(({ slot }) => slot)).toContain(open.slot);
      expect(renewed.device.complete(open, 4)).toBe("stale");
      expect(chains.every(({ live }) => live)).toBe(true);
      renewed.device.flush();
      expect(renewed.usedIndex).toBe(0);
    });
  });
});
