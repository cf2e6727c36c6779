import { expect, test } from "vitest";
import { EntropyDevice, EntropyDriver } from "../../generated/entropy.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

test("draws as many bytes as the device fills", async () => {
  const device = new EntropyDevice({
    requestq(request) {
      request.data.fill(0xa5, 0, 24);
      return request.complete();
    },
  });
  const driver = await EntropyDriver.start(loopback(device));
  const { data } = await driver.requestq.submit({ data: 64 });
  expect(data).toEqual(new Uint8Array(24).fill(0xa5));
  expect((await driver.requestq.submit({ data: 8 })).data).toHaveLength(8);
  await driver.stop();
});
