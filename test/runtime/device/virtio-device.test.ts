import { describe, expect, it, vi } from "vitest";
import {
  CommonFeature,
  DeviceStatus,
  FeatureSet,
  HandlerError,
  ProtocolError,
  RingError,
  type VirtioDevice,
} from "../../../src/runtime/index.js";
import { EchoDevice, type EchoDeviceOptions } from "../fixtures/echo-device.js";
import { EchoFeature } from "../fixtures/echo-protocol.js";
import { RawDriver } from "../fixtures/raw-driver.js";

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, FAILED } = DeviceStatus;
const LIVE = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;

function setup(options: Partial<EchoDeviceOptions> = {}) {
  const errors: Error[] = [];
  const device = new EchoDevice({
    features: ["COUNT"],
    config: { level: 0x04030201, maxData: 100, mode: 5 },
    requestq: (request) => (request.operation === "COUNT" ? undefined : request.complete("OK")),
    onProtocolError: (error) => errors.push(error),
    ...options,
  });
  const driver = new RawDriver(device);
  const rules = (): unknown[] =>
    errors.map((error) => (error instanceof ProtocolError || error instanceof RingError ? error.rule : error));
  return { device, driver, errors, rules };
}

const empty = new Uint8Array(0);

function echo(): Uint8Array {
  return new Uint8Array(16);
}

