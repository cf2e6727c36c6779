import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BlkDevice, BlkDriver } from "../../../generated/blk.js";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import { onPc, requireQemu, withFolder } from "./machine.js";

const SECTOR = 512;
const SECTORS = 8192;

/** A disk in memory; answers at once or in a later turn. */
function ramDisk(disk: Uint8Array, options: { late?: boolean; packed?: boolean; queues?: number } = {}): BlkDevice {
  const { queues = 1 } = options;
  return new BlkDevice({
    features: [
      "FLUSH",
      "SEG_MAX",
      "CONFIG_WCE",
      ...(queues > 1 ? (["MQ"] as const) : []),
      ...(options.packed === true ? (["RING_PACKED"] as const) : []),
    ],
    config: {
      capacity: BigInt(disk.length / SECTOR),
      segMax: 126,
      writeback: 1,
      ...(queues > 1 ? { numQueues: queues } : {}),
    },
    async requestq(request) {
      if (options.late === true) await new Promise((resolve) => setImmediate(resolve));
      switch (request.type) {
        case "IN":
          request.data.write(disk, Number(request.sector) * SECTOR);
          return request.complete("OK");
        case "OUT":
          request.data.read(disk, Number(request.sector) * SECTOR);
          return request.complete("OK");
        case "FLUSH":
          return request.complete("OK");
        default:
          return request.complete("UNSUPP");
      }
    },
  });
}

const frontEnd = (socket: string, more = ""): string[] => [
  "-chardev",
  `socket,id=c,path=${socket}`,
  "-device",
  `vhost-user-blk-pci,chardev=c${more}`,
];

describe.runIf(await requireQemu())("a generated disk behind QEMU's vhost-user-blk", () => {
  it("is read and written", { timeout: 60_000 }, async () => {
    await withFolder(async (folder) => {
      const disk = new Uint8Array(SECTORS * SECTOR);
      disk.fill(7, 3 * SECTOR, 4 * SECTOR);
      const errors: unknown[] = [];
      const served = await serve(ramDisk(disk), {
        socket: join(folder, "s"),
        onError: (error) => errors.push(error),
        onDisconnect: (error) => error !== undefined && errors.push(error),
      });
      await onPc(frontEnd(served.socket), async (machine) => {
        const driver = await BlkDriver.start(await machine.open(2), { features: ["FLUSH"] });
        expect(driver.config.capacity).toBe(BigInt(SECTORS));
        const read = await driver.requestq.submit({ type: "IN", sector: 3n, data: SECTOR });
        expect(read.status).toBe("OK");
        expect(read.data.every((byte) => byte === 7)).toBe(true);
        const data = new Uint8Array(4 * SECTOR).fill(9);
        expect((await driver.requestq.submit({ type: "OUT", sector: 5n, data })).status).toBe("OK");
        expect(disk.subarray(5 * SECTOR, 9 * SECTOR).every((byte) => byte === 9)).toBe(true);
        await driver.stop();
      });
      await served.close();
      expect(errors).toEqual([]);
    });
  });
});
