import { FeatureSet } from "../../../negotiation/feature-set.js";
import { VhostUserError } from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";
import { MEMORY_SLOTS } from "./given-memory.js";

/** What was agreed on with the first back end. */
export interface Agreed {
  readonly features: FeatureSet | undefined;
  readonly protocolFeatures: FeatureSet;
  readonly queues: number;
}

/** @throws VhostUserError when a back end lacks what is in use. `queues` is how many it has. */
export function checkSame(link: BackEndLink, queues: number, agreed: Agreed): void {
  const missing = (agreed.features ?? FeatureSet.none).without(link.offered);
  const unspoken = agreed.protocolFeatures.without(link.protocolFeatures).without(MEMORY_SLOTS);
  if (!missing.isEmpty) throw notTheSame(`features ${missing.bits().join(", ")} are gone`);
  if (!unspoken.isEmpty) throw notTheSame(`protocol features ${unspoken.bits().join(", ")} are gone`);
  if (queues < agreed.queues) throw notTheSame(`${queues} queues, not ${agreed.queues}`);
}

export function notTheSame(detail: string): VhostUserError {
  return new VhostUserError("same-device", detail);
}
