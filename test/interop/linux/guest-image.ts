import { fileURLToPath } from "node:url";
import { kernelImage, type GuestImage } from "./kernel-image.js";
import { debian } from "./kept-folder.js";

/** Modules of the kernel that tests load; what these need comes along. */
const MODULES = [
  "virtio_pci", "virtio_blk", "virtio_net", "virtio-rng", "virtio_console", "virtio_balloon", "virtio_input",
  "virtio_scsi", "virtiofs", "vmw_vsock_virtio_transport", "virtio_crypto", "sd_mod", "evdev", "ext4", "vfat",
  "nls_ascii", "nls_cp437", "crc32c_generic", "algif_skcipher",
]; // prettier-ignore

/**
 * The guest of the tests: Debian's kernel, busybox, and the programs in guest/, which are compiled here. It is made once for
 * each version of the kernel and of those files, and kept in node_modules/.cache.
 * @throws GuestUnavailable that says what is missing: a tool, or the network.
 */
export async function guestImage(): Promise<GuestImage> {
  return await kernelImage({
    packages: debian,
    newest: "linux-image-amd64",
    label: "",
    modules: MODULES,
    recipes: [fileURLToPath(import.meta.url)],
  });
}
