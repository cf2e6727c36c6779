import { closeSync, openSync, readSync } from "node:fs";
import { randomFillSync } from "node:crypto";
import { EntropyDevice } from "../../generated/entropy.js";
import { fileProblem, type ServedDevice, type ServedDeviceOptions } from "./served-device.js";

export interface RandomSourceOptions extends ServedDeviceOptions {
  /** Where bytes come from; the system's generator if absent. At the end of the file requests wait for ever. */
  readonly path?: string;
}

/** Most bytes given to one request. */
const CHUNK = 1 << 16;

/**
 * An entropy device.
 * @throws ServeError when the file cannot be opened.
 */
export function openRandomSource(options: RandomSourceOptions = {}): ServedDevice {
  const { path } = options;
  let fd: number | undefined;
  try {
    if (path !== undefined) fd = openSync(path, "r");
  } catch (error) {
    throw fileProblem(path ?? "", error);
  }
  const bytes = new Uint8Array(CHUNK);
  let served = 0;
  const device = new EntropyDevice({
    ...(options.features && { features: options.features }),
    requestq(request) {
      const wanted = Math.min(CHUNK, request.data.length);
      const length = fd === undefined ? wanted : readSync(fd, bytes, 0, wanted, null);
      if (fd === undefined) randomFillSync(bytes, 0, length);
      request.data.write(bytes, 0, 0, length);
      served += length;
      // A device gives one byte at least (VIRTIO 1.4, 5.4.6.2).
      return length === 0 ? undefined : request.complete();
    },
  });
  device.onProtocolError = options.onError;
  return {
    device,
    unit: "bytes",
    get served() {
      return served;
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
      return Promise.resolve();
    },
  };
}
