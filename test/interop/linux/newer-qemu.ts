import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { requirePeer } from "../peers.js";
import { command } from "./command.js";
import { DebianPackages } from "./debian-packages.js";
import { GuestUnavailable, nameOfFiles } from "./initramfs.js";
import { cache, debian, keptFolder } from "./kept-folder.js";

const PACKAGE = "qemu-system-x86";
/**
 * From 8 on vhost-user-input does without KVM; from 9 on an emulated processor's writes are all noticed while a guest moves.
 */
const NEW_ENOUGH = 9;
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Runs the program from where it was unpacked, with its own firmware, modules and libraries. */
const SCRIPT = `#!/bin/sh
tree=$(dirname "$(readlink -f "$0")")/tree
export LD_LIBRARY_PATH="$tree/usr/lib/x86_64-linux-gnu:$tree/lib/x86_64-linux-gnu"
export QEMU_MODULE_DIR="$tree/usr/lib/x86_64-linux-gnu/qemu"
share="$tree/usr/share"
exec "$tree/usr/bin/qemu-system-x86_64" -L "$share/qemu" -L "$share/seabios" -L /usr/share/qemu -L /usr/share/seabios "$@"
`;

let program: string | undefined;

/** Asks for a QEMU from version 9 on at the top of a suite: the one that is installed, or that of Debian's backports. */
export function requireNewerQemu(): Promise<boolean> {
  return requirePeer(`QEMU ${NEW_ENOUGH} or newer (installed, or from Debian's backports)`, async () => {
    if (process.platform !== "linux" || process.arch !== "x64") return "it is fetched for Linux on x86-64";
    try {
      program = majorVersion("qemu-system-x86_64") >= NEW_ENOUGH ? "qemu-system-x86_64" : await backportedQemu();
      const version = majorVersion(program);
      return version >= NEW_ENOUGH ? undefined : `what was fetched cannot be run, or is older: ${version}`;
    } catch (problem) {
      if (problem instanceof GuestUnavailable) return problem.message;
      throw problem;
    }
  });
}

/** The program that {@link requireNewerQemu} has found. */
export function newerQemu(): string {
  if (program === undefined) throw new Error("there is no newer QEMU");
  return program;
}

/** NaN if it cannot be run. */
function majorVersion(qemu: string): number {
  const { stdout, status } = spawnSync(qemu, ["--version"], { encoding: "utf8" });
  return status === 0 ? Number(/version (\d+)\./.exec(stdout)?.[1]) : NaN;
}

/** The QEMU of Debian's backports, unpacked with what it needs and is not installed. Nobody has to be root. */
async function backportedQemu(): Promise<string> {
  const release = await codename();
  const folder = join(cache, "backports");
  const sourcesList = join(folder, "sources.list");
  const packages = new DebianPackages(folder, [
    ...["-o", `Dir::Etc::sourcelist=${sourcesList}`, "-o", "Dir::Etc::sourceparts=/dev/null"],
    ...["-o", `Dir::State::lists=${join(folder, "lists")}`, "-o", `APT::Default-Release=${release}-backports`],
  ]);
  const known = async (): Promise<string | undefined> =>
    existsSync(sourcesList) ? await packages.version(PACKAGE) : undefined;
  const kept = await keptFolder({
    prefix: "newer-qemu-",
    recipe: await nameOfFiles([fileURLToPath(import.meta.url)]),
    packages: {
      async refresh() {
        await mkdir(folder, { recursive: true });
        await writeFile(sourcesList, await backportSources(release));
        await packages.refresh();
      },
    },
    async name() {
      const version = await known();
      if (version === undefined) return undefined;
      // A colon separates folders in LD_LIBRARY_PATH.
      return `newer-qemu-${version.replaceAll(":", "_")}`;
    },
    download: () => packages.missingFiles(PACKAGE),
    async make(files, work, result) {
      const tree = join(work, "tree");
      // The C library goes with the loader that is installed.
      const wanted = files.filter((file) => !/\/libc6_[^/]*$/.test(file));
      for (const file of wanted) await command("dpkg-deb", ["-x", file, tree]);
      await rename(tree, join(result, "tree"));
      await writeFile(join(result, "qemu"), SCRIPT);
      await chmod(join(result, "qemu"), 0o755);
    },
  });
  return join(kept, "qemu");
}

/** As "bookworm". */
async function codename(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const found = /^VERSION_CODENAME=(\S+)$/m.exec(text)?.[1];
  if (found === undefined || !/^ID=debian$/m.test(text)) throw new GuestUnavailable("this is no release of Debian");
  return found;
}

/** The same mirror that the system's own packages come from has the backports. */
async function backportSources(release: string): Promise<string> {
  let mirror = await debian.repository(release);
  if (mirror === undefined) {
    await debian.refresh();
    mirror = await debian.repository(release);
  }
  if (mirror === undefined) throw new Error(`apt has no repository of ${release}`);
  const options = existsSync(KEYS) ? `[signed-by=${KEYS}] ` : "";
  return ["", "-backports"].map((suite) => `deb ${options}${mirror} ${release}${suite} main\n`).join("");
}
