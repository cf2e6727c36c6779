import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "./command.js";
import { makeInitramfs, recipeName } from "./initramfs.js";
import { debian, keptFolder } from "./kept-folder.js";

/** Modules of the kernel that tests load; what these need comes along. */
const MODULES = [
  "virtio_pci", "virtio_blk", "virtio_net", "virtio-rng", "virtio_console", "virtio_balloon", "virtio_input",
  "virtio_scsi", "virtiofs", "vmw_vsock_virtio_transport", "virtio_crypto", "sd_mod", "evdev", "ext4", "vfat",
  "nls_ascii", "nls_cp437", "crc32c_generic", "algif_skcipher",
]; // prettier-ignore

/** A kernel and its first file system, for QEMU's `-kernel` and `-initrd`. */
export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

/**
 * The guest of the tests: Debian's kernel, busybox, and the programs in guest/, which are compiled here. It is made once for
 * each version of the kernel and of those files, and kept in node_modules/.cache.
 * @throws GuestUnavailable that says what is missing: a tool, or the network.
 */
export async function guestImage(): Promise<GuestImage> {
  const kernelPackage = (): Promise<string | undefined> => debian.dependency("linux-image-amd64", "linux-image-");
  const folder = await keptFolder({
    prefix: "linux-image-",
    recipe: await recipeName([fileURLToPath(import.meta.url)], MODULES),
    packages: debian,
    name: kernelPackage,
    async download() {
      const name = await kernelPackage();
      if (name === undefined) throw new Error("apt knows no package linux-image-amd64");
      return { kernel: await debian.file(name), busybox: await debian.file("busybox-static") };
    },
    async make(downloaded, work, result) {
      const kernel = join(work, "kernel");
      await command("dpkg-deb", ["-x", downloaded.kernel, kernel]);
      const [version] = await readdir(join(kernel, "lib/modules"));
      if (version === undefined) throw new Error(`${downloaded.kernel} has no modules`);
      await copyFile(join(kernel, "boot", `vmlinuz-${version}`), join(result, "vmlinuz"));
      const { busybox } = downloaded;
      await makeInitramfs(work, { kernel, modules: MODULES, busybox }, join(result, "initrd"));
    },
  });
  return { kernel: join(folder, "vmlinuz"), initrd: join(folder, "initrd") };
}
