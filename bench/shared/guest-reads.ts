/** Reads by a Linux guest past its page cache, from several disks by turns: what bench:guest and bench:uml share. */
import type { GuestCommands } from "../../test/interop/linux/guest-commands.js";

export const loads = [
  { blockSize: 4096, depth: 1, order: "random" },
  { blockSize: 4096, depth: 16, order: "random" },
  { blockSize: 65_536, depth: 4, order: "random" },
  { blockSize: 1_048_576, depth: 1, order: "sequential" },
] as const;
export type Load = (typeof loads)[number];

/** How a line of the result is called. */
export function lineOf(
  { blockSize, depth }: { readonly blockSize: number; readonly depth: number },
  disk: string,
): string {
  return `${String(blockSize / 1024)} KiB x ${String(depth)} ${disk}`;
}

/** Size of a disk's image. */
export const IMAGE_BYTES = 64 << 20;
/** Seconds that a measurement may take longer than it was told to. */
const SETTLE = 60;

/** Reads from the guest's disk of this number, from 0. */
export async function readDisk(
  guest: GuestCommands,
  disk: number,
  { blockSize, depth, order }: Load,
  seconds: number,
): Promise<{ readonly reads: number; readonly iops: number }> {
  const device = `/dev/vd${String.fromCharCode(0x61 + disk)}`;
  const command = `read-bench ${device} ${blockSize} ${depth} ${seconds * 1000} ${order}`;
  const [reads = NaN, nanoseconds = NaN] = (await guest.run(command, seconds + SETTLE)).split(" ").map(Number);
  return { reads, iops: (reads * 1e9) / nanoseconds };
}

/** Measures by turns, and once for nothing, so that nobody has the better minute. */
export async function byTurns<Disk, Measured>(
  disks: readonly Disk[],
  rounds: number,
  measure: (disk: Disk) => Promise<Measured>,
  tick: () => void,
): Promise<ReadonlyMap<Disk, readonly Measured[]>> {
  const measured = new Map<Disk, Measured[]>(disks.map((disk) => [disk, []]));
  for (let round = -1; round < rounds; round++) {
    for (const disk of disks) {
      const one = await measure(disk);
      if (round >= 0) measured.get(disk)?.push(one);
    }
    tick();
  }
  return measured;
}
