import { describe, expect, it } from "vitest";
import { QueueNotifier } from "../../../../src/runtime/transport/bus/queue-notifier.js";

function setup() {
  const written: [place: number, value: number][] = [];
  const errors: string[] = [];
  let failure: Error | undefined;
  const notifier = new QueueNotifier(
    (place, value) => {
      written.push([place, value]);
      return failure === undefined ? undefined : Promise.reject(failure);
    },
    (error) => errors.push(error.message),
  );
  return { notifier, written, errors, fail: (error: Error) => (failure = error) };
}

describe("QueueNotifier", () => {
  it("writes the queue's number where the queue is notified, and nothing for one that is not in use", () => {
    const { notifier, written } = setup();
    notifier.notify(3, 7);
    notifier.add(3, 0x50, 3);
    notifier.add(1, 0x54, 0x4242);
    notifier.notify(3, 7);
    notifier.notify(1, 0xffff);
    expect(written).toEqual([
      [0x50, 3],
      [0x54, 0x4242],
    ]);
    expect([notifier.has(3), notifier.has(2), [...notifier.indexes()]]).toEqual([true, false, [3, 1]]);
    notifier.delete(3);
    notifier.notify(3, 8);
    notifier.clear();
    notifier.notify(1, 8);
    expect(written).toHaveLength(2);
  });

  it("has how far the driver is in the upper half with NOTIFICATION_DATA, up to all 32 bits", () => {
    const { notifier, written } = setup();
    notifier.hasData = true;
    notifier.add(3, 0, 3);
    notifier.notify(3, 0x8005);
    notifier.notify(3, 0xffff);
    expect(written.map(([, value]) => value)).toEqual([0x8005_0003, 0xffff_0003]);
  });

  it("nudges with what was told last, and looks for used buffers, of each queue in use", () => {
    const { notifier, written } = setup();
    notifier.hasData = true;
    notifier.add(0, 0, 0);
    notifier.add(1, 4, 1);
    notifier.notify(1, 9);
    const used: number[] = [];
    notifier.nudge((index) => used.push(index));
    expect(written).toEqual([
      [4, 0x9_0001],
      [0, 0],
      [4, 0x9_0001],
    ]);
    expect(used).toEqual([0, 1]);
  });

  it("tells of a write that fails", async () => {
    const { notifier, errors, fail } = setup();
    notifier.add(0, 0, 0);
    fail(new Error("the bus is gone"));
    notifier.notify(0, 0);
    await Promise.resolve();
    await Promise.resolve();
    expect(errors).toEqual(["the bus is gone"]);
  });
});
