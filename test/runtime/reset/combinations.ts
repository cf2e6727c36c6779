import { SUPPORTED_COMMON_FEATURES, type CommonFeatureName } from "../../../src/runtime/index.js";

/** One way to lay out a ring, and the features that it takes. */
export interface Combination {
  readonly name: string;
  readonly features: readonly CommonFeatureName[];
  readonly withhold: readonly ("INDIRECT_DESC" | "EVENT_IDX")[];
  readonly supported: boolean;
}

const yesNo = [false, true];

/** {split, packed} x {event_idx} x {in_order} x {indirect}. */
export const combinations: readonly Combination[] = yesNo.flatMap((packed) =>
  yesNo.flatMap((eventIdx) =>
    yesNo.flatMap((inOrder) =>
      yesNo.map((indirect): Combination => {
        const features: CommonFeatureName[] = ["RING_RESET"];
        if (packed) features.push("RING_PACKED");
        if (inOrder) features.push("IN_ORDER");
        const withhold: ("INDIRECT_DESC" | "EVENT_IDX")[] = [];
        if (!eventIdx) withhold.push("EVENT_IDX");
        if (!indirect) withhold.push("INDIRECT_DESC");
        return {
          name: [packed ? "packed" : "split", eventIdx && "event_idx", inOrder && "in_order", indirect && "indirect"]
            .filter((part) => part !== false)
            .join(" "),
          features,
          withhold,
          supported: features.every((feature) => SUPPORTED_COMMON_FEATURES.includes(feature)),
        };
      }),
    ),
  ),
);
