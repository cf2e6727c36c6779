import { expect, test } from "vitest";
import { ScmiDevice, ScmiDriver, type ScmiEventMsg } from "../../generated/scmi.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { bytes, until } from "./turns.js";

const VERSION = 0;

test("commands, each with its response, and notifications", async () => {
  const notifications: ScmiEventMsg[] = [];
  const device = new ScmiDevice({
    features: ["P2A_CHANNELS"],
    cmdq(request) {
      const { hdr, params } = request.request;
      const known = (hdr & 0xff) === VERSION;
      // Status SUCCESS and a version, or NOT_FOUND and no more.
      return request.complete({ response: { hdr, retValues: known ? bytes(0, 0, 0, 0, params.length, 0, 2, 0) : bytes(0xfc, 0xff, 0xff, 0xff) } });
    },
  });
  const driver = await ScmiDriver.start(loopback(device), { features: ["P2A_CHANNELS"], eventq: (message) => void notifications.push(message) });
  const version = await driver.cmdq.submit({ request: { hdr: 0x4000 | VERSION, params: bytes(1, 2) }, response: 64 });
  expect(version).toEqual({ response: { hdr: 0x4000, retValues: bytes(0, 0, 0, 0, 2, 0, 2, 0) } });
  const other = await driver.cmdq.submit({ request: { hdr: 0x4007, params: bytes() }, response: 64 });
  expect(other.response.retValues).toEqual(bytes(0xfc, 0xff, 0xff, 0xff));
  await until(() => device.eventq.available > 0);
  expect(device.eventq.send({ hdr: 0x300, payload: bytes(9) })).toBe(true);
  await until(() => notifications.length > 0);
  expect(notifications).toEqual([{ hdr: 0x300, payload: bytes(9) }]);
  await driver.stop();
});
