/**
 * The same reads by the same Linux guest from three disks in one run: QEMU's own virtio-blk, qemu-storage-daemon over
 * vhost-user, and a generated device over vhost-user. The guest reads past its page cache; the images are in the host's.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Guest } from "../../test/interop/linux/guest.js";
import { diskBackEnds, makeImage, median, processorTime, serveImage, type BackEnd } from "../shared/processes.js";
import { benchArguments } from "../shared/arguments.js";
import { byTurns, IMAGE_BYTES, lineOf, loads, readDisk, type Load } from "../shared/guest-reads.js";

const usage = `Usage: npm run bench:guest [-- --json] [-- --seconds N] [-- --rounds N]

  --json       print an array of results
  --seconds N  how long each measurement takes (default 3)
  --rounds N   measurements of each line, by turns; the median counts (default 3)
`;

const disks = ["qemu", ...diskBackEnds] as const;
type Disk = (typeof disks)[number];

/** One line of the result. */
interface Result {
  readonly disk: Disk;
  readonly blockSize: number;
  readonly depth: number;
  readonly iops: number;
  readonly ratioToQemu: number;
  readonly ratioToStorageDaemon: number;
  /** Processor time for one read, in microseconds: of QEMU, and of the process that serves the disk. */
  readonly qemuMicroseconds: number;
  readonly backEndMicroseconds: number;
}

interface Measured {
  readonly iops: number;
  readonly qemu: number;
  readonly backEnd: number;
}

const { json, seconds, rounds } = benchArguments(usage, { seconds: 3, rounds: 3 });
const folder = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
const pathOf = (name: string): string => join(folder, name);
const backEnds = new Map<Disk, BackEnd>();

const imageOf = (name: string): string => makeImage(pathOf(`${name}.img`), IMAGE_BYTES);

const devices = (): string[] => [
  ...[
    "-drive",
    `file=${imageOf("qemu")},format=raw,if=none,id=own,cache=writeback`,
    "-device",
    "virtio-blk-pci,drive=own",
  ],
  ...[
    "-chardev",
    `socket,id=daemon,path=${pathOf("storage-daemon.sock")}`,
    "-device",
    "vhost-user-blk-pci,chardev=daemon",
  ],
  ...[
    "-chardev",
    `socket,id=gen,path=${pathOf("virtio-gen.sock")}`,
    "-device",
    "vhost-user-blk-pci,chardev=gen,queue-size=256",
  ],
];

async function measure(guest: Guest, disk: Disk, load: Load): Promise<Measured> {
  const pids = { qemu: guest.processId, backEnd: backEnds.get(disk)?.pid };
  const times = (): readonly [number, number] => [
    processorTime(pids.qemu),
    pids.backEnd === undefined ? 0 : processorTime(pids.backEnd),
  ];
  const before = times();
  const { reads, iops } = await readDisk(guest, disks.indexOf(disk), load, seconds);
  const after = times();
  const perRead = (index: 0 | 1): number => ((after[index] - before[index]) * 1e6) / reads;
  return { iops, qemu: perRead(0), backEnd: perRead(1) };
}

async function measureAll(guest: Guest): Promise<Result[]> {
  const results: Result[] = [];
  for (const load of loads) {
    const tick = (): void => {
      if (!json) process.stderr.write(".");
    };
    const measured = await byTurns(disks, rounds, (disk) => measure(guest, disk, load), tick);
    const middle = (disk: Disk, of: keyof Measured): number => median((measured.get(disk) ?? []).map((one) => one[of]));
    for (const disk of disks) {
      const iops = middle(disk, "iops");
      results.push({
        disk,
        blockSize: load.blockSize,
        depth: load.depth,
        iops,
        ratioToQemu: iops / middle("qemu", "iops"),
        ratioToStorageDaemon: iops / middle("storage-daemon", "iops"),
        qemuMicroseconds: middle(disk, "qemu"),
        backEndMicroseconds: middle(disk, "backEnd"),
      });
    }
  }
  if (!json) process.stderr.write("\n");
  return results;
}

function print(results: readonly Result[]): void {
  const row = (cells: readonly string[]): void =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(26) : cell.padStart(12))).join(""));
  row(["", "reads/s", "to QEMU's", "to daemon's", "us QEMU", "us back end"]);
  for (const result of results) {
    row([
      lineOf(result, result.disk),
      result.iops.toFixed(0),
      ...[result.ratioToQemu, result.ratioToStorageDaemon].map((ratio) => ratio.toFixed(2)),
      ...[result.qemuMicroseconds, result.backEndMicroseconds].map((time) => time.toFixed(0)),
    ]);
  }
}

try {
  for (const kind of diskBackEnds) backEnds.set(kind, await serveImage(kind, imageOf(kind), pathOf(`${kind}.sock`)));
  const guest = await Guest.start({ devices: devices(), modules: ["virtio_blk"] });
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
