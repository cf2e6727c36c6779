import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "./command.js";
import type { DebianPackages } from "./debian-packages.js";
import { makeInitramfs, recipeName, type GuestPrograms } from "./initramfs.js";
import { keptFolder } from "./kept-folder.js";

/** A kernel and its first file system, for a machine to boot. */
export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

export interface KernelImageKind {
  readonly packages: DebianPackages;
  /** The package that depends on the kernel of the time. */
  readonly newest: string;
  /** What is made is kept under the name of the kernel's package, with this in front. */
  readonly label: string;
  /** Modules of the kernel; what these need comes along. */
  readonly modules: readonly string[];
  /** Those in guest/ if absent. */
  readonly programs?: GuestPrograms;
  /** Paths of the files that say all this: others make another image. */
  readonly recipes: readonly string[];
}

/**
 * Debian's kernel with busybox. It is made once for each version of the kernel, and kept in node_modules/.cache.
 * @throws GuestUnavailable that says what is missing: a tool, or the network.
 */
export async function kernelImage(kind: KernelImageKind): Promise<GuestImage> {
  const { packages, newest, label, modules, programs, recipes } = kind;
  const kernelPackage = (): Promise<string | undefined> => packages.dependency(newest, "linux-image-");
  const folder = await keptFolder({
    prefix: `${label}linux-image-`,
    recipe: await recipeName([fileURLToPath(import.meta.url), ...recipes], modules, programs),
    packages,
    async name() {
      const name = await kernelPackage();
      return name === undefined ? undefined : `${label}${name}`;
    },
    async download() {
      const name = await kernelPackage();
      if (name === undefined) throw new Error(`apt knows no package ${newest}`);
      const more: string[] = [];
      for (const needed of programs?.packages ?? []) more.push(await packages.file(needed));
      return { kernel: await packages.file(name), busybox: await packages.file("busybox-static"), more };
    },
    async make(downloaded, work, result) {
      const kernel = join(work, "kernel");
      await command("dpkg-deb", ["-x", downloaded.kernel, kernel]);
      const [version] = await readdir(join(kernel, "lib/modules"));
      if (version === undefined) throw new Error(`${downloaded.kernel} has no modules`);
      await copyFile(join(kernel, "boot", `vmlinuz-${version}`), join(result, "vmlinuz"));
      const { busybox, more } = downloaded;
      const from = { kernel, modules, busybox, packages: more, ...(programs && { programs }) };
      await makeInitramfs(work, from, join(result, "initrd"));
    },
  });
  return { kernel: join(folder, "vmlinuz"), initrd: join(folder, "initrd") };
}
