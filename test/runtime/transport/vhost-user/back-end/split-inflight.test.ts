import { expect, it } from "vitest";
import type { DeviceChain } from "../../../../../src/runtime/ring/index.js";
import { SplitInflight } from "../../../../../src/runtime/transport/vhost-user/back-end/split-inflight.js";

const SIZE = 64;
const VERSION = 8;
const chain = (id: number): DeviceChain => ({ id, slot: id, entries: 1 }) as DeviceChain;
const at = (used: number) => ({ available: used, used, availableWrap: 1, usedWrap: 1 }) as const;

it("goes on behind what is in flight, whatever the front end says", () => {
  const region = new DataView(new ArrayBuffer(16 + 16 * SIZE));
  const lost = new SplitInflight(region, SIZE, at(0));
  for (const id of [40, 3, 7]) lost.taken(chain(id));
  lost.used(3, 3);
  lost.published();
  const next = new SplitInflight(region, SIZE, { ...at(1), available: 2 });
  expect(next.resubmit.map(({ id }) => id)).toEqual([40, 7]);
  expect(next.position).toMatchObject({ available: 3, used: 1 });
});

it("has nothing of an earlier driver in it, once that was forgotten", () => {
  const region = new DataView(new ArrayBuffer(16 + 16 * SIZE));
  new SplitInflight(region, SIZE, at(0)).taken(chain(40));
  region.setUint16(VERSION, 0, true);
  new SplitInflight(region, SIZE, at(0)).taken(chain(5));
  const next = new SplitInflight(region, SIZE, at(0));
  expect(next.resubmit.map(({ id }) => id)).toEqual([5]);
  expect(next.position).toMatchObject({ available: 1, used: 0 });
});
