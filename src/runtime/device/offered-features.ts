import {
  CommonFeature,
  SUPPORTED_COMMON_FEATURES,
  isCommonFeature,
  type CommonFeatureName,
} from "../negotiation/common-feature.js";
import { Clause, ProtocolError } from "../negotiation/errors.js";
import { alternatives, brokenRequirement, featureBit, featureName } from "../negotiation/feature-rules.js";
import { FeatureSet } from "../negotiation/feature-set.js";
import { legacyRefusal } from "../negotiation/legacy.js";
import type { DeviceDefinition } from "./device-definition.js";

/** The device was set up with options that do not fit its definition: a mistake of the program, thrown at once. */
export class DeviceOptionsError extends Error {
  override readonly name = "DeviceOptionsError";
}

const ALWAYS_OFFERED: readonly CommonFeatureName[] = ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX"];

/**
 * The features that a device offers: those named, the mandatory ones, and VERSION_1, INDIRECT_DESC and EVENT_IDX, less
 * `withhold`. Throws if the device may not offer them together, or does not have one of them.
 */
export function offeredFeatures(
  definition: DeviceDefinition,
  names: readonly string[],
  withhold: readonly CommonFeatureName[] = [],
): FeatureSet {
  const bits = new Set<number>(definition.mandatory ?? []);
  for (const name of [...ALWAYS_OFFERED, ...names]) {
    const bit = featureBit(definition.features, name);
    if (bit === undefined) throw new DeviceOptionsError(`${definition.name} has no feature ${name}`);
    if (isCommonFeature(name) && !SUPPORTED_COMMON_FEATURES.includes(name)) {
      throw new DeviceOptionsError(`${definition.name} cannot offer ${name}: this runtime does not implement it`);
    }
    bits.add(bit);
  }
  for (const name of withhold) if (name !== "VERSION_1") bits.delete(CommonFeature[name]);

  const offered = FeatureSet.of(bits);
  const broken = brokenRequirement(offered, [...definition.requires, ...definition.offers]);
  if (broken !== undefined) {
    const feature = featureName(definition.features, broken.feature);
    const needed = alternatives(definition.features, broken.anyOf);
    throw new DeviceOptionsError(`${definition.name} offers ${feature} and must then offer ${needed} as well`);
  }
  return offered;
}

/** Why a device cannot work with the features that the driver accepted; undefined if it can. `legacy`: through that interface. */
export function refusal(
  definition: DeviceDefinition,
  offered: FeatureSet,
  driver: FeatureSet,
  legacy = false,
): ProtocolError | undefined {
  const name = (bit: number): string => featureName(definition.features, bit);
  const foreign = driver.without(offered);
  if (!foreign.isEmpty) {
    return new ProtocolError(
      "feature-not-offered",
      Clause.features,
      `the driver accepted ${foreign.bits().map(name).join(", ")}`,
    );
  }
  if (legacy) {
    const why = legacyRefusal(definition.id, driver);
    if (why !== undefined) return new ProtocolError("feature-rule", Clause.features, why);
  } else if (!driver.has(CommonFeature.VERSION_1)) {
    return new ProtocolError("version-1-required", Clause.reservedFeatures, "the driver did not accept VERSION_1");
  }
  for (const bit of definition.mandatory ?? []) {
    if (!driver.has(bit)) {
      return new ProtocolError("feature-mandatory", Clause.features, `the driver did not accept ${name(bit)}`);
    }
  }
  const broken = brokenRequirement(driver, definition.requires);
  if (broken !== undefined) {
    const needed = alternatives(definition.features, broken.anyOf);
    return new ProtocolError("feature-requirement", Clause.features, `${name(broken.feature)} needs ${needed}`);
  }
  for (const rule of definition.rules ?? []) {
    if (!rule.holds(driver)) return new ProtocolError("feature-rule", Clause.features, rule.text);
  }
  return undefined;
}
