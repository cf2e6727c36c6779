import { expect, test } from "vitest";
import { CanDevice, CanDriver, CanFrameFlags, CanStatus, type CanRx } from "../../generated/can.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { bytes, until } from "./turns.js";

async function start(features: readonly ("CAN_CLASSIC" | "CAN_FD" | "RTR_FRAMES" | "LATE_TX_ACK")[]) {
  const received: CanRx[] = [];
  let started = false;
  const device: CanDevice = new CanDevice({
    features,
    config: { status: 0 },
    txq(request) {
      const { msgType, flags, canId, sdu } = request.out;
      const isFd = (flags & CanFrameFlags.FD) !== 0;
      if (!started || msgType !== "TX" || sdu.length > (isFd ? 64 : 8)) return request.complete("NOT_OK");
      // The bus gives every frame back.
      device.rxq.send({ msgType: "RX", flags, canId, sdu });
      return request.complete("OK");
    },
    controlq(request) {
      started = request.out.msgType === "SET_CTRL_MODE_START";
      return request.complete("OK");
    },
  });
  const driver = await CanDriver.start(loopback(device), { features, rxq: (frame) => void received.push(frame) });
  return { device, driver, received };
}

test("frames in both directions, once the controller is started", async () => {
  const { driver, received } = await start(["CAN_CLASSIC", "CAN_FD"]);
  const frame = { msgType: "TX", flags: CanFrameFlags.EXTENDED, canId: 0x1234567, sdu: bytes(1, 2, 3) } as const;
  expect(await driver.txq.submit({ out: frame })).toEqual({ result: "NOT_OK" });
  await driver.controlq.submit({ out: { msgType: "SET_CTRL_MODE_START" } });
  expect(await driver.txq.submit({ out: frame })).toEqual({ result: "OK" });
  const long = { ...frame, flags: CanFrameFlags.FD, sdu: new Uint8Array(64).fill(7) };
  expect(await driver.txq.submit({ out: long })).toEqual({ result: "OK" });
  expect(await driver.txq.submit({ out: { ...frame, sdu: new Uint8Array(9) } })).toEqual({ result: "NOT_OK" });
  await until(() => received.length === 2);
  expect(received).toEqual([{ ...frame, msgType: "RX" }, { ...long, msgType: "RX" }]);
  await driver.controlq.submit({ out: { msgType: "SET_CTRL_MODE_STOP" } });
  expect(await driver.txq.submit({ out: frame })).toEqual({ result: "NOT_OK" });
  await driver.stop();
});

test.each([
  [["CAN_CLASSIC"], 24],
  [["CAN_CLASSIC", "CAN_FD"], 80],
] as const)("with %j a receive buffer has %i bytes", async (features, size) => {
  const { device, driver } = await start(features);
  await until(() => device.rxq.available > 0);
  expect(device.rxq.room).toBe(size);
  await driver.stop();
});

test("bus off is told, and one of the two kinds of frame has to be there", async () => {
  const { device, driver } = await start(["CAN_FD"]);
  device.config.status = CanStatus.CTRL_BUSOFF;
  await until(() => driver.config.status === CanStatus.CTRL_BUSOFF);
  await driver.stop();
  await expect(start(["LATE_TX_ACK"])).rejects.toMatchObject({ rule: "features-refused" });
});
