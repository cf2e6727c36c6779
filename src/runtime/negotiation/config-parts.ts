import type { FeatureSet } from "./feature-set.js";

/**
 * A part of a configuration space whose layout depends on features. The parts that exist follow each other there; in memory
 * every part has a place of its own, behind those before it, so that generated code finds it in one place.
 */
export interface ConfigPart {
  /** In bytes. */
  readonly size: number;
  /** Absent: the part is there whatever was negotiated. `bytes` are those in memory, right as far as the parts before it. */
  readonly exists?: (features: FeatureSet, bytes: Uint8Array) => boolean;
}

/** Bytes that lie together both in memory and in the configuration space. */
export interface ConfigStretch {
  /** Where they are in memory. */
  readonly place: number;
  /** Where they are in the configuration space. */
  readonly offset: number;
  readonly size: number;
}

/** Where everything is under these features; without parts the two are the same. */
export function configStretches(
  parts: readonly ConfigPart[] | undefined,
  features: FeatureSet,
  bytes: Uint8Array,
): readonly ConfigStretch[] {
  if (parts === undefined) return [{ place: 0, offset: 0, size: bytes.length }];
  const stretches: ConfigStretch[] = [];
  let place = 0;
  let offset = 0;
  for (const { size, exists } of parts) {
    if (exists?.(features, bytes) ?? true) {
      stretches.push({ place, offset, size });
      offset += size;
    }
    place += size;
  }
  return stretches;
}

/** Where a place in memory is in the configuration space; undefined if it is not there. */
export function configOffset(stretches: readonly ConfigStretch[], place: number): number | undefined {
  const stretch = stretches.find((each) => place >= each.place && place < each.place + each.size);
  return stretch === undefined ? undefined : stretch.offset + place - stretch.place;
}
