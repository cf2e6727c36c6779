import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Ticks of the times in /proc, a second: the same on every Linux that Node runs on. */
const TICKS = 100;

const commandFile = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** A program that serves a disk. */
export interface BackEnd {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a program and waits until its socket is there. */
export async function startBackEnd(program: string, words: readonly string[], socket: string): Promise<BackEnd> {
  const child = spawn(program, words, { stdio: ["ignore", "ignore", "pipe"] });
  let printed = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for (let turns = 0; !existsSync(socket); turns++) {
    if (child.exitCode !== null || turns > 600) {
      child.kill();
      throw new Error(`${program} ${words.join(" ")} does not serve:\n${printed}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    pid: pidOf(child),
    async stop() {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(late);
    },
  };
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("the program could not be started");
  return child.pid;
}

/** Processor time of a process up to now, all its threads, in seconds. */
export function processorTime(pid: number): number {
  // The name of the program, in parentheses, may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Programs that serve the same kind of disk over vhost-user. */
export const diskBackEnds = ["storage-daemon", "virtio-gen"] as const;
export type DiskBackEnd = (typeof diskBackEnds)[number];

/** Serves an image over vhost-user, by QEMU's storage daemon or by `virtio-gen serve` from the sources. */
export function serveImage(kind: DiskBackEnd, image: string, socket: string): Promise<BackEnd> {
  if (kind === "storage-daemon") {
    const exported = `type=vhost-user-blk,id=e,node-name=n,addr.type=unix,addr.path=${socket},writable=on`;
    const words = ["--blockdev", `driver=file,node-name=n,filename=${image}`, "--export", exported];
    return startBackEnd("qemu-storage-daemon", words, socket);
  }
  const words = [
    ...process.execArgv,
    commandFile,
    "serve",
    "blk",
    "--image",
    image,
    "--socket",
    socket,
    "--queue-size",
    "256",
  ];
  return startBackEnd(process.execPath, words, socket);
}

/** A network card whose wire is the socket `peer`, by `virtio-gen serve` from the sources. */
export function serveNetwork(peer: string, socket: string): Promise<BackEnd> {
  const words = [...process.execArgv, commandFile, "serve", "net", "--peer", peer, "--socket", socket];
  return startBackEnd(process.execPath, words, socket);
}

/** passt: a network without privileges, whose card has one address and reaches the host at another. */
export function startPasst(socket: string, address: string, host: string): Promise<BackEnd> {
  const words = ["--foreground", "--quiet", "--socket", socket, "-a", address, "-n", "24", "-g", host];
  // It gives root up for "nobody", who has no right to the folder of the socket.
  const asRoot = process.getuid?.() === 0 ? ["--runas", "0:0"] : [];
  return startBackEnd("passt", [...asRoot, ...words], socket);
}

/** Writes an image without holes, so that all disks read from memory of the same kind. */
export function makeImage(path: string, size: number): string {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += 4096) bytes.writeUInt32LE(at + 1, at);
  writeFileSync(path, bytes);
  return path;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[sorted.length >> 1] ?? NaN;
}
