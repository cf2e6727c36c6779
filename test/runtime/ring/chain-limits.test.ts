import { expect, test } from "vitest";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import { DeviceRig, INDIRECT, NEXT } from "./ring-rig.js";

const size = 32768;
const table = 0x10_0000;

/** The longest queue that there is, with an indirect table as long as it. */
function longest(): DeviceRig {
  const rig = new DeviceRig({
    memory: GuestMemory.flat(0x20_0000),
    addresses: { size, descriptor: 0, driver: 0x8_0000, device: 0xa_0000 },
    features: { indirect: true },
  });
  for (let index = 0; index < size; index++) {
    const flags = index === size - 1 ? 0 : NEXT;
    rig.descriptorAt(table + 16 * index, { address: 0, length: 1, flags, next: index + 1 });
  }
  return rig;
}

test("what a driver can make the device allocate is bounded: one long table for every head", () => {
  const rig = longest();
  for (let index = 0; index < size; index++) {
    rig.descriptor(index, { address: table, length: size * 16, flags: INDIRECT });
  }
  rig.offer(0, ...Array.from({ length: size }, (_, index) => index));
  let taken = 0;
  while (rig.queue.take() !== undefined) taken++;
  // 2^22 segments in all; as many slots of 2^15 fit.
  expect(taken).toBe(128);
  expect(rig.broken).toMatchObject([{ rule: "chain-too-scattered", clause: "2.7.4.1" }]);
});

test("a slot that held a long chain lets go of its room when room is scarce", () => {
  const rig = longest();
  for (let head = 0; head < 140; head++) {
    rig.descriptor(head, { address: table, length: size * 16, flags: INDIRECT });
    rig.offer(head, head);
    const chain = rig.queue.take();
    expect(chain?.readable.length).toBe(size);
    if (chain !== undefined) rig.queue.complete(chain, 0);
  }
});
