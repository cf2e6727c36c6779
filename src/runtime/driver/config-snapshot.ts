import { Clause, ProtocolError } from "../negotiation/errors.js";
import { configOffset, configStretches } from "../negotiation/config-parts.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { DriverTransport } from "../transport/driver-transport.js";
import type { DriverDefinition } from "./driver-definition.js";
import { nextTurn } from "../transport/next-turn.js";

/** How often a snapshot is tried before the device is said to be at fault. */
const MOST_TRIES = 32;
/** From this try on the event loop gets a turn in between. */
const PATIENT_TRIES = 4;

/** The configuration as it was at one time. */
export interface ConfigSnapshot {
  readonly bytes: Uint8Array;
  readonly generation: number;
}

/**
 * The fields of the configuration that exist with these features, as they were at one time: read again while the
 * generation changes under the read or, on a legacy interface, which has none, until two reads agree (2.5.4). Other bytes, and those that the device does not have, are zeroes. Throws a ProtocolError if the generation never settles.
 */
export async function readConfigSnapshot(
  transport: DriverTransport,
  definition: Pick<DriverDefinition, "configSize" | "configParts" | "configAccesses">,
  features: FeatureSet,
): Promise<ConfigSnapshot> {
  let last: Uint8Array | undefined;
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const before = await transport.configGeneration();
    const bytes = new Uint8Array(definition.configSize);
    for (const { offset, width, count, exists } of definition.configAccesses) {
      if (exists?.(features, bytes) === false) continue;
      const { configParts } = definition;
      const from =
        configParts === undefined ? offset : configOffset(configStretches(configParts, features, bytes), offset);
      if (from === undefined) continue;
      bytes.set((await transport.readConfig(from, width * count, width)).subarray(0, width * count), offset);
    }
    const after = await transport.configGeneration();
    const agrees = transport.legacy === undefined || (last?.every((byte, at) => byte === bytes[at]) ?? false);
    if (before === after && agrees) return { bytes, generation: after };
    last = bytes;
    if (tries >= PATIENT_TRIES) await new Promise<void>((resolve) => nextTurn(resolve));
  }
  const text = `the configuration changed during each of ${String(MOST_TRIES)} reads`;
  throw new ProtocolError("config-unstable", Clause.config, text);
}
