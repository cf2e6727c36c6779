import { expect, test } from "vitest";
import { InputDevice, InputDriver, type InputEvent } from "../../generated/input.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { bytes, until } from "./turns.js";

const EV_KEY = 1;
const EV_ABS = 3;
const EV_LED = 17;
const ABS_X = 0;
const SYN = { type: 0, code: 0, value: 0 };

async function start() {
  const feedback: InputEvent[] = [];
  const events: InputEvent[] = [];
  const device = new InputDevice({
    configWindow({ select, subsel }) {
      switch (select) {
        case "ID_NAME":
          return { size: 9, u: { kind: "ID_NAME", string: "test keys" } };
        case "ID_DEVIDS":
          return { size: 8, u: { kind: "ID_DEVIDS", ids: { bustype: 6, vendor: 0x1234, product: 2, version: 3 } } };
        case "EV_BITS":
          return subsel === EV_KEY ? { size: 3, u: { kind: "EV_BITS", bitmap: bytes(0, 0, 0x40) } } : undefined;
        case "ABS_INFO":
          return { size: 20, u: { kind: "ABS_INFO", abs: { min: 0, max: 1023, fuzz: 0, flat: 0, res: 4 } } };
        case "ID_SERIAL":
          // Longer than it says.
          return { size: 1, u: { kind: "ID_SERIAL", string: "too long" } };
        default:
          return undefined;
      }
    },
    statusq(buffer) {
      feedback.push({ type: buffer.type, code: buffer.code, value: buffer.value });
      return buffer.complete();
    },
  });
  const driver = await InputDriver.start(loopback(device), { eventq: (event) => void events.push(event) });
  return { device, driver, events, feedback };
}

test("a window shows what the driver selects", async () => {
  const { driver } = await start();
  expect(driver.config).toEqual({ select: "UNSET", subsel: 0, size: 0, u: undefined });
  const name = await driver.queryConfig({ select: "ID_NAME", subsel: 0 });
  expect(name).toEqual({ select: "ID_NAME", subsel: 0, size: 9, u: { kind: "ID_NAME", string: "test keys" } });
  const ids = await driver.queryConfig({ select: "ID_DEVIDS", subsel: 0 });
  expect(ids.u).toEqual({ kind: "ID_DEVIDS", ids: { bustype: 6, vendor: 0x1234, product: 2, version: 3 } });
  const range = await driver.queryConfig({ select: "ABS_INFO", subsel: ABS_X });
  expect(range.u).toEqual({ kind: "ABS_INFO", abs: { min: 0, max: 1023, fuzz: 0, flat: 0, res: 4 } });
  await driver.stop();
});

test("questions that come together are answered one after the other", async () => {
  const { driver } = await start();
  const answers = await Promise.all([EV_KEY, EV_ABS, EV_KEY].map((subsel) => driver.queryConfig({ select: "EV_BITS", subsel })));
  const keys = { select: "EV_BITS", subsel: EV_KEY, size: 3, u: { kind: "EV_BITS", bitmap: bytes(0, 0, 0x40) } };
  // There are no axes: the answer is empty.
  const axes = { select: "EV_BITS", subsel: EV_ABS, size: 0, u: { kind: "EV_BITS", bitmap: bytes() } };
  expect(answers).toEqual([keys, axes, keys]);
  await driver.stop();
});

test("an answer that does not fit is reported, and nothing is shown", async () => {
  const { device, driver } = await start();
  const errors: string[] = [];
  device.onProtocolError = (error) => void errors.push(error.message);
  const { size } = await driver.queryConfig({ select: "ID_SERIAL", subsel: 0 });
  expect(size).toBe(0);
  // Once for each selector that the driver writes.
  expect(errors).toHaveLength(2);
  await driver.stop();
});

test("events of the device, feedback for it", async () => {
  const { device, driver, events, feedback } = await start();
  await until(() => device.eventq.available > 0);
  for (const event of [{ type: EV_KEY, code: 30, value: 1 }, SYN]) expect(device.eventq.send(event)).toBe(true);
  await until(() => events.length === 2);
  expect(events).toEqual([{ type: EV_KEY, code: 30, value: 1 }, SYN]);
  await driver.statusq.send({ type: EV_LED, code: 1, value: 1 });
  expect(feedback).toEqual([{ type: EV_LED, code: 1, value: 1 }]);
  await driver.stop();
});
