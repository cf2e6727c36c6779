import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { VirtioDevice } from "../../../../src/runtime/index.js";
import {
  connect,
  serve,
  type ConnectOptions,
  type ServeOptions,
  type VhostUserDriverTransport,
} from "../../../../src/runtime/transport/vhost-user/index.js";

/** Serves a device that may have its queues reset, and connects to it; both until the test ends. */
export async function openVhostUser(
  device: VirtioDevice,
  options: { readonly serve?: Partial<ServeOptions>; readonly connect?: Partial<ConnectOptions> } = {},
): Promise<VhostUserDriverTransport> {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-both-ends-"));
  const socket = join(folder, "socket");
  const served = await serve(device, { ringReset: true, stopTimeout: 100, ...options.serve, socket });
  const transport = await connect(socket, {
    deviceId: device.definition.id,
    memorySize: 1 << 20,
    ...options.connect,
  });
  onTestFinished(async () => {
    transport.close();
    await served.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return transport;
}
