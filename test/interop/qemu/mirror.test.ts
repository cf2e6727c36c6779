import { describe, expect, it } from "vitest";
import { BlkDriver } from "../../../generated/blk.js";
import { onMicrovm, onPc, requireQemu, withImage } from "./machine.js";

const disk = (path: string, device: string): string[] => [
  "-drive",
  `file=${path},if=none,id=disk,format=raw`,
  "-device",
  `${device},drive=disk`,
];

async function writeAndRead(driver: BlkDriver): Promise<void> {
  await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const data = new Uint8Array(4096).fill(index + 1);
      const sector = BigInt(8 * index);
      expect((await driver.requestq.submit({ type: "OUT", sector, data })).status).toBe("OK");
      const reply = await driver.requestq.submit({ type: "IN", sector, data: 4096 });
      expect(reply.data).toEqual(data);
    }),
  );
}

describe.runIf(await requireQemu())("guest memory as a copy, where it cannot be mapped", () => {
  it("works over PCI", { timeout: 900_000 }, async () => {
    await withImage(new Uint8Array(1024 * 1024), async (image) => {
      await onPc(
        disk(image.path, "virtio-blk-pci"),
        async (machine) => {
          expect(machine.isMapped).toBe(false);
          const driver = await BlkDriver.start(await machine.open(2));
          await writeAndRead(driver);
          await driver.stop();
        },
        { map: false },
      );
      expect((await image.read())[39 * 4096]).toBe(40);
    });
  });

  it("works over MMIO, without event_idx and indirect descriptors", { timeout: 900_000 }, async () => {
    await withImage(new Uint8Array(1024 * 1024), async (image) => {
      await onMicrovm(
        disk(image.path, "virtio-blk-device"),
        async (machine) => {
          const driver = await BlkDriver.start(await machine.open(2), { withhold: ["EVENT_IDX", "INDIRECT_DESC"] });
          await writeAndRead(driver);
          await driver.stop();
        },
        { map: false },
      );
    });
  });
});
