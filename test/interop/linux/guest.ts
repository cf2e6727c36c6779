import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QmpClient } from "../../../src/runtime/transport/qtest/index.js";
import { requirePeer } from "../peers.js";
import { AgentConnection } from "./agent-connection.js";
import { GuestCommands } from "./guest-commands.js";
import { guestImage, type GuestImage } from "./guest-image.js";
import { GuestUnavailable } from "./initramfs.js";
import { within } from "./within.js";

export interface GuestOptions {
  /** Devices and back ends, as on QEMU's command line. The guest's memory is shared; its object is called `memory`. */
  readonly devices: readonly string[];
  /** Modules of the kernel to load, with those that they need, before the test begins. */
  readonly modules?: readonly string[];
  /** Processors; 1 if absent. */
  readonly processors?: number;
  /** Memory in MiB; 256 if absent. */
  readonly memory?: number;
  /** More of the kernel's command line. */
  readonly extraKernelArguments?: string;
}

/** For how long a guest may take to start, in seconds: it needs about 5, on a machine that does nothing else. */
const BOOT_PATIENCE = 120;

const KERNEL_ARGUMENTS = "console=ttyS0 panic=-1 loglevel=4 mitigations=off nokaslr random.trust_cpu=on";

let image: GuestImage | undefined;

/** Asks for QEMU and a guest at the top of a suite: `describe.runIf(await requireGuest())`. The first one makes it. */
export function requireGuest(): Promise<boolean> {
  return requirePeer("a Linux guest (qemu-system-x86_64, Debian's kernel)", async () => {
    if (process.platform !== "linux" || process.arch !== "x64") return "it is made on Linux, on x86-64";
    const { status, error } = spawnSync("qemu-system-x86_64", ["--version"]);
    if (error !== undefined || status !== 0) return "qemu-system-x86_64 cannot be run";
    try {
      image = await guestImage();
      return undefined;
    } catch (problem) {
      if (problem instanceof GuestUnavailable) return problem.message;
      throw problem;
    }
  });
}

/** Boots a guest for `work`; it is gone afterwards. Its console is part of a failure. */
export async function withGuest<T>(options: GuestOptions, work: (guest: Guest) => Promise<T>): Promise<T> {
  const guest = await Guest.start(options);
  try {
    return await work(guest);
  } catch (error) {
    if (error instanceof Error) error.message += guest.account();
    throw error;
  } finally {
    await guest.close();
  }
}

/** A Linux that runs in QEMU, in which a test runs commands. */
export class Guest extends GuestCommands {
  readonly qmp: QmpClient;
  readonly #qemu: QemuRun;

  private constructor(qemu: QemuRun, agent: AgentConnection, qmp: QmpClient) {
    super(agent, qemu);
    this.#qemu = qemu;
    this.qmp = qmp;
  }

  /**
   * Boots a guest and waits until commands can be run in it. Nothing is left behind when it fails.
   * @throws Error with what the guest printed on its console.
   */
  static async start(options: GuestOptions): Promise<Guest> {
    const qemu = await QemuRun.start(image ?? (await guestImage()), options);
    try {
      const qmp = await within(BOOT_PATIENCE, "QEMU does not answer", Promise.race([qemu.qmp(), qemu.ended]));
      const agent = new AgentConnection(await Promise.race([qemu.agentSocket, qemu.ended]));
      await within(BOOT_PATIENCE, "the guest does not start", Promise.race([agent.ready, qemu.ended]));
      const guest = new Guest(qemu, agent, qmp);
      const modules = options.modules ?? [];
      if (modules.length > 0) await guest.run(`modprobe -a virtio_pci ${modules.join(" ")}`, BOOT_PATIENCE);
      return guest;
    } catch (error) {
      if (error instanceof Error) error.message += qemu.account();
      await qemu.close();
      throw error;
    }
  }

