import { describe, expect, test } from "vitest";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import {
  createDeviceQueue,
  createDriverQueue,
  type RingError,
  type RingFeatures,
  type RingRule,
} from "../../../src/runtime/ring/index.js";
import { buffers, INDIRECT, memorySize, NEXT, plain, WRITE } from "./ring-rig.js";

const AVAIL = 0x80;
const USED = 0x8000;
/** Available on the first lap, on the second, and used on the first. */
const first = AVAIL;
const second = USED;
const usedFirst = AVAIL | USED;

/** A packed ring in memory that other threads may see, with the test as one of the sides. */
class Ring {
  readonly memory: GuestMemory;
  readonly words: DataView;
  readonly broken: RingError[] = [];
  notifications = 0;
  readonly size: number;
  readonly features: RingFeatures;

  constructor(
    size = 8,
    features: Partial<RingFeatures> = {},
    memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(memorySize) }]),
  ) {
    this.memory = memory;
    this.words = new DataView(memory.regions[0]?.bytes.buffer ?? new ArrayBuffer(0));
    this.size = size;
    this.features = { ...plain, packed: true, ...features };
  }
  get options() {
    return {
      index: 3,
      memory: this.memory,
      addresses: { size: this.size, descriptor: 0x1000, driver: 0x3000, device: 0x4000 },
      features: this.features,
      onBroken: (error: RingError) => this.broken.push(error),
    };
  }
  device() {
    return createDeviceQueue({ ...this.options, notifyDriver: () => this.notifications++ });
  }
  driver() {
    return createDriverQueue({ ...this.options, notifyDevice: () => this.notifications++ });
  }
  /** Writes a descriptor; flags last. */
  put(offset: number, flags: number, id = 0, address = buffers, length = 16, table = 0x1000): void {
    const at = table + 16 * offset;
    this.words.setBigUint64(at, BigInt(address), true);
    this.words.setUint32(at + 8, length, true);
    this.words.setUint16(at + 12, id, true);
    this.words.setUint16(at + 14, flags, true);
  }
  used(offset: number) {
    const at = 0x1000 + 16 * offset;
    return {
      id: this.words.getUint16(at + 12, true),
      length: this.words.getUint32(at + 8, true),
      flags: this.words.getUint16(at + 14, true),
    };
  }
  expectBroken(device: ReturnType<Ring["device"]>, rule: RingRule, clause: string): void {
    expect(device.take()).toBeUndefined();
    expect(this.broken).toMatchObject([{ rule, clause, queue: 3 }]);
    this.put(0, first);
    expect([device.take(), device.enableNotifications()]).toEqual([undefined, false]);
    device.flush();
    expect([this.broken.length, this.notifications]).toEqual([1, 0]);
  }
}

/**
 * The inputs 23 to 31. Verdict of what is malformed: the queue is broken with the rule named here, once, nothing is taken
 * any more and what was in flight is stale. What only confuses the driver itself does no harm and is no error.
 */
