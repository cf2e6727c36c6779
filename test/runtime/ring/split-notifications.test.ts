import { describe, expect, test } from "vitest";
import { passedEvent } from "../../../src/runtime/ring/event-index.js";
import { buffers, DeviceRig, DriverRig, PairRig, random } from "./ring-rig.js";

test("passedEvent agrees with walking from one index to the other", () => {
  const next = random(1);
  for (let round = 0; round < 2000; round++) {
    const before = next(0x1_0000);
    const steps = next(300);
    const event = (before - 150 + next(600)) & 0xffff;
    let passed = false;
    for (let step = 0; step < steps; step++) passed ||= ((before + step) & 0xffff) === event;
    expect(passedEvent(event, (before + steps) & 0xffff, before)).toBe(passed);
  }
});

describe("the driver notifies the device", () => {
  test.each([
    [0, 1],
    [1, 0],
  ])("without event_idx: with flags %d, %d times", (flags, times) => {
    const rig = new DriverRig();
    rig.usedFlags = flags;
    rig.availEvent = 0x1234;
    rig.submit();
    expect(rig.notifications).toBe(times);
  });

  test("with event_idx: when the entry asked for is published, whatever the flags say", () => {
    const rig = new DriverRig({ features: { eventIdx: true } });
    rig.usedFlags = 1;
    rig.availEvent = 2;
    rig.submit();
    rig.submit();
    expect(rig.notifications).toBe(0);
    rig.submit();
    expect(rig.notifications).toBe(1);
    rig.submit();
    expect(rig.notifications).toBe(1);
  });

  test("with event_idx: also from within a batch", () => {
    const rig = new DriverRig({ features: { eventIdx: true } });
    rig.availEvent = 1;
    for (let count = 0; count < 3; count++) {
      rig.queue.begin();
      rig.queue.addReadable(buffers, 1);
      rig.queue.end();
    }
    rig.queue.kick();
    expect(rig.notifications).toBe(1);
  });
});

describe("the device notifies the driver", () => {
  const serve = (rig: DeviceRig, from: number, count: number) => {
    for (let index = 0; index < count; index++) {
      rig.offer(from + index, 0);
      const chain = rig.queue.take();
      if (chain !== undefined) rig.queue.complete(chain, 0);
    }
    rig.queue.flush();
  };

  test.each([
    [0, 1],
    [1, 0],
  ])("without event_idx: with flags %d, %d times", (flags, times) => {
    const rig = new DeviceRig();
    rig.descriptor(0, { address: buffers, length: 1 });
    rig.availableFlags = flags;
    rig.usedEvent = 0x1234;
    serve(rig, 0, 1);
    expect(rig.notifications).toBe(times);
  });

  test("with event_idx: when the entry asked for is published, whatever the flags say", () => {
    const rig = new DeviceRig({ features: { eventIdx: true } });
    rig.descriptor(0, { address: buffers, length: 1 });
    rig.availableFlags = 1;
    rig.usedEvent = 2;
    serve(rig, 0, 2);
    expect(rig.notifications).toBe(0);
    serve(rig, 2, 3);
    expect(rig.notifications).toBe(1);
    serve(rig, 5, 1);
    expect(rig.notifications).toBe(1);
  });

  test("a flush without completions does nothing", () => {
    const rig = new DeviceRig();
    rig.queue.flush();
    expect([rig.notifications, rig.usedIndex]).toEqual([0, 0]);
  });
});

describe("asking for notifications", () => {
  test("the device asks when it has taken everything, and not before", () => {
    const rig = new PairRig({ features: { eventIdx: true } });
    rig.submit();
    rig.submit();
    expect(rig.notifications).toBe(1);
    rig.device.take();
    expect(rig.availEvent).toBe(0);
    rig.device.take();
    expect(rig.device.take()).toBeUndefined();
    expect(rig.availEvent).toBe(2);
    expect(rig.usedFlags).toBe(0);
    rig.submit();
    expect(rig.notifications).toBe(2);
  });

  test("without event_idx it turns notifications off while it takes", () => {
    const rig = new PairRig();
    rig.submit();
    rig.device.take();
    expect(rig.usedFlags).toBe(1);
    rig.submit();
    expect(rig.notifications).toBe(1);
    rig.device.take();
    expect(rig.device.take()).toBeUndefined();
    expect(rig.usedFlags).toBe(0);
    rig.submit();
    expect(rig.notifications).toBe(2);
  });

  test("a device that never looked is notified about the first buffer", () => {
    for (const eventIdx of [false, true]) {
      const rig = new PairRig({ features: { eventIdx } });
      rig.submit();
      expect(rig.notifications).toBe(1);
    }
  });

  test("the driver learns what was used before it asked", () => {
    for (const eventIdx of [false, true]) {
      const rig = new PairRig({ features: { eventIdx } });
      rig.queue.disableNotifications();
      rig.submit();
      const chain = rig.device.take();
      if (chain !== undefined) rig.device.complete(chain, 0);
      rig.device.flush();
      expect(rig.deviceNotifications).toBe(0);
      expect(rig.queue.enableNotifications()).toBe(true);
      rig.queue.poll();
      expect(rig.queue.enableNotifications()).toBe(false);
    }
  });
});

