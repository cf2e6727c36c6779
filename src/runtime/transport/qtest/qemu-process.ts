import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mapFile, type MappedMemory } from "../posix/mapped-memory.js";
import { QemuError } from "./qemu-error.js";
import type { QemuSurroundings } from "./pending-answers.js";
import { QmpClient } from "./qmp-client.js";
import { QtestClient } from "./qtest-client.js";

export interface QemuOptions {
  /** The program; `qemu-system-x86_64` if absent. */
  readonly program?: string;
  /** Board; `pc` if absent. `microvm` has virtio over MMIO. */
  readonly machine?: string;
  /** Devices and back ends, as on QEMU's command line. */
  readonly arguments?: readonly string[];
  /** Guest memory in bytes, a multiple of 1 MiB; 64 MiB if absent. */
  readonly memorySize?: number;
  /** Whether to map guest memory into this process where that is possible; true if absent. */
  readonly map?: boolean;
  /** How long to wait for QEMU's sockets, in milliseconds; 20,000 if absent. */
  readonly startTimeout?: number;
  /** How long QEMU may take for an answer afterwards, in milliseconds; 10,000 if absent. */
  readonly answerTimeout?: number;
}

/** The processor stays quiet: `cli; hlt; jmp` at the reset vector, the rest filled with `hlt`. */
function quietRom(): Uint8Array {
  const rom = new Uint8Array(65536).fill(0xf4);
  rom.set([0xfa, 0xf4, 0xeb, 0xfd], 0xfff0);
  return rom;
}

/** QEMU with a processor that does nothing, ready to be driven from outside. */
export class QemuProcess {
  readonly qtest: QtestClient;
  readonly qmp: QmpClient;
  readonly memorySize: number;
  /** Folder for files of this machine; removed with it. */
  readonly folder: string;
  /** Guest memory from address 0 on, where it is mapped. */
  readonly mapped: MappedMemory | undefined;
  readonly #child: ChildProcess;
  readonly #output: () => string;
  #closing: Promise<void> | undefined;

  private constructor(parts: {
    readonly child: ChildProcess;
    readonly output: () => string;
    readonly folder: string;
    readonly qtest: QtestClient;
    readonly qmp: QmpClient;
    readonly memorySize: number;
    readonly mapped: MappedMemory | undefined;
  }) {
    this.#child = parts.child;
    this.#output = parts.output;
    this.folder = parts.folder;
    this.qtest = parts.qtest;
    this.qmp = parts.qmp;
    this.memorySize = parts.memorySize;
    this.mapped = parts.mapped;
    this.#closing = undefined;
  }

  /**
   * Starts QEMU. Nothing is left behind when it fails.
   * @throws QemuError with what QEMU printed.
   */
  static async start(options: QemuOptions = {}): Promise<QemuProcess> {
    const folder = await mkdtemp(join(tmpdir(), "virtio-gen-qemu-"));
    let child: ChildProcess | undefined;
    let output = "";
    let mapped: MappedMemory | undefined;
    let timer: NodeJS.Timeout | undefined;
    let died: Promise<never> | undefined;
    try {
      const memorySize = options.memorySize ?? 64 * 1024 * 1024;
      const memoryFile = join(folder, "memory");
      const file = await open(memoryFile, "w+");
      try {
        await file.truncate(memorySize);
        await writeFile(join(folder, "quiet.rom"), quietRom());
        if (options.map !== false) mapped = await mapFile(file.fd, memorySize);
      } finally {
        await file.close();
      }
      const program = options.program ?? "qemu-system-x86_64";
      child = spawn(program, commandLine(folder, memoryFile, memorySize, options), {
        stdio: ["ignore", "pipe", "pipe"],
      });
      const running = child;
      // However this process ends, QEMU and its files do not stay.
      const last = (): void => {
        running.kill("SIGKILL");
        rmSync(folder, { recursive: true, force: true });
      };
      process.once("exit", last);
      running.once("exit", () => process.removeListener("exit", last));
      const keep = (chunk: Buffer): void => void (output = (output + chunk.toString("utf8")).slice(-16_384));
      running.stdout?.on("data", keep);
      running.stderr?.on("data", keep);
      died = new Promise<never>((_, reject) => {
        running.once("error", (error) => reject(new QemuError(`${program} cannot be run: ${error.message}`)));
        running.once("exit", (code, signal) =>
          reject(new QemuError(`QEMU ended (${code === null ? String(signal) : `exit code ${String(code)}`})`, output)),
        );
      });
      // Looked at below only while QEMU starts.
      died.catch(() => undefined);
      const patience = options.startTimeout ?? 20_000;
      const deadline = Date.now() + patience;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new QemuError("QEMU does not answer", output)), patience);
      });
      late.catch(() => undefined);
      const qtestSocket = await Promise.race([connect(join(folder, "qtest.sock"), deadline), died, late]);
      const around: QemuSurroundings = {
        answerTimeout: options.answerTimeout ?? 10_000,
        explain: async (error, isLost) => {
          const reason = isLost ? await causeOf(error, died) : error;
          if (reason instanceof QemuError && reason !== error) return reason;
          return error.output === "" ? new QemuError(error.message, output) : error;
        },
      };
      const qtest = new QtestClient(qtestSocket, around);
      const qmpSocket = await Promise.race([connect(join(folder, "qmp.sock"), deadline), died, late]);
      const qmp = await Promise.race([QmpClient.open(qmpSocket, around), died, late]);
      return new QemuProcess({ child, output: () => output, folder, qtest, qmp, memorySize, mapped });
    } catch (error) {
      const reason = await causeOf(error, died);
      if (child !== undefined) await end(child);
      mapped?.unmap();
      await rm(folder, { recursive: true, force: true });
      throw reason;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What QEMU printed so far. */
  get output(): string {
    return this.#output();
  }

  /** Ends QEMU and removes its files. `mapped` must not be used any more. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.qtest.close();
      this.qmp.close();
      await end(this.#child);
      this.mapped?.unmap();
      await rm(this.folder, { recursive: true, force: true });
    })();
    return this.#closing;
  }
}

function commandLine(folder: string, memoryFile: string, memorySize: number, options: QemuOptions): string[] {
  const size = `${String(memorySize / 1024 / 1024)}M`;
  const machine = options.machine ?? "pc";
  return [
    "-accel", "tcg", "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-m", size,
    "-machine", `${machine},memory-backend=memory`,
    "-object", `memory-backend-file,id=memory,share=on,size=${size},mem-path=${memoryFile}`,
    "-bios", join(folder, "quiet.rom"),
    "-qtest", `unix:${join(folder, "qtest.sock")},server=on,wait=off`, "-qtest-log", "none",
    "-qmp", `unix:${join(folder, "qmp.sock")},server=on,wait=off`,
    ...(options.arguments ?? []),
  ]; // prettier-ignore
}

/** A connection that fails may be how the death of QEMU is noticed first; the reason for that says more. */
async function causeOf(error: unknown, died: Promise<never> | undefined): Promise<unknown> {
  if (died === undefined) return error;
  const soon = new Promise<unknown>((resolve) => setTimeout(resolve, 500, error));
  return await Promise.race([soon, died.catch((reason: unknown) => reason)]);
}

/** Connects as soon as the socket is there. */
async function connect(path: string, deadline: number): Promise<Socket> {
  for (;;) {
    const socket = createConnection(path);
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      socket.destroy();
      if (Date.now() > deadline) throw new QemuError("QEMU does not open its sockets", "", { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
