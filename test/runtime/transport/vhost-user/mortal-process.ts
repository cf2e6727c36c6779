import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const program = fileURLToPath(new URL("mortal-back-end.ts", import.meta.url));

/** A back end in a process of its own. */
export interface MortalBackEnd {
  /** Done when it is gone: kill -9. */
  kill(): Promise<void>;
}

/**
 * Starts mortal-back-end.ts, which is killed at the end of the test at the latest.
 * @param log file to which it writes the sector of each request that it answers
 * @param slowness 0: it answers at once; 1: some requests wait a little, some for ever
 * @param certain so many requests are answered in any case
 */
export function startMortalBackEnd(socket: string, log: string, slowness: number, certain = 0): MortalBackEnd {
  const options = ["--import", "tsx", "--conditions=virtio-gen-source", program, socket, log];
  const child = spawn(process.execPath, [...options, String(slowness), String(certain)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const exited = once(child, "exit");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  onTestFinished(kill);
  return { kill };
}

/** Sectors in the log of a back end. */
export function doneBy(log: string): number[] {
  try {
    return readFileSync(log, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map(Number);
  } catch {
    return [];
  }
}
