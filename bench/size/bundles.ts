import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** What somebody imports of a device: the class of one end, or both. */
export const imports = ["device", "driver", "both"] as const;
export type Imported = (typeof imports)[number];

export interface BundleSize {
  /** Bytes of the bundle, minified. */
  readonly minified: number;
  /** Bytes of that after gzip at its highest level. */
  readonly gzip: number;
  /** Bytes of `minified` that come from the device's own module; the rest is the runtime. */
  readonly own: number;
}

export interface DeviceBundles {
  readonly name: string;
  readonly sizes: Readonly<Record<Imported, BundleSize>>;
  /** Each module that importing the device loads, as a path from the root of the repository. */
  readonly modules: readonly string[];
}

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The program itself, among its modules. */
const importer = "importer.js";

/** Devices that the package has an entry for; `core` is what they share, and has neither end. */
export const deviceNames: readonly string[] = readdirSync(join(root, "generated"))
  .map((file) => basename(file, ".ts"))
  .filter((name) => name !== "core")
  .sort();

/**
 * The entries resolve as they do for a user of the package, but to the sources: nothing has to be built before. With
 * `ignoreAnnotations`, a module that nothing is used of is kept, as it is loaded where there is no bundler.
 */
async function bundle(text: string, ignoreAnnotations: boolean) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: text, resolveDir: root, sourcefile: importer, loader: "js" },
    absWorkingDir: root,
    conditions: ["virtio-gen-source"],
    // Without node: modules; if one is needed, there is no bundle.
    platform: "browser",
    format: "esm",
    target: "es2023",
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    ignoreAnnotations,
  });
  const [output] = Object.values(metafile.outputs);
  const [file] = outputFiles;
  if (output === undefined || file === undefined) throw new Error("the bundler has written nothing");
  return { contents: file.contents, parts: output.inputs, modules: Object.keys(metafile.inputs) };
}

/** Modules that a program loads, as paths from the root of the repository. */
export async function modulesOf(program: string): Promise<string[]> {
  const { modules } = await bundle(program, true);
  return modules.filter((path) => path !== importer);
}

/** The bundle of a program that imports one end of a device, or both, and nothing else. */
async function sizeOf(name: string, classes: readonly string[]): Promise<BundleSize> {
  const { contents, parts } = await bundle(
    `export { ${classes.join(", ")} } from "virtio-gen/devices/${name}";`,
    false,
  );
  const own = parts[`generated/${name}.ts`]?.bytesInOutput;
  if (own === undefined) throw new Error(`generated/${name}.ts is not in its own bundle`);
  return { minified: contents.length, gzip: gzipSync(contents, { level: 9 }).length, own };
}

/** Bundles a device three times and measures; a class that is not there is an error of the bundler. */
export async function bundlesOf(name: string): Promise<DeviceBundles> {
  const stem = name.charAt(0).toUpperCase() + name.slice(1);
  const [device, driver] = [`${stem}Device`, `${stem}Driver`];
  return {
    name,
    sizes: {
      device: await sizeOf(name, [device]),
      driver: await sizeOf(name, [driver]),
      both: await sizeOf(name, [device, driver]),
    },
    modules: await modulesOf(`export * from "virtio-gen/devices/${name}";`),
  };
}
