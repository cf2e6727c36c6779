import type { RingFeatures } from "../../../src/runtime/ring/index.js";

/** A small case of which all interleavings are run. */
export interface Scenario {
  readonly features: RingFeatures;
  /** Entries of the queue. */
  readonly size: number;
  /** Buffers that the driver sends, each of one readable and one writable segment. */
  readonly buffers: number;
  /** Buffers that it makes available with one index write, at most. */
  readonly batch: number;
  /** Both sides sleep until they are notified, or look again and again. */
  readonly waiting: "notified" | "polling";
  /** The device hands each buffer back at once, or all that it found together: the last one first if it may. */
  readonly completing: "at once" | "together";
  /** The driver resets the queue after this many used buffers, and goes on with another size. */
  readonly reset?: { readonly afterUsed: number; readonly size: number };
  /** Plain stores become visible late and in any order, as the memory model allows; else all is in order. */
  readonly weak?: boolean;
}
