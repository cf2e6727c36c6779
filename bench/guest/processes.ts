import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Ticks of the times in /proc, a second: the same on every Linux that Node runs on. */
const TICKS = 100;

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
