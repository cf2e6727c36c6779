import { expect, test } from "vitest";
import { DriverRig } from "./ring-rig.js";

/** The inputs 32 to 36 with VIRTIO_F_IN_ORDER, where one used entry stands for a batch. */
const inOrder = (packed: boolean) => new DriverRig({ features: { inOrder: true, packed } });

/** Marks a descriptor of a packed ring as used on the first lap. */
function useFirstLap(rig: DriverRig, offset: number, id: number, length = 0): void {
  const at = rig.addresses.descriptor + 16 * offset;
  rig.setU16(at + 8, length);
  rig.setU16(at + 10, 0);
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

test("36: in order, packed: what is beyond the buffers in flight is not looked at, and cannot be named", () => {
  const rig = inOrder(true);
  const tokens = [rig.submit(), rig.submit(), rig.submit()];
  useFirstLap(rig, 0, tokens[2] ?? 0);
  // There is no index that could jump: these look used, and nobody has made them available.
  for (const offset of [3, 4, 5]) useFirstLap(rig, offset, offset);
  expect([rig.queue.poll(), rig.queue.poll(), rig.queue.poll(), rig.queue.poll()]).toEqual([...tokens, -1]);
  expect(rig.broken).toEqual([]);
  // The next buffer is in flight, the one behind it is not published: a batch up to that one cannot be.
  const next = rig.submit();
  rig.queue.begin();
  rig.queue.addWritable(0x1000, 16);
  const unpublished = rig.queue.end();
  expect([next, unpublished]).toEqual([3, 4]);
  useFirstLap(rig, 3, unpublished);
  expect([rig.queue.poll(), rig.queue.poll(), rig.submit()]).toEqual([-1, -1, -1]);
  expect(rig.broken).toMatchObject([{ rule: "used-id-not-in-flight" }]);
});

test.each([false, true])(
  "35: in order, a length larger than the writable part is cut and counted; packed: %s",
  (packed) => {
    const rig = inOrder(packed);
    const tokens = [rig.submit(16), rig.submit(8)];
    if (packed) useFirstLap(rig, 0, tokens[1] ?? 0, 99);
    else {
      rig.use(0, { id: tokens[1] ?? 0, length: 99 });
      rig.usedIndex = 2;
    }
    expect([rig.queue.poll(), rig.queue.lastWritten]).toEqual([tokens[0], 16]);
    expect([rig.queue.poll(), rig.queue.lastWritten, rig.queue.overlongCount]).toEqual([tokens[1], 8, 1]);
  },
);
