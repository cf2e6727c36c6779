// The driver side against a device that lies: inputs 47 and 48, and what else registers can say. Each ends in a typed error
// within bounded time, or in a device that is driven without what it lied about.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DriverTransport } from "../../../src/runtime/index.js";
import { RegisterWindow, type AddressSpace } from "../../../src/runtime/transport/bus/index.js";
import { MmioDriverTransport, MmioRegister } from "../../../src/runtime/transport/mmio/index.js";
import {
  PciDriverTransport,
  type PciHost,
  type PciTransportOptions,
} from "../../../src/runtime/transport/pci/index.js";
import { EchoDevice } from "../fixtures/echo-device.js";
import { EchoDriver } from "../fixtures/echo-driver.js";
import { capabilities } from "../fixtures/register-sides.js";
import { mmioMachine, pciMachine } from "./machines.js";

const makeDevice = (): EchoDevice =>
  new EchoDevice({
    features: ["COUNT", "RING_RESET"],
    config: { level: 1, maxData: 2 },
    requestq: (request) => ("reply" in request ? void request.complete("OK") : undefined),
    onProtocolError: () => undefined,
  });

/** Bytes that read differently from what is there, by address. */
type Lies = Map<number, number | (() => number)>;
function lying(space: AddressSpace, lies: Lies, drops: ReadonlySet<number> = new Set()): AddressSpace {
  return {
    async read(address, width) {
      let value = await space.read(address, width);
      for (let byte = 0; byte < width; byte++) {
        const lie = lies.get(address + byte);
        if (lie === undefined) continue;
        const said = typeof lie === "number" ? lie : lie();
        value += ((said & 0xff) - (Math.floor(value / 2 ** (8 * byte)) & 0xff)) * 2 ** (8 * byte);
      }
      return value;
    },
    write: (address, width, value) => (drops.has(address) ? undefined : space.write(address, width, value)),
  };
}

const START = { features: ["RING_RESET" as const], resetTimeout: 30 };
const BAR0 = 0xe000_0000;

function pci(options: Partial<PciTransportOptions> & { readonly messages?: boolean } = {}) {
  const machine = pciMachine(makeDevice(), { vendorData: [{ vendor: 1, data: new Uint8Array(12) }], ...options });
  const config: Lies = new Map();
  const memory: Lies = new Map();
  const base = machine.place * 4096;
  const list = capabilities(machine.side.config);
  const host: PciHost = {
    ...machine.host,
    config: lying(machine.host.config, config),
    memory: lying(machine.host.memory, memory),
  };
  return {
    machine,
    /** Makes bytes of the configuration space read so. */
    say: (at: number, ...bytes: number[]): void => {
      bytes.forEach((byte, i) => config.set(base + at + i, byte));
    },
    /** Makes bytes of the common configuration read so. */
    sayCommon: (at: number, ...bytes: (number | (() => number))[]): void => {
      bytes.forEach((byte, i) => memory.set(BAR0 + at + i, byte));
    },
    at: (type: number): number => {
      const found = list.find((one) => one.type === type)?.at;
      if (found === undefined) throw new Error("no such structure");
      return found;
    },
    async open(room = { nextMemory: BAR0, nextPort: 0xc000 }): Promise<DriverTransport> {
      const opened = await machine.open();
      return PciDriverTransport.open(host, machine.place, { memory: opened.memory, allocator: opened.allocator, room });
    },
  };
}
type Pci = ReturnType<typeof pci>;

