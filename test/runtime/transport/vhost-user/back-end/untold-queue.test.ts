import { describe, expect, it } from "vitest";
import { GuestMemory } from "../../../../../src/runtime/index.js";
import { createDeviceQueue, createDriverQueue } from "../../../../../src/runtime/ring/index.js";
import { UntoldQueue } from "../../../../../src/runtime/transport/vhost-user/back-end/untold-queue.js";

const addresses = { size: 8, descriptor: 0, driver: 0x400, device: 0x800 };
const ring = { packed: false, indirect: false, inOrder: false };

/** A device that takes the driver for one with EVENT_IDX, and a driver that may be one. */
function pair(eventIdx: boolean) {
  const memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(0x2000) }]);
  const onBroken = (error: Error): void => {
    throw error;
  };
  let kicks = 0;
  let calls = 0;
  let heard = 0;
  const driver = createDriverQueue({
    index: 0,
    memory,
    addresses,
    features: { ...ring, eventIdx },
    onBroken,
    notifyDevice: () => (kicks += 1),
  });
  const device = createDeviceQueue({
    index: 0,
    memory,
    addresses,
    features: { ...ring, eventIdx: true },
    onBroken,
    notifyDriver: () => (heard += 1),
  });
  const queue = new UntoldQueue(device, () => (calls += 1));
  const submit = (): void => {
    driver.begin();
    driver.addWritable(0x1000, 16);
    driver.end();
    driver.kick();
  };
  return { driver, queue, submit, count: () => ({ kicks, calls, heard }) };
}

describe.each([true, false])("a ring whose driver has EVENT_IDX: %s, and nobody said so", (eventIdx) => {
  it("is kicked when there is something, and told of all that was used, over several laps", () => {
    const { driver, queue, submit, count } = pair(eventIdx);
    queue.enableNotifications();
    for (let round = 1; round <= 40; round++) {
      submit();
      // The device waits for it, so it has to be told.
      expect(count().kicks).toBe(round);
      const chain = queue.take();
      if (chain === undefined) throw new Error("there is no buffer");
      expect(queue.take()).toBeUndefined();
      queue.complete(chain, 3);
      queue.flush();
      // Whatever the driver has written where its event index would be.
      expect(count()).toEqual({ kicks: round, calls: round, heard: 0 });
      expect(driver.poll()).toBeGreaterThanOrEqual(0);
      expect(driver.lastWritten).toBe(3);
    }
  });

  it("is not told of nothing, and once of several buffers", () => {
    const { queue, submit, count } = pair(eventIdx);
    queue.enableNotifications();
    queue.flush();
    for (let buffers = 0; buffers < 3; buffers++) submit();
    for (let chain = queue.take(); chain !== undefined; chain = queue.take()) queue.complete(chain, 0);
    queue.flush();
    queue.flush();
    expect(count().calls).toBe(1);
  });
});
