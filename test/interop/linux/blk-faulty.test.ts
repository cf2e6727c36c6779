import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../../generated/blk.js";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import { withFolder } from "../qemu/machine.js";
import { until } from "../qemu/until.js";
import { requireGuest, withGuest } from "./guest.js";

const SECTORS = 8192;
/** Sectors with which something is wrong. */
const [REFUSED, THROWN, REJECTED, UNANSWERED] = [8000, 8008, 8016, 8024];
const STOP_TIMEOUT = 1500;

describe.runIf(await requireGuest())("Linux's disk whose handler fails", () => {
  it("sees I/O errors, goes on, and is not kept from powering off", { timeout: 900_000 }, async () => {
    const [errors, problems]: [string[], string[]] = [[], []];
    let unanswered = 0;
    const device = new BlkDevice({
      config: { capacity: BigInt(SECTORS) },
      async requestq(request) {
        if (request.type !== "IN") return request.complete("UNSUPP");
        const { sectorNumber } = request;
        if (sectorNumber === REFUSED) return request.complete("IOERR");
        if (sectorNumber === THROWN) throw new Error(`no sector ${sectorNumber}`);
        if (sectorNumber === REJECTED) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          throw new Error(`no sector ${sectorNumber}`);
        }
        if (sectorNumber === UNANSWERED) {
          unanswered++;
          return undefined;
        }
        request.data.fill(0x5a);
        return request.complete("OK");
      },
    });
    device.onProtocolError = (error) => errors.push(error.message);
    const note = (error: Error | undefined): void => {
      if (error !== undefined) problems.push(error.message);
    };
    await withFolder(async (folder) => {
      const socket = join(folder, "socket");
      const served = await serve(device, { socket, stopTimeout: STOP_TIMEOUT, onError: note, onDisconnect: note });
      const devices = ["-chardev", `socket,id=disk,path=${socket}`, "-device", "vhost-user-blk-pci,chardev=disk"];
      try {
        await withGuest({ devices, modules: ["virtio_blk"] }, async (guest) => {
          const read = (sector: number): string => `dd if=/dev/vda bs=512 skip=${sector} count=1 iflag=direct`;
          for (const sector of [REFUSED, THROWN, REJECTED]) {
            expect((await guest.attempt(read(sector))).output, `sector ${sector}`).toContain("Input/output error");
          }
          // Each of them twice: Linux asks again for what it could not read ahead.
          expect(new Set(errors)).toEqual(
            new Set([THROWN, REJECTED].map((sector) => `handler of queue 0: no sector ${sector}`)),
          );

          // Linux waits for ever for an answer that does not come, and only for that one.
          void guest.attempt(read(UNANSWERED), 100).catch(() => undefined);
          await until(() => unanswered === 1);
          const another = "echo 3 >/proc/sys/vm/drop_caches; head -c 512 /dev/vda | hexdump -C | head -n 1";
          expect(await guest.run(another)).toContain("5a 5a 5a 5a 5a 5a 5a 5a");

          const start = performance.now();
          await guest.powerOff();
          const took = performance.now() - start;
          expect(took).toBeGreaterThan(0.9 * STOP_TIMEOUT);
        });
      } finally {
        await served.close();
      }
    });
    expect(problems).toEqual([expect.stringContaining("ring 0: 1 requests unanswered")]);
  });
});
