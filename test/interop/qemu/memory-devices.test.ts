import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemDriver } from "../../../generated/mem.js";
import { PmemDriver } from "../../../generated/pmem.js";
import type { QmpClient } from "../../../src/runtime/transport/qtest/index.js";
import { onPc, requireQemu, withFolder } from "./machine.js";

const MIB = 2 ** 20;

/** Sizes of the memory device as QEMU sees them. */
async function shown(qmp: QmpClient): Promise<object> {
  const [device] = (await qmp.execute("query-memory-devices")) as { data: object }[];
  return device?.data ?? {};
}

describe.runIf(await requireQemu())("QEMU's virtio-mem", () => {
  it("plugs and unplugs blocks", { timeout: 900_000 }, async () => {
    const devices = [
      // Guest memory of these tests is 64 MiB; the device adds up to 64 more.
      "-m", "64M,maxmem=256M,slots=1", "-object", "memory-backend-ram,id=more,size=64M",
      "-device", "virtio-mem-pci,id=vmem,memdev=more,requested-size=0,block-size=2M",
    ]; // prettier-ignore
    await onPc(devices, async (machine) => {
      const { qmp, qtest } = machine.qemu;
      const driver = await MemDriver.start(await machine.open(24), { features: ["UNPLUGGED_INACCESSIBLE"] });
      const { guestRequest, config } = driver;
      expect(config).toMatchObject({ blockSize: BigInt(2 * MIB), regionSize: BigInt(64 * MIB), pluggedSize: 0n });
      const { addr } = config;
      const blocks = (first: number, nbBlocks: number) => ({ addr: addr + BigInt(first * 2 * MIB), nbBlocks });
      const state = async (first: number, count: number) =>
        await guestRequest.submit({ type: "STATE", state: blocks(first, count) });

      // Nothing was asked for yet: nothing is usable.
      expect(config.usableRegionSize).toBe(0n);
      expect(await guestRequest.submit({ type: "PLUG", plug: blocks(0, 1) })).toEqual({ type: "ERROR" });

      const changed = new Promise<void>((resolve) => (driver.onConfigChange = () => resolve()));
      await qmp.execute("qom-set", { path: "/machine/peripheral/vmem", property: "requested-size", value: 8 * MIB });
      await changed;
      expect(driver.config.requestedSize).toBe(BigInt(8 * MIB));
      expect(await guestRequest.submit({ type: "PLUG", plug: blocks(0, 3) })).toEqual({ type: "ACK" });
      expect(await shown(qmp)).toMatchObject({ size: 6 * MIB, "requested-size": 8 * MIB, memaddr: Number(addr) });
      expect(await guestRequest.submit({ type: "PLUG", plug: blocks(2, 1) })).toEqual({ type: "ERROR" });
      expect(await guestRequest.submit({ type: "PLUG", plug: blocks(3, 2) })).toEqual({ type: "NACK" });
      expect(await state(0, 3)).toEqual({ type: "ACK", state: { type: "PLUGGED" } });
      expect(await state(3, 1)).toEqual({ type: "ACK", state: { type: "UNPLUGGED" } });
      expect(await state(2, 2)).toEqual({ type: "ACK", state: { type: "MIXED" } });

      // What is plugged is memory.
      await qtest.writeMemory(Number(addr) + 4 * MIB, 4, 0x1234_5678);
      expect(await qtest.readMemory(Number(addr) + 4 * MIB, 4)).toBe(0x1234_5678);
      expect(await guestRequest.submit({ type: "UNPLUG", unplug: blocks(2, 1) })).toEqual({ type: "ACK" });
      expect(await guestRequest.submit({ type: "UNPLUG", unplug: blocks(2, 1) })).toEqual({ type: "ERROR" });
      expect(await shown(qmp)).toMatchObject({ size: 4 * MIB });
      expect(await guestRequest.submit({ type: "PLUG", plug: blocks(2, 1) })).toEqual({ type: "ACK" });
      // The block was thrown away in between.
      expect(await qtest.readMemory(Number(addr) + 4 * MIB, 4)).toBe(0);
      expect(await guestRequest.submit({ type: "UNPLUG_ALL" })).toEqual({ type: "ACK" });
      expect(await shown(qmp)).toMatchObject({ size: 0 });
      await driver.stop();
    });
  });
});

describe.runIf(await requireQemu())("QEMU's virtio-pmem", () => {
  it("flushes what was written to its memory", { timeout: 900_000 }, async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "pmem");
      const devices = [
        "-m", "64M,maxmem=256M,slots=1",
        "-object", `memory-backend-file,id=store,share=on,size=16M,mem-path=${path}`,
        "-device", "virtio-pmem-pci,id=pmem,memdev=store",
      ]; // prettier-ignore
      await onPc(devices, async (machine) => {
        const driver = await PmemDriver.start(await machine.open(27));
        expect(driver.config.size).toBe(BigInt(16 * MIB));
        const start = Number(driver.config.start);
        expect(await shown(machine.qemu.qmp)).toMatchObject({ memaddr: start, size: 16 * MIB });
        const text = new TextEncoder().encode("kept over the end");
        await machine.qemu.qtest.writeBytes(start + 12_345, text);
        expect(await driver.reqVq.submit({ request: { type: "FLUSH" } })).toEqual({ ret: 0 });
        expect(Buffer.from((await readFile(path)).subarray(12_345, 12_345 + text.length)).equals(text)).toBe(true);
        // One after the other: QEMU 7.2 takes one request for each notification, and leaves the others lie.
        for (let count = 0; count < 50; count++) {
          expect(await driver.reqVq.submit({ request: { type: "FLUSH" } })).toEqual({ ret: 0 });
        }
        await driver.stop();
      });
    });
  });
});
