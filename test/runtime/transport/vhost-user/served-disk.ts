import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { BlkDevice, type BlkDeviceOptions } from "../../../../generated/blk.js";
import { loadSystemCalls } from "../../../../src/runtime/transport/posix/index.js";
import {
  serve,
  type ServedDevice,
  type ServeOptions,
  type VhostUserError,
} from "../../../../src/runtime/transport/vhost-user/index.js";
import { requirePeer } from "../../../interop/peers.js";

export const SECTOR = 512;
export const SECTORS = 256;

/** Asks for what vhost-user needs at the top of a suite. */
export function requireVhostUser(): Promise<boolean> {
  return requirePeer("Linux with koffi", () =>
    loadSystemCalls().then(
      () => undefined,
      (error: unknown) => String(error),
    ),
  );
}

export type BlkRequest = Parameters<BlkDeviceOptions["requestq"]>[0];

export interface ServedDisk {
  readonly disk: Uint8Array;
  readonly device: BlkDevice;
  readonly served: ServedDevice;
  readonly path: string;
  /** What the device or the transport complained of. */
  readonly errors: Error[];
  /** How each front end ended, as a rule or "closed". */
  readonly ends: string[];
}

/** Does what a request says to the bytes of a disk. */
export function answer(request: BlkRequest, disk: Uint8Array): ReturnType<BlkRequest["complete"]> {
  switch (request.type) {
    case "IN":
      request.data.write(disk, Number(request.sector) * SECTOR);
      return request.complete("OK");
    case "OUT":
      request.data.read(disk, Number(request.sector) * SECTOR);
      return request.complete("OK");
    default:
      return request.complete("UNSUPP");
  }
}

/** A disk of 256 sectors behind a socket, gone when the test ends. Sector n is full of n. */
export async function serveDisk(
  handle: (request: BlkRequest, disk: Uint8Array) => ReturnType<BlkDeviceOptions["requestq"]> = answer,
  options: Partial<ServeOptions> = {},
): Promise<ServedDisk> {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-vhost-"));
  const path = join(folder, "socket");
  const disk = Uint8Array.from({ length: SECTORS * SECTOR }, (_, i) => Math.floor(i / SECTOR));
  const errors: Error[] = [];
  const ends: string[] = [];
  const device = new BlkDevice({
    features: ["MQ", "CONFIG_WCE", "FLUSH", "RING_PACKED", "RING_RESET"],
    config: { capacity: BigInt(SECTORS), numQueues: 4, writeback: 1 },
    requestq: (request) => handle(request, disk),
  });
  device.onProtocolError = (error) => errors.push(error);
  const served = await serve(device, {
    stopTimeout: 300,
    onError: (error) => errors.push(error),
    onDisconnect: (error?: VhostUserError) => void ends.push(error?.rule ?? "closed"),
    ...options,
    socket: path,
  });
  onTestFinished(async () => {
    await served.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { disk, device, served, path, errors, ends };
}
