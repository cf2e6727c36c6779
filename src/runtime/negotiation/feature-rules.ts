import { CommonFeature } from "./common-feature.js";
import { type FeatureSet } from "./feature-set.js";

/** `feature` needs at least one of `anyOf`; several entries for one feature must all hold: an and of ors. */
export interface FeatureRequirement {
  readonly feature: number;
  readonly anyOf: readonly number[];
}

/** Another condition that the negotiated features must meet. */
export interface FeatureRule {
  readonly text: string;
  holds(features: FeatureSet): boolean;
}

/** What a device type says about its features. */
export interface FeatureRules {
  /** Bit numbers by name. */
  readonly features: Readonly<Record<string, number>>;
  readonly requires: readonly FeatureRequirement[];
  /** Features that every device offers and every driver accepts. VERSION_1 need not be listed. */
  readonly mandatory?: readonly number[];
  readonly rules?: readonly FeatureRule[];
}

/** The name of a bit, such as `FLUSH`; `bit 77` if it has none. */
export function featureName(features: Readonly<Record<string, number>>, bit: number): string {
  for (const [name, value] of Object.entries(features)) if (value === bit) return name;
  for (const [name, value] of Object.entries(CommonFeature)) if (value === bit) return name;
  return `bit ${String(bit)}`;
}

/** The bit of a name of the device type or of a common feature; undefined if there is none. */
export function featureBit(features: Readonly<Record<string, number>>, name: string): number | undefined {
  if (Object.hasOwn(features, name)) return features[name];
  const common: Readonly<Record<string, number>> = CommonFeature;
  return Object.hasOwn(common, name) ? common[name] : undefined;
}

/** First requirement that a set of features breaks. */
export function brokenRequirement(
  features: FeatureSet,
  requires: readonly FeatureRequirement[],
): FeatureRequirement | undefined {
  for (const requirement of requires) {
    if (!features.has(requirement.feature)) continue;
    if (!requirement.anyOf.some((bit) => features.has(bit))) return requirement;
  }
  return undefined;
}

/** `A or B`, for messages. */
export function alternatives(features: Readonly<Record<string, number>>, bits: readonly number[]): string {
  return bits.map((bit) => featureName(features, bit)).join(" or ");
}
