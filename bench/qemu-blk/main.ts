import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { BlkDriver } from "../../generated/blk.js";
import { QemuPc } from "../../src/runtime/transport/qtest/index.js";

/**
 * Our driver against QEMU's virtio-blk over mapped memory: 4 KiB reads at depth 1 and 32, and where the time goes. Every
 * notification is a register write through QEMU's test socket, which a guest does not have, so it is counted by itself.
 */

const SECONDS = 3;

async function iops(driver: BlkDriver, depth: number): Promise<number> {
  let done = 0;
  const start = performance.now();
  const end = start + 1000 * SECONDS;
  await Promise.all(
    Array.from({ length: depth }, async (_, lane) => {
      for (let at = lane; performance.now() < end; at += depth) {
        const { status } = await driver.requestq.submit({ type: "IN", sector: BigInt((at % 4096) * 8), data: 4096 });
        if (status !== "OK") throw new Error(`QEMU answers ${String(status)}`);
        done++;
      }
    }),
  );
  return (done * 1000) / (performance.now() - start);
}

const folder = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
const image = join(folder, "disk.img");
writeFileSync(image, "");
truncateSync(image, 16 * 1024 * 1024);
try {
  const results: {
    readonly interrupts: string;
    readonly depth: number;
    readonly iops: number;
    readonly registerAccess: number;
  }[] = [];
  for (const interrupts of ["lines", "messages"] as const) {
    const machine = await QemuPc.start({
      interrupts,
      arguments: ["-drive", `file=${image},if=none,id=disk,format=raw`, "-device", "virtio-blk-pci,drive=disk"],
    });
    try {
      const transport = await machine.open(2);
      const driver = await BlkDriver.start(transport);
      for (const depth of [1, 32]) {
        const rate = await iops(driver, depth);
        const start = performance.now();
        for (let at = 0; at < 500; at++) await transport.getStatus();
        results.push({ interrupts, depth, iops: rate, registerAccess: ((performance.now() - start) * 1000) / 500 });
      }
      await driver.stop();
    } finally {
      await machine.close();
    }
  }
  if (process.argv.includes("--json")) console.log(JSON.stringify(results, undefined, 2));
  else {
    console.log("interrupts  depth      IOPS  us/request  us/register access through the socket");
    for (const { interrupts, depth, iops: rate, registerAccess } of results) {
      console.log(
        `${interrupts.padEnd(10)}  ${String(depth).padStart(5)}  ${rate.toFixed(0).padStart(8)}  ${(1e6 / rate).toFixed(0).padStart(10)}  ${registerAccess.toFixed(0)}`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
