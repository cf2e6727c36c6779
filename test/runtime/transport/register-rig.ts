import { EchoDevice, type EchoDeviceOptions } from "../fixtures/echo-device.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import { MmioSide, PciSide, type RegisterSide } from "../fixtures/register-sides.js";

const sides = {
  PCI: PciSide,
  MMIO: MmioSide,
} as const;
export type SideName = keyof typeof sides;

/** A device behind registers, with a driver that works them by hand. */
export function registerRig(name: SideName, options: Partial<EchoDeviceOptions> = {}) {
  const errors: Error[] = [];
  const device = new EchoDevice({
    features: ["COUNT", "RING_RESET"],
    config: { level: 1, maxData: 2 },
    queueSize: 64,
    requestq: (request) => ("reply" in request ? void request.complete("OK") : undefined),
    onProtocolError: (error) => errors.push(error),
    ...options,
  });
  let side: RegisterSide | undefined;
  const driver = new RawDriver(device, { side: (...all) => (side = new sides[name](...all)) });
  if (side === undefined) throw new Error("no side");
  return { device, driver, errors, side, name };
}
export type RegisterRig = ReturnType<typeof registerRig>;
