import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { BlkDevice, BlkDriver } from "../../../generated/blk.js";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import { onPc, requireQemu, withFolder } from "./machine.js";
import { isListening } from "../vhost-user/peer-process.js";
import { until } from "./until.js";

const backEnd = fileURLToPath(new URL("../../runtime/transport/vhost-user/mortal-back-end.ts", import.meta.url));
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

const frontEnd = (socket: string, { device = "", chardev = "" } = {}): string[] => [
  "-chardev",
  `socket,id=c,path=${socket}${chardev}`,
  "-device",
  `vhost-user-blk-pci,chardev=c${device}`,
];

/** Writes and reads in several lanes at once, each in its own part of the disk. */
async function exercise(driver: BlkDriver, disk: Uint8Array, rounds: number, lanes = 16): Promise<void> {
  const part = SECTORS / lanes;
  const lane = async (number: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const sectors = 1 + (round % 16);
      const sector = number * part + ((round * 7) % (part - sectors));
      const data = Uint8Array.from({ length: sectors * SECTOR }, (_, i) => i + number + round);
      expect((await driver.requestq.submit({ type: "OUT", sector: BigInt(sector), data })).status).toBe("OK");
      const read = await driver.requestq.submit({ type: "IN", sector: BigInt(sector), data: data.length });
      expect(Buffer.from(read.data).equals(data)).toBe(true);
      const at = sector * SECTOR;
      expect(Buffer.from(disk.subarray(at, at + data.length)).equals(data)).toBe(true);
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
}

/** A disk that is served, with all that went wrong. */
async function serveDisk(folder: string, device: BlkDevice) {
  const errors: unknown[] = [];
  device.onProtocolError = (error) => errors.push(error);
  const served = await serve(device, {
    socket: join(folder, "s"),
    onError: (error) => errors.push(error),
    onDisconnect: (error) => error !== undefined && errors.push(error),
  });
  return { served, errors };
}

describe.runIf(await requireQemu())("a generated disk behind QEMU's vhost-user-blk", () => {
  it.each([
    { name: "split, indirect, event_idx", late: false, packed: false, withhold: [] },
    { name: "split, answers out of order", late: true, packed: false, withhold: ["INDIRECT_DESC"] },
    { name: "split, plain", late: false, packed: false, withhold: ["INDIRECT_DESC", "EVENT_IDX"] },
    { name: "packed, indirect, event_idx", late: false, packed: true, withhold: [] },
    { name: "packed, plain, answers out of order", late: true, packed: true, withhold: ["INDIRECT_DESC", "EVENT_IDX"] },
  ] as const)("is read and written: $name", { timeout: 900_000 }, async ({ late, packed, withhold }) => {
    await withFolder(async (folder) => {
      const disk = new Uint8Array(SECTORS * SECTOR);
      const device = ramDisk(disk, { late, packed });
      const { served, errors } = await serveDisk(folder, device);
      await onPc(frontEnd(served.socket, packed ? { device: ",packed=on" } : {}), async (machine) => {
        const features = packed ? (["FLUSH", "RING_PACKED"] as const) : (["FLUSH"] as const);
        // Started, stopped and started again: the firmware and the kernel do that.
        const transport = await machine.open(2);
        for (let start = 0; start < 2; start++) {
          const driver = await BlkDriver.start(transport, { features, withhold });
          expect(driver.config.capacity).toBe(BigInt(SECTORS));
          expect(driver.dropped).toEqual([]);
          await exercise(driver, disk, 20);
          await driver.stop();
        }
      });
      await served.close();
      expect(errors).toEqual([]);
    });
  });

  it(
    "tells of a new size while it runs, takes writes of its configuration, and survives a pause",
    { timeout: 900_000 },
    async () => {
      await withFolder(async (folder) => {
        const disk = new Uint8Array(SECTORS * SECTOR);
        const device = ramDisk(disk);
        const { served, errors } = await serveDisk(folder, device);
        await onPc(frontEnd(served.socket), async (machine) => {
          const driver = await BlkDriver.start(await machine.open(2), { features: ["FLUSH", "CONFIG_WCE"] });
          const changed = new Promise<bigint>((resolve) => {
            driver.onConfigChange = (config) => resolve(config.capacity);
          });
          device.config.capacity = 99n;
          expect(await changed).toBe(99n);
          await driver.writeConfig({ writeback: 0 });
          await until(() => device.config.writeback === 0);
          await exercise(driver, disk, 5);
          // QEMU stops the rings, and starts them where they were.
          await machine.qemu.qmp.execute("stop");
          const waiting = driver.requestq.submit({ type: "IN", sector: 1n, data: SECTOR });
          await machine.qemu.qmp.execute("cont");
          expect((await waiting).status).toBe("OK");
          await exercise(driver, disk, 5);
          expect(device.config.writeback).toBe(0);
          await driver.stop();
        });
        await served.close();
        expect(errors).toEqual([]);
      });
    },
  );

  it("serves one QEMU after the other, each killed in the middle", { timeout: 900_000 }, async () => {
    await withFolder(async (folder) => {
      const disk = new Uint8Array(SECTORS * SECTOR);
      const { served, errors } = await serveDisk(folder, ramDisk(disk, { late: true }));
      for (let round = 0; round < 3; round++) {
        await onPc(frontEnd(served.socket), async (machine) => {
          const driver = await BlkDriver.start(await machine.open(2), { features: ["FLUSH"] });
          await exercise(driver, disk, 2);
          for (let i = 0; i < 16; i++) {
            driver.requestq.submit({ type: "IN", sector: 1n, data: SECTOR }).catch(() => undefined);
          }
        });
        await until(() => !served.connected);
      }
      await served.close();
      expect(errors).toEqual([]);
    });
  });

  it("loses no write when the back end is killed, twice, and QEMU connects again", { timeout: 900_000 }, async () => {
    await withFolder(async (folder) => {
      const socket = join(folder, "s");
      const start = (life: number, slowness: number): ChildProcess => {
        const log = join(folder, `log${String(life)}`);
        const options = ["--import", "tsx", "--conditions=virtio-gen-source", backEnd, socket, log, String(slowness)];
        return spawn(process.execPath, options, { stdio: ["ignore", "inherit", "inherit"] });
      };
      let back = start(0, 1);
      try {
        await until(() => isListening(socket), 300);
        await onPc(frontEnd(socket, { chardev: ",reconnect=1" }), async (machine) => {
          const driver = await BlkDriver.start(await machine.open(2));
          let done = 0;
          const writes = Array.from({ length: 120 }, async (_, sector) => {
            const data = new Uint8Array(SECTOR).fill(sector);
            const { status } = await driver.requestq.submit({ type: "OUT", sector: BigInt(sector), data });
            expect(status).toBe("OK");
            done++;
          });
          for (let life = 1; life <= 2; life++) {
            const before = done;
            await until(() => done > before + 3, 300);
            const killed = once(back, "exit");
            back.kill("SIGKILL");
            await killed;
            back = start(life, life === 2 ? 0 : 1);
          }
          await Promise.all(writes);
          expect(done).toBe(120);
          await driver.stop();
        });
      } finally {
        back.kill("SIGKILL");
      }
    });
  });
});
