import type { QueueAddresses, RingFeatures } from "../../../src/runtime/ring/index.js";
import { Place, Side } from "./memory-map.js";

/** What the rings keep in shared memory, by the names of the specification. */
export type PeerWord =
  | "avail.flags"
  | "avail.idx"
  | "avail.ring"
  | "used_event"
  | "used.flags"
  | "used.idx"
  | "used.ring"
  | "avail_event"
  | "descriptor"
  | "descriptor flags and id"
  | "driver event suppression"
  | "device event suppression"
  | "indirect table"
  | "data";

/** Which word a byte belongs to. */
export function wordAt(at: number, { packed }: RingFeatures, { size }: QueueAddresses): PeerWord {
  if (at >= Place.tables) return "indirect table";
  if (at >= Place.buffers) return "data";
  if (packed) {
    if (at >= Place.device) return "device event suppression";
    if (at >= Place.driver) return "driver event suppression";
    return at % 16 >= 12 ? "descriptor flags and id" : "descriptor";
  }
  if (at >= Place.device) {
    const offset = at - Place.device;
    if (offset < 2) return "used.flags";
    if (offset < 4) return "used.idx";
    return offset < 4 + 8 * size ? "used.ring" : "avail_event";
  }
  if (at >= Place.driver) {
    const offset = at - Place.driver;
    if (offset < 2) return "avail.flags";
    if (offset < 4) return "avail.idx";
    return offset < 4 + 2 * size ? "avail.ring" : "used_event";
  }
  return "descriptor";
}

const common: readonly PeerWord[] = ["data"];
const mayWrite: Readonly<Record<Side, Readonly<Record<"split" | "packed", readonly PeerWord[]>>>> = {
  [Side.driver]: {
    split: [...common, "descriptor", "avail.flags", "avail.idx", "avail.ring", "used_event", "indirect table"],
    packed: [...common, "descriptor", "descriptor flags and id", "driver event suppression", "indirect table"],
  },
  [Side.device]: {
    split: [...common, "used.flags", "used.idx", "used.ring", "avail_event"],
    packed: [...common, "descriptor", "descriptor flags and id", "device event suppression"],
  },
};

/** Whether a side writes this word when it keeps to the rules. */
export function writes(side: Side, { packed }: RingFeatures, word: PeerWord): boolean {
  return mayWrite[side][packed ? "packed" : "split"].includes(word);
}
