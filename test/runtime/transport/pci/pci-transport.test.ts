// What only PCI has: capability list, BARs, MSI-X, INTx, widths, the window in the configuration space.
import { describe, expect, it } from "vitest";
import { CommonFeature, ProtocolError } from "../../../../src/runtime/index.js";
import { ReadOnlyBytes } from "../../../../src/runtime/transport/registers/register-file.js";
import type { PciTransportOptions } from "../../../../src/runtime/transport/pci/index.js";
import { EchoDevice } from "../../fixtures/echo-device.js";
import { RawDriver } from "../../fixtures/raw-driver.js";
import { capabilities, PciSide } from "../../fixtures/register-sides.js";

const region = (length: number) => new ReadOnlyBytes(new Uint8Array(length).fill(0x5a));

function setup(options: Partial<PciTransportOptions> & { readonly messages?: boolean } = {}) {
  const errors: Error[] = [];
  const device = new EchoDevice({
    features: ["COUNT", "RING_RESET", "NOTIFICATION_DATA"],
    config: { level: 1, maxData: 2 },
    queueSize: 64,
    requestq: (request) => ("reply" in request ? void request.complete("OK") : undefined),
    onProtocolError: (error) => errors.push(error),
  });
  let side: PciSide | undefined;
  const driver = new RawDriver(device, { side: (of, told) => (side = new PciSide(of, told, options)) });
  if (side === undefined) throw new Error("no side");
  const { config } = side.transport;
  const at = (type: number): number => {
    const found = capabilities(config).find((one) => one.type === type)?.at;
    if (found === undefined) throw new Error(`no structure of type ${String(type)}`);
    return found;
  };
  return { device, driver, side, config, errors, at };
}
/** A device in operation with both queues. */
function running(options: Parameters<typeof setup>[0] = {}, features: readonly number[] = []) {
  const rig = setup(options);
  rig.driver.negotiate(features);
  const ring = rig.driver.queue(0);
  rig.driver.queue(1);
  rig.driver.ready();
  return { ...rig, ring };
}
function send({ driver, ring }: Pick<ReturnType<typeof running>, "driver" | "ring">): void {
  ring.begin();
  ring.addReadable(driver.write(new Uint8Array(16)), 16);
  ring.addWritable(driver.write(new Uint8Array(1)), 1);
  ring.end();
  ring.kick();
}

describe("the capability list", () => {
  it("has every structure once, in BARs that exist, aligned as the specification wants it", () => {
    for (const bar of ["memory", "io"] as const) {
      const { config, side } = setup({
        bar,
        messages: true,
        sharedMemory: [{ id: 7, length: 5 * 2 ** 32, registers: region(16) }],
        vendorData: [{ vendor: 0x1234, data: Uint8Array.of(1, 2, 3) }],
      });
      expect(config.read(0, 2)).toBe(0x1af4);
      expect(config.read(2, 2)).toBe(0x1040 + 60);
      expect(config.read(6, 2) & 0x10).toBe(0x10);
      const found = capabilities(config);
      expect(found.map(({ type }) => type)).toEqual([0, 1, 2, 3, 4, 5, 8, 9]);
      for (const { at, type } of found) {
        expect(at % 4).toBe(0);
        if (type < 1 || type > 4) continue;
        const [index, offset, length] = [config.read(at + 4, 1), config.read(at + 8, 4), config.read(at + 12, 4)];
        const place = side.transport.bars.find((one) => one.index === index);
        expect(place?.kind).toBe(bar);
        expect(offset + length).toBeLessThanOrEqual(place?.length ?? 0);
        expect(offset % 4).toBe(0);
        if (type === 2) expect([0, 2, 4, 8]).toContain(config.read(at + 16, 4));
        if (type === 1) expect(length).toBe(0x40);
      }
      const shared = found.find(({ type }) => type === 8)?.at ?? 0;
      expect(config.read(shared + 5, 1)).toBe(7);
      expect([config.read(shared + 12, 4), config.read(shared + 20, 4)]).toEqual([0, 5]);
      const vendor = found.find(({ type }) => type === 9)?.at ?? 0;
      expect([config.read(vendor + 4, 2), config.read(vendor + 6, 2), config.read(vendor + 8, 1)]).toEqual([
        0x1234, 0x0201, 3,
      ]);
    }
  });

  it("refuses what no function has", () => {
    expect(() => setup({ messages: true, vectors: 2049 })).toThrow("vectors");
    expect(() => setup({ messages: true, vectors: -1 })).toThrow("vectors");
    expect(() => setup({ vendorData: [{ vendor: 0x1af4, data: new Uint8Array(2) }] })).toThrow("0x1af4");
    expect(() => setup({ vendorData: [{ vendor: 1, data: new Uint8Array(200) }] })).toThrow("no room");
    const same = { id: 1, length: 16, registers: region(16) };
    expect(() => setup({ sharedMemory: [same, same] })).toThrow("shared memory 1");
    expect(() => setup({ sharedMemory: [{ ...same, length: 0 }] })).toThrow("shared memory 1");
  });
});

