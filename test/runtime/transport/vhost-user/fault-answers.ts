import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { Counter, type PlacedRegion } from "./fault-answers-data.js";
import { until } from "./scripted-front-end.js";

/** fault-answerer.ts in one file. It has to be where koffi is found. */
const program = fileURLToPath(
  new URL(`../../../../node_modules/.cache/virtio-gen-fault-answerer-${process.pid}.mjs`, import.meta.url),
);
export async function makeFaultAnswerer(): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL("fault-answerer.ts", import.meta.url))],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["koffi"],
    conditions: ["virtio-gen-source"],
    logLevel: "error",
  });
}
export function forgetFaultAnswerer(): void {
  rmSync(program, { force: true });
}

/** A thread that brings pages of memory to those who wait for them. */
export class FaultAnswers {
  readonly #worker: Worker;
  readonly #counters: Int32Array<SharedArrayBuffer>;

  private constructor(worker: Worker, counters: Int32Array<SharedArrayBuffer>) {
    this.#worker = worker;
    this.#counters = counters;
  }

  /** `dies`: at the first fault it closes the descriptor, which is its own then, and is gone. */
  static async start(faults: number, regions: readonly PlacedRegion[], dies = false): Promise<FaultAnswers> {
    const counters = new Int32Array(new SharedArrayBuffer(16));
    const worker = new Worker(program, { workerData: { faults, regions, counters: counters.buffer, dies } });
    const answers = new FaultAnswers(worker, counters);
    await until(() => Atomics.load(counters, Counter.ready) === 1, "a thread that answers", 60_000);
    return answers;
  }

  /** Pages that were waited for. */
  get count(): number {
    return Atomics.load(this.#counters, Counter.faults);
  }

  async stop(): Promise<void> {
    Atomics.store(this.#counters, Counter.stop, 1);
    await this.#worker.terminate();
  }
}
