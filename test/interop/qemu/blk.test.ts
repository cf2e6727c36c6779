import { describe, expect, it } from "vitest";
import { BlkDriver, type BlkDriverOptions } from "../../../generated/blk.js";
import { CommonFeature, type DriverTransport } from "../../../src/runtime/index.js";
import { onMicrovm, onPc, requireQemu, withImage } from "./machine.js";

const SECTORS = 8192;
const SECTOR = 512;

/** Random numbers that are the same in each run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const pattern = (length: number, seed: number): Uint8Array => {
  const random = randomNumbers(seed);
  return Uint8Array.from({ length }, () => random(256));
};

const disk = (path: string, device: string): string[] => [
  "-drive",
  `file=${path},if=none,id=disk,format=raw,cache=writeback,discard=unmap`,
  "-device",
  `${device},drive=disk,serial=virtio-gen-1`,
];

/** Random reads and writes, some of them at the same time, never two at the same place. */
async function randomRequests(driver: BlkDriver, mirror: Uint8Array, count: number, seed: number): Promise<void> {
  const random = randomNumbers(seed);
  const depth = 16;
  for (let done = 0; done < count; done += depth) {
    await Promise.all(
      Array.from({ length: depth }, async (_, lane) => {
        // A lane has its own part of the disk.
        const start = lane * (SECTORS / depth);
        const sectors = 1 + random(16);
        const sector = start + random(SECTORS / depth - sectors);
        const at = sector * SECTOR;
        const length = sectors * SECTOR;
        if (random(2) === 0) {
          const data = pattern(length, random(2 ** 31));
          const { status } = await driver.requestq.submit({ type: "OUT", sector: BigInt(sector), data });
          expect(status).toBe("OK");
          mirror.set(data, at);
        } else {
          const reply = await driver.requestq.submit({ type: "IN", sector: BigInt(sector), data: length });
          expect(reply.status).toBe("OK");
          expect(Buffer.from(reply.data).equals(mirror.subarray(at, at + length))).toBe(true);
        }
      }),
    );
  }
}

async function exercise(transport: DriverTransport, image: Uint8Array, options: BlkDriverOptions, requests: number) {
  const errors: Error[] = [];
  const driver = await BlkDriver.start(transport, { ...options, onError: (error) => errors.push(error) });
  expect(driver.config.capacity).toBe(BigInt(SECTORS));
  await randomRequests(driver, image, requests, 42);
  await driver.requestq.submit({ type: "FLUSH", sector: 0n });
  expect(errors).toEqual([]);
  return driver;
}

