import { describe, expect, test } from "vitest";
import { legacyRingAddresses, legacyRingBytes } from "../../../src/runtime/ring/index.js";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import { buffers, PairRig } from "./ring-rig.js";

describe("the legacy layout of a split queue", () => {
  test.each([
    // Figures of the formula in 2.7.2: the used ring starts at the next page behind the available ring.
    [1, 4096, 4096, 8192],
    [8, 4096, 4096, 8192],
    [256, 4096, 8192, 12288],
    [1024, 4096, 20480, 32768],
    [32768, 4096, 593920, 860160],
    [8, 64, 192, 320],
  ])("size %d, alignment %d: used ring at %d, %d bytes in all", (size, alignment, used, bytes) => {
    expect(legacyRingAddresses(0x10000, size, alignment)).toEqual({
      size,
      descriptor: 0x10000,
      driver: 0x10000 + 16 * size,
      device: 0x10000 + used,
    });
    expect(legacyRingBytes(size, alignment)).toBe(bytes);
  });

  test.each([
    [0x10000, 3, 4096, "queue-size"],
    [0x10008, 8, 4096, "ring-alignment"],
    [-16, 8, 4096, "ring-alignment"],
    [NaN, 8, 4096, "ring-alignment"],
    [0x10000, 8, 4095, "ring-alignment"],
    [0x10000, 8, 2, "ring-alignment"],
  ])("at %d, size %d, alignment %d is refused", (address, size, alignment, rule) => {
    expect(() => legacyRingAddresses(address, size, alignment)).toThrow(expect.objectContaining({ rule }));
  });

  test("carries buffers", () => {
    const addresses = legacyRingAddresses(0x1000, 64, 4096);
    const rig = new PairRig({ memory: GuestMemory.flat(0x2_0000), addresses });
    for (let round = 0; round < 200; round++) {
      rig.queue.begin();
      rig.queue.addWritable(buffers, 8);
      const token = rig.queue.end();
      rig.queue.kick();
      const chain = rig.device.take();
      if (chain !== undefined) rig.device.complete(chain, 8);
      rig.device.flush();
      expect(rig.queue.poll()).toBe(token);
    }
  });
});
