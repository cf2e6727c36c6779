import type { Model } from "../../model/device-model.js";
import { deviceHeader, sharedHeader, type HeaderOptions } from "./header.js";

export { SHARED_HEADER } from "./header.js";

/** A file to be written. */
export interface EmittedHeader {
  /** Relative to the output folder. */
  readonly path: string;
  readonly text: string;
  /** Name of the device that it is of; missing for what is of several. */
  readonly device?: string;
}

/**
 * C headers of a model: one a device, in the naming of Linux's uapi headers, and one for what devices share. They compile
 * as C11 and as C++17.
 */
export function emitC(model: Model, options: HeaderOptions): readonly EmittedHeader[] {
  const shared = sharedHeader(model, options);
  return [...model.devices.map((device) => deviceHeader(device, model, options)), ...(shared ? [shared] : [])];
}
