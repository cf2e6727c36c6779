import { Clause, ProtocolError } from "../negotiation/errors.js";
import type { DriverTransport } from "../transport/driver-transport.js";
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
 * The whole configuration as it was at one time: read again while the generation changes under the read.
 * Bytes that the device does not have are zeroes. Throws a ProtocolError if the generation never settles.
 */
export async function readConfigSnapshot(transport: DriverTransport, size: number): Promise<ConfigSnapshot> {
  const snapshot = new Uint8Array(size);
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const before = await transport.configGeneration();
    const bytes = size === 0 ? snapshot : await transport.readConfig(0, size);
    const after = await transport.configGeneration();
    if (before === after) {
      snapshot.set(bytes.subarray(0, size));
      return { bytes: snapshot, generation: after };
    }
    if (tries >= PATIENT_TRIES) await new Promise<void>((resolve) => nextTurn(resolve));
  }
  const text = `the configuration changed during each of ${String(MOST_TRIES)} reads`;
  throw new ProtocolError("config-unstable", Clause.config, text);
}
