import { copyFile, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "../linux/command.js";
import { makeInitramfs, recipeName } from "../linux/initramfs.js";
import { debian, keptFolder } from "../linux/kept-folder.js";

const PACKAGE = "user-mode-linux";

/** Modules of the kernel that tests load; what these need comes along. */
const MODULES = [
  "virtio_console", "virtio_blk", "virtio_net", "virtio_scsi", "sd_mod", "virtio_balloon", "virtiofs",
  "vmw_vsock_virtio_transport",
]; // prettier-ignore

/** Linux as a program, and its first file system. */
export interface UmlImage {
  readonly program: string;
  readonly initrd: string;
}

/**
 * Debian's User-mode Linux, with busybox and the programs of the other guest. It is made once for each version of the package,
 * and kept in node_modules/.cache.
 * @throws GuestUnavailable that says what is missing: a tool, or the network.
 */
export async function umlImage(): Promise<UmlImage> {
  const folder = await keptFolder({
    prefix: `${PACKAGE}-`,
    recipe: await recipeName([fileURLToPath(import.meta.url)], MODULES),
    packages: debian,
    async name() {
      const version = await debian.version(PACKAGE);
      return version === undefined ? undefined : `${PACKAGE}-${version}`;
    },
    download: async () => ({
      uml: await debian.file(PACKAGE, await debian.version(PACKAGE)),
      busybox: await debian.file("busybox-static"),
    }),
    async make({ uml, busybox }, work, result) {
      const tree = join(work, "uml");
      await command("dpkg-deb", ["-x", uml, tree]);
      await mkdir(join(tree, "lib"), { recursive: true });
      await rename(join(tree, "usr/lib/uml/modules"), join(tree, "lib/modules"));
      await copyFile(join(tree, "usr/bin/linux.uml"), join(result, "linux"));
      await makeInitramfs(work, { kernel: tree, modules: MODULES, busybox }, join(result, "initrd"));
    },
  });
  return { program: join(folder, "linux"), initrd: join(folder, "initrd") };
}
