import fc from "fast-check";
import { expect, test } from "vitest";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import { buffers, PairRig } from "./ring-rig.js";
import "../../seed.js";

/** Cuts `length` into pieces at the given places. */
function pieces(length: number, cuts: readonly number[]): number[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (length + 1)), length])].sort((a, b) => a - b);
  return places.slice(1).map((place, index) => place - (places[index] ?? 0));
}

test.each(["split", "packed"] as const)(
  "%s: payloads arrive whole and come back whole, however they are cut",
  (format) => {
    const payload = fc.uint8Array({ minLength: 1, maxLength: 600 });
    const cuts = fc.array(fc.nat(600), { maxLength: 7 });
    const request = fc.record({ out: payload, outCuts: cuts, back: payload, backCuts: cuts, touching: fc.boolean() });
    const requests = fc.array(request, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(requests, fc.boolean(), fc.boolean(), fc.boolean(), (list, eventIdx, indirect, twoRegions) => {
        // Where there are two regions, they touch in the middle of the buffers.
        const middle = buffers + 0x1234;
        const memory = new GuestMemory(
          twoRegions
            ? [
                { start: 0, bytes: new Uint8Array(middle) },
                { start: middle, bytes: new Uint8Array(0x2_0000 - middle) },
              ]
            : [{ start: 0, bytes: new Uint8Array(0x2_0000) }],
        );
        const rig = new PairRig({
          memory,
          size: 32,
          features: { eventIdx, indirect, packed: format === "packed" },
          indirectTable: { address: 0x5000, entries: 12 },
        });
        const poke = (address: number, bytes: Uint8Array) => {
          bytes.forEach((byte, index) => {
            const region = memory.locate(address + index, 1);
            if (region !== undefined) region.bytes[address + index - region.start] = byte;
          });
        };
        const peek = (address: number, length: number) =>
          Uint8Array.from({ length }, (_, index) => {
            const region = memory.locate(address + index, 1);
            return region?.bytes[address + index - region.start] ?? 0;
          });
        let at = buffers;
        for (const { out, outCuts, back, backCuts, touching } of list) {
          rig.queue.begin();
          let done = 0;
          for (const length of pieces(out.length, outCuts)) {
            poke(at, out.subarray(done, done + length));
            rig.queue.addReadable(at, length);
            done += length;
            at += length + (touching ? 0 : 5);
          }
          const writable: { address: number; length: number }[] = [];
          for (const length of pieces(back.length, backCuts)) {
            writable.push({ address: at, length });
            rig.queue.addWritable(at, length);
            at += length + (touching ? 0 : 5);
          }
          const token = rig.queue.end();
          expect(token).toBeGreaterThanOrEqual(0);
          rig.queue.kick();

          const chain = rig.device.take();
          if (chain === undefined) throw rig.device.broken ?? new Error("nothing to take");
          expect(chain.readable.toUint8Array()).toEqual(out);
          expect(chain.writable.length).toBe(back.length);
          expect(chain.writable.write(back)).toBe(back.length);
          expect(rig.device.complete(chain, chain.writable.written)).toBe("completed");
          rig.device.flush();
          expect(rig.queue.poll()).toBe(token);
          expect(rig.queue.lastWritten).toBe(back.length);
          const came = writable.flatMap(({ address, length }) => [...peek(address, length)]);
          expect(Uint8Array.from(came)).toEqual(back);
          if (at > 0x1_c000) at = buffers;
        }
        expect(rig.queue.free).toBe(32);
      }),
      { numRuns: 300 },
    );
  },
);
