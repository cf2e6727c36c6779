import { ProtocolError, RingError } from "../../../src/runtime/index.js";
import { EchoDevice, type EchoDeviceOptions } from "../fixtures/echo-device.js";
import { RawDriver } from "../fixtures/raw-driver.js";

/** A device with a driver that works its registers and rings by hand, and the rules that were broken. */
export function deviceRig(options: Partial<EchoDeviceOptions> = {}) {
  const errors: Error[] = [];
  const device = new EchoDevice({
    features: ["COUNT"],
    config: { level: 0x04030201, maxData: 100, mode: 5 },
    requestq: (request) => (request.operation === "COUNT" ? undefined : request.complete("OK")),
    onProtocolError: (error) => errors.push(error),
    ...options,
  });
  const driver = new RawDriver(device);
  const rules = (): unknown[] =>
    errors.map((error) => (error instanceof ProtocolError || error instanceof RingError ? error.rule : error));
  return { device, driver, errors, rules };
}

/** An ECHO request. */
export function echo(): Uint8Array {
  return new Uint8Array(16);
}

/** Sends one ECHO request of 16 bytes, with room for its status. */
export function send(driver: RawDriver, queue: ReturnType<RawDriver["queue"]>): { token: number; status: number } {
  const status = driver.write(Uint8Array.of(0xee));
  queue.begin();
  queue.addReadable(driver.write(echo()), 16);
  queue.addWritable(status, 1);
  const token = queue.end();
  queue.kick();
  return { token, status };
}

export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
