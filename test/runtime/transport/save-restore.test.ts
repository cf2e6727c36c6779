// A device behind registers goes on behind other ones, in the middle of its work; a state that does not fit is refused.
import { describe, expect, it } from "vitest";
import { CommonFeature, DeviceStateError, type DeviceTransport } from "../../../src/runtime/index.js";
import { EchoDevice, type EchoRequest } from "../fixtures/echo-device.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import { EchoDriver } from "../fixtures/echo-driver.js";
import { capabilities, MmioSide, PciSide } from "../fixtures/register-sides.js";
import { mmioMachine, pciMachine } from "./machines.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const makers = {
  "PCI, MSI-X": (device: EchoDevice, told: DeviceTransport) => new PciSide(device, told, { messages: true }),
  "PCI, interrupt line": (device: EchoDevice, told: DeviceTransport) => new PciSide(device, told),
  MMIO: (device: EchoDevice, told: DeviceTransport) => new MmioSide(device, told),
} as const;
type Name = keyof typeof makers;

function makeDevice() {
  const requests: EchoRequest[] = [];
  const device = new EchoDevice({
    features: ["COUNT", "RING_RESET"],
    config: { level: 3, maxData: 4 },
    queueSize: 64,
    requestq: (request) => void requests.push(request),
    onProtocolError: () => undefined,
  });
  return { device, requests };
}

async function inOperation(name: Name) {
  const { device, requests } = makeDevice();
  let made: PciSide | MmioSide | undefined;
  const driver = new RawDriver(device, { side: (_, told) => (made = makers[name](device, told)) });
  if (made === undefined) throw new Error("no side");
  const side = made;
  if (side instanceof PciSide) {
    side.transport.config.write(0x10, 4, 0xe000_0000);
  }
  driver.negotiate([CommonFeature.RING_RESET]);
  const ring = driver.queue(0, 16);
  driver.ready();
  const send = (): number => {
    ring.begin();
    ring.addReadable(driver.write(new Uint8Array(16)), 16);
    ring.addWritable(driver.write(Uint8Array.of(0xee)), 1);
    const token = ring.end();
    ring.kick();
    return token;
  };
  const tokens = [send(), send()];
  await turn();
  // The driver has begun to set up the other queue, too.
  side.select(1);
  side.writeSize(8);
  device.config.level = 7;
  const generation = side.generation();
  return { device, requests, driver, side, ring, tokens, generation };
}

