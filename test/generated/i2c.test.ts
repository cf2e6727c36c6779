import { expect, test } from "vitest";
import { I2cDevice, I2cDriver, I2cFeature, I2cFlags } from "../../generated/i2c.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { bytes } from "./turns.js";

const EEPROM = 0x50 << 1;

/** A small EEPROM: a write begins with the place, a read goes on from there. */
async function start() {
  const store = new Uint8Array(16);
  let place = 0;
  let failing = false;
  const device = new I2cDevice({
    features: ["ZERO_LENGTH_REQUEST"],
    requestq(request) {
      const { addr, flags } = request.outHdr;
      const failed = failing || addr !== EEPROM;
      failing = failed && (flags & I2cFlags.FAIL_NEXT) !== 0;
      if (!failed && (flags & I2cFlags.M_RD) !== 0) {
        expect(request.buf.length).toBe(0);
        request.replyBuf.write(store, place);
      } else if (!failed && request.buf.length > 0) {
        expect(request.replyBuf.length).toBe(0);
        place = request.buf.byteAt(0);
        store.set(request.buf.toUint8Array().subarray(1), place);
      }
      return request.complete(failed ? "ERR" : "OK");
    },
  });
  const driver = await I2cDriver.start(loopback(device), { features: ["ZERO_LENGTH_REQUEST"] });
  return { driver, store };
}

test("a write, a group of write and read, and an address alone", async () => {
  const { driver, store } = await start();
  const { requestq } = driver;
  const write = await requestq.submit({ outHdr: { addr: EEPROM, flags: 0 }, buf: bytes(2, 0xaa, 0xbb) });
  expect(write).toEqual({ buf: undefined, status: "OK" });
  expect(store.subarray(2, 4)).toEqual(bytes(0xaa, 0xbb));
  const group = await Promise.all([
    requestq.submit({ outHdr: { addr: EEPROM, flags: I2cFlags.FAIL_NEXT }, buf: bytes(2) }),
    requestq.submit({ outHdr: { addr: EEPROM, flags: I2cFlags.M_RD }, bufCapacity: 2 }),
  ]);
  expect(group.map(({ status }) => status)).toEqual(["OK", "OK"]);
  expect(group[1].buf).toEqual(bytes(0xaa, 0xbb));
  expect(await requestq.submit({ outHdr: { addr: EEPROM, flags: 0 }, buf: bytes() })).toEqual({ buf: undefined, status: "OK" });
  await driver.stop();
});

test("after a failure the rest of the group fails, too", async () => {
  const { driver } = await start();
  const group = await Promise.all([
    driver.requestq.submit({ outHdr: { addr: 0x20, flags: I2cFlags.FAIL_NEXT }, buf: bytes(0) }),
    driver.requestq.submit({ outHdr: { addr: EEPROM, flags: I2cFlags.M_RD | I2cFlags.FAIL_NEXT }, bufCapacity: 1 }),
    driver.requestq.submit({ outHdr: { addr: EEPROM, flags: 0 }, buf: bytes(0) }),
    driver.requestq.submit({ outHdr: { addr: EEPROM, flags: 0 }, buf: bytes(0) }),
  ]);
  expect(group.map(({ status }) => status)).toEqual(["ERR", "ERR", "ERR", "OK"]);
  await driver.stop();
});

test("the mandatory feature is offered and taken without being asked for", async () => {
  const device = new I2cDevice({ requestq: (request) => request.complete("OK") });
  const driver = await I2cDriver.start(loopback(device));
  expect(driver.negotiated.has(I2cFeature.ZERO_LENGTH_REQUEST)).toBe(true);
  await driver.stop();
});
