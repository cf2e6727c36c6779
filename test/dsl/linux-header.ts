import { check, languages, missingCompiler, run, values as valuesIn } from "../interop/c-compiler.js";

/** Linux's headers, asked through the system's C compiler. */

/** Those that have been there for long, and those that come with newer kernels. */
const always = [
  "virtio_ids", "virtio_config", "virtio_ring", "virtio_pci", "virtio_mmio", "virtio_net", "virtio_blk", "virtio_console",
  "virtio_balloon", "virtio_scsi", "virtio_gpu", "virtio_input", "virtio_crypto", "virtio_vsock", "virtio_fs", "virtio_iommu",
  "virtio_mem", "virtio_snd", "virtio_i2c", "virtio_gpio", "virtio_scmi", "virtio_pmem",
]; // prettier-ignore
const newer = ["virtio_can", "virtio_rtc", "virtio_spi", "virtio_rpmb", "virtio_media"];

const includes = [
  ...always.map((header) => `#include <linux/${header}.h>\n`),
  ...newer.map((header) => `#if __has_include(<linux/${header}.h>)\n#include <linux/${header}.h>\n#endif\n`),
].join("");

/** Why there is nothing to ask, or undefined. */
export function missingHeaders(): string | undefined {
  const missing = missingCompiler("c");
  if (missing !== undefined) return missing;
  const said = check("c", includes, ["-w"]);
  return said === "" ? undefined : (said.split("\n").find((line) => line.includes("error")) ?? said);
}

/** Macros and structs that the headers define, and members of their enums. */
export function definedNames(): { readonly constants: ReadonlySet<string>; readonly structs: ReadonlySet<string> } {
  const { command } = languages.c;
  const macros = run(command, ["-E", "-dM", "-x", "c", "-"], includes).out;
  const text = run(command, ["-E", "-P", "-x", "c", "-"], includes).out;
  const enums = [...text.matchAll(/\benum\s*\w*\s*\{([^}]*)\}/g)].flatMap((found) => [
    ...(found[1] ?? "").matchAll(/(?:^|,)\s*(\w+)/g),
  ]);
  return {
    constants: new Set([
      ...[...macros.matchAll(/^#define (\w+) \S/gm)].flatMap((found) => found[1] ?? []),
      ...enums.flatMap((found) => found[1] ?? []),
    ]),
    structs: new Set([...text.matchAll(/\bstruct (\w+) \{/g)].flatMap((found) => found[1] ?? [])),
  };
}

/** Values of integer expressions in C, undefined for what is not in the headers. */
export function values(expressions: readonly string[]): readonly (number | undefined)[] {
  return valuesIn(expressions, includes);
}
