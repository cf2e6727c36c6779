import { onTestFinished } from "vitest";
import type { VirtioDevice } from "../../../../src/runtime/index.js";
import {
  connect,
  type ConnectOptions,
  type ServeOptions,
  type VhostUserDriverTransport,
} from "../../../../src/runtime/transport/vhost-user/index.js";
import { serveDevice } from "./served-device.js";

/** Serves a device that may have its queues reset, and connects to it; both until the test ends. */
export async function openVhostUser(
  device: VirtioDevice,
  options: { readonly serve?: Partial<ServeOptions>; readonly connect?: Partial<ConnectOptions> } = {},
): Promise<VhostUserDriverTransport> {
  const { path } = await serveDevice(device, { ringReset: true, stopTimeout: 100, ...options.serve });
  const transport = await connect(path, { deviceId: device.definition.id, memorySize: 1 << 20, ...options.connect });
  onTestFinished(() => transport.close());
  return transport;
}
