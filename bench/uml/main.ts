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
import { byTurns, IMAGE_BYTES, lineOf, loads, readDisk, type Load } from "../shared/guest-reads.js";
import { diskBackEnds, makeImage, median, processorTime, serveImage } from "../shared/processes.js";
import type { BackEnd, DiskBackEnd } from "../shared/processes.js";

const usage = `Usage: npm run bench:uml [-- --json] [-- --seconds N] [-- --rounds N]

  --json       print an array of results
  --seconds N  how long each measurement takes (default 3)
  --rounds N   measurements of each line, by turns; the median counts (default 3)
`;

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

const { json, seconds, rounds } = benchArguments(usage, { seconds: 3, rounds: 3 });
const folder = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
const socketOf = (disk: DiskBackEnd): string => join(folder, `${disk}.sock`);
const backEnds = new Map<DiskBackEnd, BackEnd>();

async function measure(guest: UmlGuest, disk: DiskBackEnd, load: Load): Promise<Measured> {
  const pid = backEnds.get(disk)?.pid;
  const time = (): number => (pid === undefined ? NaN : processorTime(pid));
  const before = time();
  const { reads, iops } = await readDisk(guest, diskBackEnds.indexOf(disk), load, seconds);
  return { iops, backEndMicroseconds: ((time() - before) * 1e6) / reads };
}

async function measureAll(guest: UmlGuest): Promise<Result[]> {
  const results: Result[] = [];
  for (const load of loads) {
    const tick = (): void => {
      if (!json) process.stderr.write(".");
    };
    const measured = await byTurns(diskBackEnds, rounds, (disk) => measure(guest, disk, load), tick);
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
      lineOf(result, result.disk),
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