describe("the BARs", () => {
  it.each([
    ["16 KiB of memory", 0x10, 0xffff_ffff, 0xffff_c000],
    ["the MSI-X table", 0x14, 0xffff_ffff, 0xffff_f000],
    ["1 MiB of shared memory, 64-bit and prefetchable", 0x18, 0xffff_ffff, 0xfff0_000c],
    ["its upper half", 0x1c, 0xffff_ffff, 0xffff_ffff],
    ["8 GiB of shared memory", 0x20, 0xffff_ffff, 0x0000_000c],
    ["its upper half", 0x24, 0xffff_ffff, 0xffff_fffe],
  ])("tell their size: %s", (_, register, written, reads) => {
    const { config } = setup({
      messages: true,
      sharedMemory: [
        { id: 0, length: 0x9_0000, registers: region(16) },
        { id: 1, length: 5 * 2 ** 30, registers: region(16) },
      ],
    });
    config.write(register, 4, written);
    expect(config.read(register, 4)).toBe(reads);
  });

  it("are where the driver put them, while they decode", () => {
    let changes = 0;
    const { config, side } = setup({
      barChanged: () => changes++,
      sharedMemory: [{ id: 0, length: 4096, registers: region(16) }],
    });
    config.write64(0x18, 0x12_3456_7000n);
    config.write(4, 2, 0);
    expect(side.transport.barAddress(2)).toBeUndefined();
    config.write(4, 2, 2);
    expect(side.transport.barAddress(2)).toBe(0x12_3456_7000);
    expect(side.transport.barAddress(0)).toBeUndefined();
    expect(side.transport.barAddress(5)).toBeUndefined();
    config.write(4, 1, 0);
    expect(side.transport.barAddress(2)).toBeUndefined();
    expect(changes).toBeGreaterThanOrEqual(3);
    const ports = setup({ bar: "io" });
    ports.config.write(0x10, 4, 0xc04f);
    ports.config.write(4, 2, 1);
    expect(ports.side.transport.barAddress(0)).toBe(0xc000);
  });
});

