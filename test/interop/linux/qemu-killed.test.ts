import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BlkDriver } from "../../../generated/blk.js";
import { onPc, requireQemu, withFolder } from "../qemu/machine.js";
import { requireGuest, withGuest } from "./guest.js";
import { SlowDiskProcess, type SlowDiskOptions } from "./slow-disk-process.js";

const ROUNDS = 100;
/** Rounds in which Linux runs; in the others a driver of ours does, in a machine whose processor stands still. */
const LINUX_ROUNDS = [20, 50, 80];
const WRITES = 16;
const BLOCKS = 2048;

const [isQemuThere, isGuestThere] = [await requireQemu(), await requireGuest()];
describe.runIf(isQemuThere && isGuestThere)("a back end whose QEMU is killed", () => {
  it(`lets go of all files and mappings, ${ROUNDS} times, and serves the next`, { timeout: 1_200_000 }, async () => {
    await withFolder(async (folder) => {
      const image = join(folder, "image");
      writeFileSync(image, "");
      truncateSync(image, BLOCKS * 4096);
      const options: SlowDiskOptions = {
        ...{ socket: join(folder, "socket"), image, journal: join(folder, "journal") },
        ...{ queues: 1, queueSize: 128, isPacked: false, hold: 4096 },
      };
      const devices = [
        ...["-chardev", `socket,id=disk,path=${options.socket}`],
        ...["-device", "vhost-user-blk-pci,chardev=disk"],
      ];
      const back = await SlowDiskProcess.start(options);

      /** A machine that is killed while so many writes wait, and reads are done. */
      const round = async (during?: () => Promise<void>): Promise<void> => {
        await onPc(devices, async (machine) => {
          const driver = await BlkDriver.start(await machine.open(2), { features: ["FLUSH"] });
          const lost = Array.from({ length: WRITES }, (_, sector) =>
            driver.requestq.submit({ type: "OUT", sector: BigInt(sector), data: new Uint8Array(512) }),
          );
          void Promise.allSettled(lost);
          expect((await driver.requestq.submit({ type: "IN", sector: 0n, data: 4096 })).status).toBe("OK");
          expect((await back.report()).waiting).toBe(WRITES);
          await during?.();
          // And some that may be worked on at the time.
          for (let sector = 0n; sector < 32n; sector++) {
            driver.requestq.submit({ type: "IN", sector, data: 65_536 }).catch(() => undefined);
          }
        });
        await back.reported(({ waiting }) => waiting === 0, 300);
      };
      const linuxRound = async (): Promise<void> => {
        await withGuest({ devices, modules: ["virtio_blk"] }, async (guest) => {
          guest.attempt(`write-storm write /dev/vda ${BLOCKS} 1 64 1`, 600).catch(() => undefined);
          guest.attempt("while :; do cat /dev/vda; done", 600).catch(() => undefined);
          await back.reported(({ waiting }) => waiting >= 64, 300);
        });
        await back.reported(({ waiting }) => waiting === 0, 300);
      };

      try {
        await back.serve();
        await round();
        const before = await back.settledHoldings();
        await round(async () => {
          const { files, mappings } = await back.holdings();
          // The connection, a kick, a call, an error, the inflight region's and the memory's mappings: they are seen.
          expect(files.length).toBeGreaterThan(before.files.length + 2);
          expect(mappings).toBeGreaterThan(before.mappings + 1);
        });
        for (let number = 0; number < ROUNDS; number++) await (LINUX_ROUNDS.includes(number) ? linuxRound() : round());
        await expect.poll(async () => await back.holdings(), { timeout: 60_000, interval: 500 }).toEqual(before);
        back.hold(0);
        await onPc(devices, async (machine) => {
          const driver = await BlkDriver.start(await machine.open(2), { features: ["FLUSH"] });
          const data = new Uint8Array(4096).fill(0x5a);
          expect((await driver.requestq.submit({ type: "OUT", sector: 8n, data })).status).toBe("OK");
          expect((await driver.requestq.submit({ type: "IN", sector: 8n, data: 4096 })).data).toEqual(data);
          await driver.stop();
        });
        expect((await back.report()).problems).toEqual([]);
      } finally {
        await back.kill();
      }
    });
  });
});
