import { CommonFeature } from "./common-feature.js";
import { FeatureSet } from "./feature-set.js";

/** Device types that had a legacy interface (VIRTIO 1.4, 5), by number. */
const LEGACY_DEVICES: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 7, 8, 9]);
const NET = 1;
const NET_MRG_RXBUF = 15;

/** Whether a device of this type can be used through a legacy interface. */
export function hasLegacyInterface(deviceId: number): boolean {
  return LEGACY_DEVICES.has(deviceId);
}

/** What is offered of these features through a legacy interface: 32 bits, and ANY_LAYOUT, which is a must (6.3). */
export function legacyFeatures(features: FeatureSet): FeatureSet {
  return FeatureSet.fromWords([features.word(0)]).or(FeatureSet.of([CommonFeature.ANY_LAYOUT]));
}

/** Why these features cannot be used through a legacy interface; undefined if they can. */
export function legacyRefusal(deviceId: number, features: FeatureSet): string | undefined {
  if (!hasLegacyInterface(deviceId)) return `device ${String(deviceId)} has no legacy interface`;
  if (deviceId === NET && !features.has(NET_MRG_RXBUF)) {
    // Without it the header of a packet has 10 bytes, which the definitions do not know.
    return "a network device needs MRG_RXBUF on a legacy interface";
  }
  return undefined;
}
