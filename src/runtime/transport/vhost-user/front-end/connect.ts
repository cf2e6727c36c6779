import type { ConnectOptions } from "./connect-options.js";
import { VhostUserDriverTransport } from "./vhost-user-driver-transport.js";

/**
 * Connects to a vhost-user back end, for a generated driver to be started on what is returned:
 *
 * ```ts
 * const driver = await BlkDriver.start(await connect("/run/disk.sock", { deviceId: BLK_DEVICE_ID }));
 * ```
 *
 * @param path Path of the Unix socket that the back end listens on.
 * @throws PosixUnavailableError unless this is Linux and koffi is installed; SystemCallError when nobody listens;
 * VhostUserError when the back end refuses or does not keep to the protocol.
 */
export function connect(path: string, options: ConnectOptions): Promise<VhostUserDriverTransport> {
  return VhostUserDriverTransport.open(path, options);
}