describe("accesses", () => {
  it("42 of any width read the bytes that are there; a write that covers no whole field is refused", () => {
    const { side, driver } = setup();
    driver.negotiate();
    side.select(1);
    expect(side.common(0x14, 4)).toBe(0x0001_000b);
    expect(side.common(0x17, 1)).toBe(0);
    expect(side.common(0x18, 1)).toBe(64);
    expect(side.common(0x12, 2)).toBe(2);
    expect(side.common(0x13, 2)).toBe(0x0b00);
    expect(side.bar(0).read64(0x18)).toBe(0x0001_0000_ffff_0040n);
    expect(side.errors).toEqual([]);
    // Parts of fields, and misaligned ones.
    side.setCommon(0x18, 1, 4);
    side.setCommon(0x17, 2, 4);
    side.setCommon(0x21, 4, 4);
    expect(side.rules).toEqual(["transport-access", "transport-access", "transport-access"]);
    expect(side.readSize()).toBe(64);
    // Several whole fields at once: size and vector.
    side.setCommon(0x18, 4, 0xffff_0010);
    expect([side.readSize(), side.common(0x1a, 2)]).toEqual([16, 0xffff]);
    expect(side.errors).toHaveLength(3);
  });

  it("42 of 3 bytes, or outside of everything, do no harm", () => {
    const { side, config } = setup();
    const three = JSON.parse("3") as 1;
    expect(side.common(0x14, three)).toBe(0);
    side.setCommon(0x16, three, 1);
    expect([side.common(0x16, 2), side.rules]).toEqual([1, ["transport-access"]]);
    for (const offset of [-4, 0x3fff, 0x10_0000, NaN, 2 ** 40]) {
      side.bar(0).write(offset, 4, 1);
      expect(side.bar(0).read(offset, 4)).toBe(0);
      config.write(offset < 0 ? 0x1000 : offset, 4, 1);
    }
    expect(side.readStatus()).toBe(0);
    expect(config.read(0, 4)).toBe(0x107c_1af4);
  });

  it("45 to what is read-only change nothing", () => {
    const { side, config } = setup();
    for (const [offset, width] of [
      [0x04, 4],
      [0x12, 2],
      [0x15, 1],
      [0x1e, 2],
      [0x38, 2],
      [0x3c, 2],
      [0x3e, 2],
    ] as const) {
      const before = side.common(offset, width);
      side.setCommon(offset, width, 0xffff_ffff);
      expect(side.common(offset, width)).toBe(before);
    }
    expect(side.rules).toEqual(Array.from({ length: 7 }, () => "transport-access"));
    // Nothing in the configuration space but what PCI lets a driver write.
    for (const offset of [0, 8, 0x2c, 0x34, 0x40, 0x44]) {
      const before = config.read(offset, 4);
      config.write(offset, 4, ~before);
      if (offset !== 0x40) expect(config.read(offset, 4)).toBe(before);
    }
    expect([side.common(0x3c, 2), side.common(0x3e, 2)]).toEqual([0, 0]);
  });

  it("44 notify only where queues are, with as many bytes as were negotiated", () => {
    const { side, at, config } = running();
    expect(config.read(at(2) + 16, 4)).toBe(4);
    for (const [offset, width] of [
      [2, 2],
      [8, 2],
      [0xffc, 4],
      [0, 1],
    ] as const)
      side.notifyAt(offset, width, 0);
    expect(side.rules).toEqual(Array.from({ length: 4 }, () => "transport-access"));
    const data = running({}, [CommonFeature.NOTIFICATION_DATA]);
    data.side.notifyAt(0, 2, 0);
    expect(data.side.rules).toEqual(["transport-access"]);
    data.side.notify = () => data.side.notifyAt(0, 4, 0x0001_0000);
    send(data);
    expect(data.ring.poll()).toBeGreaterThanOrEqual(0);
  });

  it("44 with one address for all queues, the written value says which", () => {
    const rig = running({ bar: "io" });
    rig.side.notifyAt(0, 2, 9);
    expect(rig.side.rules).toEqual(["transport-access"]);
    send(rig);
    expect(rig.ring.poll()).toBeGreaterThanOrEqual(0);
  });
});

describe("the window in the configuration space", () => {
  it("reads and writes a BAR that nobody has placed", () => {
    const { config, side, at } = setup();
    const window = at(5);
    const aim = (bar: number, offset: number, length: number): void => {
      config.write(window + 4, 1, bar);
      config.write(window + 8, 4, offset);
      config.write(window + 12, 4, length);
    };
    aim(0, 0x14, 1);
    config.write(window + 16, 1, 3);
    expect(side.readStatus()).toBe(3);
    expect(config.read(window + 16, 1)).toBe(3);
    aim(0, 0x18, 2);
    expect(config.read(window + 16, 4)).toBe(64);
    expect(side.errors).toEqual([]);
  });

  it.each([
    ["a BAR that does not exist", 3, 0, 4],
    ["a BAR number beyond 5", 9, 0, 4],
    ["length 0", 0, 0, 0],
    ["length 3", 0, 0, 3],
    ["length 8", 0, 0, 8],
    ["a misaligned offset", 0, 0x15, 2],
    ["an offset past the end", 0, 0x4000, 4],
    ["an offset that wraps", 0, 0xffff_fffc, 4],
  ])("41 refuses %s, reads 0 and writes nothing", (_, bar, offset, length) => {
    const { config, side, at } = setup();
    const window = at(5);
    config.write(window + 4, 1, bar);
    config.write(window + 8, 4, offset);
    config.write(window + 12, 4, length);
    config.write(window + 16, 4, 0x0303_0303);
    expect(config.read(window + 16, 4)).toBe(0);
    expect(side.rules).toEqual(["transport-access", "transport-access"]);
    expect(side.errors[0]).toBeInstanceOf(ProtocolError);
    expect(side.readStatus()).toBe(0);
  });
});

describe("the interrupt line", () => {
  it("is raised until ISR is read, and silent while it is disabled", () => {
    const rig = running();
    const { side, config, device } = rig;
    expect(config.read(0x3d, 1)).toBe(1);
    send(rig);
    expect([side.line, config.read(6, 2) & 8]).toEqual([[true], 8]);
    send(rig);
    expect(side.line).toEqual([true]);
    expect(side.isr()).toBe(1);
    expect([side.line, config.read(6, 2) & 8, side.isr()]).toEqual([[true, false], 0, 0]);
    device.config.level = 3;
    expect(side.isr()).toBe(2);
    side.line.length = 0;
    config.write(4, 2, 0x406);
    send(rig);
    // Pending and visible, but not on the line.
    expect([side.line, config.read(6, 2) & 8]).toEqual([[], 8]);
    config.write(4, 2, 6);
    expect(side.line).toEqual([true]);
    side.writeStatus(0);
    expect([side.line, side.isr(), config.read(6, 2) & 8]).toEqual([[true, false], 0, 0]);
  });

  it("is not announced by a function without one", () => {
    const { config } = setup({ interrupt: undefined } as unknown as Partial<PciTransportOptions>);
    expect(config.read(0x3d, 1)).toBe(0);
  });
});

