import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VirtioDevice } from "../../../src/runtime/index.js";
import type { ServeOptions } from "../../../src/runtime/transport/vhost-user/index.js";
import { AgentConnection } from "../linux/agent-connection.js";
import { command } from "../linux/command.js";
import { GuestCommands } from "../linux/guest-commands.js";
import { GuestUnavailable } from "../linux/initramfs.js";
import { servedTo, type SuiteGuest } from "../linux/vhost-user.js";
import { within } from "../linux/within.js";
import { requirePeer } from "../peers.js";
import { umlImage, type UmlImage } from "./uml-image.js";

export interface UmlOptions {
  /** Sockets of vhost-user back ends, and the type of device of each, as a virtio device id. */
  readonly devices: readonly { readonly socket: string; readonly id: number }[];
  /** Modules of the kernel to load, with those that they need, before the test begins. */
  readonly modules?: readonly string[];
  /** Memory in MiB; 128 if absent. */
  readonly memory?: number;
}

/** For how long it may take to start, in seconds: it needs about 2, on a machine that does nothing else. */
const BOOT_PATIENCE = 300;

/** In MiB. */
const MEMORY = 128;

let image: UmlImage | undefined;

/** Asks for User-mode Linux at the top of a suite: `describe.runIf(await requireUml())`. The first one gets it. */
export function requireUml(): Promise<boolean> {
  return requirePeer("User-mode Linux (Debian's user-mode-linux)", async () => {
    if (process.platform !== "linux" || process.arch !== "x64") return "it is made for Linux on x86-64";
    try {
      image = await umlImage();
      await command("setarch", ["--version"]).catch((error: unknown) => {
        throw new GuestUnavailable("there is no setarch (Debian's package util-linux)", { cause: error });
      });
      return undefined;
    } catch (problem) {
      if (problem instanceof GuestUnavailable) return problem.message;
      throw problem;
    }
  });
}

/**
 * Serves devices and boots User-mode Linux with them, once for all tests of the suite that this is called in.
 * @param modules Modules of the kernel to load.
 * @param options How the devices are served.
 */
export function umlWith(
  devices: readonly VirtioDevice[],
  modules: readonly string[],
  options: Partial<ServeOptions> = {},
): SuiteGuest<UmlGuest> {
  const start = (...sockets: readonly string[]): Promise<UmlGuest> =>
    UmlGuest.start({
      devices: devices.map(({ definition }, index) => ({ socket: sockets[index] ?? "", id: definition.id })),
      modules,
    });
  return servedTo(devices, start, options);
}

/** A Linux that runs as a program of this machine, with one processor: its vhost-user front end is part of its kernel. */
export class UmlGuest extends GuestCommands {
  readonly #uml: UmlRun;

  private constructor(uml: UmlRun, agent: AgentConnection) {
    super(agent, uml);
    this.#uml = uml;
  }

  /**
   * Boots it and waits until commands can be run in it. Nothing is left behind when it fails.
   * @throws Error with what it printed on its console.
   */
  static async start(options: UmlOptions): Promise<UmlGuest> {
    const uml = await UmlRun.start(image ?? (await umlImage()), options);
    const agent = new AgentConnection(uml.line);
    const guest = new UmlGuest(uml, agent);
    try {
      await within(BOOT_PATIENCE, "the guest does not start", Promise.race([agent.ready, uml.ended]));
      const modules = options.modules ?? [];
      if (modules.length > 0) await guest.run(`modprobe -a ${modules.join(" ")}`, BOOT_PATIENCE);
      return guest;
    } catch (error) {
      if (error instanceof Error) error.message += guest.account();
      await guest.close();
      throw error;
    }
  }

  override async close(): Promise<void> {
    this.hangUp();
    await this.#uml.close();
  }

  override account(): string {
    return `\nThe guest's console:\n${this.#uml.console.replaceAll("\r", "").slice(-8192)}`;
  }

  /** For measurements. */
  get processId(): number {
    return this.#uml.processId;
  }
}

/** The process, and the line to the agent in it. */
class UmlRun {
  readonly line: Socket;
  readonly exited: Promise<void>;
  readonly ended: Promise<never>;
  /** What it wrote to its console and to its error output. */
  console = "";
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #last = (): void => this.#kill();

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    const line = child.stdio[3];
    if (!(line instanceof Socket)) throw new Error("there is no line to the agent");
    this.line = line;
    child.stdout?.setEncoding("latin1").on("data", (text: string) => (this.console += text));
    child.stderr?.setEncoding("latin1").on("data", (text: string) => (this.console += text));
    this.exited = new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    this.ended = this.exited.then(() => {
      throw new Error(`User-mode Linux ended (${child.signalCode ?? `exit code ${child.exitCode ?? "unknown"}`})`);
    });
    this.ended.catch(() => undefined);
    process.once("exit", this.#last);
  }

  static async start({ program, initrd }: UmlImage, options: UmlOptions): Promise<UmlRun> {
    const folder = await mkdtemp(join(tmpdir(), "virtio-gen-uml-"));
    const words = [
      // With addresses at random its memory would have a gap of any size.
      "x86_64", "-R", program, `mem=${options.memory ?? MEMORY}M`, `initrd=${initrd}`,
      "con=null", "con0=null,fd:1", "ssl=null", "ssl1=fd:3", `uml_dir=${folder}/`, "umid=guest",
      "panic=-1", "loglevel=4",
      ...options.devices.map(({ socket, id }) => `virtio_uml.device=${socket}:${id}`),
    ]; // prettier-ignore
    const child = spawn("setarch", words, {
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: await memoryFolder(options.memory ?? MEMORY) },
      // A group of its own, as it is many processes.
      detached: true,
    });
    return new UmlRun(child, folder);
  }

  get processId(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("User-mode Linux was not started");
    return pid;
  }

  async close(): Promise<void> {
    this.#kill();
    await this.exited;
    process.removeListener("exit", this.#last);
    await rm(this.#folder, { recursive: true, force: true });
  }

  #kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // All of them are gone.
    }
  }
}

/** Where the file goes that is its memory: some machines have little room in /dev/shm. */
async function memoryFolder(mebibytes: number): Promise<string> {
  const { bavail, bsize } = await statfs("/dev/shm").catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize > mebibytes * 2 ** 20 ? "/dev/shm" : tmpdir();
}
