/**
 * The same reads by the same Linux from two disks over vhost-user in one run: qemu-storage-daemon's, and a generated device. Linux
 * is User-mode Linux, a program of this machine, so that no processor is emulated: what a read costs is mostly the back end's
 * part. It reads past its page cache; the images are in the host's.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BLK_DEVICE_ID } from "../../generated/blk.js";
import { UmlGuest } from "../../test/interop/uml/uml.js";
import { benchArguments } from "../shared/arguments.js";
import { diskBackEnds, makeImage, median, processorTime, serveImage } from "../shared/processes.js";
import type { BackEnd, DiskBackEnd } from "../shared/processes.js";

const usage = `Usage: npm run bench:uml [-- --json] [-- --seconds N] [-- --rounds N]

  --json       print an array of results
  --seconds N  how long each measurement takes (default 3)
  --rounds N   measurements of each line, by turns; the median counts (default 3)
`;

const loads = [
  { blockSize: 4096, depth: 1, order: "random" },
  { blockSize: 4096, depth: 16, order: "random" },
  { blockSize: 65_536, depth: 4, order: "random" },
  { blockSize: 1_048_576, depth: 1, order: "sequential" },
] as const;
type Load = (typeof loads)[number];

/** One line of the result. */
interface Result {
  readonly disk: DiskBackEnd;
  readonly blockSize: number;
  readonly depth: number;
  readonly iops: number;
  readonly ratioToStorageDaemon: number;
  /** Processor time of the process that serves the disk for one read, in microseconds. */
  readonly backEndMicroseconds: number;
}

type Measured = Pick<Result, "iops" | "backEndMicroseconds">;

const IMAGE_BYTES = 64 << 20;
const SETTLE = 60;

const { json, seconds, rounds } = benchArguments(usage, { seconds: 3, rounds: 3 });
const folder = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
const socketOf = (disk: DiskBackEnd): string => join(folder, `${disk}.sock`);
const backEnds = new Map<DiskBackEnd, BackEnd>();

async function measure(guest: UmlGuest, disk: DiskBackEnd, load: Load): Promise<Measured> {
  const device = `/dev/vd${"ab"[diskBackEnds.indexOf(disk)] ?? ""}`;
  const pid = backEnds.get(disk)?.pid;
  const time = (): number => (pid === undefined ? NaN : processorTime(pid));
  const before = time();
  const { blockSize, depth, order } = load;
  const command = `read-bench ${device} ${blockSize} ${depth} ${seconds * 1000} ${order}`;
  const [reads = NaN, nanoseconds = NaN] = (await guest.run(command, seconds + SETTLE)).split(" ").map(Number);
  return { iops: (reads * 1e9) / nanoseconds, backEndMicroseconds: ((time() - before) * 1e6) / reads };
}

async function measureAll(guest: UmlGuest): Promise<Result[]> {
  const results: Result[] = [];
  for (const load of loads) {
    const measured = new Map<DiskBackEnd, Measured[]>(diskBackEnds.map((disk) => [disk, []]));
    // By turns, and once for nothing, so that nobody has the better minute.
    for (let round = -1; round < rounds; round++) {
      for (const disk of diskBackEnds) {
        const one = await measure(guest, disk, load);
        if (round >= 0) measured.get(disk)?.push(one);
      }
      if (!json) process.stderr.write(".");
    }
    const middle = (disk: DiskBackEnd, of: keyof Measured): number =>
      median((measured.get(disk) ?? []).map((one) => one[of]));
    for (const disk of diskBackEnds) {
      const iops = middle(disk, "iops");
      results.push({
        disk,
        blockSize: load.blockSize,
        depth: load.depth,
        iops,
        ratioToStorageDaemon: iops / middle("storage-daemon", "iops"),
        backEndMicroseconds: middle(disk, "backEndMicroseconds"),
      });
    }
  }
  if (!json) process.stderr.write("\n");
  return results;
}

function print(results: readonly Result[]): void {
  const row = (cells: readonly string[]): void =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(26) : cell.padStart(12))).join(""));
  row(["", "reads/s", "to daemon's", "us back end"]);
  for (const result of results) {
    row([
      `${String(result.blockSize / 1024)} KiB x ${String(result.depth)} ${result.disk}`,
      result.iops.toFixed(0),
      result.ratioToStorageDaemon.toFixed(2),
      result.backEndMicroseconds.toFixed(0),
    ]);
  }
}

try {
  for (const kind of diskBackEnds) {
    const image = makeImage(join(folder, `${kind}.img`), IMAGE_BYTES);
    backEnds.set(kind, await serveImage(kind, image, socketOf(kind)));
  }
  const devices = diskBackEnds.map((disk) => ({ socket: socketOf(disk), id: BLK_DEVICE_ID }));
  const guest = await UmlGuest.start({ devices, modules: ["virtio_blk"] });
  try {
    const results = await measureAll(guest);
    if (json) console.log(JSON.stringify(results, undefined, 2));
    else print(results);
  } finally {
    await guest.close();
  }
} finally {
  for (const backEnd of backEnds.values()) await backEnd.stop();
  rmSync(folder, { recursive: true, force: true });
}
