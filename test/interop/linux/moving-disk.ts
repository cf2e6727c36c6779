import { createHash } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import { diskWorkers } from "../../../src/serve/image-disk-workers.js";
import { openImageDisk } from "../../../src/serve/image-disk.js";
import { withFolder } from "../qemu/machine.js";

/** In bytes; the blocks of write-storm and held-reads. */
export const BLOCK = 4096;

/** The disk as one of the two QEMUs has it. */
export interface DiskSide {
  /** For QEMU's command line. */
  readonly devices: readonly string[];
  /** Requests that it was asked for. */
  served(): number;
}

/** One image behind two sockets, for a guest that moves from one QEMU to another. */
export interface MovingDisk {
  /** For the test's own files. */
  readonly folder: string;
  /** Its path. */
  readonly image: string;
  readonly here: DiskSide;
  /** Where the guest moves to. It is not asked for anything before `here` has answered everything. */
  readonly there: DiskSide;
  /** Of the image, in hexadecimal. */
  readonly sha256: () => string;
}

/**
 * Serves a new image twice while `work` goes on. Fails if a back end complains.
 * @param size in blocks
 * @param workers that work on the queue; 0: none
 */
export async function withMovingDisk(
  { size, workers = 0 }: { readonly size: number; readonly workers?: number },
  work: (disk: MovingDisk) => Promise<void>,
): Promise<void> {
  const problems: string[] = [];
  const note = (error: Error | undefined): void => {
    if (error !== undefined) problems.push(error.message);
  };
  await withFolder(async (folder) => {
    const image = join(folder, "image");
    writeFileSync(image, "");
    truncateSync(image, size * BLOCK);
    const ends: (() => Promise<void>)[] = [];
    const open = async (name: string): Promise<DiskSide> => {
      const options = { path: image, onError: note };
      const disk = openImageDisk(options);
      ends.unshift(() => disk.close());
      const spread = workers === 0 ? undefined : diskWorkers(workers, options);
      const socket = join(folder, name);
      const server = await serve(disk.device, {
        socket,
        onError: note,
        onDisconnect: note,
        ...(spread && { workers: spread.workers }),
      });
      ends.unshift(() => server.close());
      return {
        devices: [...["-chardev", `socket,id=disk,path=${socket}`], ...["-device", "vhost-user-blk-pci,chardev=disk"]],
        served: () => (spread ?? disk).served,
      };
    };
    try {
      const here = await open("here");
      const there = await open("there");
      const sha256 = (): string => createHash("sha256").update(readFileSync(image)).digest("hex");
      await work({ folder, image, here, there, sha256 });
    } finally {
      for (const end of ends) await end();
    }
  });
  expect(problems).toEqual([]);
}
