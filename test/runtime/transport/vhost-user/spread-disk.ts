import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import type { ServeOptions } from "../../../../src/runtime/transport/vhost-user/index.js";
import { SECTOR, SECTORS, serveDisk, type ServedDisk } from "./served-disk.js";
import type { WorkerDiskData } from "./worker-disk-data.js";

/** The program of the Workers, in one file: they start in a fraction of a second then. It has to be where koffi is found. */
const program = fileURLToPath(
  new URL(`../../../../node_modules/.cache/virtio-gen-worker-disk-${process.pid}.mjs`, import.meta.url),
);
export async function makeWorkerProgram(): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL("worker-disk.ts", import.meta.url))],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["koffi"],
    conditions: ["virtio-gen-source"],
    logLevel: "error",
  });
}
export function forgetWorkerProgram(): void {
  rmSync(program, { force: true });
}

export interface SpreadDisk extends ServedDisk {
  /** The sectors that the Workers have. Sector n is full of n. */
  readonly sectors: Uint8Array;
  /** See {@link numberOf}. */
  readonly numbers: Int32Array;
  /** All Workers that were started. */
  readonly started: readonly Worker[];
}

/** A disk whose queues are spread over two Workers, by turns. */
export async function spreadDisk(
  kinds: readonly WorkerDiskData["kind"][] = [],
  of?: (queue: number) => number | undefined,
  options: Partial<ServeOptions> = {},
): Promise<SpreadDisk> {
  const bytes = new SharedArrayBuffer(SECTORS * SECTOR);
  const sectors = new Uint8Array(bytes);
  for (let at = 0; at < sectors.length; at++) sectors[at] = Math.floor(at / SECTOR);
  const shared = new SharedArrayBuffer(4 * 8192);
  const started: Worker[] = [];
  const start = (number: number): Worker => {
    const data: WorkerDiskData = { bytes, shared, number, kind: kinds[started.length] ?? "same" };
    const worker = new Worker(program, { workerData: data });
    started.push(worker);
    return worker;
  };
  const served = await serveDisk(undefined, { workers: { count: 2, start, ...(of && { of }) }, ...options });
  return { ...served, sectors, numbers: new Int32Array(shared), started };
}
