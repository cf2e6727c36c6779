import type { DeviceModel, Model } from "../../model/device-model.js";
import { deviceFile } from "./device-file.js";
import { format } from "./format.js";
import { fileText } from "./preamble.js";
import { withoutUnusedParameters } from "./used-parameters.js";

export { EmitError } from "./emit-error.js";

/** A file to be written. */
export interface EmittedFile {
  /** Relative to the output folder, with `/`. */
  readonly path: string;
  readonly text: string;
  /** Name of the device that it is of; missing for what is of several. */
  readonly device?: string;
}

export interface TypeScriptOptions {
  /** Of the compiler, for the header. */
  readonly version: string;
}

/** TypeScript for every device of a model: a file each, laid out. Throws an EmitError for what it cannot express. */
export async function emitTypeScript(model: Model, options: TypeScriptOptions): Promise<readonly EmittedFile[]> {
  return Promise.all(printTypeScript(model, options).map(formatTypeScript));
}

/** The same, not laid out yet. */
export function printTypeScript(model: Model, options: TypeScriptOptions): readonly EmittedFile[] {
  const used = withoutUnusedParameters(model);
  return used.devices.map((device) => ({
    path: `${fileName(device)}.ts`,
    text: fileText(device, options.version, deviceFile(device, used)),
    device: device.name,
  }));
}

/** Lays a file out. */
export async function formatTypeScript(file: EmittedFile): Promise<EmittedFile> {
  return { ...file, text: await format(file.text) };
}

/** What all devices share is one file, whatever it is called. */
function fileName(device: DeviceModel): string {
  return device.kind === "core" ? "core" : device.name.replaceAll("_", "-");
}
