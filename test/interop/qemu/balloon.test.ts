import { describe, expect, it } from "vitest";
import { BalloonDriver, type BalloonStat } from "../../../generated/balloon.js";
import type { QmpClient } from "../../../src/runtime/transport/qtest/index.js";
import { onMicrovm, onPc, requireQemu } from "./machine.js";
import { until } from "./until.js";

const PAGE = 4096;
const MIB = 1024 * 1024;

/** What QEMU takes for the guest's memory: all of it less what is in the balloon. */
async function guestMemory(qmp: QmpClient): Promise<number> {
  const answer = (await qmp.execute("query-balloon")) as { actual: number };
  return answer.actual;
}

/** Waits until QEMU has been asked for statistics and has an answer that is not `before`. */
async function guestStats(qmp: QmpClient, path: string): Promise<Record<string, number>> {
  let last = { "last-update": 0, stats: {} as Record<string, number> };
  for (const end = Date.now() + 120_000; last["last-update"] === 0 && Date.now() < end;) {
    last = (await qmp.execute("qom-get", { path, property: "guest-stats" })) as typeof last;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return last.stats;
}

describe.runIf(await requireQemu())("QEMU's virtio-balloon", () => {
  it("is inflated and deflated over PCI: QEMU gives the pages away", { timeout: 900_000 }, async () => {
    await onPc(["-device", "virtio-balloon-pci,id=balloon"], async (machine) => {
      const driver = await BalloonDriver.start(await machine.open(5), { features: ["MUST_TELL_HOST"] });
      const { memorySize, qmp } = machine.qemu;
      expect(driver.config).toMatchObject({ numPages: 0, actual: 0 });

      const changed = new Promise<void>((resolve) => (driver.onConfigChange = () => resolve()));
      await qmp.execute("balloon", { value: memorySize - MIB });
      await changed;
      const count = driver.config.numPages;
      expect(count).toBe(MIB / PAGE);

      const start = machine.allocator.allocate(MIB, PAGE);
      const region = machine.memory.locate(start, MIB);
      const bytes = region?.bytes.subarray(start - region.start, start - region.start + MIB);
      if (bytes === undefined) throw new Error("there is no memory");
      bytes.fill(0x5a);
      const pages = Array.from({ length: count }, (_, index) => start / PAGE + index);
      await driver.inflateq.send({ pages });
      // The memory is a shared file: what QEMU gave away reads as zero here.
      await until(() => bytes.every((byte) => byte === 0));
      await driver.writeConfig({ actual: count });
      expect(driver.config.actual).toBe(count);
      expect(await guestMemory(qmp)).toBe(memorySize - MIB);

      await qmp.execute("balloon", { value: memorySize });
      await until(() => driver.config.numPages === 0);
      await driver.deflateq.send({ pages });
      await driver.writeConfig({ actual: 0 });
      expect(await guestMemory(qmp)).toBe(memorySize);
      bytes.fill(0x5a);
      expect(bytes.every((byte) => byte === 0x5a)).toBe(true);
      await driver.stop();
    });
  });

  it("collects statistics over MMIO, as QMP shows them", { timeout: 900_000 }, async () => {
    await onMicrovm(["-device", "virtio-balloon-device,id=balloon"], async (machine) => {
      const driver = await BalloonDriver.start(await machine.open(5), { features: ["STATS_VQ"] });
      const { statsq } = driver;
      if (statsq === undefined) throw new Error("there is no queue for statistics");
      const stats: readonly BalloonStat[] = [
        { tag: "MEMTOT", val: 123_456_789n },
        { tag: "MEMFREE", val: 2n ** 33n },
        { tag: "HTLB_PGFAIL", val: 7n },
      ];
      const path = "/machine/peripheral/balloon";
      await machine.qemu.qmp.execute("qom-set", { path, property: "guest-stats-polling-interval", value: 1 });
      // The buffer stays with the device until it wants new statistics.
      let returned = 0;
      const again = async (): Promise<void> => {
        await statsq.send({ stats });
        returned++;
      };
      const first = again();
      const shown = await guestStats(machine.qemu.qmp, path);
      expect(shown).toMatchObject({
        "stat-total-memory": 123_456_789,
        "stat-free-memory": 2 ** 33,
        "stat-htlb-pgfail": 7,
      });
      await first;
      await until(() => returned === 1);
      await driver.stop();
    });
  });
});