describe("a function whose capability list lies (47)", () => {
  const fatal: readonly (readonly [string, (rig: Pci) => void])[] = [
    ["there is no list", ({ say }) => say(6, 0)],
    ["the list is empty", ({ say }) => say(0x34, 0)],
    ["the list starts in the header", ({ say }) => say(0x34, 0x10)],
    ["the first element is followed by itself", ({ say }) => say(0x41, 0x40)],
    ["the list leaves for the end of the space", ({ say }) => say(0x41, 0xfc)],
    ["the common structure's capability is too short", ({ say, at }) => say(at(1) + 2, 12)],
    ["the common structure's capability is longer than the space", ({ say, at }) => say(at(1) + 2, 0xff)],
    ["the common structure is in a reserved BAR", ({ say, at }) => say(at(1) + 4, 6)],
    ["the common structure is in a BAR that is not there", ({ say, at }) => say(at(1) + 4, 5)],
    ["the common structure is too short", ({ say, at }) => say(at(1) + 12, 0x30)],
    ["the common structure overruns its BAR", ({ say, at }) => say(at(1) + 8, 0xf0, 0x3f)],
    ["the notification structure has no multiplier", ({ say, at }) => say(at(2) + 2, 16)],
    ["the notification structure is empty", ({ say, at }) => say(at(2) + 12, 0, 0)],
    ["there is no notification structure", ({ say, at }) => say(at(2) + 3, 0x77)],
    ["there is no ISR structure", ({ say, at }) => say(at(3), 0)],
    ["the ISR is past the end of its BAR", ({ say, at }) => say(at(3) + 8, 0, 0, 0, 0xff)],
    ["the BAR has no size", ({ say }) => say(0x10, 0, 0, 0, 0)],
    ["the BAR is as large as everything", ({ say }) => say(0x10, 4, 0, 0, 0, 0, 0, 0, 0x80)],
  ];
  it.each(fatal)("%s: there is nothing to drive", async (_, lie) => {
    const rig = pci();
    lie(rig);
    await expect(rig.open()).rejects.toMatchObject({ name: "ProtocolError", rule: "transport-layout" });
  });

  const harmless: readonly (readonly [string, (rig: Pci) => void])[] = [
    ["the end leads back to the beginning", ({ say, at }) => say(at(9) + 1, 0x40)],
    ["the end leads out of the space", ({ say, at }) => say(at(9) + 1, 0xff)],
    [
      "the first common structure is in a reserved BAR, and there is a second one",
      ({ say, at }) => {
        say(at(1) + 4, 7);
        say(at(9) + 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0);
      },
    ],
    ["a reserved type", ({ say, at }) => say(at(5) + 3, 0xee)],
  ];
  it.each(harmless)("%s: the device is driven", async (_, lie) => {
    const rig = pci();
    lie(rig);
    const driver = await EchoDriver.start(await rig.open(), START);
    await driver.resetQueue("requestq");
    await driver.stop();
  });

  it("48 the common structure is too short for queue_reset: RING_RESET is not accepted", async () => {
    const rig = pci();
    rig.say(rig.at(1) + 12, 0x38);
    const driver = await EchoDriver.start(await rig.open(), START);
    expect(driver.dropped).toEqual(["RING_RESET"]);
    await expect(driver.resetQueue("requestq")).rejects.toMatchObject({ rule: "queue-reset-refused" });
    await driver.stop();
  });

  it("the function is no virtio device, or there is no room for its BARs", async () => {
    const other = pci();
    other.say(0, 0x86, 0x80);
    await expect(other.open()).rejects.toMatchObject({ rule: "device-id" });
    const full = pci();
    const host = full.machine.host;
    const { memory, allocator } = await full.machine.open();
    full.machine.side.config.write(0x10, 4, 0);
    const room = { nextMemory: 0xffff_f000, nextPort: 0 };
    const opening = PciDriverTransport.open(host, full.machine.place, { memory, allocator, room });
    await expect(opening).rejects.toMatchObject({ rule: "transport-layout" });
  });

  it.each([
    ["in a BAR that is not there", 5],
    ["past the end of its BAR", 0x0010_0001],
  ])("the MSI-X table is %s", async (_, place) => {
    const rig = pci({ messages: true });
    const capability = capabilities(rig.machine.side.config).find(({ id }) => id === 0x11)?.at ?? 0;
    const { host, place: fn } = rig.machine;
    const { memory, allocator } = await rig.machine.open();
    const lies: Lies = new Map(
      [0, 8, 16, 24].map((shift, i) => [fn * 4096 + capability + 4 + i, (place >>> shift) & 0xff]),
    );
    const lied: PciHost = { ...host, config: lying(host.config, lies) };
    await expect(PciDriverTransport.open(lied, fn, { memory, allocator })).rejects.toMatchObject({
      rule: "transport-layout",
    });
  });
});

