import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QmpClient } from "../../../src/runtime/transport/qtest/index.js";
import type { GuestImage } from "./kernel-image.js";
import type { GuestOptions } from "./guest.js";

const KERNEL_ARGUMENTS = "console=ttyS0 panic=-1 loglevel=4 mitigations=off nokaslr random.trust_cpu=on";

/** The process of QEMU, and the sockets that it connects to. */
export class QemuRun {
  readonly agentSocket: Promise<Socket>;
  /** Fulfilled when QEMU is gone. */
  readonly exited: Promise<void>;
  /** Rejected when QEMU is gone. */
  readonly ended: Promise<never>;
  console = "";
  readonly #folder: string;
  #printed = "";
  readonly #child: ChildProcess;
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

  /** @param incoming The guest is to come from another QEMU, in place of being started. */
  static async start(image: GuestImage, options: GuestOptions, incoming?: "incoming"): Promise<QemuRun> {
    const folder = await mkdtemp(join(tmpdir(), "virtio-gen-guest-"));
    const servers = { agent: createServer(), qmp: createServer() };
    for (const [name, server] of Object.entries(servers)) {
      server.listen(join(folder, name));
      await once(server, "listening");
    }
    const words = commandLine(image, folder, options);
    if (incoming !== undefined) words.push("-incoming", incomingAt(folder));
    const child = spawn(options.program ?? "qemu-system-x86_64", words, { stdio: ["ignore", "pipe", "pipe"] });
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

  /** Where it waits for a guest from another QEMU. */
  get incoming(): string {
    return incomingAt(this.#folder);
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

function incomingAt(folder: string): string {
  return `unix:${join(folder, "incoming")}`;
}

function firstConnection(server: Server): Promise<Socket> {
  return new Promise((resolve) => server.once("connection", resolve));
}

function commandLine(image: GuestImage, folder: string, options: GuestOptions): string[] {
  const size = `${options.memory ?? 256}M`;
  const room = options.mostMemory === undefined ? "" : `,slots=4,maxmem=${options.mostMemory}M`;
  const processors = options.processors ?? 1;
  // With room for one processor only, QEMU before 8.1 leaves out the guest's memory barriers, as if no device looked at its memory.
  const smp = `${processors},maxcpus=${Math.max(2, processors)}`;
  return [
    "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", smp, "-m", `${size}${room}`,
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
