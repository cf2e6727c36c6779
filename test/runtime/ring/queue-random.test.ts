import fc from "fast-check";
import { expect, test } from "vitest";
import { GuestMemory, MemoryAllocator } from "../../../src/runtime/memory/index.js";
import type { DeviceChain } from "../../../src/runtime/ring/index.js";
import { buffers, PairRig, random, same } from "./ring-rig.js";

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

interface Sent {
  readonly id: number;
  readonly token: number;
  readonly writable: number;
  readonly address: number;
}

/**
 * Both sides against the simplest queue there is: arrays. Steps and sizes are random, completion is out of order, and
 * in the first run more buffers go through than the indexes can count.
 */
const combinations = ["split", "packed"].flatMap((format) =>
  [false, true].flatMap((inOrder) => [
    { format, inOrder, seed: 1, size: 64, eventIdx: true, indirect: false, atLeast: 66_000 },
    { format, inOrder, seed: 2, size: 16, eventIdx: false, indirect: true, atLeast: 5_000 },
    { format, inOrder, seed: 3, size: format === "packed" ? 37 : 64, eventIdx: true, indirect: true, atLeast: 5_000 },
  ]),
);
test.each(combinations)("100,000 random steps agree with the model: %o", (combination) => {
  const { format, inOrder, seed, size, eventIdx, indirect, atLeast } = combination;
  const below = random(seed);
  // With and without the accesses that threads need.
  const memory =
    seed === 2 ? new GuestMemory([{ start: 0, bytes: new Uint8Array(0x4_0000) }]) : GuestMemory.flat(0x4_0000);
  const rig = new PairRig({
    memory,
    size,
    features: { eventIdx, indirect, inOrder, packed: format === "packed" },
    indirectTable: { address: 0x8000, entries: 4 },
  });
  const allocator = new MemoryAllocator(memory, 0x1_0000, 0x3_0000);
  const drafted: Sent[] = [];
  const published: Sent[] = [];
  const taken: { sent: Sent; chain: DeviceChain }[] = [];
  const completed: { sent: Sent; written: number }[] = [];
  /** Everything taken and not used, oldest first. */
  const order: Sent[] = [];
  const used: { sent: Sent; written: number }[] = [];
  const tokens = new Set<number>();
  let descriptors = 0;
  const takes = new Map<number, number>();
  let nextId = 1;
  let through = 0;

  const add = () => {
    const readable = 1 + below(3);
    const writable = below(3);
    const address = allocator.allocate(64);
    rig.queue.begin();
    // The number of the buffer is in its first segment, so that the device knows which one it got.
    new DataView(rig.bytes(address, 4).buffer).setUint32(address, nextId);
    rig.queue.addReadable(address, 4);
    for (let segment = 1; segment < readable; segment++) rig.queue.addReadable(address + 4, segment);
    for (let segment = 0; segment < writable; segment++) rig.queue.addWritable(address + 16 + 8 * segment, 8);
    const segments = readable + writable;
    const needed = indirect && segments > 1 && segments <= 4 ? 1 : segments;
    const token = rig.queue.end();
    if (descriptors + needed > size) {
      same(token, -1);
      allocator.free(address);
      return;
    }
    same(token >= 0, true);
    same(tokens.has(token), false);
    tokens.add(token);
    takes.set(token, needed);
    descriptors += needed;
    drafted.push({ id: nextId++, token, writable: writable * 8, address });
  };
  const kick = () => {
    rig.queue.kick();
    published.push(...drafted.splice(0));
  };
  const take = () => {
    const chain = rig.device.take();
    const sent = published.shift();
    same(chain === undefined, sent === undefined);
    if (chain === undefined || sent === undefined) return;
    const first = new Uint8Array(4);
    chain.readable.read(first);
    same(new DataView(first.buffer).getUint32(0), sent.id);
    same(chain.writable.length, sent.writable);
    same(
      taken.some((other) => other.chain.slot === chain.slot),
      false,
    );
    taken.push({ sent, chain });
    order.push(sent);
  };
  const complete = () => {
    const [one] = taken.splice(below(taken.length), 1);
    if (one === undefined) return;
    // Often all of it, so that used entries can stand for batches.
    const written = below(2) === 0 ? one.sent.writable : below(one.sent.writable + 1);
    same(one.chain.writable.fill(one.sent.id, 0, written), written);
    same(rig.device.complete(one.chain, written), "completed");
    completed.push({ sent: one.sent, written });
  };
  const flush = () => {
    rig.device.flush();
    if (!inOrder) {
      used.push(...completed.splice(0));
      return;
    }
    for (;;) {
      const index = completed.findIndex(({ sent }) => sent === order[0]);
      if (index < 0) return;
      order.shift();
      used.push(...completed.splice(index, 1));
    }
  };
  const poll = () => {
    const token = rig.queue.poll();
    const expected = used.shift();
    same(token, expected?.sent.token ?? -1);
    if (expected === undefined) return;
    const { sent, written } = expected;
    same(rig.queue.lastWritten, written);
    same(
      rig.bytes(sent.address + 16, written).every((byte) => byte === (sent.id & 0xff)),
      true,
    );
    rig.bytes(sent.address, 64).fill(0);
    tokens.delete(token);
    descriptors -= takes.get(token) ?? 0;
    allocator.free(sent.address);
    through++;
  };

  const act = [add, kick, take, complete, flush, poll];
  let steps = 0;
  while (steps < 100_000 || through < atLeast) {
    const what = act[below(act.length)];
    for (let times = 1 + below(8); times > 0; times--, steps++) what?.();
    same(rig.queue.free, size - descriptors);
  }
  expect(rig.broken.concat(rig.deviceBroken)).toEqual([]);
  expect(rig.queue.overlongCount).toBe(0);
});
