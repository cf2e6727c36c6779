import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DeviceStatus, FeatureSet, HandlerError } from "../../../src/runtime/index.js";
import { EchoDevice } from "../fixtures/echo-device.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import "../../seed.js";

const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, NEEDS_RESET, FAILED } = DeviceStatus;

const anyNumber = fc.oneof(
  fc.nat(64),
  fc.nat(0xffff),
  fc.constantFrom(-1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 64, 0x1000, 0x2000),
);
const anyStatus = fc.oneof(
  fc.nat(255),
  fc.constantFrom(0, 1, 3, 11, 15, 15, 15, 64, 128, 256, -1, 2 ** 31, 2 ** 32, NaN),
);
const anyBits = fc.oneof(fc.constant([32]), fc.constant([0, 32, 40]), fc.array(fc.nat(127), { maxLength: 4 }));

type Step = (device: EchoDevice, driver: RawDriver) => void;
const step: fc.Arbitrary<Step> = fc.oneof(
  anyStatus.map(
    (status): Step =>
      (device) =>
        device.writeStatus(status),
  ),
  anyBits.map(
    (bits): Step =>
      (device) =>
        void device.setDriverFeatures(FeatureSet.of(bits)),
  ),
  fc.tuple(anyNumber, anyNumber).map(
    ([i, word]): Step =>
      (device) =>
        void device.setDriverFeaturesWord(i, word),
  ),
  fc.tuple(anyNumber, fc.nat(40)).map(
    ([at, size]): Step =>
      (device) =>
        device.readConfig(at, new Uint8Array(size)),
  ),
  fc.tuple(anyNumber, fc.uint8Array({ maxLength: 30 })).map(
    ([at, bytes]): Step =>
      (device) =>
        device.writeConfig(at, bytes),
  ),
  fc
    .tuple(fc.nat(2), anyNumber, anyNumber, anyNumber, anyNumber)
    .map(([index, size, descriptor, driver, area]): Step => (device) => {
      device.queue(index)?.configure({ size, descriptor, driver, device: area });
    }),
  fc.nat(1).map(
    (index): Step =>
      (device, driver) =>
        void device.queue(index)?.configure(driver.place(8)),
  ),
  fc.nat(2).map(
    (index): Step =>
      (device) =>
        void device.queue(index)?.enable(),
  ),
  fc.nat(2).map(
    (index): Step =>
      (device) =>
        device.queue(index)?.notify(),
  ),
  fc.nat(2).map(
    (index): Step =>
      (device) =>
        void device.queue(index)?.reset(),
  ),
  fc.constant<Step>((device) => void device.eventq.send({ kind: 1, data: new Uint8Array(3) })),
  fc.constant<Step>((device) => {
    device.config.level++;
  }),
  // Rubbish in the memory where rings and buffers are.
  fc.tuple(fc.nat(4096), fc.uint8Array({ maxLength: 64 })).map(([at, bytes]): Step => (_device, driver) => {
    driver.memory.regions[0]?.bytes.set(bytes, at);
  }),
);

describe("a driver that writes anything to the registers", () => {
  it("makes nothing throw, and never gets the device into a state that the specification does not have", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const errors: Error[] = [];
        const device = new EchoDevice({
          features: ["COUNT", "RING_RESET"],
          config: { level: 0, maxData: 0 },
          requestq: (request) => (request.operation === "COUNT" ? undefined : request.complete("OK")),
          onProtocolError: (error) => errors.push(error),
        });
        const driver = new RawDriver(device);
        for (const apply of steps) {
          const before = device.status;
          const interrupts = driver.interrupts.length;
          apply(device, driver);
          const { status } = device;
          if ((status & DRIVER_OK) !== 0) expect(status & (ACKNOWLEDGE | DRIVER | FEATURES_OK)).toBe(11);
          if ((status & FEATURES_OK) !== 0) expect(device.negotiated.isSubsetOf(device.offered)).toBe(true);
          else expect(device.negotiated.isEmpty).toBe(true);
          if (status !== 0) expect(status & before).toBe(before);
          if ((status & (DRIVER_OK | FAILED)) !== DRIVER_OK) expect(driver.interrupts.length).toBe(interrupts);
          expect(status & ~(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK | NEEDS_RESET | FAILED)).toBe(0);
          expect(device.config.maxData).toBe(0);
        }
        await Promise.resolve();
        expect(errors.filter((error) => error instanceof HandlerError)).toEqual([]);
        // Whatever happened, a reset and a good driver set it right.
        device.writeStatus(0);
        driver.negotiate();
        const queue = driver.queue(0);
        driver.ready();
        queue.begin();
        queue.addReadable(driver.write(new Uint8Array(16)), 16);
        queue.addWritable(driver.write(new Uint8Array(1)), 1);
        queue.end();
        queue.kick();
        expect(queue.poll()).toBeGreaterThanOrEqual(0);
        expect(queue.lastWritten).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