describe("a hostile driver on a packed ring", () => {
  test.each([0, second, usedFirst])(
    "23, 27: flags %d do not say available: nothing happens [P0011, P0044]",
    (flags) => {
      const ring = new Ring();
      const device = ring.device();
      ring.put(0, flags);
      expect(device.take()).toBeUndefined();
      expect(ring.broken).toEqual([]);
      ring.put(0, first);
      expect(device.take()?.live).toBe(true);
    },
  );

  test("23: a second lap before the first was handed back breaks the queue", () => {
    const ring = new Ring(2);
    const device = ring.device();
    ring.put(0, first);
    ring.put(1, first);
    const chain = device.take();
    expect(device.take()).toBeDefined();
    ring.put(0, second);
    ring.expectBroken(device, "available-overrun", "2.8.16");
    expect(chain?.live).toBe(false);
    if (chain !== undefined) expect(device.complete(chain, 0)).toBe("stale");
  });

  test.each([5, 8, 0xffff])("24: id %d twice is handed back twice: the driver's business [P0012, P0013]", (id) => {
    const ring = new Ring();
    const device = ring.device();
    ring.put(0, first, id);
    ring.put(1, first | WRITE, id);
    const [one, two] = [device.take(), device.take()];
    expect(one?.slot).not.toBe(two?.slot);
    if (two !== undefined) device.complete(two, 7);
    if (one !== undefined) device.complete(one, 0);
    device.flush();
    expect([ring.used(0), ring.used(1)]).toEqual([
      { id, length: 7, flags: usedFirst | WRITE },
      { id, length: 0, flags: usedFirst },
    ]);
    expect(ring.broken).toEqual([]);
  });

  test("25: INDIRECT with NEXT [P0040]", () => {
    const ring = new Ring(8, { indirect: true });
    const device = ring.device();
    ring.put(0, first | INDIRECT | NEXT);
    ring.expectBroken(device, "indirect-with-next", "2.8.19");
  });

  test("25: INDIRECT behind a direct descriptor", () => {
    const ring = new Ring(8, { indirect: true });
    const device = ring.device();
    ring.put(1, first | INDIRECT);
    ring.put(0, first | NEXT);
    ring.expectBroken(device, "indirect-with-next", "2.8.19");
  });

  test("26: INDIRECT and NEXT in a table mean nothing, as 2.8.7 says [P0050]", () => {
    const ring = new Ring(8, { indirect: true });
    const device = ring.device();
    ring.put(0, INDIRECT | NEXT, 9, 0x1_0000, 5, buffers);
    ring.put(1, INDIRECT | WRITE, 9, 0x1_0100, 6, buffers);
    ring.put(0, first | INDIRECT, 4, buffers, 32);
    const chain = device.take();
    expect([chain?.readableLength, chain?.writableLength]).toEqual([5, 6]);
  });

  test.each<[string, Partial<RingFeatures>, number, RingRule, string]>([
    ["not negotiated", {}, 16, "indirect-not-negotiated", "2.8.19"],
    ["of no bytes", { indirect: true }, 0, "indirect-empty", "2.8.7"],
    ["of 24 bytes", { indirect: true }, 24, "indirect-length", "2.8.7"],
    ["of 9 entries in a queue of 8", { indirect: true }, 144, "chain-too-long", "2.8.17"],
    ["out of memory", { indirect: true }, 0xffff_fff0, "indirect-outside-memory", "2.8.7"],
  ])("an indirect table %s", (_, features, length, rule, clause) => {
    const ring = new Ring(8, features);
    const device = ring.device();
    ring.put(0, first | INDIRECT, 0, buffers, length);
    ring.expectBroken(device, rule, clause);
  });

  test.each([0, second, usedFirst])("28: flags %d in the middle of a chain [P0021]", (flags) => {
    const ring = new Ring();
    const device = ring.device();
    ring.put(1, flags);
    ring.put(0, first | NEXT);
    ring.expectBroken(device, "chain-not-available", "2.8.17");
  });

  test("a chain that never ends goes once round the ring and not further", () => {
    const ring = new Ring(4);
    const device = ring.device();
    for (let offset = 3; offset >= 0; offset--) ring.put(offset, first | NEXT);
    ring.expectBroken(device, "chain-too-long", "2.8.17");
  });

  test("a readable descriptor behind a writable one, a bad address, and one that wraps", () => {
    for (const [flags, address, rule] of [
      [0, buffers, "readable-after-writable"],
      [WRITE, memorySize, "address-outside-memory"],
      [WRITE, memorySize - 1, "buffer-across-hole"],
    ] as const) {
      const ring = new Ring();
      const device = ring.device();
      ring.put(1, first | flags, 0, address);
      ring.put(0, first | WRITE | NEXT);
      expect(device.take()).toBeUndefined();
      expect(ring.broken).toMatchObject([{ rule }]);
    }
  });

  test("4, 5, 6: what no buffer can be: over 2^64, and more than 2^32 bytes [T0008, T0077]", () => {
    const over = new Ring();
    const device = over.device();
    over.put(0, first, 0, buffers, 0x11);
    over.words.setBigUint64(0x1000, 0xffff_ffff_ffff_fff0n, true);
    over.expectBroken(device, "address-wraps", "2.8.4");

    const big = 1 << 30;
    const memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(big) }]);
    const long = new Ring(8, {}, memory);
    const other = long.device();
    for (let offset = 4; offset >= 0; offset--) long.put(offset, first | (offset < 4 ? NEXT : 0), 0, 0, big);
    long.expectBroken(other, "chain-too-many-bytes", "2.8.5");
  });

  test.each([
    [0, 1],
    [1, 0],
    [2, 1],
    [3, 1],
    [0xfffc, 1],
  ])(
    "29: event flags %d without event_idx: %d notifications; what is reserved counts as a wish [P0014]",
    (flags, times) => {
      const ring = new Ring();
      const device = ring.device();
      ring.words.setUint16(0x3002, flags, true);
      ring.put(0, first);
      const chain = device.take();
      if (chain !== undefined) device.complete(chain, 0);
      device.flush();
      expect([ring.notifications, ring.broken.length]).toEqual([times, 0]);
    },
  );

  test.each([8, 9, 0x7fff, 0x8008, 0xffff])(
    "30: an event offset of %d past the queue is harmless [P0041]",
    (offset) => {
      const ring = new Ring(8, { eventIdx: true });
      const device = ring.device();
      ring.words.setUint16(0x3000, offset, true);
      ring.words.setUint16(0x3002, 2, true);
      for (let round = 0; round < 24; round++) {
        ring.put(round % 8, round % 16 < 8 ? first : second);
        const chain = device.take();
        if (chain !== undefined) device.complete(chain, 0);
        device.flush();
      }
      expect(ring.used(7).flags).toBe(usedFirst);
      expect(ring.notifications).toBeLessThanOrEqual(3);
      expect(ring.broken).toEqual([]);
    },
  );

  test("19: a descriptor edited while in flight changes nothing [T0051]", () => {
    const ring = new Ring();
    const device = ring.device();
    new Uint8Array(ring.words.buffer).set([1, 2, 3], buffers);
    ring.put(0, first, 6, buffers, 3);
    const chain = device.take();
    ring.put(0, first | WRITE | NEXT | INDIRECT, 0xffff, 2 ** 50, 0xffff_ffff);
    expect([...(chain?.readable.toUint8Array() ?? []), chain?.writableLength]).toEqual([1, 2, 3, 0]);
    if (chain !== undefined) expect(device.complete(chain, 0)).toBe("completed");
    device.flush();
    expect(ring.used(0)).toMatchObject({ id: 6, flags: usedFirst });
    expect(ring.broken).toEqual([]);
  });

  test("20: a buffer that is the queue's own ring: the driver hurts only itself [T0070]", () => {
    const ring = new Ring();
    const device = ring.device();
    ring.put(0, first | WRITE, 2, 0x1000, 8 * 16);
    const chain = device.take();
    // The next descriptor looks available then, and its flags are all set.
    const rubbish = new Uint8Array(8 * 16).fill(0xff).fill(0x7f, 31, 32);
    expect(chain?.writable.write(rubbish)).toBe(8 * 16);
    if (chain !== undefined) expect(device.complete(chain, 8 * 16)).toBe("completed");
    device.flush();
    expect(ring.used(0)).toEqual({ id: 2, length: 8 * 16, flags: usedFirst | WRITE });
    expect(device.take()).toBeUndefined();
    expect(ring.broken).toMatchObject([{ rule: "indirect-not-negotiated", clause: "2.8.19" }]);
  });

  test("21: a descriptor that refers to the ring as its table: WRITE of its entries, and nothing else", () => {
    const ring = new Ring(2, { indirect: true });
    const device = ring.device();
    ring.put(0, first | INDIRECT, 1, 0x1000, 32);
    const chain = device.take();
    // Entry 0 is the descriptor itself: 32 readable bytes of the ring. Entry 1 is empty.
    expect([chain?.readableLength, chain?.writableLength, ring.broken.length]).toEqual([32, 0, 0]);
  });

  test("31: a ring of one descriptor works on every lap [P0016]", () => {
    const ring = new Ring(1);
    const device = ring.device();
    for (let lap = 0; lap < 10; lap++) {
      const odd = lap % 2 === 1;
      ring.put(0, odd ? second : first, lap);
      const chain = device.take();
      expect(device.take()).toBeUndefined();
      if (chain !== undefined) device.complete(chain, 0);
      device.flush();
      expect(ring.used(0)).toEqual({ id: lap, length: 0, flags: odd ? 0 : usedFirst });
    }
  });
});

