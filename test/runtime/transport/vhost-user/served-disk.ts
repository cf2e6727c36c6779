import { BlkDevice, type BlkDeviceOptions } from "../../../../generated/blk.js";
import type { ServeOptions } from "../../../../src/runtime/transport/vhost-user/index.js";
import { serveDevice, type ServedDevice } from "./served-device.js";

/** Features of the disk, as bits. */
export const [FLUSH, CONFIG_WCE, MQ] = [1n << 9n, 1n << 11n, 1n << 12n];
export const SECTOR = 512;
export const SECTORS = 256;

export type BlkRequest = Parameters<BlkDeviceOptions["requestq"]>[0];

export interface ServedDisk extends ServedDevice {
  readonly disk: Uint8Array;
  readonly device: BlkDevice;
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
  more: readonly "ACCESS_PLATFORM"[] = [],
): Promise<ServedDisk> {
  const disk = Uint8Array.from({ length: SECTORS * SECTOR }, (_, i) => Math.floor(i / SECTOR));
  const device = new BlkDevice({
    features: ["MQ", "CONFIG_WCE", "FLUSH", "RING_PACKED", "RING_RESET", "IN_ORDER", ...more],
    config: { capacity: BigInt(SECTORS), numQueues: 4, writeback: 1 },
    requestq: (request) => handle(request, disk),
  });
  const served = await serveDevice(device, { stopTimeout: 300, ...options });
  device.onProtocolError = (error) => served.errors.push(error);
  return { disk, device, ...served };
}
