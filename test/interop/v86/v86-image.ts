import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DebianPackages } from "../linux/debian-packages.js";
import { kernelImage, type GuestImage } from "../linux/kernel-image.js";
import { cache } from "../linux/kept-folder.js";
import { i386Programs } from "./i386-programs.js";

/** Modules of the kernel that tests load; what these need comes along. */
const MODULES = [
  "virtio_pci", "virtio_blk", "virtio-rng", "virtio_input", "virtio_console", "virtio_net", "virtio_balloon", "virtio_scsi",
  "virtiofs", "vmw_vsock_virtio_transport", "virtio_crypto", "algif_skcipher", "sd_mod", "evdev", "virtio_mmio", "virtio-gpu",
  "ext4", "crc32c_generic",
]; // prettier-ignore

/** Debian for processors of 32 bits, which is what v86 emulates. The system has no lists of it. */
const folder = join(cache, "packages-i386");
const debian = new DebianPackages(folder, [
  ...["-o", "APT::Architecture=i386", "-o", "APT::Architectures::=i386", "-o", "Dir::State::status=/dev/null"],
  ...["-o", `Dir::State::lists=${join(folder, "lists")}`, "-o", `Dir::Cache=${folder}`],
]);

/**
 * Debian's kernel for old PCs, busybox, and the programs in guest/. It is made once for each version of the kernel, and kept in node_modules/.cache.
 * @throws GuestUnavailable that says what is missing: a tool, or the network.
 */
export async function v86Image(): Promise<GuestImage> {
  return await kernelImage({
    packages: debian,
    newest: "linux-image-686",
    label: "v86-",
    modules: MODULES,
    programs: await i386Programs(),
    recipes: [fileURLToPath(import.meta.url), fileURLToPath(new URL("i386-programs.ts", import.meta.url))],
  });
}
