import { describe, expect, it } from "vitest";
import type { DeviceChain } from "../../../../../src/runtime/index.js";
import { InOrderInflight } from "../../../../../src/runtime/transport/vhost-user/back-end/in-order-inflight.js";
import type { InflightTracker } from "../../../../../src/runtime/transport/vhost-user/back-end/inflight-region.js";

function chainOf(slot: number, id: number, entries: number): DeviceChain {
  const none = (): never => {
    throw new Error("nothing of a chain but its numbers is looked at");
  };
  return {
    slot, id, entries, readableLength: 0, writableLength: 0, live: true,
    get readable() { return none(); }, get writable() { return none(); },
    copyHead: none, setLastByte: none, save: none, locations: none,
  }; // prettier-ignore
}

describe("an account of what is in flight in order", () => {
  const position = { available: 0, used: 0, availableWrap: 1, usedWrap: 1 } as const;
  const calls: string[] = [];
  const account: InflightTracker = {
    position,
    resubmit: [],
    taken: ({ id }) => void calls.push(`taken ${id}`),
    used: (slot, id, entries) => void calls.push(`used ${slot} ${id} ${entries}`),
    publishing: () => void calls.push("publishing"),
    published: () => void calls.push("published"),
    clear: () => void calls.push("clear"),
  };
  const news = (): string[] => calls.splice(0);

  it("says that a buffer is used when all before it are, and once", () => {
    const inOrder = new InOrderInflight(account, 4);
    expect(inOrder.position).toBe(position);
    // Slots in any order, and more rounds than there is room for.
    for (let round = 0; round < 5; round++) {
      const slots = [2, 0, 3];
      for (const slot of slots) inOrder.taken(chainOf(slot, 10 * round + slot, slot + 1));
      expect(news()).toEqual(slots.map((slot) => `taken ${10 * round + slot}`));
      inOrder.used(3);
      inOrder.used(0);
      inOrder.publishing();
      inOrder.published();
      expect(news()).toEqual(["publishing", "published"]);
      inOrder.used(2);
      expect(news()).toEqual(slots.map((slot) => `used ${slot} ${10 * round + slot} ${slot + 1}`));
    }
  });

  it("forgets what it waits for", () => {
    const inOrder = new InOrderInflight(account, 4);
    inOrder.taken(chainOf(1, 1, 1));
    inOrder.taken(chainOf(2, 2, 1));
    inOrder.used(2);
    inOrder.clear();
    inOrder.taken(chainOf(3, 3, 1));
    inOrder.used(3);
    expect(news()).toEqual(["taken 1", "taken 2", "clear", "taken 3", "used 3 3 1"]);
  });
});
