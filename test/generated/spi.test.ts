import { expect, test } from "vitest";
import { SpiDevice, SpiDriver, type SpiTransferHead } from "../../generated/spi.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { bytes } from "./turns.js";

const head: SpiTransferHead = {
  chipSelectId: 0,
  bitsPerWord: 8,
  csChange: 0,
  txNbits: 1,
  rxNbits: 1,
  mode: { cpha: true, cpol: false, csHigh: false, lsbFirst: false, loop: true },
  freq: 1_000_000,
  wordDelayNs: 0,
  csSetupNs: 0,
  csDelayHoldNs: 0,
  csChangeDelayInactiveNs: 0,
};

async function start() {
  const device = new SpiDevice({
    config: {
      csMaxNumber: 2,
      csChangeSupported: 1,
      txNbitsSupported: { dual: true, quad: false, octal: false },
      rxNbitsSupported: { dual: false, quad: true, octal: false },
      bitsPerWordMask: 1 << 7,
      modeFuncSupported: { cpha: 3, cpol: 1, csHigh: true, lsbFirst: false, loop: true },
      maxFreqHz: 20_000_000,
      maxWordDelayNs: 0,
      maxCsSetupNs: 0,
      maxCsHoldNs: 0,
      maxCsInactiveNs: 0,
    },
    requestq(request) {
      if (request.headField.chipSelectId >= device.config.csMaxNumber) return request.complete("PARAM_ERR");
      expect(request.headField.mode).toEqual(head.mode);
      // Loopback, one bit shifted.
      const sent = request.txBuf.toUint8Array();
      const received = sent.length === 0 ? new Uint8Array(request.rxBuf.length).fill(0xff) : sent.map((value) => (value << 1) & 0xff);
      request.rxBuf.write(received);
      return request.complete("TRANS_OK");
    },
  });
  return { device, driver: await SpiDriver.start(loopback(device)) };
}

test("full duplex, and either direction alone", async () => {
  const { driver } = await start();
  const { requestq } = driver;
  const ok = "TRANS_OK";
  expect(await requestq.submit({ head, txBuf: bytes(1, 2, 0x81), rxBuf: 3 })).toEqual({ rxBuf: bytes(2, 4, 2), result: ok });
  expect(await requestq.submit({ head, txBuf: bytes(1), rxBuf: 0 })).toEqual({ rxBuf: bytes(), result: ok });
  expect(await requestq.submit({ head, txBuf: bytes(), rxBuf: 2 })).toEqual({ rxBuf: bytes(0xff, 0xff), result: ok });
  const wrong = await requestq.submit({ head: { ...head, chipSelectId: 2 }, txBuf: bytes(), rxBuf: 1 });
  expect(wrong.result).toBe("PARAM_ERR");
  await driver.stop();
});

test("bits of the configuration", async () => {
  const { driver } = await start();
  expect(driver.config.txNbitsSupported).toEqual({ dual: true, quad: false, octal: false });
  expect(driver.config.modeFuncSupported).toEqual({ cpha: 3, cpol: 1, csHigh: true, lsbFirst: false, loop: true });
  await driver.stop();
});
