import { describe, expect, test } from "vitest";
import {
  createDeviceQueue,
  createDriverQueue,
  type DeviceQueueOptions,
  type QueuePosition,
} from "../../../src/runtime/ring/index.js";
import { buffers, plain, sharedMemory } from "./ring-rig.js";

const formats = ["split", "packed"].flatMap((format) =>
  [false, true].map((inOrder) => ({ format, inOrder, packed: format === "packed" })),
);

/** A driver, and devices that come and go on the same ring. */
function rig(packed: boolean, inOrder: boolean, start?: QueuePosition) {
  const common = {
    index: 0,
    memory: sharedMemory(),
    addresses: { size: 8, descriptor: 0x1000, driver: 0x3000, device: 0x4000 },
    features: { ...plain, packed, inOrder, eventIdx: true },
    onBroken: (error: Error) => {
      throw error;
    },
    ...(start === undefined ? {} : { start }),
  };
  const driver = createDriverQueue({ ...common, notifyDevice: () => undefined });
  const device = (more: Partial<DeviceQueueOptions> = {}) =>
    createDeviceQueue({ ...common, notifyDriver: () => undefined, ...more });
  const submit = (segments = 1) => {
    driver.begin();
    for (let segment = 0; segment < segments; segment++) driver.addWritable(buffers + 64 * segment, 8);
    const token = driver.end();
    driver.kick();
    return token;
  };
  return { memory: common.memory, driver, device, submit };
}

describe.each(formats)("$format, in order: $inOrder", ({ packed, inOrder }) => {
  test("a buffer keeps its addresses when the memory it was found in has been replaced", () => {
    const { memory, device, submit } = rig(packed, inOrder);
    submit(2);
    const queue = device();
    queue.take();
    const before = queue.inFlight();
    memory.replace(memory.regions.map(({ start, bytes }) => ({ start, bytes: bytes.slice() })));
    expect(queue.inFlight()).toEqual(before);
    expect(before[0]?.segments?.[0]?.address).toBe(buffers);
  });

  test("what was in flight is taken again once each, and comes back once each, on every lap", () => {
    const { driver, device, submit } = rig(packed, inOrder);
    let queue = device();
    for (let round = 0; round < 40; round++) {
      const tokens = [submit(2), submit(1), submit(3)].sort();
      const chains = [queue.take(), queue.take()];
      const [first, second] = chains;
      // The second is complete already, so that in packed rings it may stand where the first one was.
      if (second !== undefined) queue.complete(second, 8);
      queue.flush();
      const { position } = queue;
      const resubmit = JSON.parse(JSON.stringify(queue.inFlight())) as ReturnType<typeof queue.inFlight>;
      queue.dispose();
      if (first !== undefined) expect(queue.complete(first, 0)).toBe("stale");
      queue = device({ start: position, resubmit });
      expect(queue.position).toEqual(position);
      const again = queue.take();
      const third = queue.take();
      expect([again?.writableLength, third?.writableLength, queue.take()]).toEqual([16, 24, undefined]);
      for (const chain of [third, again]) if (chain !== undefined) queue.complete(chain, chain.writableLength);
      queue.flush();
      const back = [driver.poll(), driver.poll(), driver.poll()].sort();
      expect(back).toEqual(tokens);
      expect([driver.poll(), driver.free, driver.inFlight()]).toEqual([-1, 8, []]);
    }
  });

  test("both sides start in the middle", () => {
    const start: QueuePosition = packed
      ? { available: 6, used: 6, availableWrap: 0, usedWrap: 0 }
      : { available: 0xfffe, used: 0xfffe, availableWrap: 1, usedWrap: 1 };
    const { driver, device, submit } = rig(packed, false, start);
    const queue = device();
    expect([driver.position, queue.position]).toEqual([start, start]);
    for (let round = 0; round < 50; round++) {
      expect(queue.take()).toBeUndefined();
      const token = submit(1 + (round % 3));
      const chain = queue.take();
      if (chain !== undefined) queue.complete(chain, 8);
      queue.flush();
      expect([driver.poll(), driver.lastWritten, driver.poll()]).toEqual([token, 8, -1]);
    }
  });

  test("what is lost stays unanswered, and the ring goes on without it, except in order", () => {
    const { driver, device, submit } = rig(packed, inOrder);
    const before = device();
    const lost = submit(2);
    before.take();
    const start = before.position;
    before.dispose();
    if (inOrder) {
      expect(() => device({ start })).toThrow(expect.objectContaining({ rule: "resubmit" }));
      return;
    }
    const queue = device({ start });
    for (let round = 0; round < 40; round++) {
      const token = submit(2);
      const chain = queue.take();
      if (chain === undefined) throw new Error("it was not taken");
      queue.complete(chain, 8);
      queue.flush();
      expect([driver.poll(), driver.poll()]).toEqual([token, -1]);
      expect(token).not.toBe(lost);
    }
    expect(queue.broken).toBeUndefined();
  });

  test("positions and chains that cannot be are refused", () => {
    const { device } = rig(packed, inOrder);
    const at = (available: number, used: number) =>
      ({ available, used, availableWrap: 1, usedWrap: 1 }) satisfies QueuePosition;
    for (const start of [at(-1, 0), at(0.5, 0), at(9, 0), at(0, packed ? 1 : 0xfff0), at(NaN, 0), at(0x1_0000, 0)]) {
      expect(() => device({ start })).toThrow(expect.objectContaining({ rule: "position" }));
    }
    const segments = [{ address: buffers, length: 1, writable: true }];
    for (const resubmit of [
      [{ id: -1, entries: 1, segments }],
      [{ id: 0x1_0000, entries: 1, segments }],
      [{ id: 0, entries: 0, segments }],
      [{ id: 0, entries: 9, segments }],
      [
        { id: 1, entries: 1, segments },
        { id: 1, entries: 1, segments },
      ],
    ]) {
      expect(() => device({ start: at(2, 0), resubmit })).toThrow(expect.objectContaining({ rule: "resubmit" }));
    }
  });

  test("a device that polls is never notified, and asks again when it stops to", () => {
    const { driver, device, submit } = rig(packed, inOrder);
    const queue = device();
    queue.disableNotifications();
    for (let round = 0; round < 20; round++) {
      expect(queue.take()).toBeUndefined();
      submit();
      const chain = queue.take();
      if (chain !== undefined) queue.complete(chain, 0);
      queue.publish();
      expect(driver.poll()).toBeGreaterThanOrEqual(0);
    }
    expect(queue.enableNotifications()).toBe(false);
    submit();
    expect(queue.enableNotifications()).toBe(true);
  });
});
