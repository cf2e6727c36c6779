// What only MMIO has: widths, the interrupt status, shared memory by selection.
import { describe, expect, it } from "vitest";
import { CommonFeature } from "../../../../src/runtime/index.js";
import { MmioRegister as R, type MmioTransportOptions } from "../../../../src/runtime/transport/mmio/index.js";
import { EchoDevice } from "../../fixtures/echo-device.js";
import { RawDriver } from "../../fixtures/raw-driver.js";
import { MmioSide } from "../../fixtures/register-sides.js";

function setup(options: Partial<MmioTransportOptions> = {}) {
  const device = new EchoDevice({
    features: ["COUNT", "RING_RESET", "NOTIFICATION_DATA"],
    config: { level: 0x0403_0201, maxData: 2, serial: 0x1122_3344_5566_7788n },
    queueSize: 64,
    requestq: (request) => ("reply" in request ? void request.complete("OK") : undefined),
    onProtocolError: () => undefined,
  });
  let side: MmioSide | undefined;
  const driver = new RawDriver(device, { side: (of, told) => (side = new MmioSide(of, told, options)) });
  if (side === undefined) throw new Error("no side");
  return { device, driver, side };
}
function send(driver: RawDriver, ring: ReturnType<RawDriver["queue"]>): void {
  ring.begin();
  ring.addReadable(driver.write(new Uint8Array(16)), 16);
  ring.addWritable(driver.write(new Uint8Array(1)), 1);
  ring.end();
  ring.kick();
}

describe("MMIO registers", () => {
  it("say what they are", () => {
    const { side } = setup();
    expect([R.magicValue, R.version, R.deviceId, R.vendorId].map((at) => side.get(at))).toEqual([
      0x7472_6976, 2, 60, 0x6e65_6776,
    ]);
    expect(setup({ vendorId: 0xabc }).side.get(R.vendorId)).toBe(0xabc);
  });

  it("42, 43 take accesses of 4 aligned bytes only, but for the configuration", () => {
    const { side } = setup();
    const { transport } = side;
    const three = JSON.parse("3") as 1;
    for (const [offset, width] of [
      [0, 1],
      [0, 2],
      [0, three],
      [2, 4],
      [0xfe, 4],
    ] as const) {
      expect(transport.read(offset, width)).toBe(0);
      transport.write(offset, width, 3);
    }
    expect(side.rules).toEqual(Array.from({ length: 10 }, () => "transport-access"));
    side.errors.length = 0;
    expect(side.readConfig(0, 1)).toBe(1);
    expect(side.readConfig(1, 2)).toBe(0x0302);
    expect(side.readConfig(0, 4)).toBe(0x0403_0201);
    expect(transport.read64(R.config + 12)).toBe(0x1122_3344_5566_7788n);
    expect(side.readConfig(0, three)).toBe(0x03_0201);
    for (const offset of [R.config + 20, 0x1000, 2 ** 40]) expect(transport.read(offset, 4)).toBe(0);
    expect(transport.read(-4, 4)).toBe(0);
    expect(transport.read(NaN, 4)).toBe(0);
    transport.write(-4, 4, 1);
    expect(side.readStatus()).toBe(0);
  });

  it("45 that are read-only stay, those that are write-only read 0, those that do not exist are nothing", () => {
    const { side } = setup();
    const readOnly = [R.magicValue, R.version, R.deviceId, R.vendorId, R.deviceFeatures, R.queueSizeMax];
    for (const register of [...readOnly, R.interruptStatus, R.configGeneration, R.shmLenLow, R.shmBaseHigh]) {
      const before = side.get(register);
      side.set(register, 0x55);
      expect(side.get(register)).toBe(before);
    }
    expect(side.errors).toHaveLength(10);
    side.set(R.queueSize, 8);
    side.set(R.queueDescLow, 0x1000);
    for (const register of [R.queueSize, R.queueDescLow, R.queueSel, R.queueNotify, R.interruptAck, R.driverFeatures]) {
      expect(side.get(register)).toBe(0);
    }
    side.set(0x0c, 1);
    // Those of version 1 are not there.
    for (const register of [R.guestPageSize, R.queueAlign, R.queuePfn, 0xd0]) {
      side.set(register, 4096);
      expect(side.get(register)).toBe(0);
    }
    expect(side.errors).toHaveLength(15);
  });

  it("interrupt until all causes are acknowledged", () => {
    const { side, driver, device } = setup();
    driver.negotiate();
    const ring = driver.queue(0);
    driver.ready();
    send(driver, ring);
    device.config.level = 9;
    expect([side.get(R.interruptStatus), side.line]).toEqual([3, [true]]);
    side.set(R.interruptAck, 1);
    expect([side.get(R.interruptStatus), side.line]).toEqual([2, [true]]);
    side.set(R.interruptAck, 0xffff_ffff);
    expect([side.get(R.interruptStatus), side.line]).toEqual([0, [true, false]]);
    device.config.level = 10;
    side.writeStatus(0);
    expect([side.get(R.interruptStatus), side.line]).toEqual([0, [true, false, true, false]]);
  });

  it("take notification data with the queue's index in the lower half", () => {
    const { side, driver } = setup();
    driver.negotiate([CommonFeature.NOTIFICATION_DATA]);
    const ring = driver.queue(0);
    driver.ready();
    const notify = side.notify.bind(side);
    side.notify = () => notify(0x0001_0000);
    send(driver, ring);
    expect(ring.poll()).toBeGreaterThanOrEqual(0);
    // Not negotiated, the same number is no queue.
    const plain = setup();
    plain.driver.negotiate();
    plain.driver.queue(0);
    plain.driver.ready();
    plain.side.notify(0x0001_0000);
    expect(plain.side.rules).toEqual(["transport-access"]);
  });

  it("select shared memory by its id, and show nothing but ones for what does not exist", () => {
    const { side } = setup({ sharedMemory: [{ id: 3, address: 0x12_3456_7000, length: 2 ** 33 }] });
    const read = (): number[] => [R.shmLenLow, R.shmLenHigh, R.shmBaseLow, R.shmBaseHigh].map((at) => side.get(at));
    expect(read()).toEqual([0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff]);
    side.set(R.shmSel, 3);
    expect(read()).toEqual([0, 2, 0x3456_7000, 0x12]);
  });

  it("46 QueueReady 0 ends the use of a queue, without RING_RESET, and forgets what was set up", () => {
    const { side, driver, device } = setup();
    driver.negotiate();
    driver.queue(0);
    driver.ready();
    side.select(0);
    side.writeEnable(0);
    expect([side.readEnable(), device.queue(0)?.addresses]).toEqual([0, undefined]);
    side.writeEnable(0);
    expect(side.errors).toEqual([]);
    const ring = driver.queue(0, 8);
    send(driver, ring);
    expect(ring.poll()).toBeGreaterThanOrEqual(0);
  });
});
