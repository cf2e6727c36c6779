import type { RingFeatures } from "../../../../src/runtime/ring/index.js";
import { features, PACKED, plain } from "./scripted-front-end.js";

/** What a ring may look like: what the driver accepts for it, and what it is then. */
export const ringForms: readonly {
  readonly name: string;
  readonly wanted: bigint;
  readonly ring: Partial<RingFeatures>;
}[] = [
  { name: "split", wanted: plain, ring: {} },
  { name: "split, event_idx", wanted: plain | features.EVENT_IDX, ring: { eventIdx: true } },
  { name: "packed", wanted: plain | PACKED, ring: { packed: true } },
  { name: "packed, event_idx", wanted: plain | PACKED | features.EVENT_IDX, ring: { packed: true, eventIdx: true } },
];
