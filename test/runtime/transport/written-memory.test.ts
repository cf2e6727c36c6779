// Transports tell what a device writes into guest memory: every byte that changes, and no buffer before it is used.
import { describe, expect, it } from "vitest";
import { EntropyDevice, type EntropyRequest } from "../../../generated/entropy.js";
import { CommonFeature } from "../../../src/runtime/index.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import { MmioSide, PciSide } from "../fixtures/register-sides.js";

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
