import type { DeviceDefinition } from "../../../device/index.js";
import { CommonFeature } from "../../../negotiation/common-feature.js";
import { brokenRequirement } from "../../../negotiation/feature-rules.js";
import { FeatureSet } from "../../../negotiation/feature-set.js";
import { CRYPTO_DEVICE } from "./crypto-sessions.js";

/** What a driver can do of which nothing is known. */
const untold = FeatureSet.of([CommonFeature.VERSION_1, CommonFeature.INDIRECT_DESC, CommonFeature.EVENT_IDX]);

/**
 * What the driver has negotiated, as far as it can be told from what the front end says. A front end keeps features for
 * itself that it serves alone: QEMU passes MQ of a network device on without CTRL_VQ, because the control queue is its own
 * business. So what the features need is taken to be there, if it was offered. It passes none at all on to a crypto device,
 * which has no legacy interface, so that the driver is a modern one; it may use indirect descriptors and event indexes, for
 * which there is {@link UntoldQueue}.
 */
export function withKept(
  features: FeatureSet,
  { id, requires }: Pick<DeviceDefinition, "id" | "requires">,
  offered: FeatureSet,
): FeatureSet {
  let all = id === CRYPTO_DEVICE && features.isEmpty ? untold.and(offered) : features;
  for (;;) {
    const kept = brokenRequirement(all, requires)?.anyOf.find((bit) => offered.has(bit));
    if (kept === undefined) return all;
    all = all.or(FeatureSet.of([kept]));
  }
}
