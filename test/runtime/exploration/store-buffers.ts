import type { StateHash } from "./state-hash.js";
import type { Access } from "./steps/stepped-memory.js";

interface PendingStore {
  readonly side: 0 | 1;
  readonly access: Access;
  readonly value: number;
  make(): number;
}

/**
 * Memory that is weakly ordered: a plain store of a side becomes visible later, in any order with its other plain
 * stores; one to the same bytes keeps its place. A store with Atomics comes after all stores before it, at once. A
 * load, with Atomics or plain, does not wait for the side's own stores to other bytes.
 *
 * That is what ARM and x86 do to stores. Loads are never made early here, and a plain store never overtakes a store
 * with Atomics before it.
 */
export class StoreBuffers {
  readonly #pending: PendingStore[] = [];
  readonly #touch: (side: 0 | 1, access: Access, make: () => number) => number;

  /** `touch` makes an access at the time at which it counts. */
  constructor(touch: (side: 0 | 1, access: Access, make: () => number) => number) {
    this.#touch = touch;
  }

  get count(): number {
    return this.#pending.length;
  }

  perform(side: 0 | 1, access: Access, make: () => number): number {
    const plainStore = access.kind === "write" && !access.atomic;
    if (plainStore) {
      const value = access.value ?? 0;
      this.#pending.push({ side, access, value, make });
      return value;
    }
    if (access.kind === "read") this.#landWhere((store) => store.side === side && overlap(store.access, access));
    else this.#landWhere((store) => store.side === side);
    return this.#touch(side, access, make);
  }

  /** No store to the same bytes is in front of it. */
  canLand(index: number): boolean {
    const store = this.#pending[index];
    if (store === undefined) return false;
    for (let before = 0; before < index; before++) {
      const other = this.#pending[before];
      if (other?.side === store.side && overlap(other.access, store.access)) return false;
    }
    return true;
  }

  land(index: number): void {
    const [store] = this.#pending.splice(index, 1);
    if (store === undefined) return;
    this.#touch(store.side, store.access, () => store.make());
  }

  addTo(hash: StateHash): void {
    for (const { side, access, value } of this.#pending) {
      hash.add(side);
      hash.add(access.at);
      hash.add(value);
    }
  }

  #landWhere(which: (store: PendingStore) => boolean): void {
    // Everything up to the last one that is meant, so that the same bytes keep their order.
    const last = this.#pending.findLastIndex(which);
    for (let index = 0, at = 0; index <= last; index++) {
      const store = this.#pending[at];
      if (store !== undefined && which(store)) this.land(at);
      else at++;
    }
  }
}

function overlap(one: Access, other: Access): boolean {
  return one.at < other.at + other.bytes && other.at < one.at + one.bytes;
}
