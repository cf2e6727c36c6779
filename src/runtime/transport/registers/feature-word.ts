import type { FeatureSet } from "../../negotiation/feature-set.js";

/** 32 bits of a set of features; 0 for words that do not exist (VIRTIO 1.4, 4.1.4.3.1). */
export function featureWord(features: FeatureSet, index: number): number {
  return index === 0 || index === 1 || index === 2 || index === 3 ? features.word(index) : 0;
}
