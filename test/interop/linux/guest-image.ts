import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "./command.js";
import { DebianPackages } from "./debian-packages.js";

const sources = fileURLToPath(new URL("guest/", import.meta.url));
const cache = fileURLToPath(new URL("../../../node_modules/.cache/virtio-gen/guest/", import.meta.url));

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

/** Something outside of the project is missing without which no guest can be made. */
export class GuestUnavailable extends Error {
  override readonly name = "GuestUnavailable";
}

/** Programs without which no guest can be made, and the Debian package of each. */
const TOOLS = { "apt-get": "apt", "dpkg-deb": "dpkg", depmod: "kmod", cpio: "cpio", gcc: "gcc" } as const;

/**
 * The guest of the tests: Debian's kernel, busybox, and the programs in guest/, which are compiled here. It is made once for
 * each version of the kernel and of those files, and kept in node_modules/.cache.
 * @throws GuestUnavailable that says what is missing: a tool, or the network.
 */
export async function guestImage(): Promise<GuestImage> {
  const packages = new DebianPackages(join(cache, "packages"));
  const sourceFiles = (await readdir(sources)).sort();
  const hash = createHash("sha256").update(MODULES.join());
  for (const file of [...sourceFiles.map((name) => join(sources, name)), fileURLToPath(import.meta.url)])
    hash.update(await readFile(file));
  const recipe = hash.digest("hex").slice(0, 12);

  const kernelPackage = await packages.dependency("linux-image-amd64", "linux-image-");
  const made = await findMade(recipe, kernelPackage);
  if (made !== undefined) return made;
  await requireTools();
  return await alone(async () => {
    const { kernel, busybox } = await download(packages);
    const name = `${kernel.name}-${recipe}`;
    const madeMeanwhile = await findMade(recipe, kernel.name);
    if (madeMeanwhile !== undefined) return madeMeanwhile;
    const work = join(cache, `making-${process.pid}`);
    try {
      await make(work, kernel.file, busybox, sourceFiles);
      for (const old of await readdir(cache))
        if (old.startsWith("linux-image-")) await rm(join(cache, old), { recursive: true, force: true });
      await rename(join(work, "result"), join(cache, name));
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return image(name);
  });
}

interface Downloaded {
  readonly kernel: { readonly name: string; readonly file: string };
  readonly busybox: string;
}

/** The packages that a guest is made of. Lists of apt that are missing or old, and name what servers lost, are fetched. */
async function download(packages: DebianPackages): Promise<Downloaded> {
  const attempt = async (): Promise<Downloaded> => {
    const name = await packages.dependency("linux-image-amd64", "linux-image-");
    if (name === undefined) throw new Error("apt knows no package linux-image-amd64");
    return { kernel: { name, file: await packages.file(name) }, busybox: await packages.file("busybox-static") };
  };
  try {
    return await attempt().catch(async () => {
      await packages.refresh();
      return await attempt();
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GuestUnavailable(`its packages cannot be downloaded: ${reason}`, { cause: error });
  }
}

function image(name: string): GuestImage {
  return { kernel: join(cache, name, "vmlinuz"), initrd: join(cache, name, "initrd") };
}

/** A guest that was made by this recipe; any kernel will do where apt does not say which is the newest. */
async function findMade(recipe: string, kernelPackage: string | undefined): Promise<GuestImage | undefined> {
  if (!existsSync(cache)) return undefined;
  const names = (await readdir(cache)).filter((name) => name.endsWith(`-${recipe}`)).sort();
  const name = kernelPackage === undefined ? names.at(-1) : `${kernelPackage}-${recipe}`;
  return name !== undefined && names.includes(name) ? image(name) : undefined;
}

async function requireTools(): Promise<void> {
  for (const [tool, from] of Object.entries(TOOLS)) {
    await command(tool, ["--version"]).catch((error: unknown) => {
      throw new GuestUnavailable(`there is no ${tool} (Debian's package ${from})`, { cause: error });
    });
  }
}

/** Test files run in processes of their own: one of them makes the guest, the others wait for it. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  await mkdir(cache, { recursive: true });
  const lock = join(cache, "lock");
  for (;;) {
    try {
      const file = await open(lock, "wx");
      await file.writeFile(String(process.pid));
      await file.close();
      break;
    } catch {
      const owner = Number(await readFile(lock, "utf8").catch(() => "0"));
      if (owner !== 0 && !isAlive(owner)) await rm(lock, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch {
    return false;
  }
}

async function make(work: string, kernelFile: string, busyboxFile: string, sourceFiles: readonly string[]) {
  const [kernelTree, busyboxTree, root, result] = ["kernel", "busybox", "root", "result"].map((name) =>
    join(work, name),
  );
  if (!kernelTree || !busyboxTree || !root || !result) throw new Error("no folders");
  await mkdir(result, { recursive: true });
  await command("dpkg-deb", ["-x", kernelFile, kernelTree]);
  await command("dpkg-deb", ["-x", busyboxFile, busyboxTree]);
  const [version] = await readdir(join(kernelTree, "lib/modules"));
  if (version === undefined) throw new Error(`${kernelFile} has no modules`);
  await copyFile(join(kernelTree, "boot", `vmlinuz-${version}`), join(result, "vmlinuz"));

  await mkdir(join(root, "bin"), { recursive: true });
  await copyModules(kernelTree, root, version);
  await copyFile(join(busyboxTree, "bin/busybox"), join(root, "bin/busybox"));
  for (const file of sourceFiles) {
    const source = join(sources, file);
    if (file.endsWith(".c")) {
      const program = join(root, "bin", file.slice(0, -2));
      await command("gcc", ["-O2", "-static", "-s", "-Wall", "-Werror", "-pthread", "-o", program, source]);
    } else if (!file.endsWith(".h")) {
      await copyFile(source, join(root, file));
      await chmod(join(root, file), 0o755);
    }
  }
  const names = (await readdir(root, { recursive: true })).sort();
  await writeFile(join(work, "names"), [".", ...names].join("\n"));
  const script = 'cd "$1" && cpio --quiet -o -H newc -R 0:0 < "$2" > "$3"';
  await command("sh", ["-c", script, "cpio", root, join(work, "names"), join(result, "initrd")]);
}

/** The modules that are wanted, all that they need, and the tables with which `modprobe` finds them. */
async function copyModules(from: string, to: string, version: string): Promise<void> {
  const below = join("lib/modules", version);
  await command("depmod", ["-b", from, version]);
  const needs = new Map<string, readonly string[]>();
  for (const line of (await readFile(join(from, below, "modules.dep"), "utf8")).split("\n")) {
    const [module = "", rest = ""] = line.split(":");
    needs.set(
      module,
      rest.split(" ").filter((path) => path !== ""),
    );
  }
  const wanted = new Set<string>();
  for (const name of MODULES) {
    const path = [...needs.keys()].find((module) => module.endsWith(`/${name}.ko`));
    if (path === undefined) throw new Error(`the kernel has no module ${name}`);
    for (const module of [path, ...(needs.get(path) ?? [])]) wanted.add(module);
  }
  for (const module of wanted) {
    const target = join(to, below, module);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(from, below, module), target);
  }
  for (const table of ["modules.order", "modules.builtin", "modules.builtin.modinfo"])
    await copyFile(join(from, below, table), join(to, below, table));
  await command("depmod", ["-b", to, version]);
}