/**
 * Both sides sleep when they have nothing to do and wake up only when they are notified. Whatever the order of steps
 * and the size of the batches, all buffers get through: a notification that is lost would leave both asleep.
 */
describe.each([
  { packed: false, eventIdx: true, size: 8 },
  { packed: false, eventIdx: false, size: 8 },
  { packed: false, eventIdx: true, size: 1 },
  { packed: false, eventIdx: true, size: 256, inOrder: true },
  { packed: true, eventIdx: true, size: 8 },
  { packed: true, eventIdx: false, size: 8 },
  { packed: true, eventIdx: true, size: 1 },
  { packed: true, eventIdx: true, size: 3 },
  { packed: true, eventIdx: true, size: 251, inOrder: true },
])("no notification is lost: %o", ({ packed, eventIdx, size, inOrder = false }) => {
  test.each([1, 2, 3])("seed %d", (seed) => {
    const below = random(seed * 7919 + size);
    const rig = new PairRig({ size, features: { packed, eventIdx, inOrder } });
    // The first run goes across the wrap of the indexes.
    const total = seed === 1 ? 70_000 : 10_000;
    let submitted = 0;
    let returned = 0;
    let notificationsSeen = 0;
    let deviceNotificationsSeen = 0;
    const driver = { awake: true };
    const device = { awake: true };
    const held: ReturnType<typeof rig.device.take>[] = [];

    const stepDriver = () => {
      if (below(2) === 0) rig.queue.disableNotifications();
      for (let batch = 1 + below(size * 2); batch > 0 && submitted < total; batch--) {
        rig.queue.begin();
        rig.queue.addWritable(buffers, 4);
        if (rig.queue.end() < 0) break;
        submitted++;
      }
      rig.queue.kick();
      for (let most = below(2 * size); most > 0 && rig.queue.poll() >= 0; most--) returned++;
      if (below(3) > 0) return;
      // Nothing else to do: polls until empty, asks to be notified, and sleeps.
      do {
        while (rig.queue.poll() >= 0) returned++;
      } while (rig.queue.enableNotifications());
      driver.awake = rig.queue.free > 0 && submitted < total;
    };
    const stepDevice = () => {
      let idle = false;
      for (let most = 1 + below(size); most > 0; most--) {
        const chain = rig.device.take();
        idle = chain === undefined;
        if (idle) break;
        held.push(chain);
      }
      for (let most = below(held.length + 1) + (idle ? held.length : 0); most > 0 && held.length > 0; most--) {
        const [chain] = held.splice(below(held.length), 1);
        if (chain !== undefined) rig.device.complete(chain, 4);
      }
      rig.device.flush();
      if (idle && held.length === 0) device.awake = false;
    };

    while (returned < total) {
      if (rig.notifications !== notificationsSeen) device.awake = true;
      if (rig.deviceNotifications !== deviceNotificationsSeen) driver.awake = true;
      notificationsSeen = rig.notifications;
      deviceNotificationsSeen = rig.deviceNotifications;
      if (!driver.awake && !device.awake) break;
      if (driver.awake && (!device.awake || below(2) === 0)) stepDriver();
      else stepDevice();
    }
    expect(rig.broken.concat(rig.deviceBroken)).toEqual([]);
    expect([submitted, returned, rig.queue.free]).toEqual([total, total, size]);
    // Suppression works: far fewer notifications than buffers, where there can be batches.
    if (size > 1) expect(rig.notifications).toBeLessThan(total);
  });
});
