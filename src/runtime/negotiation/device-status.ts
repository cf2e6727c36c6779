/** Bits of the device status field; "Device Status Field" (2.1) of the specification. */
export const DeviceStatus = {
  /** The guest has noticed the device. */
  ACKNOWLEDGE: 1,
  /** The guest has a driver for it. */
  DRIVER: 2,
  /** The driver is set up: the device is live. */
  DRIVER_OK: 4,
  /** Feature negotiation is complete. */
  FEATURES_OK: 8,
  /** The device is suspended. */
  SUSPEND: 16,
  /** The device has met an error that only a reset mends. */
  NEEDS_RESET: 64,
  /** The driver has given up on the device. */
  FAILED: 128,
} as const;

/** Names of the bits that are set, such as `["ACKNOWLEDGE", "DRIVER"]`; for messages and traces. */
export function statusNames(status: number): string[] {
  const names: string[] = [];
  for (const [name, bit] of Object.entries(DeviceStatus)) if ((status & bit) !== 0) names.push(name);
  return names;
}
