import { describe, expect, it } from "vitest";
import { EntropyDriver } from "../../../generated/entropy.js";
import type { DriverTransport } from "../../../src/runtime/index.js";
import { onMicrovm, onPc, requireQemu } from "./machine.js";

const source = ["-object", "rng-builtin,id=source"];

/** Draws bytes until 64 KiB are there: a device may give fewer than were asked for. */
async function draw(transport: DriverTransport): Promise<void> {
  const driver = await EntropyDriver.start(transport);
  const counts = new Array<number>(256).fill(0);
  let total = 0;
  while (total < 65536) {
    const { data } = await driver.requestq.submit({ data: 4096 });
    expect(data.length).toBeGreaterThan(0);
    for (const byte of data) counts[byte] = (counts[byte] ?? 0) + 1;
    total += data.length;
  }
  // Each value some 256 times; one that comes less than 128 or more than 512 times would be a miracle.
  expect(Math.min(...counts)).toBeGreaterThan(128);
  expect(Math.max(...counts)).toBeLessThan(512);
  await driver.stop();
}

describe.runIf(await requireQemu())("QEMU's virtio-rng", () => {
  it("gives entropy over PCI", { timeout: 900_000 }, async () => {
    await onPc([...source, "-device", "virtio-rng-pci,rng=source"], async (machine) => draw(await machine.open(4)));
  });
  it("gives entropy over MMIO", { timeout: 900_000 }, async () => {
    await onMicrovm([...source, "-device", "virtio-rng-device,rng=source"], async (machine) =>
      draw(await machine.open(4)),
    );
  });
  it("gives entropy over MMIO, through the legacy interface", { timeout: 900_000 }, async () => {
    const devices = [...source, "-device", "virtio-rng-device,rng=source"];
    await onMicrovm(
      devices,
      async (machine) => {
        const transport = await machine.open(4);
        expect(transport.legacy).toBeDefined();
        await draw(transport);
      },
      { legacy: true },
    );
  });
});