  /** Ends the guest at once. Safe to call twice. */
  async close(): Promise<void> {
    this.hangUp();
    this.qmp.close();
    await this.#qemu.close();
  }

  /** What the guest wrote to its console and what QEMU printed, for the message of a failure. */
  account(): string {
    return this.#qemu.account();
  }
  /** Of QEMU, for measurements. */
  get processId(): number {
    return this.#qemu.processId;
  }
  /** What the guest wrote to its console so far. */
  get console(): string {
    return this.#qemu.console;
  }
}

/** The process of QEMU, and the sockets that it connects to. */
class QemuRun {
  readonly agentSocket: Promise<Socket>;
  /** Fulfilled when QEMU is gone. */
  readonly exited: Promise<void>;
  /** Rejected when QEMU is gone. */
  readonly ended: Promise<never>;
  console = "";
  #printed = "";
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #servers: readonly Server[];
  readonly #qmpSocket: Promise<Socket>;

  private constructor(child: ChildProcess, folder: string, servers: { readonly agent: Server; readonly qmp: Server }) {
    this.#child = child;
    this.#folder = folder;
    this.#servers = [servers.agent, servers.qmp];
    this.agentSocket = firstConnection(servers.agent);
    this.#qmpSocket = firstConnection(servers.qmp);
    child.stdout?.setEncoding("latin1").on("data", (text: string) => (this.console += text));
    child.stderr?.setEncoding("latin1").on("data", (text: string) => (this.#printed += text));
    // Through an object, so that `ended` is the only promise that anybody has to look after.
    this.exited = new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    this.ended = this.exited.then(() => {
      throw new Error(`QEMU ended (${child.signalCode ?? `exit code ${child.exitCode ?? "unknown"}`})`);
    });
    this.ended.catch(() => undefined);
  }

  static async start(image: GuestImage, options: GuestOptions): Promise<QemuRun> {
    const folder = await mkdtemp(join(tmpdir(), "virtio-gen-guest-"));
    const servers = { agent: createServer(), qmp: createServer() };
    for (const [name, server] of Object.entries(servers)) {
      server.listen(join(folder, name));
      await once(server, "listening");
    }
    const child = spawn("qemu-system-x86_64", commandLine(image, folder, options), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const last = (): void => void child.kill("SIGKILL");
    process.once("exit", last);
    child.once("exit", () => process.removeListener("exit", last));
    return new QemuRun(child, folder, servers);
  }

  get processId(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("QEMU was not started");
    return pid;
  }

  async qmp(): Promise<QmpClient> {
    return await QmpClient.open(await this.#qmpSocket);
  }

  account(): string {
    const printed = this.#printed === "" ? "" : `\nQEMU printed:\n${this.#printed.slice(-4096)}`;
    return `${printed}\nThe guest's console:\n${this.console.replaceAll("\r", "").slice(-8192)}`;
  }

  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
    for (const server of this.#servers) server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function firstConnection(server: Server): Promise<Socket> {
  return new Promise((resolve) => server.once("connection", resolve));
}

function commandLine(image: GuestImage, folder: string, options: GuestOptions): string[] {
  const size = `${options.memory ?? 256}M`;
  const processors = options.processors ?? 1;
  return [
    "-accel", processors > 1 ? "tcg,thread=multi" : "tcg", "-cpu", "max", "-smp", String(processors), "-m", size,
    "-object", `memory-backend-memfd,id=memory,size=${size},share=on`, "-machine", "q35,memory-backend=memory",
    "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
    "-kernel", image.kernel, "-initrd", image.initrd,
    "-append", `${KERNEL_ARGUMENTS} ${options.extraKernelArguments ?? ""}`,
    "-serial", "stdio",
    "-chardev", `socket,id=agent,path=${join(folder, "agent")}`, "-serial", "chardev:agent",
    "-chardev", `socket,id=qmp,path=${join(folder, "qmp")}`, "-mon", "chardev=qmp,mode=control",
    ...options.devices,
  ]; // prettier-ignore
}
