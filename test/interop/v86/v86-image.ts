import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "../linux/command.js";
import { DebianPackages } from "../linux/debian-packages.js";
import type { GuestImage } from "../linux/guest-image.js";
import { makeInitramfs, recipeName } from "../linux/initramfs.js";
import { cache, keptFolder } from "../linux/kept-folder.js";

/** Modules of the kernel that tests load; what these need comes along. */
const MODULES = ["virtio_pci", "virtio_blk", "virtio-rng", "virtio_input", "virtio_console", "virtio_net", "evdev"];

const init = fileURLToPath(new URL("init", import.meta.url));

/** Debian for processors of 32 bits, which is what v86 emulates. The system has no lists of it. */
const folder = join(cache, "packages-i386");
const debian = new DebianPackages(folder, [
  ...["-o", "APT::Architecture=i386", "-o", "APT::Architectures::=i386", "-o", "Dir::State::status=/dev/null"],
  ...["-o", `Dir::State::lists=${join(folder, "lists")}`, "-o", `Dir::Cache=${folder}`],
]);

/**
 * Debian's kernel for old PCs, and busybox. It is made once for each version of the kernel, and kept in node_modules/.cache.
 * @throws GuestUnavailable that says what is missing: a tool, or the network.
 */
export async function v86Image(): Promise<GuestImage> {
  const kernelPackage = (): Promise<string | undefined> => debian.dependency("linux-image-686", "linux-image-");
  const made = await keptFolder({
    prefix: "v86-",
    recipe: await recipeName([fileURLToPath(import.meta.url), init], MODULES),
    packages: debian,
    async name() {
      const name = await kernelPackage();
      return name === undefined ? undefined : `v86-${name}`;
    },
    async download() {
      const name = await kernelPackage();
      if (name === undefined) throw new Error("apt knows no package linux-image-686");
      return { kernel: await debian.file(name), busybox: await debian.file("busybox-static") };
    },
    async make(downloaded, work, result) {
      const kernel = join(work, "kernel");
      await command("dpkg-deb", ["-x", downloaded.kernel, kernel]);
      const [version] = await readdir(join(kernel, "lib/modules"));
      if (version === undefined) throw new Error(`${downloaded.kernel} has no modules`);
      await copyFile(join(kernel, "boot", `vmlinuz-${version}`), join(result, "vmlinuz"));
      const { busybox } = downloaded;
      await makeInitramfs(work, { kernel, modules: MODULES, busybox, init }, join(result, "initrd"));
    },
  });
  return { kernel: join(made, "vmlinuz"), initrd: join(made, "initrd") };
}