describe("a hostile device on a packed ring", () => {
  const submit = (ring: ReturnType<Ring["driver"]>) => {
    ring.begin();
    ring.addWritable(buffers, 16);
    const token = ring.end();
    ring.kick();
    return token;
  };
  const expectBroken = (ring: Ring, driver: ReturnType<Ring["driver"]>, rule: RingRule) => {
    expect(driver.poll()).toBe(-1);
    expect(ring.broken).toMatchObject([{ rule, clause: "2.8.22" }]);
    expect([driver.poll(), submit(driver), driver.enableNotifications()]).toEqual([-1, -1, false]);
    expect(ring.broken).toHaveLength(1);
  };

  test.each([8, 0xffff])("32: used id %d out of range", (id) => {
    const ring = new Ring();
    const driver = ring.driver();
    submit(driver);
    ring.put(0, usedFirst, id);
    expectBroken(ring, driver, "used-id-out-of-range");
  });

  test("33: an id that is not in flight, or not published", () => {
    for (const other of ["free", "unpublished"]) {
      const ring = new Ring();
      const driver = ring.driver();
      const token = submit(driver);
      driver.begin();
      driver.addWritable(buffers, 16);
      const unpublished = other === "free" ? token + 2 : driver.end();
      ring.put(0, usedFirst, unpublished);
      expectBroken(ring, driver, "used-id-not-in-flight");
    }
  });

  test("34: the same id twice", () => {
    const ring = new Ring();
    const driver = ring.driver();
    const token = submit(driver);
    submit(driver);
    ring.put(0, usedFirst, token);
    ring.put(1, usedFirst, token);
    expect(driver.poll()).toBe(token);
    expectBroken(ring, driver, "used-id-not-in-flight");
  });

  test("35: a length larger than the writable part is cut and counted", () => {
    const ring = new Ring();
    const driver = ring.driver();
    const token = submit(driver);
    ring.put(0, usedFirst | WRITE, token, 0, 0xffff_ffff);
    expect([driver.poll(), driver.lastWritten, driver.overlongCount]).toEqual([token, 16, 1]);
  });

  test("36: descriptors that look used while nothing is in flight are not looked at", () => {
    const ring = new Ring();
    const driver = ring.driver();
    for (let offset = 0; offset < 8; offset++) ring.put(offset, usedFirst, offset);
    expect([driver.poll(), driver.enableNotifications(), ring.broken.length]).toEqual([-1, false, 0]);
  });

  test("a device that breaks the ring's memory breaks nothing of ours", () => {
    const ring = new Ring();
    const driver = ring.driver();
    const token = submit(driver);
    new Uint8Array(ring.words.buffer, 0x1000, 8 * 16).fill(0xff);
    ring.put(0, usedFirst, token);
    expect([driver.poll(), driver.free]).toEqual([token, 8]);
  });
});

describe("what a notification carries", () => {
  test.each([true, false])("next_off and next_wrap; packed: %s", (packed) => {
    const seen: number[] = [];
    const ring = new Ring(packed ? 3 : 4, { packed });
    const driver = createDriverQueue({ ...ring.options, notifyDevice: (next) => seen.push(next) });
    const device = ring.device();
    for (let count = 0; count < 7; count++) {
      driver.begin();
      driver.addReadable(buffers, 1);
      driver.end();
      driver.kick();
      const chain = device.take();
      if (chain !== undefined) device.complete(chain, 0);
      device.flush();
      driver.poll();
      device.enableNotifications();
    }
    expect(seen).toEqual(packed ? [0x8001, 0x8002, 0, 1, 2, 0x8000, 0x8001] : [1, 2, 3, 4, 5, 6, 7]);
  });
});