describe("a function whose registers lie", () => {
  let count = 0;
  beforeEach(() => (count = 0));
  afterEach(() => vi.restoreAllMocks());
  const lies: readonly (readonly [string, string, (rig: Pci) => void])[] = [
    ["the vector of a queue is not mapped", "transport-vector", ({ sayCommon }) => sayCommon(0x1a, 0xff, 0xff)],
    [
      "the vector of the configuration is not mapped",
      "transport-vector",
      ({ sayCommon }) => sayCommon(0x10, 0xff, 0xff),
    ],
    [
      "a queue is notified outside of the structure",
      "transport-layout",
      ({ sayCommon }) => sayCommon(0x1e, 0xff, 0xff),
    ],
    ["the generation never settles", "config-unstable", ({ sayCommon }) => sayCommon(0x15, () => count++)],
    ["a queue is not enabled", "queue-enable-refused", ({ sayCommon }) => sayCommon(0x1c, 0)],
    ["a reset never ends", "reset-incomplete", ({ sayCommon }) => sayCommon(0x14, 1)],
    [
      "FEATURES_OK does not stay",
      "features-refused",
      ({ sayCommon }) => sayCommon(0x14, () => (count++ === 0 ? 0 : 3)),
    ],
  ];
  it.each(lies)("%s: the start fails with %s", async (_name, rule, lie) => {
    const rig = pci({ messages: true });
    lie(rig);
    const transport = await rig.open();
    await expect(EchoDriver.start(transport, { ...START, onError: () => undefined })).rejects.toMatchObject({ rule });
  });
});

function mmio(lies: Lies = new Map(), drops: readonly number[] = []) {
  const machine = mmioMachine(makeDevice());
  const window = new RegisterWindow(lying(machine.side, lies, new Set(drops)), 0, machine.side.length);
  let interrupt = (): void => undefined;
  const errors: Error[] = [];
  const open = async () => {
    const { allocator, memory } = await machine.open();
    return MmioDriverTransport.open(window, {
      memory,
      allocator,
      onInterrupt(listener) {
        interrupt = listener;
        return () => undefined;
      },
      onError: (error) => errors.push(error),
    });
  };
  return { machine, open, errors, interrupt: () => interrupt() };
}

describe("MMIO registers that lie", () => {
  it.each([
    ["a wrong magic value", MmioRegister.magicValue, 0],
    ["version 0", MmioRegister.version, 0],
    ["version 3", MmioRegister.version, 3],
  ])("%s: nothing to drive", async (_, register, value) => {
    await expect(mmio(new Map([[register, value]])).open()).rejects.toMatchObject({ rule: "transport-layout" });
  });

  it("device number 0: no device, and no error", async () => {
    expect(await mmio(new Map([[MmioRegister.deviceId, 0]])).open()).toBeUndefined();
  });

  let count = 0;
  const fatal: readonly (readonly [string, string, Lies])[] = [
    ["the generation never settles", "config-unstable", new Map([[MmioRegister.configGeneration, () => count++]])],
    ["QueueReady stays 0", "queue-enable-refused", new Map([[MmioRegister.queueReady, 0]])],
    ["QueueReady is 1 from the start", "queue-already-enabled", new Map([[MmioRegister.queueReady, 1]])],
    ["a reset never ends", "reset-incomplete", new Map([[MmioRegister.status, 1]])],
    [
      "it says that it is a legacy device of a type that has none",
      "feature-rule",
      new Map([[MmioRegister.version, 1]]),
    ],
  ];
  it.each(fatal)("%s: the start fails with %s", async (_name, rule, lies) => {
    const transport = await mmio(lies).open();
    if (transport === undefined) throw new Error("no device");
    await expect(EchoDriver.start(transport, { ...START, onError: () => undefined })).rejects.toMatchObject({ rule });
  });

  it("QueueReset is ignored: found out in time, and the buffers stay where they are", async () => {
    const rig = mmio(new Map(), [MmioRegister.queueReset]);
    const transport = await rig.open();
    if (transport === undefined) throw new Error("no device");
    const driver = await EchoDriver.start(transport, START);
    const free = transport.allocator.bytesFree;
    await expect(driver.resetQueue("requestq")).rejects.toMatchObject({ rule: "queue-reset-incomplete" });
    expect(transport.allocator.bytesFree).toBeLessThanOrEqual(free);
    await driver.stop();
    expect(transport.allocator.bytesFree).toBeGreaterThan(free);
  });

  it("InterruptStatus never goes back to 0: one look for each interrupt", async () => {
    const rig = mmio(new Map([[MmioRegister.interruptStatus, 0xff]]));
    const transport = await rig.open();
    if (transport === undefined) throw new Error("no device");
    const driver = await EchoDriver.start(transport, START);
    for (let i = 0; i < 5; i++) rig.interrupt();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const request = { operation: "ECHO", cookie: 0n, data: new Uint8Array(1), reply: 1 } as const;
    const reply = driver.requestq.submit(request);
    await new Promise((resolve) => setTimeout(resolve, 5));
    rig.interrupt();
    expect(await reply).toMatchObject({ status: "OK" });
    expect(rig.errors).toEqual([]);
    await driver.stop();
  });
});
