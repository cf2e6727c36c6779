// States from outside that are wrong anywhere: refused with a typed error, or taken; nothing else is thrown, and a driver can
// start the device afresh behind the same registers.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../../generated/blk.js";
import { DeviceStateError, DeviceStatus, GuestMemory, type VirtioDevice } from "../../../src/runtime/index.js";
import { legacyRingAddresses } from "../../../src/runtime/ring/index.js";
import { MmioRegister as R, MmioTransport } from "../../../src/runtime/transport/mmio/index.js";
import { PciTransport } from "../../../src/runtime/transport/pci/index.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const { ACKNOWLEDGE, DRIVER, DRIVER_OK } = DeviceStatus;

const makeDevice = (): VirtioDevice =>
  new BlkDevice({
    features: ["FLUSH", "RING_RESET"],
    config: { capacity: 8n },
    // Keeps what it gets.
    requestq: () => undefined,
    onProtocolError: () => undefined,
  });
const newMemory = () => GuestMemory.flat(0x1_0000, 0x1_0000);

interface Rig {
  readonly device: VirtioDevice;
  save(): Promise<unknown>;
  restore(state: unknown): void;
  /** To a register, by its place in the common configuration of PCI and in MMIO. */
  readonly write: (common: number, mmio: number, width: 1 | 2 | 4, value: number) => void;
}

function rigOf(kind: "PCI" | "MMIO" | "legacy MMIO", memory: GuestMemory): Rig {
  const device = makeDevice();
  const silent = { memory, interrupt: () => undefined };
  if (kind === "PCI") {
    const side = new PciTransport(device, { ...silent, message: () => undefined });
    side.config.write(4, 2, 7);
    const bar = side.bars[0]?.registers;
    return {
      device,
      save: () => side.save(),
      restore: (state) => side.restore(state),
      write: (common, _, width, value) => bar?.write(common, width, value),
    };
  }
  const side = new MmioTransport(device, { ...silent, legacy: kind === "legacy MMIO" });
  return {
    device,
    save: () => side.save(),
    restore: (state) => side.restore(state),
    write: (_, mmio, __, value) => side.write(mmio, 4, value),
  };
}

/** Brings queue 0 into use at the start of memory, and DRIVER_OK. */
function start(kind: "PCI" | "MMIO" | "legacy MMIO", { write }: Rig): void {
  const { size, descriptor, driver, device } = legacyRingAddresses(0x1_0000, 8, 4096);
  write(0x14, R.status, 1, ACKNOWLEDGE);
  write(0x14, R.status, 1, ACKNOWLEDGE | DRIVER);
  if (kind === "legacy MMIO") {
    write(0, R.guestPageSize, 4, 4096);
    write(0, R.queueSize, 4, size);
    write(0, R.queueAlign, 4, 4096);
    write(0, R.queuePfn, 4, descriptor / 4096);
    write(0, R.status, 1, ACKNOWLEDGE | DRIVER | DRIVER_OK);
    return;
  }
  // VERSION_1 and RING_RESET.
  write(8, R.driverFeaturesSel, 4, 1);
  write(12, R.driverFeatures, 4, 1 | (1 << 8));
  write(0x14, R.status, 1, 11);
  write(0x16, R.queueSel, 2, 0);
  write(0x18, R.queueSize, 2, size);
  for (const [common, mmio, value] of [
    [0x20, R.queueDescLow, descriptor],
    [0x28, R.queueDriverLow, driver],
    [0x30, R.queueDeviceLow, device],
  ] as const) {
    write(common, mmio, 4, value);
  }
  write(0x1c, R.queueReady, 2, 1);
  write(0x14, R.status, 1, 15);
}

/** Makes three requests available. */
function fill(memory: GuestMemory): void {
  const { descriptor, driver } = legacyRingAddresses(0x1_0000, 8, 4096);
  const bytes = memory.regions[0]?.bytes ?? new Uint8Array(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let chain = 0; chain < 3; chain++) {
    const [head, status] = [2 * chain, 2 * chain + 1];
    const at = (index: number): number => descriptor - 0x1_0000 + 16 * index;
    view.setBigUint64(at(head), 0x1_8000n, true);
    view.setUint32(at(head) + 8, 16, true);
    view.setUint16(at(head) + 12, 1, true);
    view.setUint16(at(head) + 14, status, true);
    view.setBigUint64(at(status), BigInt(0x1_9000 + chain), true);
    view.setUint32(at(status) + 8, 1, true);
    view.setUint16(at(status) + 12, 2, true);
    view.setUint16(driver - 0x1_0000 + 4 + 2 * chain, head, true);
  }
  view.setUint16(driver - 0x1_0000 + 2, 3, true);
}

const rubbish = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, 1, -1, 2 ** 32, 2 ** 53, NaN, null, undefined, "", "1", true, {}, [], [[]], 65535, 65536),
);
type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Changes one place of a state: walks down by `path`, and puts `value` there or takes away what is there. */
function spoil(state: unknown, path: readonly number[], value: unknown): unknown {
  const copy = structuredClone(state) as Json;
  let at: Json = copy;
  for (const step of path) {
    if (typeof at !== "object" || at === null) break;
    const keys: string[] = Object.keys(at);
    const key = keys[step % Math.max(1, keys.length)];
    if (key === undefined) break;
    const place: Record<string, unknown> = at as Record<string, unknown>;
    const next = place[key] as Json;
    if (typeof next === "object" && next !== null && step % 7 !== 0) at = next;
    else {
      if (step % 5 === 0) Reflect.deleteProperty(place, key);
      else place[key] = value;
      return copy;
    }
  }
  return copy;
}

describe.each(["PCI", "MMIO", "legacy MMIO"] as const)("states for %s", (kind) => {
  it("that are wrong somewhere are refused or taken, and nothing else happens", async () => {
    const memory = newMemory();
    const old = rigOf(kind, memory);
    start(kind, old);
    fill(memory);
    old.write(0x4000, R.queueNotify, 2, 0);
    old.device.queue(0)?.notify();
    await turn();
    const state = await old.save();
    expect(state).toMatchObject({ device: { queues: [{ inFlight: [{}, {}, {}] }] } });
    const outcomes = { taken: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(1000), { minLength: 1, maxLength: 8 }), rubbish, async (path, value) => {
        const rig = rigOf(kind, memory);
        try {
          rig.restore(spoil(state, path, value));
          outcomes.taken++;
        } catch (error) {
          expect(error).toBeInstanceOf(DeviceStateError);
          expect([rig.device.status, rig.device.queue(0)?.enabled]).toEqual([0, false]);
          outcomes.refused++;
        }
        await turn();
        rig.write(0x14, R.status, 1, 0);
        start(kind, rig);
        expect([rig.device.live, rig.device.queue(0)?.enabled]).toEqual([true, true]);
      }),
      { numRuns: 300, seed: 5 },
    );
    // The test would say nothing otherwise.
    expect(outcomes.refused).toBeGreaterThan(50);
    expect(outcomes.taken).toBeGreaterThan(10);
  });
});
