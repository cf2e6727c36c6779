// Version 1 of the registers: the legacy interface, both sides against each other, and a driver without manners.
import { describe, expect, it } from "vitest";
import { BlkDevice, BlkDriver, type BlkDeviceOptions } from "../../../../generated/blk.js";
import { NetDevice, NetDriver } from "../../../../generated/net.js";
import {
  CommonFeature,
  createDriverQueue,
  DeviceOptionsError,
  DeviceStatus,
  FeatureSet,
  GuestMemory,
  ProtocolError,
  RingError,
} from "../../../../src/runtime/index.js";
import { legacyRingAddresses } from "../../../../src/runtime/ring/index.js";
import { MmioRegister as R, MmioTransport } from "../../../../src/runtime/transport/mmio/index.js";
import { EchoDevice } from "../../fixtures/echo-device.js";
import { mmioMachine } from "../machines.js";

const { ACKNOWLEDGE: A, DRIVER: D, DRIVER_OK: OK, FEATURES_OK: F, SUSPEND: S, FAILED: X } = DeviceStatus;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const SECTORS = 64;

function makeDisk(bytes: Uint8Array, errors: Error[] = [], delay = false): BlkDevice {
  const options: BlkDeviceOptions = {
    features: ["FLUSH", "RING_PACKED", "RING_RESET", "NOTIFICATION_DATA"],
    config: { capacity: BigInt(SECTORS) },
    async requestq(request) {
      // So that a request is in flight for a while.
      if (delay) await turn();
      switch (request.type) {
        case "FLUSH":
          return request.complete("OK");
        case "IN":
          request.data.write(bytes, request.sectorNumber * 512);
          return request.complete("OK");
        case "OUT":
          request.data.read(bytes, request.sectorNumber * 512);
          return request.complete("OK");
        default:
          return request.complete("UNSUPP");
      }
    },
    onProtocolError: (error) => errors.push(error),
  };
  return new BlkDevice(options);
}

