import { CommonFeature } from "../negotiation/common-feature.js";
import { Clause, ProtocolError } from "../negotiation/errors.js";
import { brokenRequirement, featureBit, featureName, type FeatureRules } from "../negotiation/feature-rules.js";
import { FeatureSet } from "../negotiation/feature-set.js";
import { legacyRefusal } from "../negotiation/legacy.js";

/** The outcome of a negotiation on the driver's side. */
export interface Negotiation {
  readonly accepted: FeatureSet;
  /** Names of features that were wanted but are not accepted: not offered, or what they need is missing. */
  readonly dropped: readonly string[];
}

/**
 * Wanted and offered, less those whose requirements are not met, until all that is left holds together.
 * Throws a ProtocolError if VERSION_1 or a mandatory feature is not offered, and a TypeError for an unknown name.
 *
 * @param legacyId number of the device's type, if it is used through a legacy interface: then there is no VERSION_1, and
 * ANY_LAYOUT is accepted where it is offered (6.3)
 */
export function negotiate(
  rules: FeatureRules,
  wanted: readonly string[],
  offered: FeatureSet,
  legacyId?: number,
): Negotiation {
  const mandatory = [...(legacyId === undefined ? [CommonFeature.VERSION_1] : []), ...(rules.mandatory ?? [])];
  for (const bit of mandatory) {
    if (offered.has(bit)) continue;
    const name = featureName(rules.features, bit);
    const rule = bit === CommonFeature.VERSION_1 ? "version-1-required" : "feature-mandatory";
    throw new ProtocolError(rule, Clause.features, `the device does not offer ${name}`);
  }
  const bits = new Set<number>(mandatory);
  if (legacyId !== undefined && offered.has(CommonFeature.ANY_LAYOUT)) bits.add(CommonFeature.ANY_LAYOUT);
  for (const name of wanted) {
    const bit = featureBit(rules.features, name);
    if (bit === undefined) throw new TypeError(`there is no feature ${name}`);
    bits.add(bit);
  }
  const asked = FeatureSet.of(bits);
  let accepted = asked.and(offered);
  for (;;) {
    const broken = brokenRequirement(accepted, rules.requires);
    if (broken === undefined) break;
    accepted = accepted.without(FeatureSet.of([broken.feature]));
  }
  const lost = mandatory.find((bit) => !accepted.has(bit));
  if (lost !== undefined) {
    const name = featureName(rules.features, lost);
    throw new ProtocolError("feature-requirement", Clause.features, `what ${name} needs was not accepted`);
  }
  const refusal = legacyId === undefined ? undefined : legacyRefusal(legacyId, accepted);
  if (refusal !== undefined) throw new ProtocolError("feature-rule", Clause.features, refusal);
  const dropped = asked.without(accepted).bits();
  return { accepted, dropped: dropped.map((bit) => featureName(rules.features, bit)) };
}
