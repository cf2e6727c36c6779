import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type BuildResult } from "../../src/compiler/build.js";
import type { Model } from "../../src/model/device-model.js";

/*
 * test/fixtures/strange holds devices that are not in the specification, with constructs that no device there combines like
 * this. A file that is put there is tested by being there.
 */

const root = resolve(fileURLToPath(import.meta.url), "../../..");
const folder = new URL("../fixtures/strange/", import.meta.url);

/** One definition, and what is made of it. */
export interface StrangeDevice {
  readonly name: string;
  readonly text: string;
  readonly result: BuildResult;
}

export const strangeNames: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith(".virtio"))
  .sort();

export async function strangeDevice(name: string): Promise<StrangeDevice> {
  const text = readFileSync(new URL(name, folder), "utf8");
  return { name, text, result: await build([{ name, text }], { emit: ["ts", "c"] }) };
}

/** The text of an emitted file. */
export function outputOf({ name, result }: StrangeDevice, ending: ".ts" | ".h"): string {
  const found = result.outputs.find(({ path }) => path.endsWith(ending) && path !== "virtio_shared.h");
  if (found !== undefined) return found.text;
  const problems = result.diagnostics.map(({ code, message }) => `${code} ${message}`);
  throw new Error(`nothing is made of ${name}: ${problems.join("; ")}`);
}

export function requireModel({ name, result }: StrangeDevice): Model {
  if (result.model === undefined) throw new Error(`${name} does not compile`);
  return result.model;
}

/** The generated modules, loaded from a folder that is removed with `remove`. */
export class LoadedModules {
  readonly #folder = mkdtempSync(join(tmpdir(), "virtio-gen-strange-"));

  async load(device: StrangeDevice): Promise<unknown> {
    const path = join(this.#folder, device.name.replace(".virtio", ".ts"));
    // Outside of the package its own name means nothing.
    const runtime = JSON.stringify(join(root, "src", "runtime", "index.ts"));
    writeFileSync(path, outputOf(device, ".ts").replaceAll('"virtio-gen/runtime"', runtime));
    const module: unknown = await import(pathToFileURL(path).href);
    return module;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