describe.runIf(await requireQemu())("QEMU's virtio-blk", () => {
  it.each([
    { name: "split, indirect, event_idx", withhold: [], interrupts: "lines" },
    { name: "split, indirect", withhold: ["EVENT_IDX"], interrupts: "messages" },
    { name: "split, event_idx", withhold: ["INDIRECT_DESC"], interrupts: "messages" },
    { name: "split", withhold: ["INDIRECT_DESC", "EVENT_IDX"], interrupts: "lines" },
    { name: "packed, indirect, event_idx", withhold: [], interrupts: "messages" },
    { name: "packed, indirect", withhold: ["EVENT_IDX"], interrupts: "lines" },
    { name: "packed, event_idx", withhold: ["INDIRECT_DESC"], interrupts: "lines" },
    { name: "packed", withhold: ["INDIRECT_DESC", "EVENT_IDX"], interrupts: "messages" },
  ] as const)("does 10,000 random reads and writes over PCI: $name", { timeout: 900_000 }, async (form) => {
    await withImage(pattern(SECTORS * SECTOR, 7), async (image) => {
      const mirror = new Uint8Array(await image.read());
      const packed = form.name.startsWith("packed");
      const features = packed ? (["FLUSH", "RING_PACKED"] as const) : (["FLUSH"] as const);
      await onPc(
        disk(image.path, packed ? "virtio-blk-pci,packed=on" : "virtio-blk-pci"),
        async (machine) => {
          const transport = await machine.open(2);
          const driver = await exercise(transport, mirror, { features, withhold: form.withhold }, 10_000);
          expect(driver.dropped).toEqual([]);
          await driver.stop();
        },
        { interrupts: form.interrupts },
      );
      expect(Buffer.from(await image.read()).equals(mirror)).toBe(true);
    });
  });

  it("does random reads and writes over MMIO", { timeout: 900_000 }, async () => {
    await withImage(pattern(SECTORS * SECTOR, 7), async (image) => {
      const mirror = new Uint8Array(await image.read());
      await onMicrovm(disk(image.path, "virtio-blk-device"), async (machine) => {
        const driver = await exercise(await machine.open(2), mirror, { features: ["FLUSH"] }, 2000);
        await driver.stop();
      });
      expect(Buffer.from(await image.read()).equals(mirror)).toBe(true);
    });
  });

  it("does random reads and writes over MMIO, through the legacy interface", { timeout: 900_000 }, async () => {
    await withImage(pattern(SECTORS * SECTOR, 7), async (image) => {
      const mirror = new Uint8Array(await image.read());
      await onMicrovm(
        disk(image.path, "virtio-blk-device"),
        async (machine) => {
          const transport = await machine.open(2);
          expect(transport.legacy).toBeDefined();
          const driver = await exercise(transport, mirror, { features: ["FLUSH"] }, 2000);
          expect(driver.negotiated.has(CommonFeature.VERSION_1)).toBe(false);
          await driver.stop();
        },
        { legacy: true },
      );
      expect(Buffer.from(await image.read()).equals(mirror)).toBe(true);
    });
  });

  it("discards, writes zeroes, says its name and refuses what is beyond its end", { timeout: 900_000 }, async () => {
    await withImage(pattern(SECTORS * SECTOR, 7), async (image) => {
      await onPc(disk(image.path, "virtio-blk-pci"), async (machine) => {
        const features = ["FLUSH", "DISCARD", "WRITE_ZEROES", "CONFIG_WCE", "SEG_MAX", "BLK_SIZE"] as const;
        const driver = await BlkDriver.start(await machine.open(2), { features });
        expect(driver.dropped).toEqual([]);
        expect(driver.config).toMatchObject({ blkSize: 512, writeback: 1 });
        expect(driver.config.maxDiscardSectors).toBeGreaterThan(0);

        const { id } = await driver.requestq.submit({ type: "GET_ID", sector: 0n });
        expect(id).toBe("virtio-gen-1");
        const segment = { numSectors: 8, flags: { unmap: false } };
        const zeroes = await driver.requestq.submit({
          type: "WRITE_ZEROES",
          sector: 0n,
          segments: [{ ...segment, sector: 16n }],
        });
        expect(zeroes.status).toBe("OK");
        const discard = await driver.requestq.submit({
          type: "DISCARD",
          sector: 0n,
          segments: [{ ...segment, sector: 64n }],
        });
        expect(discard.status).toBe("OK");
        const { data } = await driver.requestq.submit({ type: "IN", sector: 16n, data: 8 * SECTOR });
        expect(data.every((byte) => byte === 0)).toBe(true);
        const beyond = await driver.requestq.submit({ type: "IN", sector: BigInt(SECTORS), data: SECTOR });
        expect(beyond.status).toBe("IOERR");

        await driver.writeConfig({ writeback: 0 });
        expect(driver.config.writeback).toBe(0);

        // The disk grows: QEMU tells with a configuration change.
        const changed = new Promise<void>((resolve) => (driver.onConfigChange = () => resolve()));
        await machine.qemu.qmp.execute("block_resize", { device: "disk", size: 2 * SECTORS * SECTOR });
        await changed;
        expect(driver.config.capacity).toBe(BigInt(2 * SECTORS));
        await driver.stop();
      });
      const after = await image.read();
      expect(after.subarray(16 * SECTOR, 24 * SECTOR).every((byte) => byte === 0)).toBe(true);
    });
  });
});
