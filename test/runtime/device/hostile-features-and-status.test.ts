// Inputs 49 to 57 of a hostile driver: features and status. The verdict stands beside each: the rule that is reported (with
// its section), and the state of the device afterwards.
import { describe, expect, it } from "vitest";
import { CommonFeature, DeviceStatus, FeatureSet, ProtocolError } from "../../../src/runtime/index.js";
import { EchoDevice } from "../fixtures/echo-device.js";
import { RawDriver } from "../fixtures/raw-driver.js";

const { ACKNOWLEDGE: A, DRIVER: D, DRIVER_OK: OK, FEATURES_OK: F } = DeviceStatus;

function setup() {
  const errors: Error[] = [];
  const device = new EchoDevice({
    features: ["COUNT", "RING_RESET"],
    config: { level: 0, maxData: 0 },
    requestq: (request) => ("reply" in request ? void request.complete("OK") : undefined),
    onProtocolError: (error) => errors.push(error),
  });
  return { device, driver: new RawDriver(device), errors };
}
type Setup = ReturnType<typeof setup>;

interface Verdict {
  readonly input: string;
  act(rig: Setup): void;
  /** Rule and section, in order. */
  readonly errors: readonly (readonly [rule: string, clause: string])[];
  readonly status: number;
  /** What else is true afterwards. */
  after?(rig: Setup): void;
}

const verdicts: readonly Verdict[] = [
  {
    input: "49 a feature that was not offered is accepted",
    act: ({ driver }) => driver.negotiate([60]),
    errors: [["feature-not-offered", "2.2 Feature Bits"]],
    status: A | D,
    after: ({ device }) => expect(device.negotiated.isEmpty).toBe(true),
  },
  {
    input: "50 features are changed after FEATURES_OK",
    act: ({ device, driver }) => {
      driver.negotiate();
      device.setDriverFeatures(FeatureSet.of([CommonFeature.VERSION_1, CommonFeature.RING_RESET]));
    },
    errors: [["features-frozen", "3.1 Device Initialization"]],
    status: A | D | F,
    after: ({ device }) => expect(device.negotiated.bits()).toEqual([CommonFeature.VERSION_1]),
  },
  {
    input: "51 DRIVER_OK without FEATURES_OK",
    act: ({ device }) => {
      device.writeStatus(A | D);
      device.writeStatus(A | D | OK);
    },
    errors: [["status-order", "3.1 Device Initialization"]],
    status: A | D,
    after: ({ device }) => expect(device.live).toBe(false),
  },
  {
    input: "52 a feature select that is out of range: ignored, like reading zeroes there",
    act: ({ device }) => {
      device.writeStatus(A | D);
      for (const select of [4, 5, 0x7fff_ffff, 0xffff_ffff, -1, NaN]) device.setDriverFeaturesWord(select, 0xffff_ffff);
    },
    errors: [],
    status: A | D,
    after: ({ device }) => expect(device.driverFeatures.isEmpty).toBe(true),
  },
  {
    input: "53 status bits are cleared one by one: they stay",
    act: ({ device, driver }) => {
      driver.negotiate();
      driver.ready();
      for (const bit of [OK, F, D]) device.writeStatus((A | D | F | OK) & ~bit);
    },
    errors: [
      ["status-bit-cleared", "2.1 Device Status Field"],
      ["status-bit-cleared", "2.1 Device Status Field"],
      ["status-bit-cleared", "2.1 Device Status Field"],
    ],
    status: A | D | F | OK,
    after: ({ device }) => expect(device.live).toBe(true),
  },
  {
    input: "54 initialised again without a reset: bits stay, features are not taken",
    act: ({ device, driver }) => {
      driver.negotiate();
      driver.queue(0);
      driver.ready();
      device.writeStatus(A);
      device.writeStatus(A | D);
      device.setDriverFeatures(FeatureSet.of([CommonFeature.VERSION_1, CommonFeature.EVENT_IDX]));
      device.writeStatus(A | D | F);
    },
    errors: [
      ["status-bit-cleared", "2.1 Device Status Field"],
      ["status-bit-cleared", "2.1 Device Status Field"],
      ["features-frozen", "3.1 Device Initialization"],
      ["status-bit-cleared", "2.1 Device Status Field"],
    ],
    status: A | D | F | OK,
    after: ({ device }) => {
      expect(device.negotiated.bits()).toEqual([CommonFeature.VERSION_1]);
      expect(device.queue(0)?.enabled).toBe(true);
    },
  },
  {
    input: "55 a notification before DRIVER_OK: nothing is consumed",
    act: ({ driver }) => {
      driver.negotiate();
      const ring = driver.queue(0);
      ring.begin();
      ring.addReadable(driver.write(new Uint8Array(16)), 16);
      ring.addWritable(driver.write(new Uint8Array(1)), 1);
      ring.end();
      ring.kick();
      expect(ring.poll()).toBe(-1);
    },
    errors: [["notify-before-driver-ok", "3.1 Device Initialization"]],
    status: A | D | F,
    after: ({ driver }) => expect(driver.interrupts).toEqual([]),
  },
  {
    input: "56 a reset of a queue without bit 40: the queue goes on",
    act: ({ device, driver }) => {
      driver.negotiate();
      driver.queue(0);
      driver.ready();
      expect(device.queue(0)?.reset()).toBe(false);
    },
    errors: [["queue-reset-refused", "2.6.1 Virtqueue Reset"]],
    status: A | D | F | OK,
    after: ({ device }) => expect([device.queue(0)?.enabled, device.queue(0)?.resetting]).toEqual([true, false]),
  },
  {
    // The specification makes no difference between queues: the control queue's own state goes, what was set through it stays.
    input: "57 a reset of the control queue: like any other queue, and the others go on",
    act: ({ device, driver }) => {
      driver.negotiate([CommonFeature.RING_RESET]);
      driver.queue(0);
      driver.queue(1);
      driver.ready();
      device.config.level = 7;
      expect(device.queue(0)?.reset()).toBe(true);
    },
    errors: [],
    status: A | D | F | OK,
    after: ({ device }) => {
      expect([device.queue(0)?.enabled, device.queue(1)?.enabled]).toEqual([false, true]);
      expect(device.config.level).toBe(7);
      expect(device.negotiated.has(CommonFeature.RING_RESET)).toBe(true);
    },
  },
];

describe("a hostile driver's features and status", () => {
  it.each(verdicts)("$input", (verdict) => {
    const rig = setup();
    verdict.act(rig);
    const found = rig.errors.map((error) => (error instanceof ProtocolError ? [error.rule, error.clause] : [error]));
    expect(found).toEqual(verdict.errors);
    expect(rig.device.status).toBe(verdict.status);
    verdict.after?.(rig);
    // A reset and a good driver set everything right.
    rig.device.writeStatus(0);
    expect(rig.device.status).toBe(0);
    rig.driver.negotiate();
    rig.driver.queue(0);
    rig.driver.ready();
    expect(rig.device.live).toBe(true);
  });
});
