import { DeviceStatus } from "../negotiation/device-status.js";
import { Clause, ProtocolError } from "../negotiation/errors.js";
import type { DriverTransport } from "../transport/driver-transport.js";
import type { DriverDefinition } from "./driver-definition.js";
import { negotiate, type Negotiation } from "./feature-negotiation.js";
import { pollUntil } from "./poll.js";

const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK } = DeviceStatus;

/** Resets the device and waits until it is done, for `timeout` milliseconds. Rejects with a ProtocolError `reset-incomplete`. */
export async function resetDevice(transport: DriverTransport, timeout: number): Promise<void> {
  await transport.setStatus(0);
  if (await pollUntil(timeout, async () => (await transport.getStatus()) === 0)) return;
  throw new ProtocolError("reset-incomplete", Clause.reset, "the device does not finish its reset");
}

/**
 * "Device Initialization" (3.1) from a device that was reset up to the features: afterwards configuration and queues are
 * set up, and {@link endInitialization} ends it. The legacy interface leaves out FEATURES_OK (3.1.2).
 *
 * Rejects with a ProtocolError: `features-refused` if the device does not take what was accepted, or one of those of
 * {@link negotiate}.
 */
export async function beginInitialization(
  transport: DriverTransport,
  definition: DriverDefinition,
  wanted: readonly string[],
): Promise<Negotiation> {
  await transport.setStatus(ACKNOWLEDGE);
  await transport.setStatus(ACKNOWLEDGE | DRIVER);
  const isLegacy = transport.legacy !== undefined;
  const offered = await transport.getFeatures();
  const negotiation = negotiate(definition, wanted, offered, isLegacy ? definition.id : undefined);
  await transport.setFeatures(negotiation.accepted);
  if (isLegacy) return negotiation;
  await transport.setStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK);
  if (((await transport.getStatus()) & FEATURES_OK) === 0) {
    throw new ProtocolError("features-refused", Clause.initialization, "the device refuses these features");
  }
  return negotiation;
}

/** The end of the initialization. Rejects with a ProtocolError `device-needs-reset`. */
export async function endInitialization(transport: DriverTransport): Promise<void> {
  const featuresOk = transport.legacy === undefined ? FEATURES_OK : 0;
  await transport.setStatus(ACKNOWLEDGE | DRIVER | featuresOk | DRIVER_OK);
  if (((await transport.getStatus()) & DeviceStatus.NEEDS_RESET) !== 0) throw needsReset();
}

/** The device has set DEVICE_NEEDS_RESET (2.1.2). */
export function needsReset(): ProtocolError {
  return new ProtocolError("device-needs-reset", Clause.status, "the device has met an error and needs a reset");
}
