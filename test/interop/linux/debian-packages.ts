import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.js";

/** Packages of the Debian that this machine runs, as files; nothing is installed, and nobody has to be root. */
export class DebianPackages {
  readonly #folder: string;
  /** Options of apt with which it uses lists of our own instead of the system's, once those turned out to be too old. */
  #own: readonly string[];

  /**
   * @param folder Where packages are kept.
   * @param options More options of apt.
   */
  constructor(folder: string, options: readonly string[] = []) {
    this.#folder = folder;
    this.#own = options;
  }

  /** Where the packages of a release come from: a URI, without the name of the release; undefined without lists. */
  async repository(release: string): Promise<string | undefined> {
    const format = "$(CODENAME) $(COMPONENT) $(REPO_URI)";
    const text = await command("apt-get", [...this.#own, "indextargets", "--format", format]).catch(() => "");
    const start = `${release} main `;
    return text
      .split("\n")
      .find((line) => line.startsWith(start))
      ?.slice(start.length);
  }

  /** Paths of a package and of all that it needs and is not installed, or too old; what is not there is downloaded. */
  async missingFiles(name: string): Promise<readonly string[]> {
    const words = ["--simulate", "install", "--no-install-recommends", name];
    const text = await command("apt-get", [...this.#own, ...words]);
    const files: string[] = [];
    // As: Inst seabios [1.16.2-1] (1.16.3-2 Debian:12/stable [all])
    for (const [, needed = "", version = ""] of text.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+)/gm))
      files.push(await this.file(needed, version));
    return files;
  }

  /** Name of the package that `name` depends on at present and that begins with `prefix`; undefined without lists. */
  async dependency(name: string, prefix: string): Promise<string | undefined> {
    const text = await command("apt-cache", [...this.#own, "depends", name]).catch(() => "");
    return text
      .split("\n")
      .map((line) => /^\s*Depends: (\S+)$/.exec(line)?.[1])
      .find((found) => found?.startsWith(prefix));
  }

  /** The version of a package that apt would install; undefined without lists. */
  async version(name: string): Promise<string | undefined> {
    const text = await command("apt-cache", [...this.#own, "policy", name]).catch(() => "");
    const version = /^\s*Candidate: (\S+)$/m.exec(text)?.[1];
    return version === "(none)" ? undefined : version;
  }

  /**
   * Path of a package, which is downloaded if it is not there.
   * @param version The one that apt has now; any that is there will do if absent.
   */
  async file(name: string, version?: string): Promise<string> {
    await mkdir(this.#folder, { recursive: true });
    const start = `${name}_${version === undefined ? "" : `${version.replaceAll(":", "%3a")}_`}`;
    const packageIn = async (folder: string): Promise<string | undefined> =>
      (await readdir(folder)).find((file) => file.startsWith(start) && file.endsWith(".deb"));
    const found = await packageIn(this.#folder);
    if (found !== undefined) return join(this.#folder, found);
    // Under its name there is nothing but what is whole.
    const coming = await mkdtemp(join(this.#folder, "coming-"));
    try {
      await this.#download(name, coming);
      const downloaded = await packageIn(coming);
      if (downloaded === undefined) throw new Error(`apt-get download ${name} left no file`);
      await rename(join(coming, downloaded), join(this.#folder, downloaded));
      return join(this.#folder, downloaded);
    } finally {
      await rm(coming, { recursive: true, force: true });
    }
  }

  /** A server may be out of reach for a while. */
  async #download(name: string, folder: string): Promise<void> {
    for (let left = 3; ; left--) {
      try {
        await command("apt-get", [...this.#own, "download", name], { cwd: folder });
        return;
      } catch (error) {
        if (left === 1) throw error;
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    }
  }

  /** Fetches lists of what there is, without touching the system's. One that is out of reach does not keep others away. */
  async refresh(): Promise<void> {
    const state = join(this.#folder, "lists");
    await mkdir(join(state, "partial"), { recursive: true });
    this.#own = [...this.#own, "-o", `Dir::State::lists=${state}`, "-o", `Dir::Cache=${this.#folder}`];
    await command("apt-get", [...this.#own, "update"]).catch(() => undefined);
  }
}
