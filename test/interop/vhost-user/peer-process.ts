import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

/** Can the program be run? */
export function missingProgram(program: string): string | undefined {
  const { error, status } = spawnSync(program, ["--version"]);
  return error === undefined && status === 0 ? undefined : `${program} cannot be run`;
}

const LISTENING = "00010000";

/** Does somebody listen on a Unix socket? There may be one that nobody listens on yet. */
export function isListening(socket: string): boolean {
  const lines = readFileSync("/proc/net/unix", "utf8").split("\n");
  return lines.some((line) => line.endsWith(` ${socket}`) && line.includes(` ${LISTENING} `));
}

/** Runs a program that listens on `socket` for as long as `work` takes. What it printed is part of a failure. */
export async function withPeer<T>(
  program: string,
  arguments_: readonly string[],
  socket: string,
  work: (peer: { readonly kill: () => Promise<void> }) => Promise<T>,
): Promise<T> {
  const child = spawn(program, arguments_, { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const last = (): void => void child.kill("SIGKILL");
  process.once("exit", last);
  const exited = once(child, "exit");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  try {
    for (const deadline = Date.now() + 60_000; !isListening(socket);) {
      if (child.exitCode !== null) throw new Error(`${program} ended with exit code ${child.exitCode}`);
      if (Date.now() > deadline) throw new Error(`${program} does not listen on ${socket}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return await work({ kill });
  } catch (error) {
    if (error instanceof Error) error.message += `\n${program} printed:\n${printed}`;
    throw error;
  } finally {
    await kill();
    process.removeListener("exit", last);
  }
}
