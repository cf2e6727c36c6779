import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BLK_DEVICE_ID, BlkDriver } from "../../generated/blk.js";
import { connect } from "../../src/runtime/transport/vhost-user/index.js";
import { median, processorTime, startBackEnd } from "../shared/processes.js";

const program = fileURLToPath(new URL("hashing-disk.ts", import.meta.url));
/** A small read: the driver, which has a processor of its own for that time, does not hold the disk up. */
const BYTES = 4096;
/** As hashing-disk.ts has them. */
const QUEUES = 4;
/** Reads under way on each queue. */
const DEPTH = 4;
const workerCounts = [0, 1, 2] as const;

/** Reads from a disk that hashes 256 KiB for each, by the number of Workers that its queues are spread over. */
export interface HashingResult {
  readonly backEnd: "hashing";
  readonly workers: number;
  readonly iops: number;
  readonly ratioToMainThread: number;
  /** Processor time of the back end for one read, in microseconds. */
  readonly backEndMicroseconds: number;
}

async function read(driver: BlkDriver, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let reads = 0;
  await Promise.all(
    Array.from({ length: QUEUES * DEPTH }, async (_, lane) => {
      const queue = driver.requestqs[lane % QUEUES];
      if (queue === undefined) throw new Error(`there is no queue ${lane % QUEUES}`);
      while (performance.now() < end) {
        const { status } = await queue.submit({ type: "IN", sector: 0n, data: BYTES });
        if (status !== "OK") throw new Error(`a read ends with ${String(status)}`);
        reads++;
      }
    }),
  );
  return reads;
}

export async function measureHashing(folder: string, seconds: number, rounds: number): Promise<HashingResult[]> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const subjects: { workers: number; pid: number; driver: BlkDriver; iops: number[]; cost: number[] }[] = [];
    for (const workers of workerCounts) {
      const socket = join(folder, `hashing-${workers}.sock`);
      const words = [...process.execArgv, program, socket, String(workers)];
      const backEnd = await startBackEnd(process.execPath, words, socket);
      stops.push(() => backEnd.stop());
      const transport = await connect(socket, { deviceId: BLK_DEVICE_ID });
      const driver = await BlkDriver.start(transport, { features: ["MQ"] });
      subjects.push({ workers, pid: backEnd.pid, driver, iops: [], cost: [] });
      stops.push(async () => {
        await driver.stop();
        transport.close();
      });
    }
    for (let round = -1; round < rounds; round++) {
      for (const { pid, driver, iops, cost } of subjects) {
        const before = processorTime(pid);
        const start = performance.now();
        const reads = await read(driver, seconds);
        if (round < 0) continue;
        iops.push(reads / ((performance.now() - start) / 1000));
        cost.push(((processorTime(pid) - before) * 1e6) / reads);
      }
    }
    const alone = median(subjects[0]?.iops ?? []);
    return subjects.map(({ workers, iops, cost }) => ({
      backEnd: "hashing",
      workers,
      iops: median(iops),
      ratioToMainThread: median(iops) / alone,
      backEndMicroseconds: median(cost),
    }));
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}