describe("our driver on our device", () => {
  it("does without FEATURES_OK, VERSION_1 and a generation, and reads back what it wrote", async () => {
    const bytes = new Uint8Array(SECTORS * 512);
    const errors: Error[] = [];
    const device = makeDisk(bytes, errors);
    const machine = mmioMachine(device, { legacy: true });
    const transport = await machine.open();
    expect(transport.legacy).toEqual({ pageSize: 4096, ringAlignment: 4096 });
    const driver = await BlkDriver.start(transport, { features: ["FLUSH", "RING_PACKED", "NOTIFICATION_DATA"] });
    expect(driver.dropped).toEqual(["RING_PACKED", "NOTIFICATION_DATA"]);
    expect(driver.negotiated.bits()).toEqual([
      9,
      CommonFeature.ANY_LAYOUT,
      CommonFeature.INDIRECT_DESC,
      CommonFeature.EVENT_IDX,
    ]);
    expect(device.negotiated.equals(driver.negotiated)).toBe(true);
    expect(device.status).toBe(A | D | OK);
    // One piece that starts at a page.
    const { addresses } = device.queue(0) ?? {};
    expect(addresses).toEqual(legacyRingAddresses(addresses?.descriptor ?? 0, 256, 4096));
    expect((addresses?.descriptor ?? 1) % 4096).toBe(0);
    expect(driver.config.capacity).toBe(BigInt(SECTORS));
    await Promise.all(
      Array.from({ length: SECTORS }, async (_, sector) => {
        const data = new Uint8Array(512).fill(sector + 1);
        expect((await driver.requestq.submit({ type: "OUT", sector: BigInt(sector), data })).status).toBe("OK");
        const read = await driver.requestq.submit({ type: "IN", sector: BigInt(sector), data: 512 });
        expect(Buffer.from(read.data).equals(data)).toBe(true);
      }),
    );
    await driver.stop();
    expect([device.status, errors, machine.errors]).toEqual([0, [], []]);
    // It can be started again.
    const again = await BlkDriver.start(transport, { features: [] });
    expect((await again.requestq.submit({ type: "IN", sector: 5n, data: 512 })).data[0]).toBe(6);
    await again.stop();
  });

  it("tells of a changed configuration, and reads it until two readings agree", async () => {
    const device = makeDisk(new Uint8Array(512));
    const machine = mmioMachine(device, { legacy: true });
    const transport = await machine.open();
    const driver = await BlkDriver.start(transport, { features: [] });
    const changed = new Promise<bigint>((resolve) => (driver.onConfigChange = ({ capacity }) => resolve(capacity)));
    device.config.capacity = 2n ** 33n + 1n;
    expect(await changed).toBe(2n ** 33n + 1n);
    // A device that changes between the halves of a field.
    const read = transport.readConfig.bind(transport);
    let reads = 0;
    transport.readConfig = async (offset, length, width) => {
      const bytes = await read(offset, length, width);
      if (offset === 0 && reads++ === 0) bytes.fill(0xff, 4, 8);
      return bytes;
    };
    expect((await driver.refreshConfig()).capacity).toBe(2n ** 33n + 1n);
    expect(reads).toBe(3);
    await driver.stop();
  });

  it("is for device types that have a legacy interface, and network devices with MRG_RXBUF", async () => {
    const memory = GuestMemory.flat(4096);
    const echo = new EchoDevice({ features: [], config: { level: 0, maxData: 0 }, requestq: () => undefined });
    const connect = () => new MmioTransport(echo, { memory, interrupt: () => undefined, legacy: true });
    expect(connect).toThrow(DeviceOptionsError);
    const net = (features: readonly "MRG_RXBUF"[]) =>
      mmioMachine(new NetDevice({ features, config: {}, transmitq: (packet) => packet.complete() }), { legacy: true });
    const lacking = net([]);
    await expect(
      NetDriver.start(await lacking.open(), { features: ["MRG_RXBUF"], receiveq: () => undefined }),
    ).rejects.toThrow("MRG_RXBUF");
    const good = await NetDriver.start(await net(["MRG_RXBUF"]).open(), {
      features: ["MRG_RXBUF"],
      receiveq: () => undefined,
    });
    await good.stop();
  });

  it("goes on behind other registers after save and restore, and not behind those of version 2", async () => {
    const bytes = new Uint8Array(SECTORS * 512).fill(9);
    const machine = mmioMachine(makeDisk(bytes, [], true), { legacy: true });
    const old = machine.side;
    const driver = await BlkDriver.start(await machine.open(), { features: [] });
    const reading = driver.requestq.submit({ type: "IN", sector: 1n, data: 512 });
    await turn();
    const state: unknown = JSON.parse(JSON.stringify(await old.save()));
    const modern = mmioMachine(makeDisk(bytes)).side;
    expect(() => modern.restore(state)).toThrow("transport");
    const side = machine.replace(makeDisk(bytes));
    side.restore(state);
    expect((await reading).data.every((byte) => byte === 9)).toBe(true);
    await driver.stop();
    expect(side.device.status).toBe(0);
  });
});

