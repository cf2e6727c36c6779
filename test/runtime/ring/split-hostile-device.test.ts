import { beforeEach, expect, test } from "vitest";
import type { RingRule } from "../../../src/runtime/ring/index.js";
import { buffers, DriverRig } from "./ring-rig.js";

/**
 * The inputs 32 to 36 of a hostile device. Verdict: the queue is broken with the rule named here, `onBroken` is called
 * once, and nothing happens any more; except 35, where the length is cut to what the device may have written.
 */
let rig: DriverRig;
beforeEach(() => (rig = new DriverRig()));

function expectBroken(rule: RingRule): void {
  const free = rig.queue.free;
  expect(rig.queue.poll()).toBe(-1);
  expect(rig.broken).toMatchObject([{ rule, clause: "2.7.8", queue: 3 }]);
  expect(rig.queue.broken).toBe(rig.broken[0]);
  expect(rig.queue.free).toBe(free);
  const { notifications } = rig;
  const index = rig.availableIndex;
  expect(rig.submit()).toBe(-1);
  expect(rig.queue.poll()).toBe(-1);
  expect(rig.queue.enableNotifications()).toBe(false);
  rig.queue.disableNotifications();
  expect(rig.broken).toHaveLength(1);
  expect(rig.notifications).toBe(notifications);
  expect(rig.availableIndex).toBe(index);
  expect(rig.availableFlags).toBe(0);
}

test.each([8, 0x1_0000, 0xffff_ffff])("32: used id %d out of range", (id) => {
  rig.submit();
  rig.use(0, { id, length: 0 });
  expectBroken("used-id-out-of-range");
});

test("33: a used id that is in the middle of a buffer", () => {
  rig.queue.begin();
  rig.queue.addReadable(buffers, 1);
  rig.queue.addReadable(buffers, 1);
  rig.queue.addWritable(buffers, 1);
  const head = rig.queue.end();
  rig.queue.kick();
  rig.use(0, { id: (head + 1) % 8, length: 0 });
  expectBroken("used-id-not-a-head");
});

test("33: a used id that is a free descriptor", () => {
  const token = rig.submit();
  rig.use(0, { id: (token + 1) % 8, length: 0 });
  expectBroken("used-id-not-in-flight");
});

test("33: what the device does to the descriptor table is not looked at", () => {
  const token = rig.submit();
  rig.bytes(rig.addresses.descriptor, 8 * 16).fill(0xff);
  rig.use(0, { id: token, length: 0 });
  expect(rig.queue.poll()).toBe(token);
  expect(rig.queue.free).toBe(8);
  const tokens = new Set(Array.from({ length: 8 }, () => rig.submit()));
  expect(tokens.size).toBe(8);
});

test("34: the same used id twice", () => {
  const first = rig.submit();
  rig.submit();
  rig.use(0, { id: first, length: 0 }, { id: first, length: 0 });
  expect(rig.queue.poll()).toBe(first);
  expectBroken("used-id-not-in-flight");
});

test.each([17, 0xffff_ffff])("35: a used length of %d for 16 writable bytes is cut and counted", (length) => {
  const token = rig.submit(16);
  rig.use(0, { id: token, length });
  expect(rig.queue.poll()).toBe(token);
  expect(rig.queue.lastWritten).toBe(16);
  expect(rig.queue.overlongCount).toBe(1);
  expect(rig.broken).toHaveLength(0);
});

test("35: a length for a buffer without writable bytes is cut to 0", () => {
  rig.queue.begin();
  rig.queue.addReadable(buffers, 100);
  const token = rig.queue.end();
  rig.queue.kick();
  rig.use(0, { id: token, length: 100 });
  expect(rig.queue.poll()).toBe(token);
  expect(rig.queue.lastWritten).toBe(0);
  expect(rig.queue.overlongCount).toBe(1);
});

test("35: lengths up to the writable part are taken as they are", () => {
  for (const [index, length] of [0, 1, 16].entries()) {
    const token = rig.submit(16);
    rig.use(index, { id: token, length });
    expect(rig.queue.poll()).toBe(token);
    expect(rig.queue.lastWritten).toBe(length);
  }
  expect(rig.queue.overlongCount).toBe(0);
});

test.each([3, 8, 9, 0x8000, 0xffff])("36: used.idx jumps to %d with 2 buffers in flight", (index) => {
  rig.submit();
  rig.submit();
  rig.usedIndex = index;
  expectBroken("used-index-jump");
});

test("36: used.idx moves with nothing in flight", () => {
  rig.usedIndex = 1;
  expectBroken("used-index-jump");
});

test("36: a buffer that was not published yet cannot be used", () => {
  rig.queue.begin();
  rig.queue.addWritable(buffers, 4);
  const token = rig.queue.end();
  rig.use(0, { id: token, length: 0 });
  expect(rig.queue.poll()).toBe(-1);
  expect(rig.broken).toMatchObject([{ rule: "used-index-jump" }]);
});
