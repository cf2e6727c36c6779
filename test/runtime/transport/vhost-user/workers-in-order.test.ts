import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { PACKED, pause, plain, ScriptedFrontEnd, until, type ScriptedRing } from "./scripted-front-end.js";
import { ringForms } from "./ring-forms.js";
import { requireVhostUser } from "./served-device.js";
import { MQ } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { numberOf, special } from "./worker-disk-data.js";

const IN_ORDER = 1n << 35n;

/** Tokens in the order of the ring, which is that of the answers. */
function tokensOf(done: ReturnType<ScriptedRing["poll"]>): number[] {
  return done.map(({ token }) => token);
}

if (await requireVhostUser()) {
  describe("queues spread over Workers, in order", { timeout: 600_000 }, () => {
    beforeAll(makeWorkerProgram);
    afterAll(forgetWorkerProgram);

    it.each(ringForms)(
      "answer in the order of the ring, whatever takes how long: $name",
      async ({ wanted, ring: form }) => {
        const { path, errors } = await spreadDisk();
        const front = await ScriptedFrontEnd.connect(path);
        await front.setUp(wanted | MQ | IN_ORDER);
        const rings: ScriptedRing[] = [];
        for (const index of [0, 1, 2])
          rings.push(await front.startRing(index, { features: { ...form, inOrder: true } }));
        for (let round = 0; round < 6; round++) {
          // Each ring has five of them at once; the first takes longest.
          const delays = [40, 20, 30, 0, 10];
          const submitted = rings.map((ring) =>
            delays.map((delay, place) => ring.submit(delay === 0 ? 100 + place : special.late + delay)),
          );
          for (const [index, ring] of rings.entries()) {
            const done = await ring.completions(5);
            expect(tokensOf(done)).toEqual(submitted[index]);
            expect(done.map(({ first }) => first)).toEqual([7, 7, 7, 103, 7]);
            expect(done.map(({ status }) => status)).toEqual([0, 0, 0, 0, 0]);
          }
        }
        expect(errors).toEqual([]);
        front.close();
      },
    );

    it.each([
      { name: "split", wanted: plain, isPacked: false },
      { name: "packed", wanted: plain | PACKED, isPacked: true },
    ])(
      "serve what was in flight again when a Worker was lost, in the order of the ring: $name",
      async ({ wanted, isPacked }) => {
        const { path, ends, started, numbers } = await spreadDisk();
        const front = await ScriptedFrontEnd.connect(path);
        await front.setUp(wanted | MQ | IN_ORDER);
        const reply = await front.ask("GET_INFLIGHT_FD", "inflight", { size: 0, offset: 0, queues: 4, queueSize: 16 });
        const area = decodePayload("inflight", reply);
        const fd = reply.fds[0] ?? -1;
        front.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
        const rings: ScriptedRing[] = [];
        for (const index of [0, 1]) {
          rings.push(await front.startRing(index, { features: { packed: isPacked, inOrder: true } }));
        }
        // The first ones are answered; what comes after one that takes long waits for its turn, although it is done.
        for (const ring of rings) {
          ring.submit(1);
          ring.submit(2);
          expect((await ring.completions(2)).map(({ first }) => first)).toEqual([1, 2]);
        }
        const late = rings.map((ring) => [ring.submit(special.kept), ring.submit(5), ring.submit(special.late + 20)]);
        await until(() => Atomics.load(numbers, numberOf.kept) === 2);
        await pause(60);
        for (const ring of rings) expect(ring.poll()).toEqual([]);
        await started[0]?.terminate();
        await until(() => ends.length === 1);
        expect(ends).toEqual(["worker-gone"]);
        Atomics.store(numbers, numberOf.released, 1);
        const next = await ScriptedFrontEnd.connect(path, front.memoryFile);
        await next.setUp(wanted | MQ | IN_ORDER);
        next.send("SET_INFLIGHT_FD", "inflight", area, { fds: [fd] });
        for (const [index, ring] of rings.entries()) {
          ring.front = next;
          await ring.start(isPacked ? 0x8000_8000 : 2);
          const done = await ring.completions(3);
          expect(tokensOf(done)).toEqual(late[index]);
          expect(done.map(({ first }) => first)).toEqual([7, 5, 7]);
          ring.submit(9);
          expect((await ring.completions(1)).map(({ first }) => first)).toEqual([9]);
          expect(ring.poll()).toEqual([]);
        }
        next.close();
        front.close();
      },
    );
  });
}
