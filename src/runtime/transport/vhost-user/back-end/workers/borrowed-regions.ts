import { GuestMemory } from "../../../../memory/index.js";
import type { RingMemory } from "../vring.js";
import type { LentBytes, LentRegion } from "./worker-messages.js";

/** Guest memory as a Worker has it: views of what the main thread has mapped. */
export class BorrowedRegions implements RingMemory {
  /** One object for good; its regions follow the front end's tables. */
  readonly memory = new GuestMemory([]);
  readonly #borrow: (lent: LentBytes) => Uint8Array;
  #regions: readonly LentRegion[] = [];
  /** By the number of the loan. */
  #views: ReadonlyMap<number, Uint8Array> = new Map();

  constructor(borrow: (lent: LentBytes) => Uint8Array) {
    this.#borrow = borrow;
  }

  /** The whole table anew; what is in the old one, too, stays as it is. */
  set(regions: readonly LentRegion[]): void {
    const views = new Map<number, Uint8Array>();
    const pieces = regions
      .flatMap((region) => region.pieces)
      .map(({ start, bytes: lent }) => {
        const bytes = this.#views.get(lent.loan) ?? this.#borrow(lent);
        views.set(lent.loan, bytes);
        return { start, bytes };
      });
    this.memory.replace(pieces);
    this.#regions = regions;
    this.#views = views;
  }

  guestAddress(address: number, length: number): number | undefined {
    for (const { userAddress, size, guestAddress } of this.#regions) {
      const offset = address - userAddress;
      if (offset >= 0 && length <= size - offset) return guestAddress + offset;
    }
    return undefined;
  }
}
