import { expect, it } from "vitest";
import { GuestMemory } from "../../../../../src/runtime/index.js";
import { PackedInflight } from "../../../../../src/runtime/transport/vhost-user/back-end/packed-inflight.js";

const SIZE = 4;
const addresses = { size: SIZE, descriptor: 0, driver: 256, device: 260 };
const start = { available: 0, used: 0, availableWrap: 1, usedWrap: 1 } as const;
const [AVAIL, USED, WRITE] = [0x80, 0x8000, 2];

/** A full ring of single buffers: the device has used one of them, and is gone before it has written down that this is published. */
function crashed() {
  const bytes = new Uint8Array(4096);
  const memory = new GuestMemory([{ start: 0, bytes }]);
  const ring = new DataView(bytes.buffer);
  const put = (slot: number, id: number, flags: number): void => {
    ring.setBigUint64(16 * slot, BigInt(1024 + 16 * id), true);
    ring.setUint32(16 * slot + 8, 16, true);
    ring.setUint16(16 * slot + 12, id, true);
    ring.setUint16(16 * slot + 14, flags, true);
  };
  for (let slot = 0; slot < SIZE; slot++) put(slot, slot, AVAIL | WRITE);
  const region = new DataView(new ArrayBuffer(32 + 32 * SIZE));
  const lost = new PackedInflight(region, memory, addresses, start);
  for (let slot = 0; slot < SIZE; slot++) lost.taken({ slot, id: slot, entries: 1 });
  lost.used(2, 2, 1);
  lost.publishing();
  const next = (): PackedInflight => new PackedInflight(region, memory, addresses, start);
  return { put, next };
}
const ids = ({ resubmit }: PackedInflight): number[] => resubmit.map(({ id }) => id);

it("takes all of a batch again that was not published", () => {
  const next = crashed().next();
  expect(ids(next)).toEqual([0, 1, 2, 3]);
  expect(next.position).toEqual({ available: 0, availableWrap: 0, used: 0, usedWrap: 1 });
});

it("takes nothing again that was published", () => {
  const { put, next } = crashed();
  put(0, 2, AVAIL | USED);
  expect(ids(next())).toEqual([0, 1, 3]);
});

it("takes nothing again that was published, although the driver has filled the ring anew since", () => {
  const { put, next } = crashed();
  // The next lap.
  put(0, 2, USED | WRITE);
  const found = next();
  expect(ids(found)).toEqual([0, 1, 3]);
  expect(found.position).toEqual({ available: 0, availableWrap: 0, used: 1, usedWrap: 1 });
});

it("refuses buffers that a ring cannot have at once, before it looks at any", () => {
  const size = 32768;
  const region = new DataView(new ArrayBuffer(32 + 32 * size));
  const memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(16 * size) }]);
  const ring = { size, descriptor: 0, driver: 0, device: 0 };
  new PackedInflight(region, memory, ring, start);
  const hostile = (count: number, flags: number, buffers: number): (() => PackedInflight) => {
    for (let index = 0; index < size; index++) {
      region.setUint8(32 + 32 * index, index < buffers ? 1 : 0);
      region.setUint16(32 + 32 * index + 6, count, true);
      region.setUint16(32 + 32 * index + 18, flags, true);
      region.setUint32(32 + 32 * index + 20, 16, true);
    }
    return () => new PackedInflight(region, memory, ring, start);
  };
  const refused = expect.objectContaining({ rule: "inflight-size" }) as unknown;
  expect(hostile(size, 0, size)).toThrow(refused);
  expect(hostile(2, 0, size / 2 + 1)).toThrow(refused);
  expect(hostile(0, 0, 1)).toThrow(refused);
  expect(hostile(size, 4, 1)).toThrow(refused);
  expect(hostile(1, 0, size)().resubmit).toHaveLength(size);
});
