import { expect } from "vitest";
import { ringErrorRules, type RingRule } from "../../../src/runtime/ring/index.js";
import { buffers, type DeviceRig } from "./ring-rig.js";

/**
 * The inputs 1 to 22 of a hostile driver on a split ring. The verdict is the same for all that are malformed: the queue
 * is broken with the rule named here, `onBroken` is called once, nothing is taken any more, what was in flight is stale,
 * and guest memory is not written.
 */
export function expectBroken(rig: DeviceRig, rule: RingRule, clause: string): void {
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