describe("a legacy driver without manners", () => {
  function setup() {
    const errors: Error[] = [];
    const refused: ProtocolError[] = [];
    const bytes = new Uint8Array(SECTORS * 512).fill(7);
    const device = makeDisk(bytes, errors);
    const memory = GuestMemory.flat(0x10_0000, 0x10_0000);
    const line: boolean[] = [];
    const side = new MmioTransport(device, {
      memory,
      legacy: true,
      interrupt: (isAsserted) => line.push(isAsserted),
      onError: (error) => refused.push(error),
    });
    const get = (register: number): number => side.read(register, 4);
    const set = (register: number, value: number): void => side.write(register, 4, value);
    const rules = (): string[] =>
      errors.map((error) =>
        error instanceof ProtocolError || error instanceof RingError ? error.rule : error.message,
      );
    return { device, memory, side, get, set, line, refused, rules };
  }
  /** A queue of 8 at 0x10_4000. */
  function place({ set }: ReturnType<typeof setup>, size = 8, align = 4096): void {
    set(R.guestPageSize, 4096);
    set(R.queueSel, 0);
    set(R.queueSize, size);
    set(R.queueAlign, align);
    set(R.queuePfn, 0x104);
  }

  it("sees the registers of version 1, and 32 features without those that came later", () => {
    const { get, set, device } = setup();
    expect([get(R.magicValue), get(R.version), get(R.deviceId)]).toEqual([0x7472_6976, 1, 2]);
    set(R.deviceFeaturesSel, 0);
    expect(get(R.deviceFeatures)).toBe((1 << 9) | (1 << 27) | (1 << 28) | (1 << 29));
    for (const word of [1, 2, 3]) {
      set(R.deviceFeaturesSel, word);
      expect(get(R.deviceFeatures)).toBe(0);
    }
    // Those of version 2 are not there.
    for (const register of [R.queueReady, R.queueReset, R.configGeneration, R.shmLenLow]) expect(get(register)).toBe(0);
    expect(device.offered.has(CommonFeature.VERSION_1)).toBe(false);
  });

  it("uses a queue before DRIVER_OK, and even before it says that it is there", async () => {
    const rig = setup();
    const { device, memory, get, set, side } = rig;
    place(rig);
    expect([get(R.queuePfn), device.status, device.live]).toEqual([0x104, 0, true]);
    const queue = createDriverQueue({
      index: 0,
      memory,
      addresses: legacyRingAddresses(0x10_4000, 8, 4096),
      features: { indirect: false, eventIdx: false, packed: false, inOrder: false },
      notifyDevice: () => set(R.queueNotify, 0),
      onBroken: (error) => {
        throw error;
      },
    });
    queue.begin();
    queue.addReadable(0x11_0000, 16);
    queue.addWritable(0x11_1000, 512);
    queue.addWritable(0x11_2000, 1);
    const token = queue.end();
    memory.locate(0x11_2000, 1)?.bytes.fill(0xee, 0x1_2000, 0x1_2001);
    queue.kick();
    await turn();
    expect([queue.poll(), queue.poll()]).toEqual([token, -1]);
    expect(
      memory
        .locate(0x11_1000, 512)
        ?.bytes.slice(0x1_1000, 0x1_1200)
        .every((byte) => byte === 7),
    ).toBe(true);
    expect([rig.line, get(R.interruptStatus)]).toEqual([[true], 1]);
    // Features are in force from then on.
    set(R.driverFeaturesSel, 0);
    set(R.driverFeatures, 1 << 9);
    set(R.status, A);
    set(R.status, A | D);
    set(R.status, A | D | OK);
    expect([rig.rules(), device.negotiated.isEmpty, get(R.status)]).toEqual([["features-frozen"], true, A | D | OK]);
    // The driver stops using it.
    set(R.queuePfn, 0);
    expect([get(R.queuePfn), device.queue(0)?.enabled, side.read(R.queueSizeMax, 4)]).toEqual([0, false, 256]);
    place(rig);
    expect(get(R.queuePfn)).toBe(0x104);
    set(R.status, 0);
    expect([get(R.queuePfn), get(R.status), rig.line]).toEqual([0, 0, [true, false]]);
  });

  it("writes GuestPageSize once, before it resets the device, as Linux does", () => {
    const { get, set, rules, refused, device } = setup();
    set(R.guestPageSize, 4096);
    for (let round = 0; round < 2; round++) {
      set(R.status, 0);
      set(R.status, A | D);
      set(R.queueSel, 0);
      set(R.queueSize, 8);
      set(R.queueAlign, 4096);
      set(R.queuePfn, 0x104);
      set(R.status, A | D | OK);
      expect([get(R.queuePfn), get(R.status), device.queue(0)?.addresses?.descriptor]).toEqual([
        0x104,
        A | D | OK,
        0x10_4000,
      ]);
    }
    expect([rules(), refused]).toEqual([[], []]);
  });

  const cases: readonly {
    readonly name: string;
    act(rig: ReturnType<typeof setup>): void;
    /** Rules that the device reports, and number of accesses that the transport refuses. */
    readonly device?: readonly string[];
    readonly refused?: number;
    readonly status?: number;
    readonly pfn?: number;
  }[] = [
    {
      name: "FEATURES_OK and SUSPEND do not exist (3.1.2)",
      act: ({ set }) => {
        set(R.status, A | D | F);
        set(R.status, A | D | S);
      },
      device: ["status-bit-reserved", "status-bit-reserved"],
      status: A | D,
    },
    {
      name: "DRIVER_OK without DRIVER",
      act: ({ set }) => {
        set(R.status, A);
        set(R.status, A | OK);
      },
      device: ["status-order"],
      status: A,
    },
    {
      name: "a feature that is not offered: DRIVER_OK is not taken, and no queue either",
      act: (rig) => {
        rig.set(R.status, A | D);
        rig.set(R.driverFeatures, 1 << 3);
        rig.set(R.status, A | D | OK);
        place(rig);
      },
      device: ["feature-not-offered", "feature-not-offered"],
      status: A | D,
    },
    {
      name: "VERSION_1 is not offered here",
      act: (rig) => {
        rig.set(R.driverFeaturesSel, 1);
        rig.set(R.driverFeatures, 1);
        place(rig);
      },
      device: ["feature-not-offered"],
    },
    {
      name: "FAILED",
      act: ({ set }) => {
        set(R.status, A);
        set(R.status, A | X);
      },
      status: A | X,
    },
    {
      name: "GuestPageSize of no power of two, and QueuePFN without one",
      act: (rig) => {
        for (const size of [0, 3, 4097, 0xffff_ffff]) rig.set(R.guestPageSize, size);
        rig.set(R.queuePfn, 0x104);
      },
      refused: 5,
    },
    {
      name: "QueueAlign of no power of two, or below 4",
      act: (rig) => {
        for (const align of [0, 1, 2, 3, 4095, 0xffff_ffff]) rig.set(R.queueAlign, align);
        place(rig);
      },
      refused: 6,
      pfn: 0x104,
    },
    { name: "QueueSize of no power of two", act: (rig) => place(rig, 7), refused: 1 },
    { name: "QueueSize 0", act: (rig) => place(rig, 0), refused: 1 },
    { name: "QueueSize above the largest", act: (rig) => place(rig, 512), device: ["queue-size"] },
    {
      name: "a queue outside of memory",
      act: (rig) => {
        place(rig);
        rig.set(R.queuePfn, 0);
        // An address that no number can say, and one where nothing is.
        rig.set(R.guestPageSize, 0x8000_0000);
        rig.set(R.queuePfn, 0xffff_ffff);
        rig.set(R.queuePfn, 1);
      },
      refused: 1,
      device: ["queue-address"],
      status: DeviceStatus.NEEDS_RESET,
    },
    {
      name: "a queue in use is moved, aligned or sized anew: it stays",
      act: (rig) => {
        place(rig);
        rig.set(R.queuePfn, 0x105);
        rig.set(R.queueAlign, 64);
        rig.set(R.queueSize, 16);
      },
      refused: 3,
      pfn: 0x104,
    },
    {
      name: "a queue that does not exist",
      act: (rig) => {
        place(rig);
        rig.set(R.queueSel, 9);
        rig.set(R.queueAlign, 64);
        rig.set(R.queueSize, 8);
        rig.set(R.queuePfn, 0x105);
        rig.set(R.queuePfn, 0);
        expect([rig.get(R.queuePfn), rig.get(R.queueSizeMax)]).toEqual([0, 0]);
        rig.set(R.queueSel, 0);
      },
      refused: 4,
      pfn: 0x104,
    },
    {
      name: "registers of version 2",
      act: ({ set }) => {
        for (const register of [R.queueReady, R.queueDescLow, R.queueReset, R.shmSel]) set(register, 1);
      },
      refused: 4,
    },
  ];
  it.each(cases)("$name", (each) => {
    const { device = [], refused = 0, status = 0, pfn = 0 } = each;
    const rig = setup();
    each.act(rig);
    expect(rig.rules()).toEqual(device);
    expect(rig.refused.map(({ rule }) => rule)).toEqual(new Array<string>(refused).fill("transport-access"));
    expect([rig.get(R.status), rig.get(R.queuePfn)]).toEqual([status, pfn]);
    // A reset and a good driver set everything right.
    rig.set(R.status, 0);
    expect([rig.get(R.status), rig.get(R.queuePfn)]).toEqual([0, 0]);
    rig.set(R.status, A);
    rig.set(R.status, A | D);
    rig.set(R.driverFeaturesSel, 0);
    rig.set(R.driverFeatures, 1 << 9);
    place(rig);
    rig.set(R.status, A | D | OK);
    expect([rig.get(R.status), rig.get(R.queuePfn)]).toEqual([A | D | OK, 0x104]);
    expect(rig.device.negotiated.equals(FeatureSet.of([9]))).toBe(true);
  });
});
