import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { VirtioDevice } from "../../../../src/runtime/index.js";
import {
  serve,
  type ServeOptions,
  type VhostUserError,
  type ServedDevice as Server,
} from "../../../../src/runtime/transport/vhost-user/index.js";
import { requireSystemCalls } from "../posix/require-system-calls.js";

/** Asks for what vhost-user needs at the top of a suite. */
export const requireVhostUser = requireSystemCalls;

export interface ServedDevice {
  readonly served: Server;
  readonly path: string;
  /** What the transport complained of. */
  readonly errors: Error[];
  /** How each front end ended, as a rule or "closed". */
  readonly ends: string[];
}

/** A device behind a socket of its own, gone when the test ends. */
export async function serveDevice(device: VirtioDevice, options: Partial<ServeOptions> = {}): Promise<ServedDevice> {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-vhost-"));
  const path = join(folder, "socket");
  const errors: Error[] = [];
  const ends: string[] = [];
  const served = await serve(device, {
    onError: (error) => errors.push(error),
    onDisconnect: (error?: VhostUserError) => void ends.push(error?.rule ?? "closed"),
    ...options,
    socket: path,
  });
  onTestFinished(async () => {
    await served.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { served, path, errors, ends };
}
