import { createHash } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import { openImageDisk } from "../../../src/serve/image-disk.js";
import { diskWorkers } from "../../../src/serve/image-disk-workers.js";
import { withFolder } from "../qemu/machine.js";
import { until } from "../qemu/until.js";
import { requireGuest, withGuest } from "./guest.js";

const MIB = 1 << 20;
const QUEUES = 4;
const BLOCKS = 4096;
const ROUNDS = 3;
const DEPTH = 64;

const suite = describe.runIf(await requireGuest());
suite("Linux's disk whose four queues are spread over two Workers", () => {
  it("writes and reads by all of them, also when a Worker is lost on the way", { timeout: 900_000 }, async () => {
    await withFolder(async (folder) => {
      const image = join(folder, "image");
      const socket = join(folder, "socket");
      writeFileSync(image, "");
      truncateSync(image, 32 * MIB);
      const complaints: string[] = [];
      const ends: (string | undefined)[] = [];
      const started: Worker[] = [];
      const options = {
        ...{ path: image, queues: QUEUES, id: "in two threads" },
        onError: (error: Error) => void complaints.push(error.message),
      };
      const disk = openImageDisk(options);
      const spread = diskWorkers(2, options);
      const server = await serve(disk.device, {
        socket,
        onError: options.onError,
        onDisconnect: (error) => ends.push(error?.rule),
        workers: {
          ...spread.workers,
          start: (number) => {
            const worker = spread.workers.start(number);
            started.push(worker);
            return worker;
          },
        },
      });
      try {
        const devices = [
          ...["-chardev", `socket,id=disk,path=${socket},reconnect=1`],
          ...["-device", `vhost-user-blk-pci,chardev=disk,num-queues=${QUEUES}`],
        ];
        await withGuest({ devices, modules: ["virtio_blk", "ext4"], processors: QUEUES }, async (guest) => {
          const onHost = (): string => createHash("sha256").update(readFileSync(image)).digest("hex");
          expect(await guest.run("cat /sys/block/vda/serial")).toBe("in two threads");
          // Each of the guest's processors has a queue, and each Worker two of them.
          for (let cpu = 0; cpu < QUEUES; cpu++) {
            const before = spread.counts;
            await guest.run(
              `taskset ${1 << cpu} dd if=/dev/vda of=/dev/null bs=4096 count=100 iflag=direct 2>/dev/null`,
            );
            const more = spread.counts.map((count, number) => count - (before[number] ?? 0) >= 100);
            expect(more.filter((one) => one)).toHaveLength(1);
          }
          await guest.run("mke2fs /dev/vda >/dev/null && mount -t ext2 /dev/vda /mnt");
          await guest.run("head -c 5000000 /dev/urandom >/mnt/big && sync");
          const sum = await guest.run("sha256sum </mnt/big");
          await guest.run("umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext2 /dev/vda /mnt");
          expect(await guest.run("sha256sum </mnt/big")).toBe(sum);
          await guest.run("umount /mnt && echo 3 >/proc/sys/vm/drop_caches");
          expect(await guest.run("sha256sum </dev/vda")).toBe(`${onHost()}  -`);

          // It grows, and the Workers know.
          truncateSync(image, 33 * MIB);
          disk.resize();
          await guest.until(`[ "$(cat /sys/block/vda/size)" = ${(33 * MIB) / 512} ]`);
          await guest.run(`dd if=/dev/vda of=/dev/null bs=4096 skip=${(33 * MIB) / 4096 - 1} iflag=direct 2>/dev/null`);

          // Writes of which many are under way when a Worker is ended: QEMU comes back, and none is lost.
          const before = spread.served;
          const storm = guest.attempt(`write-storm write /dev/vda ${BLOCKS} ${ROUNDS} ${DEPTH} ${QUEUES}`, 600);
          storm.catch(() => undefined);
          await until(() => spread.served > before + 1000, 300);
          await started[1]?.terminate();
          const { status, output } = await storm;
          expect(output).toBe(`${BLOCKS * ROUNDS} written, 0 read back, 0 errors, ${BLOCKS} blocks as written`);
          expect(status).toBe(0);
          await until(() => started.length === 3);
          expect(ends).toEqual(["worker-gone"]);
          await guest.run("echo 3 >/proc/sys/vm/drop_caches");
          expect(await guest.run("sha256sum </dev/vda")).toBe(`${onHost()}  -`);
          expect(await guest.run("dmesg -r | grep -E '^<[0-4]>.*(vda|virtio|I/O)' || true")).toBe("");
          await guest.powerOff();
        });
        expect(complaints).toEqual([]);
        expect(disk.served).toBe(0);
      } finally {
        await server.close();
        await disk.close();
      }
    });
  });
});
