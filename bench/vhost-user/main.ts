/**
 * Reads of 4 KiB by the generated driver over vhost-user, without a guest in between: from QEMU's storage daemon and from
 * `virtio-gen serve`, each a process of its own, with the same image in the page cache. And reads from a disk that hashes 256 KiB
 * for each, its four queues on the main thread or spread over Workers.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BLK_DEVICE_ID, BlkDriver } from "../../generated/blk.js";
import { connect } from "../../src/runtime/transport/vhost-user/index.js";
import { diskBackEnds, makeImage, median, processorTime, serveImage, type DiskBackEnd } from "../shared/processes.js";
import { benchArguments } from "../shared/arguments.js";
import { measureHashing, type HashingResult } from "./hashing.js";

const usage = `Usage: npm run bench:vhost-user [-- --json] [-- --seconds N] [-- --rounds N]

  --json       print an array of results
  --seconds N  how long each measurement takes (default 2)
  --rounds N   measurements of each line, by turns; the median counts (default 3)
`;

const IMAGE_BYTES = 64 << 20;
const BLOCK = 4096;
const depths = [1, 16, 64] as const;

/** One line of the result. */
interface Result {
  readonly backEnd: DiskBackEnd;
  readonly depth: number;
  readonly iops: number;
  readonly ratioToStorageDaemon: number;
  /** Processor time for one read, in microseconds. */
  readonly driverMicroseconds: number;
  readonly backEndMicroseconds: number;
}

interface Measured {
  readonly iops: number;
  readonly driver: number;
  readonly backEnd: number;
}

/** Reads with so many lanes, each of which has one request under way. */
async function read(driver: BlkDriver, depth: number, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  const blocks = IMAGE_BYTES / BLOCK;
  let reads = 0;
  await Promise.all(
    Array.from({ length: depth }, async (_, lane) => {
      for (let at = lane; performance.now() < end; at = (at * 7 + 13) % blocks) {
        const { status } = await driver.requestq.submit({
          type: "IN",
          sector: BigInt(at * (BLOCK / 512)),
          data: BLOCK,
        });
        if (status !== "OK") throw new Error(`a read ends with ${String(status)}`);
        reads++;
      }
    }),
  );
  return reads;
}

async function measureAll(): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
  const stops: (() => Promise<void>)[] = [];
  try {
    const subjects: { kind: DiskBackEnd; pid: number; driver: BlkDriver }[] = [];
    for (const kind of diskBackEnds) {
      const socket = join(folder, `${kind}.sock`);
      const backEnd = await serveImage(kind, makeImage(join(folder, `${kind}.img`), IMAGE_BYTES), socket);
      stops.push(() => backEnd.stop());
      const transport = await connect(socket, { deviceId: BLK_DEVICE_ID });
      const driver = await BlkDriver.start(transport);
      subjects.push({ kind, pid: backEnd.pid, driver });
      stops.push(async () => {
        await driver.stop();
        transport.close();
      });
    }
    const results: Result[] = [];
    for (const depth of depths) {
      const measured = new Map<DiskBackEnd, Measured[]>(diskBackEnds.map((kind) => [kind, []]));
      for (let round = -1; round < rounds; round++) {
        for (const { kind, pid, driver } of subjects) {
          const [before, own] = [processorTime(pid), process.cpuUsage()];
          const start = performance.now();
          const reads = await read(driver, depth, seconds);
          const took = (performance.now() - start) / 1000;
          const { user, system } = process.cpuUsage(own);
          const backEnd = ((processorTime(pid) - before) * 1e6) / reads;
          if (round >= 0) measured.get(kind)?.push({ iops: reads / took, driver: (user + system) / reads, backEnd });
        }
      }
      const middle = (kind: DiskBackEnd, of: keyof Measured): number =>
        median((measured.get(kind) ?? []).map((one) => one[of]));
      for (const backEnd of diskBackEnds) {
        const iops = middle(backEnd, "iops");
        results.push({
          backEnd,
          depth,
          iops,
          ratioToStorageDaemon: iops / middle("storage-daemon", "iops"),
          driverMicroseconds: middle(backEnd, "driver"),
          backEndMicroseconds: middle(backEnd, "backEnd"),
        });
      }
    }
    return results;
  } finally {
    for (const stop of stops.reverse()) await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function inFolder(work: (folder: string) => Promise<HashingResult[]>): Promise<HashingResult[]> {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { json, seconds, rounds } = benchArguments(usage, { seconds: 2, rounds: 3 });
const results = await measureAll();
const hashing = await inFolder((folder) => measureHashing(folder, seconds, rounds));
if (json) {
  console.log(JSON.stringify([...results, ...hashing], undefined, 2));
} else {
  const row = (cells: readonly string[]): void =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(26) : cell.padStart(13))).join(""));
  row(["", "reads/s", "to daemon's", "us driver", "us back end"]);
  for (const result of results) {
    row([
      `4 KiB x ${result.depth} ${result.backEnd}`,
      result.iops.toFixed(0),
      result.ratioToStorageDaemon.toFixed(2),
      result.driverMicroseconds.toFixed(1),
      result.backEndMicroseconds.toFixed(1),
    ]);
  }
  row(["", "reads/s", "to main's", "", "us back end"]);
  for (const { workers, iops, ratioToMainThread, backEndMicroseconds } of hashing) {
    row([
      `256 KiB hashed, ${workers === 0 ? "main" : `Workers: ${workers}`}`,
      iops.toFixed(0),
      ratioToMainThread.toFixed(2),
      "",
      backEndMicroseconds.toFixed(1),
    ]);
  }
}
