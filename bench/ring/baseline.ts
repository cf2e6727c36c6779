import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A C program beside this file, compiled in a temporary folder. */
export interface Baseline {
  /** Nanoseconds per item, with both sides in one thread or in one each. */
  run(batch: number, items: number, threads: 1 | 2): number;
  /** Removes the folder. */
  dispose(): void;
}

/** Undefined when the machine has no C compiler; a compiler that fails is an error. */
export function compileBaseline(format: "split" | "packed"): Baseline | undefined {
  const source = fileURLToPath(new URL(`baseline-${format}.c`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
  const program = join(folder, "baseline");
  try {
    execFileSync("cc", ["-O2", "-pthread", "-o", program, source], { stdio: ["ignore", "ignore", "inherit"] });
  } catch (error) {
    rmSync(folder, { recursive: true });
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  return {
    run(batch, items, threads) {
      const words = [String(batch), String(items), ...(threads === 2 ? ["threads"] : [])];
      return Number(execFileSync(program, words, { encoding: "utf8" }));
    },
    dispose: () => rmSync(folder, { recursive: true }),
  };
}