describe("MSI-X", () => {
  it("sends each vector's message, and none where no vector is", () => {
    const rig = running({ messages: true });
    const { side, device, driver } = rig;
    send(rig);
    expect(driver.interrupts).toEqual([0]);
    expect(side.messages).toEqual([{ address: 0xfee0_0000, data: 1 }]);
    device.config.level = 4;
    expect([driver.configChanges, side.isr()]).toEqual([1, 2]);
    expect(side.line).toEqual([]);
    side.select(0);
    side.setCommon(0x1a, 2, 0xffff);
    send(rig);
    expect(side.messages).toHaveLength(2);
    expect(rig.ring.poll()).toBeGreaterThanOrEqual(0);
    // A vector can be mapped anew while the queue is in use.
    side.setCommon(0x1a, 2, 2);
    send(rig);
    expect(side.messages.at(-1)?.data).toBe(2);
  });

  it("40 maps no vector that does not exist", () => {
    const { side, driver } = setup({ messages: true });
    driver.negotiate();
    side.select(0);
    for (const vector of [3, 2047, 0xfffe, 0xffff]) {
      side.setCommon(0x1a, 2, vector);
      side.setCommon(0x10, 2, vector);
      expect([side.common(0x1a, 2), side.common(0x10, 2)]).toEqual([0xffff, 0xffff]);
    }
    side.setCommon(0x1a, 2, 2);
    expect(side.common(0x1a, 2)).toBe(2);
    // No queue, no vector.
    side.select(9);
    side.setCommon(0x1a, 2, 1);
    expect([side.common(0x1a, 2), side.rules]).toEqual([0xffff, ["transport-access"]]);
    // A reset takes them away.
    side.writeStatus(0);
    side.select(0);
    expect([side.common(0x1a, 2), side.common(0x10, 2)]).toEqual([0xffff, 0xffff]);
    // Without MSI-X there is none at all.
    const without = setup();
    without.side.setCommon(0x1a, 2, 0);
    expect(without.side.common(0x1a, 2)).toBe(0xffff);
  });

  it("keeps what is masked pending, and sends it once when it is unmasked", () => {
    const rig = running({ messages: true });
    const { side, config } = rig;
    const table = side.bar(1);
    const capability = capabilities(config).find(({ id }) => id === 0x11)?.at ?? 0;
    const pending = (): number => table.read(config.read(capability + 8, 4) & ~7, 4);
    table.write(16 + 12, 4, 1);
    send(rig);
    send(rig);
    expect([side.messages, pending()]).toEqual([[], 2]);
    table.write(16 + 12, 4, 0);
    expect([side.messages.length, pending()]).toEqual([1, 0]);
    // The mask of the whole function.
    config.write(capability + 2, 2, 0xc000);
    send(rig);
    expect([side.messages.length, pending()]).toEqual([1, 2]);
    config.write(capability + 3, 1, 0x80);
    expect([side.messages.length, pending()]).toEqual([2, 0]);
    // The pending bits and the size of the table are read-only; parts of an entry are not written.
    table.write(config.read(capability + 8, 4) & ~7, 4, 0xffff_ffff);
    table.write(0, 1, 0x55);
    config.write(capability + 2, 2, 0x8001);
    expect([pending(), table.read(0, 4), config.read(capability + 2, 2)]).toEqual([0, 0xfee0_0000, 0x8002]);
    // 8 bytes are two entries of 4.
    table.write64(0, 0x1_fee0_1000n);
    expect(table.read64(0)).toBe(0x1_fee0_1000n);
  });

  it("gives way to the line when it is turned off", () => {
    const rig = running({ messages: true });
    const capability = capabilities(rig.config).find(({ id }) => id === 0x11)?.at ?? 0;
    rig.config.write(capability + 2, 2, 0);
    send(rig);
    expect([rig.side.messages, rig.side.line]).toEqual([[], [true]]);
    rig.config.write(capability + 2, 2, 0x8000);
    expect(rig.side.line).toEqual([true, false]);
  });
});
