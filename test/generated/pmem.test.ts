import { expect, test } from "vitest";
import { PmemDevice, PmemDriver } from "../../generated/pmem.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

test("a flush is answered when the memory is persistent, and a failure is told", async () => {
  let persistent = 0;
  const device = new PmemDevice({
    config: { start: 0x1_0000_0000n, size: 1n << 30n },
    async reqVq(request) {
      expect(request.request.type).toBe("FLUSH");
      await new Promise((resolve) => setTimeout(resolve, 1));
      persistent++;
      return request.complete(persistent === 1 ? 0 : -1);
    },
  });
  const driver = await PmemDriver.start(loopback(device));
  expect(driver.config).toEqual({ start: 0x1_0000_0000n, size: 1n << 30n });
  expect(await driver.reqVq.submit({ request: { type: "FLUSH" } })).toEqual({ ret: 0 });
  expect(await driver.reqVq.submit({ request: { type: "FLUSH" } })).toEqual({ ret: -1 });
  expect(persistent).toBe(2);
  await driver.stop();
});

test("with SHMEM_REGION the place in the configuration means nothing", async () => {
  const device = new PmemDevice({ features: ["SHMEM_REGION"], config: {}, reqVq: (request) => request.complete(0) });
  const driver = await PmemDriver.start(loopback(device), { features: ["SHMEM_REGION"] });
  expect(driver.config).toEqual({ start: undefined, size: undefined });
  await driver.stop();
});