describe.each(["PCI, MSI-X", "PCI, interrupt line", "MMIO"] as const)("save and restore over %s", (name) => {
  it("go on with registers, interrupts and requests in flight, through JSON", async () => {
    const old = await inOperation(name);
    const state: unknown = JSON.parse(JSON.stringify(await old.side.transport.save()));
    expect([old.device.status, old.side.readStatus()]).toEqual([0, 0]);
    expect(old.requests.map((request) => (request.operation === "ECHO" ? request.complete("OK") : "?"))).toEqual([
      "stale",
      "stale",
    ]);

    const { device, requests } = makeDevice();
    const interrupts: number[] = [];
    let changes = 0;
    const side = makers[name](device, {
      memory: old.driver.memory,
      notifyDriver: (index) => interrupts.push(index),
      notifyConfig: () => changes++,
    });
    side.transport.restore(state);
    expect(side.readStatus()).toBe(15);
    expect(side.generation()).toBe(old.generation);
    expect(device.config.level).toBe(7);
    // Told once, in case it was not.
    if (name === "PCI, interrupt line") expect(side.line).toEqual([true]);
    else expect([interrupts, changes]).toEqual([[0], 1]);
    // The second queue is still selected, with its size written and not in use; the first is.
    if (side instanceof PciSide) {
      expect(side.readSize()).toBe(8);
      expect(side.transport.barAddress(0)).toBe(0xe000_0000);
    }
    expect([side.queue(0)?.enabled, side.queue(1)?.enabled]).toEqual([true, false]);
    await turn();
    expect(requests).toHaveLength(2);
    for (const request of requests) {
      expect(request.operation === "ECHO" ? request.complete("OK") : "?").toBe("completed");
    }
    expect([old.ring.poll(), old.ring.poll(), old.ring.poll()]).toEqual([...old.tokens, -1]);
    if (name === "PCI, MSI-X") expect(interrupts.length).toBeGreaterThan(1);
    // A reset of the queue works where it is now.
    expect(side.queue(0)?.reset()).toBe(true);
  });

  it("refuse what does not fit, with everything as it was", async () => {
    const old = await inOperation(name);
    const state = await old.side.transport.save();
    const { device } = makeDevice();
    const side = makers[name](device, {
      memory: old.driver.memory,
      notifyDriver: () => undefined,
      notifyConfig: () => undefined,
    });
    const transport: { restore(value: unknown): void } = side.transport;
    const wrong: readonly (readonly [unknown, string])[] = [
      [null, "malformed"],
      [{ ...state, version: 2 }, "version"],
      [{ ...state, transport: "carrier pigeon" }, "transport"],
      [{ ...state, queues: [] }, "malformed"],
      [{ ...state, generation: -1 }, "malformed"],
      [{ ...state, device: { ...state.device, deviceId: 1 } }, "device-id"],
      [{ ...state, device: { ...state.device, driverFeatures: [32, 77] } }, "features"],
      ...(state.transport === "pci"
        ? ([
            [{ ...state, msix: [...state.msix, 1] }, "transport"],
            [{ ...state, configSpace: state.configSpace.map((byte, at) => (at === 2 ? 0 : byte)) }, "transport"],
            [{ ...state, configSpace: state.configSpace.slice(0, 10) }, "transport"],
            [{ ...state, isr: 4 }, "malformed"],
          ] as const)
        : ([[{ ...state, interruptStatus: 4 }, "malformed"]] as const)),
    ];
    for (const [value, rule] of wrong) {
      let error: unknown;
      try {
        transport.restore(value);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(DeviceStateError);
      expect(error).toMatchObject({ rule });
      expect([device.status, side.line]).toEqual([0, []]);
      side.select(1);
      expect(side.readSize()).toBe(64);
    }
    transport.restore(state);
    expect(device.live).toBe(true);
    expect(() => transport.restore(state)).toThrow("not-reset");
  });
});

describe("what only one transport keeps", () => {
  it("a message that is masked is sent once it is unmasked, behind the new registers", async () => {
    const { side, requests, driver } = await inOperation("PCI, MSI-X");
    if (!(side instanceof PciSide)) throw new Error("no PCI");
    side.bar(1).write(16 + 12, 4, 1);
    for (const request of requests) if (request.operation === "ECHO") request.complete("OK");
    expect(driver.interrupts).toEqual([]);
    const state = await side.transport.save();

    const { device } = makeDevice();
    const interrupts: number[] = [];
    const other = new PciSide(
      device,
      { memory: driver.memory, notifyDriver: (index) => interrupts.push(index), notifyConfig: () => undefined },
      { messages: true },
    );
    other.transport.restore(JSON.parse(JSON.stringify(state)));
    expect(interrupts).toEqual([]);
    const msix = capabilities(other.transport.config).find(({ id }) => id === 0x11)?.at ?? 0;
    expect(other.bar(1).read(other.transport.config.read(msix + 8, 4) & ~7, 4)).toBe(2);
    other.bar(1).write(16 + 12, 4, 0);
    expect(interrupts).toEqual([0]);
  });

  it("an interrupt that was not acknowledged is still pending, and one that was masked on the line", async () => {
    const mmio = await inOperation("MMIO");
    mmio.device.config.level = 8;
    const state = await mmio.side.transport.save();
    // Off while nobody is there.
    expect([mmio.side.line, state]).toMatchObject([[true, false], { interruptStatus: 2 }]);

    const pci = await inOperation("PCI, interrupt line");
    if (!(pci.side instanceof PciSide)) throw new Error("no PCI");
    pci.side.transport.config.write(4, 2, 0x406);
    const saved = await pci.side.transport.save();
    expect(saved.isr).toBe(2);
    const { device } = makeDevice();
    const told = { memory: pci.driver.memory, notifyDriver: () => undefined, notifyConfig: () => undefined };
    const other = new PciSide(device, told);
    other.transport.restore(saved);
    expect(other.line).toEqual([]);
    other.transport.config.write(4, 2, 6);
    expect(other.line).toEqual([true]);
    expect(other.isr() & 2).toBe(2);
  });
});

describe.each(["PCI, MSI-X", "PCI, interrupt line", "MMIO"] as const)("a machine over %s", (name) => {
  it("goes on in the middle of I/O: its driver notices nothing", async () => {
    const errors: Error[] = [];
    /** Answers later, out of order, so that requests are in flight at any time. */
    const make = () =>
      new EchoDevice({
        features: ["COUNT", "RING_RESET"],
        config: { level: 3, maxData: 4 },
        queueSize: 16,
        requestq(request) {
          if (request.operation !== "ECHO") throw new Error("not asked for");
          const echo = request.data.toUint8Array().slice();
          setTimeout(() => {
            // Stale once the device was saved: then it touches nothing.
            request.reply.write(echo);
            request.complete("OK");
          }, echo[0] ?? 0);
        },
        onProtocolError: (error) => errors.push(error),
      });
    const device = make();
    const machine = name === "MMIO" ? mmioMachine(device) : pciMachine(device, { messages: name === "PCI, MSI-X" });
    const driver = await EchoDriver.start(await machine.open(), { features: ["RING_RESET"] });
    const replies: Promise<unknown>[] = [];
    let side = machine.side;
    let inFlight = 0;
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 40; i++) {
        const data = Uint8Array.of((i * 7) % 5, i, round);
        const reply = driver.requestq.submit({ operation: "ECHO", cookie: 0n, data, reply: 3 });
        replies.push(reply.then((got) => expect(got).toMatchObject({ status: "OK", reply: data })));
      }
      await turn();
      const state = await side.save();
      inFlight += state.device.queues[0]?.inFlight.length ?? 0;
      side = machine.replace(make());
      const restored: unknown = JSON.parse(JSON.stringify(state));
      side.restore(restored);
    }
    await Promise.all(replies);
    expect(replies).toHaveLength(200);
    expect(inFlight).toBeGreaterThan(20);
    await driver.resizeQueue("requestq", 4);
    await driver.stop();
    expect([errors, machine.errors, side.device.status]).toEqual([[], [], 0]);
  });
});
