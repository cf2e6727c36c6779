import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.js";

/** Packages of the Debian that this machine runs, as files; nothing is installed, and nobody has to be root. */
export class DebianPackages {
  readonly #folder: string;
  /** Options of apt with which it uses lists of our own instead of the system's, once those turned out to be too old. */
  #own: readonly string[] = [];

  /** @param folder Where packages are kept. */
  constructor(folder: string) {
    this.#folder = folder;
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
    const there = async (): Promise<string | undefined> =>
      (await readdir(this.#folder)).find((file) => file.startsWith(start) && file.endsWith(".deb"));
    const found = await there();
    if (found !== undefined) return join(this.#folder, found);
    await command("apt-get", [...this.#own, "download", name], { cwd: this.#folder });
    const downloaded = await there();
    if (downloaded === undefined) throw new Error(`apt-get download ${name} left no file`);
    return join(this.#folder, downloaded);
  }

  /** Fetches lists of what there is, without touching the system's. */
  async refresh(): Promise<void> {
    const state = join(this.#folder, "lists");
    await mkdir(join(state, "partial"), { recursive: true });
    this.#own = ["-o", `Dir::State::lists=${state}`, "-o", `Dir::Cache=${this.#folder}`];
    await command("apt-get", [...this.#own, "update"]);
  }
}
