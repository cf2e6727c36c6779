import { expect, test } from "vitest";
import { DriverRig } from "./ring-rig.js";

/** The inputs 32 to 36 with VIRTIO_F_IN_ORDER, where one used entry stands for a batch. */
const inOrder = (packed: boolean) => new DriverRig({ features: { inOrder: true, packed } });

/** Marks a descriptor of a packed ring as used on the first lap. */
function useFirstLap(rig: DriverRig, offset: number, id: number): void {
  const at = rig.addresses.descriptor + 16 * offset;
  rig.setU16(at + 12, id);
  rig.setU16(at + 14, 0x8080);
}

test("36: in order, the entry names a buffer further on than the index: what is covered comes back, then it breaks", () => {
  const rig = inOrder(false);
  const tokens = [rig.submit(), rig.submit(), rig.submit()];
  rig.use(0, { id: tokens[2] ?? 0, length: 16 });
  rig.usedIndex = 2;
  expect(rig.queue.poll()).toBe(tokens[0]);
  expect(rig.queue.poll()).toBe(-1);
  expect(rig.broken).toMatchObject([{ rule: "used-batch-too-long", clause: "2.7.9" }]);
  expect([rig.queue.poll(), rig.submit(), rig.queue.enableNotifications()]).toEqual([-1, -1, false]);
  expect(rig.broken).toHaveLength(1);
});

test.each([false, true])("32: in order, id out of range; packed: %s", (packed) => {
  const rig = inOrder(packed);
  rig.submit();
  if (packed) useFirstLap(rig, 0, 8);
  else rig.use(0, { id: 8, length: 0 });
  expect(rig.queue.poll()).toBe(-1);
  expect(rig.broken).toMatchObject([{ rule: "used-id-out-of-range" }]);
});

test.each([false, true])("33, 34: in order, an id that came back already; packed: %s", (packed) => {
  const rig = inOrder(packed);
  const [one, two] = [rig.submit(), rig.submit()];
  if (packed) {
    useFirstLap(rig, 0, one);
    useFirstLap(rig, 1, one);
  } else {
    rig.use(0, { id: one, length: 0 }, { id: one, length: 0 });
  }
  expect(rig.queue.poll()).toBe(one);
  expect(rig.queue.poll()).toBe(-1);
  expect(rig.broken).toMatchObject([{ rule: "used-id-not-in-flight" }]);
  expect(rig.queue.inFlight()).toEqual([two]);
});

test("35: in order, a length larger than the writable part is cut and counted", () => {
  const rig = inOrder(false);
  const tokens = [rig.submit(16), rig.submit(8)];
  rig.use(0, { id: tokens[1] ?? 0, length: 99 });
  rig.usedIndex = 2;
  expect([rig.queue.poll(), rig.queue.lastWritten]).toEqual([tokens[0], 16]);
  expect([rig.queue.poll(), rig.queue.lastWritten, rig.queue.overlongCount]).toEqual([tokens[1], 8, 1]);
});
