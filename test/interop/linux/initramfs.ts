import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "./command.js";

/** What a guest has beside busybox: a folder of programs in C, which are compiled, and of scripts, `init` the first process. */
export interface GuestPrograms {
  readonly folder: string;
  /** Paths of more programs in C. */
  readonly more?: readonly string[];
  /** Packages that it takes to compile them. */
  readonly packages: readonly string[];
  /**
   * Makes the compiler ready.
   * @param packages Paths of those packages.
   * @param work Folder for what comes in between.
   */
  compiler(packages: readonly string[], work: string): Promise<(source: string, program: string) => Promise<void>>;
}

/** Those in guest/, for this machine's processor. */
const nativePrograms: GuestPrograms = {
  folder: fileURLToPath(new URL("guest/", import.meta.url)),
  packages: [],
  compiler: () =>
    Promise.resolve(async (source, program) => {
      await command("gcc", ["-O2", "-static", "-s", "-Wall", "-Werror", "-pthread", "-o", program, source]);
    }),
};

/** Something outside of the project is missing without which no guest can be made. */
export class GuestUnavailable extends Error {
  override readonly name = "GuestUnavailable";
}

/** Programs without which no guest can be made, and the Debian package of each. */
const TOOLS = { "apt-get": "apt", "dpkg-deb": "dpkg", depmod: "kmod", cpio: "cpio", gcc: "gcc" } as const;

/** @throws GuestUnavailable when one of the programs that guests are made with is missing. */
export async function requireTools(): Promise<void> {
  for (const [tool, from] of Object.entries(TOOLS)) {
    await command(tool, ["--version"]).catch((error: unknown) => {
      throw new GuestUnavailable(`there is no ${tool} (Debian's package ${from})`, { cause: error });
    });
  }
}

/** A name for what is made of these programs, of these files (paths) and of these modules. */
export async function recipeName(
  files: readonly string[],
  modules: readonly string[],
  { folder, more = [] }: GuestPrograms = nativePrograms,
): Promise<string> {
  const programs = (await readdir(folder)).sort().map((name) => join(folder, name));
  return await nameOfFiles([...programs, ...more, fileURLToPath(import.meta.url), ...files], modules.join());
}

/** A name for what is made of these files (paths) and of a text. */
export async function nameOfFiles(files: readonly string[], text = ""): Promise<string> {
  const hash = createHash("sha256").update(text);
  for (const file of files) hash.update(await readFile(file));
  return hash.digest("hex").slice(0, 12);
}

/**
 * Makes a first file system: busybox, modules of a kernel, and programs.
 * @param work Folder for what comes in between.
 * @param kernel Where the modules are: below `lib/modules/`, by the version of the kernel.
 * @param modules Names of those that are wanted; what these need comes along.
 * @param busybox The package.
 * @param programs Those in guest/ if absent.
 * @param packages What it takes to compile them.
 * @param initrd File to write.
 */
export async function makeInitramfs(
  work: string,
  from: {
    readonly kernel: string;
    readonly modules: readonly string[];
    readonly busybox: string;
    readonly programs?: GuestPrograms;
    readonly packages?: readonly string[];
  },
  initrd: string,
): Promise<void> {
  const [busybox, root] = [join(work, "busybox"), join(work, "root")];
  const [version] = await readdir(join(from.kernel, "lib/modules"));
  if (version === undefined) throw new Error(`${from.kernel} has no modules`);
  await command("dpkg-deb", ["-x", from.busybox, busybox]);
  await mkdir(join(root, "bin"), { recursive: true });
  await copyModules(from.kernel, root, version, from.modules);
  await copyFile(join(busybox, "bin/busybox"), join(root, "bin/busybox"));
  await addPrograms(root, work, from.programs ?? nativePrograms, from.packages ?? []);
  const names = (await readdir(root, { recursive: true })).sort();
  await writeFile(join(work, "names"), [".", ...names].join("\n"));
  const script = 'cd "$1" && cpio --quiet -o -H newc -R 0:0 < "$2" > "$3"';
  await command("sh", ["-c", script, "cpio", root, join(work, "names"), initrd]);
}

async function addPrograms(
  root: string,
  work: string,
  programs: GuestPrograms,
  packages: readonly string[],
): Promise<void> {
  const { folder, more = [] } = programs;
  const compile = await programs.compiler(packages, work);
  for (const source of [...(await readdir(folder)).sort().map((name) => join(folder, name)), ...more]) {
    const file = basename(source);
    if (file.endsWith(".c")) await compile(source, join(root, "bin", file.slice(0, -2)));
    else if (!file.endsWith(".h")) {
      await copyFile(source, join(root, file));
      await chmod(join(root, file), 0o755);
    }
  }
}

/** The modules that are wanted, all that they need, and the tables with which `modprobe` finds them. */
async function copyModules(from: string, to: string, version: string, names: readonly string[]): Promise<void> {
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
  for (const name of names) {
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
