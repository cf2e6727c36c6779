import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as core from "../../generated/core.js";
import { compile } from "../../src/compiler/compile.js";
import { ByteReader } from "../../src/runtime/codec/byte-reader.js";
import { ByteWriter } from "../../src/runtime/codec/byte-writer.js";
import { CommonFeature } from "../../src/runtime/negotiation/common-feature.js";
import { DeviceStatus } from "../../src/runtime/negotiation/device-status.js";
import { DescriptorFlag, descriptorBytes } from "../../src/runtime/ring/descriptor-table.js";
import { splitLayout } from "../../src/runtime/ring/ring-layout.js";
import { noNotification } from "../../src/runtime/ring/split/split-ring.js";

const text = readFileSync(new URL("../../dsl/core.virtio", import.meta.url), "utf8");
const virtio = compile([{ name: "core.virtio", text }]).model?.devices[0];

describe("core.virtio says what the runtime says", () => {
  it("about the features that all devices have", () => {
    const bits = Object.fromEntries(
      (virtio?.features ?? []).filter(({ name }) => name !== "UNUSED").map(({ name, bit }) => [name, bit]),
    );
    expect(bits).toEqual(CommonFeature);
    // Without the legacy ones.
    expect(CommonFeature).toMatchObject(core.VirtioFeature);
  });

  it("about the device status", () => {
    const { DEVICE_NEEDS_RESET: NEEDS_RESET, ...others } = core.VirtioDeviceStatus;
    expect({ ...others, NEEDS_RESET }).toEqual(DeviceStatus);
  });

  it("about descriptors and split rings", () => {
    expect(core.VirtioDescriptorFlags).toMatchObject(DescriptorFlag);
    expect(core.VIRTIO_VIRTQ_DESC_SIZE).toBe(descriptorBytes);
    expect(core.VIRTIO_PVIRTQ_DESC_SIZE).toBe(descriptorBytes);
    expect(core.VirtioAvailableFlags.NO_INTERRUPT).toBe(noNotification);
    expect(core.VirtioUsedFlags.NO_NOTIFY).toBe(noNotification);
    const ring = new Array<number>(8).fill(0);
    const used = ring.map(() => ({ id: 0, len: 0 }));
    const layout = splitLayout(8);
    expect(core.sizeOfVirtioVirtqAvail({ flags: 0, idx: 0, ring, usedEvent: 0 })).toBe(layout.driverBytes);
    expect(core.sizeOfVirtioVirtqUsed({ flags: 0, idx: 0, ring: used, availEvent: 0 })).toBe(layout.deviceBytes);
  });
});

describe("generated/core.ts", () => {
  it("reads and writes PCI capabilities", () => {
    const bytes = new Uint8Array(core.VIRTIO_PCI_CAP64_SIZE);
    const cap = {
      capVndr: 9,
      capNext: 0x40,
      capLen: 24,
      cfgType: "SHARED_MEMORY_CFG",
      bar: 4,
      id: 1,
      offset: 0x1000,
      length: 0x2000,
    } as const;
    const writer = new ByteWriter(bytes);
    core.writeVirtioPciCap64(writer, { cap, offsetHi: 1, lengthHi: 2 });
    expect(writer.error).toBeUndefined();
    expect([...bytes]).toEqual([9, 0x40, 24, 8, 4, 1, 0, 0, 0, 0x10, 0, 0, 0, 0x20, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
    expect(core.readVirtioPciCap64(new ByteReader(bytes))).toEqual({ cap, offsetHi: 1, lengthHi: 2 });
    expect(core.VirtioPciCapOffset).toMatchObject({ CFG_TYPE: 3, BAR: 4, ID: 5, OFFSET: 8, LENGTH: 12 });
  });

  it("has structures of channel I/O in big-endian order", () => {
    const bytes = new Uint8Array(core.VIRTIO_VQ_INFO_BLOCK_SIZE);
    const block = { desc: 0x1122334455667788n, index: 3, size: 256, driver: 1n, device: 2n };
    core.writeVirtioVqInfoBlock(new ByteWriter(bytes), block);
    expect([...bytes.subarray(0, 16)]).toEqual([
      0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 0, 0, 3, 1, 0,
    ]);
    expect(core.readVirtioVqInfoBlock(new ByteReader(bytes))).toEqual(block);
  });

  it("has notifications with the low bits first", () => {
    const bytes = new Uint8Array(4);
    core.writeVirtioAvailableNotification(new ByteWriter(bytes), { vqIndex: 0x1234, nextOff: 5, nextWrap: true });
    expect([...bytes]).toEqual([0x34, 0x12, 0x05, 0x80]);
    core.writeVirtioBigEndianNotification(new ByteWriter(bytes), { vqIndex: 0x1234, nextOff: 5, nextWrap: true });
    expect([...bytes]).toEqual([0x80, 0x05, 0x12, 0x34]);
  });

  it("reads and writes registers at their places", () => {
    const view = new DataView(new ArrayBuffer(0x101));
    const mmio = new core.VirtioMmioRegisters(view);
    view.setUint32(core.VirtioMmioRegister.MAGIC_VALUE, 0x74726976, true);
    expect(mmio.magicValue).toBe(0x74726976);
    mmio.status = core.VirtioDeviceStatus.DRIVER;
    mmio.queueNotify = 7;
    expect([view.getUint32(0x70, true), view.getUint32(0x50, true)]).toEqual([2, 7]);
    const common = new core.VirtioCommonCfgRegisters(new DataView(view.buffer, 0x40));
    common.queueDesc = 1n << 40n;
    expect(view.getBigUint64(0x60, true)).toBe(1n << 40n);
    // What a driver may only read cannot be assigned, and what it may only write has no getter.
    expect(Reflect.set(mmio, "magicValue", 1)).toBe(false);
    expect(Reflect.get(mmio, "queueSel")).toBeUndefined();
  });
});