/** One ECHO request of 16 bytes, with room for its status. */
function send(driver: RawDriver, queue: ReturnType<RawDriver["queue"]>): { token: number; status: number } {
  const status = driver.write(Uint8Array.of(0xee));
  queue.begin();
  queue.addReadable(driver.write(echo()), 16);
  queue.addWritable(status, 1);
  const token = queue.end();
  queue.kick();
  return { token, status };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("features of a device", () => {
  it("are those asked for, and the ones that are always offered", () => {
    const { device } = setup();
    expect(device.offered.bits()).toEqual([
      EchoFeature.COUNT,
      CommonFeature.INDIRECT_DESC,
      CommonFeature.EVENT_IDX,
      CommonFeature.VERSION_1,
    ]);
    expect(setup({ withhold: ["INDIRECT_DESC", "EVENT_IDX"] }).device.offered.bits()).toEqual([0, 32]);
    expect(setup({ features: ["RING_RESET"] }).device.offered.has(CommonFeature.RING_RESET)).toBe(true);
  });

  it("do not hold what nobody can do", () => {
    expect(() => setup({ features: ["TURBO"] })).toThrow("must then offer COUNT");
    expect(() => setup({ features: ["SR_IOV"] })).toThrow("does not implement");
    const unknown: readonly string[] = ["WINGS"];
    expect(() => setup({ features: unknown as EchoDeviceOptions["features"] & {} })).toThrow("no feature WINGS");
    expect(() => setup({ queueSize: 40_000 })).toThrow("from 1 to 32768");
  });

  it.each([
    ["not offered", [EchoFeature.MERGE], "feature-not-offered"],
    ["not even defined", [77], "feature-not-offered"],
    ["without what it requires", [EchoFeature.TURBO], "feature-requirement"],
  ])("are refused at FEATURES_OK: %s", (_what, bits, rule) => {
    const { device, driver, rules } = setup({
      features: rule === "feature-requirement" ? ["COUNT", "TURBO"] : ["COUNT"],
    });
    driver.negotiate(bits);
    expect(device.status).toBe(ACKNOWLEDGE | DRIVER);
    expect(device.negotiated.isEmpty).toBe(true);
    expect(rules()).toEqual([rule]);
  });

  it("must have VERSION_1 among them", () => {
    const { device, rules } = setup();
    device.writeStatus(ACKNOWLEDGE | DRIVER);
    device.setDriverFeatures(FeatureSet.of([EchoFeature.COUNT]));
    device.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    expect(device.status).toBe(ACKNOWLEDGE | DRIVER);
    expect(rules()).toEqual(["version-1-required"]);
  });

  it("may be tried again after a refusal, without a reset", () => {
    const { device, driver } = setup();
    driver.negotiate([EchoFeature.MERGE]);
    device.setDriverFeatures(FeatureSet.of([EchoFeature.COUNT, CommonFeature.VERSION_1]));
    device.writeStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    expect(device.negotiated.bits()).toEqual([EchoFeature.COUNT, CommonFeature.VERSION_1]);
  });

  it("cannot change after FEATURES_OK", () => {
    const { device, driver, rules } = setup();
    driver.negotiate([EchoFeature.COUNT]);
    expect(device.setDriverFeatures(FeatureSet.of([CommonFeature.VERSION_1]))).toBe(false);
    expect(device.setDriverFeaturesWord(0, 0)).toBe(false);
    expect(device.negotiated.has(EchoFeature.COUNT)).toBe(true);
    expect(device.driverFeatures.has(EchoFeature.COUNT)).toBe(true);
    expect(rules()).toEqual(["features-frozen", "features-frozen"]);
  });

  it("can be written a word at a time; words that do not exist are ignored", () => {
    const { device, rules } = setup();
    device.writeStatus(ACKNOWLEDGE | DRIVER);
    device.setDriverFeaturesWord(0, 1);
    device.setDriverFeaturesWord(1, 1);
    expect(device.setDriverFeaturesWord(4, 1)).toBe(false);
    expect(device.setDriverFeaturesWord(2 ** 31, 1)).toBe(false);
    expect(device.driverFeatures.bits()).toEqual([0, 32]);
    expect(rules()).toEqual([]);
  });
});

describe("configuration space", () => {
  function read(device: VirtioDevice, offset: number, length: number): number[] {
    const target = new Uint8Array(length).fill(0xee);
    device.readConfig(offset, target);
    return [...target];
  }

  it("is read with any width, before and after negotiation, and is zero beyond its end", () => {
    const { device, driver } = setup();
    expect(read(device, 0, 4)).toEqual([1, 2, 3, 4]);
    expect(read(device, 1, 3)).toEqual([2, 3, 4]);
    driver.negotiate();
    expect(read(device, 3, 2)).toEqual([4, 100]);
    expect(read(device, 18, 4)).toEqual([0, 0, 0, 0]);
    for (const offset of [20, 2 ** 40, -1, NaN]) expect(read(device, offset, 2)).toEqual([0, 0]);
  });

  it("takes writes from FEATURES_OK on, to writable fields of negotiated features only", () => {
    const { device, driver, rules } = setup();
    const write = (offset: number, ...bytes: number[]): void => device.writeConfig(offset, Uint8Array.from(bytes));
    write(8, 1);
    expect(device.config.mode).toBe(5);
    driver.negotiate([EchoFeature.COUNT]);
    write(8, 2);
    expect(device.config.mode).toBe(2);
    write(6, 1, 1, 3, 1);
    expect(device.config.mode).toBe(3);
    expect(device.config.maxData).toBe(100);
    write(0, 9, 9, 9, 9);
    write(19, 1, 1);
    write(2 ** 32, 1);
    write(-1, 1);
    expect(read(device, 0, 20)).toEqual([1, 2, 3, 4, 100, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(device.configWrites).toEqual([
      { offset: 8, length: 1 },
      { offset: 8, length: 1 },
    ]);
    expect(rules()).toEqual([
      "config-phase",
      "config-read-only",
      "config-read-only",
      "config-out-of-range",
      "config-out-of-range",
      "config-out-of-range",
    ]);
  });

  it("does not take writes to a field whose feature was not negotiated", () => {
    const { device, driver, rules } = setup();
    driver.negotiate();
    device.writeConfig(8, Uint8Array.of(1));
    expect(device.config.mode).toBe(5);
    expect(rules()).toEqual(["config-read-only"]);
  });

  it("has a new generation after each change by the device, and none after one by the driver", () => {
    const { device, driver } = setup();
    const before = device.configGeneration;
    device.config.level = 2;
    device.config.serial = 3n;
    expect(device.configGeneration).toBe(before + 2);
    driver.negotiate([EchoFeature.COUNT]);
    device.writeConfig(8, Uint8Array.of(1));
    expect(device.configGeneration).toBe(before + 2);
  });

  it("has the driver notified of changes once it is ready", () => {
    const { device, driver } = setup();
    driver.negotiate();
    device.config.level = 2;
    expect(driver.configChanges).toBe(0);
    driver.ready();
    device.config.level = 3;
    expect(driver.configChanges).toBe(1);
    device.writeStatus(0);
    device.config.level = 4;
    expect(driver.configChanges).toBe(1);
  });
});

describe("queue life cycle", () => {
  it("knows its queues, and no others", () => {
    const { device } = setup({ queueSize: 64 });
    expect(device.queues().map(({ name, index, maxSize }) => [name, index, maxSize])).toEqual([
      ["requestq", 0, 64],
      ["eventq", 1, 64],
    ]);
    for (const index of [2, 65535, -1, 0.5]) expect(device.queue(index)).toBeUndefined();
  });

  it.each([
    [0, "queue-size"],
    [-16, "queue-size"],
    [12, "queue-size"],
    [512, "queue-size"],
    [65536, "queue-size"],
    [NaN, "queue-size"],
    [1.5, "queue-size"],
  ])("refuses a size of %d", (size, rule) => {
    const { device, driver, rules } = setup();
    driver.negotiate();
    const queue = device.queue(0);
    expect(queue?.configure({ ...driver.place(16), size })).toBe(false);
    expect(queue?.enable()).toBe(false);
    expect(queue?.enabled).toBe(false);
    expect(rules()).toEqual([rule, "queue-not-configured"]);
    expect(device.status & NEEDS_RESET).toBe(0);
  });

  it("refuses set-up before FEATURES_OK, and a second one of an enabled queue", () => {
    const { device, driver, rules } = setup();
    const addresses = driver.place(16);
    expect(device.queue(0)?.configure(addresses)).toBe(false);
    expect(device.queue(0)?.enable()).toBe(false);
    driver.negotiate();
    driver.queue(0);
    expect(device.queue(0)?.configure(addresses)).toBe(false);
    expect(device.queue(0)?.enable()).toBe(false);
    expect(rules()).toEqual(["queue-phase", "queue-phase", "queue-already-enabled", "queue-already-enabled"]);
  });

  it.each([
    ["past the end of memory", { descriptor: 2 ** 30 }],
    ["not a number", { driver: NaN }],
    ["negative", { device: -16 }],
    ["half in memory", { descriptor: 0x1000 + (1 << 20) - 16 }],
    ["not aligned", { descriptor: 0x1001 }],
  ])("breaks the device when a ring's address is %s", (_what, wrong) => {
    const { device, driver, rules } = setup();
    driver.negotiate();
    device.queue(0)?.configure({ ...driver.place(16), ...wrong });
    expect(device.queue(0)?.enable()).toBe(false);
    expect(device.status & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(driver.configChanges).toBe(0);
    expect(rules()).toEqual(["queue-address"]);
  });

  it("ignores notifications before DRIVER_OK, and looks at the queue when that comes", async () => {
    const { driver, rules } = setup();
    driver.negotiate();
    const queue = driver.queue(0);
    const { token } = send(driver, queue);
    await turn();
    expect(queue.poll()).toBe(-1);
    expect(driver.interrupts).toEqual([]);
    expect(rules()).toEqual(["notify-before-driver-ok"]);
    driver.ready();
    expect(queue.poll()).toBe(-1);
    await turn();
    expect(queue.poll()).toBe(token);
    expect(driver.interrupts).toEqual([0]);
  });

  it("reports a notification of a queue that is not enabled", () => {
    const { device, driver, rules } = setup();
    driver.negotiate();
    driver.ready();
    device.queue(0)?.notify();
    expect(rules()).toEqual(["notify-disabled-queue"]);
  });

  it("is over with a reset: nothing more is written or notified", async () => {
    const pending: (() => unknown)[] = [];
    const { device, driver } = setup({
      requestq: (request) => {
        pending.push(() => request.operation === "ECHO" && request.complete("OK"));
      },
    });
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    const { status } = send(driver, queue);
    expect(pending).toHaveLength(1);
    device.writeStatus(0);
    expect(device.status).toBe(0);
    expect(device.negotiated.isEmpty).toBe(true);
    expect(device.driverFeatures.isEmpty).toBe(true);
    const before = driver.memory.regions[0]?.bytes.slice();
    expect(pending[0]?.()).toBe("stale");
    await turn();
    expect(Buffer.compare(driver.memory.regions[0]?.bytes ?? empty, before ?? empty)).toBe(0);
    expect(driver.read(status, 1)).toEqual(Uint8Array.of(0xee));
    expect(driver.interrupts).toEqual([]);
  });

  it("can be gone through again after a reset", () => {
    const { device, driver } = setup();
    for (let round = 0; round < 3; round++) {
      driver.negotiate();
      const queue = driver.queue(0);
      driver.ready();
      const { token, status } = send(driver, queue);
      expect(queue.poll()).toBe(token);
      expect(driver.read(status, 1)).toEqual(Uint8Array.of(0));
      device.writeStatus(0);
    }
  });
});

describe("reset of one queue", () => {
  it("is refused unless it was negotiated", () => {
    const { device, driver, rules } = setup({ features: ["RING_RESET"] });
    driver.negotiate();
    driver.queue(0);
    driver.ready();
    expect(device.queue(0)?.reset()).toBe(false);
    expect(device.queue(0)?.enabled).toBe(true);
    expect(rules()).toEqual(["queue-reset-refused"]);
  });

  it("makes its requests stale and lets it be set up with another size, while other queues go on", () => {
    const pending: (() => unknown)[] = [];
    const { device, driver } = setup({
      features: ["RING_RESET"],
      requestq: (request) => {
        pending.push(() => request.operation === "ECHO" && request.complete("OK"));
      },
    });
    driver.negotiate([CommonFeature.RING_RESET]);
    const queue = driver.queue(0, 16);
    const events = driver.queue(1, 4);
    driver.ready();
    const first = send(driver, queue);
    expect(device.queue(0)?.reset()).toBe(true);
    expect(device.queue(0)?.enabled).toBe(false);
    expect(device.queue(0)?.addresses).toBeUndefined();

    const again = driver.queue(0, 64);
    const second = send(driver, again);
    expect(pending).toHaveLength(2);
    // The old one has the same slot; it must not complete the new one.
    expect(pending[0]?.()).toBe("stale");
    expect(driver.read(first.status, 1)).toEqual(Uint8Array.of(0xee));
    expect(driver.read(second.status, 1)).toEqual(Uint8Array.of(0xee));
    expect(again.poll()).toBe(-1);
    expect(pending[1]?.()).toBe("completed");
    expect(again.poll()).toBe(second.token);
    expect(driver.read(second.status, 1)).toEqual(Uint8Array.of(0));

    events.begin();
    events.addWritable(driver.write(new Uint8Array(64)), 64);
    const token = events.end();
    events.kick();
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(2) })).toBe(true);
    expect(events.poll()).toBe(token);
  });
});

describe("a device that needs a reset", () => {
  it("is one whose ring broke: the driver is told, and other queues go on", () => {
    const { device, driver, rules } = setup();
    driver.negotiate();
    const queue = driver.queue(0);
    const events = driver.queue(1);
    driver.ready();
    send(driver, queue);
    // The address of the first descriptor is made to point nowhere.
    const view = driver.memory.regions[0]?.view;
    const descriptor = (device.queue(0)?.addresses?.descriptor ?? 0) - 0x1000;
    for (let i = 0; i < 16; i++) view?.setBigUint64(descriptor + 16 * i, 1n << 50n, true);
    queue.begin();
    queue.addReadable(driver.write(echo()), 16);
    queue.end();
    for (let i = 0; i < 16; i++) view?.setBigUint64(descriptor + 16 * i, 1n << 50n, true);
    queue.kick();
    expect(rules()).toEqual(["address-outside-memory"]);
    expect(device.status).toBe(LIVE | NEEDS_RESET);
    expect(driver.configChanges).toBe(1);
    device.queue(0)?.notify();
    expect(rules()).toHaveLength(1);
    expect(driver.configChanges).toBe(1);
    events.begin();
    events.addWritable(driver.write(new Uint8Array(64)), 64);
    events.end();
    events.kick();
    expect(device.eventq.send({ kind: 1, data: new Uint8Array(1) })).toBe(true);
    expect(events.poll()).toBeGreaterThanOrEqual(0);
    device.writeStatus(0);
    expect(device.status).toBe(0);
  });

  it("serves nothing after the driver set FAILED", () => {
    const { device, driver } = setup();
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    device.writeStatus(LIVE | FAILED);
    send(driver, queue);
    expect(queue.poll()).toBe(-1);
  });
});

describe("mistakes of the author", () => {
  it("in a handler are reported, and the request is completed without a byte", () => {
    const { driver, errors } = setup({
      requestq: () => {
        throw new Error("my mistake");
      },
    });
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    const { token } = send(driver, queue);
    expect(queue.poll()).toBe(token);
    expect(queue.lastWritten).toBe(0);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(HandlerError);
    expect(errors[0]?.message).toContain("my mistake");
  });

  it("are written to the console once if nobody listens, and a listener that throws does no harm", () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const { device, driver } = setup({
      requestq: () => {
        throw new Error("my mistake");
      },
    });
    device.onProtocolError = undefined;
    driver.negotiate();
    const queue = driver.queue(0);
    driver.ready();
    send(driver, queue);
    send(driver, queue);
    expect(log).toHaveBeenCalledTimes(1);
    device.onProtocolError = () => {
      throw new Error("in the listener");
    };
    send(driver, queue);
    expect(queue.poll()).toBeGreaterThanOrEqual(0);
    log.mockRestore();
  });

  it("attaching it twice is one", () => {
    const { device } = setup();
    expect(() => new RawDriver(device)).toThrow("has a transport");
    device.detach();
    expect(() => new RawDriver(device)).not.toThrow();
  });
});
