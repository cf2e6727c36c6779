// Inputs 37 to 57 of a hostile driver, as far as they reach both transports, through registers. The verdict stands beside
// each: what the device reports, what the transport reports, and the state afterwards. What only one transport has is in
// pci/ and mmio/.
import { describe, expect, it } from "vitest";
import { CommonFeature, DeviceStatus, ProtocolError, RingError } from "../../../src/runtime/index.js";
import { registerRig, type RegisterRig, type SideName } from "./register-rig.js";

const { ACKNOWLEDGE: A, DRIVER: D, DRIVER_OK: OK, FEATURES_OK: F, NEEDS_RESET: N } = DeviceStatus;

interface Verdict {
  readonly input: string;
  act(rig: RegisterRig): void;
  /** Rules that the device reports, in order. */
  readonly device: readonly string[];
  /** Rules that the transport reports; by name of the transport where they differ. */
  readonly transport: readonly string[] | Readonly<Record<SideName, readonly string[]>>;
  readonly status: number;
  after?(rig: RegisterRig): void;
}

/** Queue 0 with this size and good addresses, enabled. */
function enable({ driver, side }: RegisterRig, size: number): void {
  side.queue(0)?.configure({ ...driver.place(16), size });
  side.writeEnable(1);
}

const verdicts: readonly Verdict[] = [
  ...[0, 3, 65, 128, 0xffff].map((size): Verdict => ({
    input: `37 queue size ${String(size)} of at most 64: the queue stays disabled`,
    act(rig) {
      rig.driver.negotiate();
      enable(rig, size);
    },
    device: ["queue-size"],
    transport: [],
    status: A | D | F,
    after: ({ side }) => expect(side.readEnable()).toBe(0),
  })),
  {
    input: "38 an unconfigured queue is enabled",
    act({ driver, side }) {
      driver.negotiate();
      side.select(0);
      side.writeEnable(1);
      expect(side.readEnable()).toBe(0);
    },
    device: ["queue-not-configured"],
    transport: [],
    status: A | D | F,
  },
  {
    input: "38 a queue is enabled whose ring is outside of memory: the device cannot go on",
    act({ driver, side }) {
      driver.negotiate();
      side.queue(0)?.configure({ size: 16, descriptor: 2 ** 40, driver: 2 ** 41, device: 2 ** 42 });
      side.writeEnable(1);
      expect(side.readEnable()).toBe(0);
    },
    device: ["queue-address"],
    transport: [],
    status: A | D | F | N,
  },
  {
    input: "38 a queue is enabled before FEATURES_OK",
    act(rig) {
      rig.side.writeStatus(A | D);
      enable(rig, 16);
      expect(rig.side.readEnable()).toBe(0);
    },
    device: ["queue-phase"],
    transport: [],
    status: A | D,
  },
  {
    input: "39 queue_select out of range: everything reads 0, nothing is written",
    act({ driver, side }) {
      driver.negotiate([CommonFeature.RING_RESET]);
      for (const index of [2, 0xffff]) {
        side.select(index);
        expect([side.readSize(), side.readEnable(), side.readReset()]).toEqual([0, 0, 0]);
        side.writeSize(16);
        side.writeEnable(1);
        side.writeReset(1);
      }
    },
    device: [],
    transport: Array.from({ length: 6 }, () => "transport-access"),
    status: A | D | F,
    after: ({ device }) => expect(device.queues().map(({ enabled }) => enabled)).toEqual([false, false]),
  },
  {
    input: "44 a queue is notified that does not exist",
    act({ driver, side }) {
      driver.negotiate();
      driver.ready();
      side.notify(2);
      side.notify(500);
    },
    device: [],
    transport: ["transport-access", "transport-access"],
    status: A | D | F | OK,
  },
  {
    input: "44 a queue is notified that is not enabled",
    act({ driver, side }) {
      driver.negotiate();
      driver.ready();
      side.notify(0);
    },
    device: ["notify-disabled-queue"],
    transport: [],
    status: A | D | F | OK,
  },
  ...[0, 2, 0xffff].map((value): Verdict => ({
    // MMIO's QueueReady takes a queue out of use with 0; PCI's queue_enable does not.
    input: `46 queue_enable (QueueReady) of a queue in use is set to ${String(value)}`,
    act(rig) {
      rig.driver.negotiate();
      enable(rig, 16);
      rig.side.writeEnable(value);
    },
    device: [],
    transport: { PCI: ["transport-access"], MMIO: value === 0 ? [] : ["transport-access"] },
    status: A | D | F,
    after: ({ side, name }) => expect(side.readEnable()).toBe(name === "MMIO" && value === 0 ? 0 : 1),
  })),
  {
    input: "46 a queue in use is enabled again, or gets another size and addresses: it goes on as it is",
    act(rig) {
      rig.driver.negotiate();
      enable(rig, 16);
      const before = rig.device.queue(0)?.addresses;
      rig.side.writeEnable(1);
      rig.side.writeSize(8);
      rig.side.writeAddresses(rig.driver.place(8));
      expect(rig.device.queue(0)?.addresses).toEqual(before);
    },
    device: ["queue-already-enabled"],
    transport: Array.from({ length: 7 }, () => "transport-access"),
    status: A | D | F,
    after: ({ side }) => expect(side.readEnable()).toBe(1),
  },
  {
    input: "49 a feature that was not offered is accepted",
    act: ({ driver }) => driver.negotiate([60]),
    device: ["feature-not-offered"],
    transport: [],
    status: A | D,
    after: ({ device }) => expect(device.negotiated.isEmpty).toBe(true),
  },
  {
    input: "50 features are changed after FEATURES_OK",
    act({ driver, side }) {
      driver.negotiate();
      side.acceptWord(0, 1);
    },
    device: ["features-frozen"],
    transport: [],
    status: A | D | F,
    after: ({ device }) => expect(device.negotiated.bits()).toEqual([CommonFeature.VERSION_1]),
  },
  {
    input: "51 DRIVER_OK without FEATURES_OK",
    act({ side }) {
      side.writeStatus(A | D);
      side.writeStatus(A | D | OK);
    },
    device: ["status-order"],
    transport: [],
    status: A | D,
    after: ({ device }) => expect(device.live).toBe(false),
  },
  {
    input: "52 feature selects that are out of range: they read 0, and nothing is accepted",
    act({ device, side }) {
      side.writeStatus(A | D);
      for (const select of [4, 5, 0x7fff_ffff, 0xffff_ffff]) {
        expect(side.offeredWord(select)).toBe(0);
        side.acceptWord(select, 0xffff_ffff);
      }
      expect(device.driverFeatures.isEmpty).toBe(true);
      expect(side.offeredWord(1)).toBe(device.offered.word(1));
    },
    device: [],
    transport: [],
    status: A | D,
  },
  {
    input: "53 status bits are cleared one by one: they stay",
    act({ driver, side }) {
      driver.negotiate();
      driver.ready();
      for (const bit of [OK, F, D]) side.writeStatus((A | D | F | OK) & ~bit);
    },
    device: ["status-bit-cleared", "status-bit-cleared", "status-bit-cleared"],
    transport: [],
    status: A | D | F | OK,
  },
  {
    input: "54 initialised again without a reset: bits stay, features are not taken",
    act({ driver, side }) {
      driver.negotiate();
      driver.queue(0);
      driver.ready();
      side.writeStatus(A);
      side.writeStatus(A | D);
      side.acceptWord(0, 1 << CommonFeature.EVENT_IDX);
    },
    device: ["status-bit-cleared", "status-bit-cleared", "features-frozen"],
    transport: [],
    status: A | D | F | OK,
    after: ({ device }) => expect(device.queue(0)?.enabled).toBe(true),
  },
  {
    input: "55 a notification before DRIVER_OK: nothing is consumed",
    act({ driver }) {
      driver.negotiate();
      const ring = driver.queue(0);
      ring.begin();
      ring.addReadable(driver.write(new Uint8Array(16)), 16);
      ring.addWritable(driver.write(new Uint8Array(1)), 1);
      ring.end();
      ring.kick();
      expect(ring.poll()).toBe(-1);
    },
    device: ["notify-before-driver-ok"],
    transport: [],
    status: A | D | F,
    after: ({ side }) => expect(side.line).toEqual([]),
  },
  {
    input: "56 a reset of a queue without bit 40: the queue goes on",
    act({ driver, side }) {
      driver.negotiate();
      driver.queue(0);
      driver.ready();
      side.select(0);
      side.writeReset(1);
      expect([side.readEnable(), side.readReset()]).toEqual([1, 0]);
    },
    device: ["queue-reset-refused"],
    transport: [],
    status: A | D | F | OK,
  },
  {
    input: "56 queue_reset is set to 0 or 2",
    act({ driver, side }) {
      driver.negotiate([CommonFeature.RING_RESET]);
      driver.queue(0);
      driver.ready();
      side.select(0);
      for (const value of [0, 2]) side.writeReset(value);
      expect([side.readEnable(), side.readReset()]).toEqual([1, 0]);
    },
    device: [],
    transport: ["transport-access", "transport-access"],
    status: A | D | F | OK,
  },
  {
    input: "57 a reset of the control queue: like any other queue, and the others go on",
    act({ driver, side }) {
      driver.negotiate([CommonFeature.RING_RESET]);
      driver.queue(0);
      driver.queue(1);
      driver.ready();
      expect(side.queue(0)?.reset()).toBe(true);
    },
    device: [],
    transport: [],
    status: A | D | F | OK,
    after: ({ side }) => expect([side.queue(0)?.enabled, side.queue(1)?.enabled]).toEqual([false, true]),
  },
  {
    input: "the configuration is written where it is read-only, and read and written behind its end",
    act({ driver, side }) {
      driver.negotiate([0]);
      side.writeConfig(0, 4, 99);
      expect([side.readConfig(0, 4), side.readConfig(4, 4)]).toEqual([1, 2]);
      side.writeConfig(8, 1, 7);
      expect(side.readConfig(8, 1)).toBe(7);
      expect(side.readConfig(60, 4)).toBe(0);
    },
    device: ["config-read-only"],
    transport: [],
    status: A | D | F,
  },
];

describe.each(["PCI", "MMIO"] as const)("a hostile driver at the registers of %s", (name) => {
  it.each(verdicts)("$input", (verdict) => {
    const rig = registerRig(name);
    verdict.act(rig);
    const { errors, side, driver, device } = rig;
    const rules = errors.map((error) =>
      error instanceof ProtocolError || error instanceof RingError ? error.rule : error.message,
    );
    expect(rules).toEqual(verdict.device);
    expect(side.rules).toEqual("PCI" in verdict.transport ? verdict.transport[name] : verdict.transport);
    expect(side.readStatus()).toBe(verdict.status);
    verdict.after?.(rig);
    // A reset and a good driver set everything right.
    side.writeStatus(0);
    expect(side.readStatus()).toBe(0);
    side.select(0);
    expect([side.readEnable(), side.readSize()]).toEqual([0, 64]);
    driver.negotiate();
    driver.queue(0);
    driver.ready();
    expect(device.live).toBe(true);
  });
});
