// Transports tell what a device writes into guest memory: every byte that changes, and no buffer before it is used.
import { describe, expect, it } from "vitest";
import { EntropyDevice, EntropyDriver, type EntropyRequest } from "../../../generated/entropy.js";
import { CommonFeature } from "../../../src/runtime/index.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import { MmioSide, PciSide } from "../fixtures/register-sides.js";
import { mmioMachine, pciMachine } from "./machines.js";

const START = 0x1000;
const SIZES = [8, 8, 4] as const;

describe.each(["PCI", "MMIO"] as const)("memory that is written over %s", (name) => {
  describe.each([
    ["split rings", []],
    ["split rings with event indexes", [CommonFeature.EVENT_IDX]],
    ["packed rings", [CommonFeature.RING_PACKED]],
    ["packed rings with event indexes", [CommonFeature.RING_PACKED, CommonFeature.EVENT_IDX]],
  ] as const)("%s", (_, features) => {
    function start() {
      const requests: EntropyRequest[] = [];
      const device = new EntropyDevice({
        features: ["RING_PACKED"],
        queueSize: 16,
        requestq: (request) => void requests.push(request),
      });
      const told: [address: number, length: number][] = [];
      const memoryWritten = (address: number, length: number): void => void told.push([address, length]);
      const driver = new RawDriver(device, {
        side: (_device, side) => {
          return name === "PCI"
            ? new PciSide(device, side, { memoryWritten })
            : new MmioSide(device, side, { memoryWritten });
        },
      });
      driver.negotiate(features);
      const ring = driver.queue(0, 16);
      driver.ready();
      const bytes = driver.memory.regions[0]?.bytes ?? new Uint8Array(0);
      const buffers = Array.from({ length: 4 }, () => SIZES.map((size) => driver.write(new Uint8Array(size))));
      for (const buffer of buffers) {
        ring.begin();
        for (const [index, part] of buffer.entries()) ring.addWritable(part, SIZES[index] ?? 0);
        ring.end();
      }
      const before = bytes.slice();
      told.splice(0);
      ring.kick();
      /** Addresses of bytes that are others than before, but for those of the driver's own part of the ring. */
      const changed = (): number[] => {
        const own = driver.side.queue(0)?.addresses?.driver ?? 0;
        const length = driver.ringFeatures.packed ? 4 : 6 + 2 * 16;
        return Array.from(bytes.keys(), (at) => at + START).filter(
          (at) => bytes[at - START] !== before[at - START] && !(at >= own && at < own + length),
        );
      };
      const isTold = (at: number): boolean => told.some(([address, length]) => at >= address && at < address + length);
      return { requests, buffers, told, changed, isTold };
    }

    it("is told, each byte of it", () => {
      const { requests, changed, isTold } = start();
      expect(requests).toHaveLength(4);
      for (const request of requests) {
        request.data.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
        request.complete();
      }
      expect(changed().length).toBeGreaterThan(4 * 10);
      expect(changed().filter((at) => !isTold(at))).toEqual([]);
    });

    it("is told for a buffer when it is used, and up to where it was written", () => {
      const { requests, buffers, told } = start();
      const [first, second] = requests;
      second?.data.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
      const ofBuffers = (): [address: number, length: number][] =>
        told.filter(([address]) => buffers.some((buffer) => buffer.includes(address)));
      expect(ofBuffers()).toEqual([]);
      first?.complete();
      expect(ofBuffers()).toEqual([]);
      second?.complete();
      expect(ofBuffers()).toEqual([[buffers[1]?.[0], 8], [buffers[1]?.[1], 2]]); // prettier-ignore
    });
  });
});

describe.each(["PCI", "MMIO", "legacy MMIO"] as const)("a whole driver over %s", (name) => {
  const PATTERN = Uint8Array.from({ length: 11 }, (_, i) => 0xa0 + i);

  async function start(memoryWritten: (address: number, length: number) => void) {
    const errors: Error[] = [];
    const device = new EntropyDevice({
      requestq: (request) => {
        request.data.write(PATTERN);
        return request.complete();
      },
    });
    device.onProtocolError = (error) => errors.push(error);
    const machine =
      name === "PCI"
        ? pciMachine(device, { memoryWritten })
        : mmioMachine(device, { memoryWritten, legacy: name === "legacy MMIO" });
    const driver = await EntropyDriver.start(await machine.open(), { queueSize: 16 });
    return { device, driver, machine, errors };
  }

  it("tells of the ring and of what was read", async () => {
    const told: [address: number, length: number][] = [];
    const { device, driver, machine } = await start((address, length) => told.push([address, length]));
    expect((await driver.requestq.submit({ data: 64 })).data).toEqual(PATTERN);
    const ring = device.queue(0)?.addresses;
    expect(told).toContainEqual([ring?.device, 6 + 8 * (ring?.size ?? 0)]);
    const [region] = machine.memory.regions;
    const at = (region?.start ?? 0) + Buffer.from(region?.bytes ?? []).indexOf(PATTERN);
    expect(told).toContainEqual([at, PATTERN.length]);
    await driver.stop();
  });

  it("loses nothing when the machine's function throws: that is reported, each time", async () => {
    let failures = 0;
    const { device, driver, errors } = await start(() => {
      failures++;
      throw new Error("no");
    });
    const replies = await Promise.all(Array.from({ length: 40 }, () => driver.requestq.submit({ data: 64 })));
    expect(replies).toEqual(replies.map(() => ({ data: PATTERN })));
    expect(device.live).toBe(true);
    await driver.stop();
    expect(failures).toBeGreaterThan(40);
    expect(errors).toHaveLength(failures);
    for (const error of errors) expect(error).toMatchObject({ name: "HandlerError", message: "memoryWritten: no" });
  });
});
