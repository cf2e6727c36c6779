import { brokenRequirement, type FeatureRequirement } from "../../../negotiation/feature-rules.js";
import { FeatureSet } from "../../../negotiation/feature-set.js";

/**
 * What the driver has negotiated, as far as it can be told from what the front end says. A front end keeps features for
 * itself that it serves alone: QEMU passes MQ of a network device on without CTRL_VQ, because the control queue is its own
 * business. So what the features need is taken to be there, if it was offered.
 */
export function withKept(
  features: FeatureSet,
  requires: readonly FeatureRequirement[],
  offered: FeatureSet,
): FeatureSet {
  let all = features;
  for (;;) {
    const kept = brokenRequirement(all, requires)?.anyOf.find((bit) => offered.has(bit));
    if (kept === undefined) return all;
    all = all.or(FeatureSet.of([kept]));
  }
}
