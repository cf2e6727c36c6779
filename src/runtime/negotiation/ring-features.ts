import type { RingFeatures } from "../ring/index.js";
import { CommonFeature } from "./common-feature.js";
import type { FeatureSet } from "./feature-set.js";

/** What the rings need to know of the negotiated features. */
export function ringFeatures(features: FeatureSet): RingFeatures {
  return {
    indirect: features.has(CommonFeature.INDIRECT_DESC),
    eventIdx: features.has(CommonFeature.EVENT_IDX),
    packed: features.has(CommonFeature.RING_PACKED),
    inOrder: features.has(CommonFeature.IN_ORDER),
  };
}
