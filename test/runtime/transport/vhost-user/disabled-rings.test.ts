// Rings that are disabled and enabled again without being stopped: Cloud Hypervisor pauses a machine that way. Linux
// (User-mode Linux) and Cloud Hypervisor end a driver that way, too, and set the rings up anew for the next one.
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { ScsiDevice } from "../../../../generated/scsi.js";
import { decodePayload, type InflightArea } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { PACKED, pause, plain, ScriptedFrontEnd, until, type ScriptedRing } from "./scripted-front-end.js";
import { requireVhostUser, serveDevice } from "./served-device.js";
import { answer, CONFIG_WCE, FLUSH, MQ, serveDisk, type BlkRequest, type ServedDisk } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { special } from "./worker-disk-data.js";

const wanted = plain | MQ | FLUSH | CONFIG_WCE;
const forms = [
  { name: "split", form: 0n, packed: false, beginning: 0 },
  { name: "packed", form: PACKED, packed: true, beginning: 0x8000_8000 },
];
/** A sector that is read, and the first time not answered. */
const UNANSWERED = 7;

interface Rig extends ServedDisk {
  readonly front: ScriptedFrontEnd;
  /** How often the sector that is not answered the first time was asked for. */
  readonly asked: () => number;
  /** How often the device was reset. */
  readonly resets: () => number;
  readonly keepInflight: (area?: { area: InflightArea; fd: number }) => Promise<{ area: InflightArea; fd: number }>;
}

async function rig(features = wanted): Promise<Rig> {
  let asked = 0;
  const served = await serveDisk((request: BlkRequest, disk) => {
    if (request.sector === BigInt(UNANSWERED) && asked++ === 0) return undefined;
    return answer(request, disk);
  });
  const reset = vi.spyOn(served.device, "reset");
  const front = await ScriptedFrontEnd.connect(served.path);
  onTestFinished(() => front.close());
  await front.setUp(features);
  return {
    ...served,
    front,
    asked: () => asked,
    resets: () => reset.mock.calls.length,
    keepInflight: async (known) => {
      let region = known;
      if (region === undefined) {
        const reply = await front.ask("GET_INFLIGHT_FD", "inflight", { size: 0, offset: 0, queues: 2, queueSize: 16 });
        region = { area: decodePayload("inflight", reply), fd: reply.fds[0] ?? -1 };
      }
      expect(await front.acknowledged("SET_INFLIGHT_FD", "inflight", region.area, [region.fd])).toBe(true);
      return region;
    },
  };
}

async function enable(front: ScriptedFrontEnd, isEnabled: boolean, rings: readonly number[] = [0, 1]): Promise<void> {
  const num = isEnabled ? 1 : 0;
  for (const index of rings) {
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index, num })).toBe(true);
  }
}
const only = (message: string): unknown[] => [expect.objectContaining({ message: expect.stringContaining(message) })];
async function reads(ring: ScriptedRing, count: number): Promise<void> {
  for (let sector = 100; sector < 100 + count; sector++) expect(await ring.readOne(sector)).toBe(sector);
}

describe.runIf(await requireVhostUser())("rings that are disabled", () => {
  it.each(forms)("all of them, go on where they were, and so does the device: $name", async (way) => {
    const { front, device, errors, asked, resets, keepInflight } = await rig(wanted | way.form);
    await keepInflight();
    const options = { features: { packed: way.packed }, base: way.beginning };
    const [ring, other] = [await front.startRing(0, options), await front.startRing(1, options)];
    await reads(ring, 3);
    ring.submit(UNANSWERED);
    expect(await ring.readOne(8)).toBe(8);
    const before = [device.status, resets()];
    await enable(front, false);
    // What is made available meanwhile waits.
    other.submit(9);
    await pause(20);
    expect(other.poll()).toEqual([]);
    await enable(front, true);
    expect([device.status, resets()]).toEqual(before);
    expect(await other.completions(1)).toMatchObject([{ first: 9, status: 0 }]);
    expect(await ring.completions(1)).toMatchObject([{ first: UNANSWERED, status: 0 }]);
    expect(asked()).toBe(2);
    await reads(ring, 20);
    await reads(other, 20);
    expect(errors).toEqual(only("1 requests unanswered"));
  });

  it("before anything was asked for, go on with the device as the driver has configured it", async () => {
    const limits = {
      segMax: 126,
      maxSectors: 1,
      cmdPerLun: 1,
      eventInfoSize: 16,
      maxChannel: 0,
      maxTarget: 0,
      maxLun: 0,
    };
    const ignore = (): undefined => undefined;
    const config = { numQueues: 1, ...limits };
    const device = new ScsiDevice({ features: [], config, controlq: ignore, requestQueue: ignore });
    const { path } = await serveDevice(device);
    const front = await ScriptedFrontEnd.connect(path);
    onTestFinished(() => front.close());
    await front.setUp();
    const all = [0, 1, 2];
    for (const index of all) await front.startRing(index);
    const bytes = Uint8Array.of(200, 0, 0, 0);
    expect(await front.acknowledged("SET_CONFIG", "config", { offset: 20, flags: 0, bytes })).toBe(true);
    expect(device.config.senseSize).toBe(200);
    await enable(front, false, all);
    await enable(front, true, all);
    expect(device.config.senseSize).toBe(200);
    // A driver that starts anew finds it as after a reset.
    await enable(front, false, all);
    for (const index of all) await front.startRing(index);
    expect(device.config.senseSize).toBe(96);
  });

  it.each(forms)("and stopped then, start where they stopped: $name", async (way) => {
    const { front, asked, resets, keepInflight } = await rig(wanted | way.form);
    await keepInflight();
    const options = { features: { packed: way.packed }, base: way.beginning };
    const rings = [await front.startRing(0, options), await front.startRing(1, options)];
    const before = resets();
    for (const ring of rings) await reads(ring, 3);
    rings[0]?.submit(UNANSWERED);
    await until(() => asked() === 1);
    await enable(front, false);
    const bases = [];
    for (const ring of rings) bases.push(await ring.stop());
    for (const [index, ring] of rings.entries()) await ring.start(bases[index] ?? -1);
    expect(await rings[0]?.completions(1)).toMatchObject([{ first: UNANSWERED, status: 0 }]);
    expect([resets(), asked()]).toEqual([before, 2]);
    for (const ring of rings) await reads(ring, 3);
  });

  it.each([
    { name: "the same features", next: wanted, packed: false, beginning: 0 },
    { name: "other features", next: wanted | PACKED, packed: true, beginning: 0x8000_8000 },
  ])("and set up anew, are those of a driver that starts anew: $name", async ({ next, packed, beginning }) => {
    const { front, device, asked, resets, keepInflight, errors } = await rig();
    const region = await keepInflight();
    const first = [await front.startRing(0), await front.startRing(1)];
    for (const ring of first) await reads(ring, 3);
    first[0]?.submit(UNANSWERED);
    await until(() => asked() === 1);
    const before = resets();
    await enable(front, false);
    expect(await front.acknowledged("SET_FEATURES", "u64", next)).toBe(true);
    // As Cloud Hypervisor does, with the region that it has, if it is one of such rings.
    await keepInflight(packed ? undefined : region);
    // Not all rings that there were have to be set up.
    const ring = await front.startRing(1, { features: { packed }, base: beginning });
    expect([resets(), device.negotiated.has(34)]).toEqual([before + 1, packed]);
    await reads(ring, 3);
    const again = await front.startRing(0, { features: { packed }, base: beginning });
    await reads(again, 3);
    // The buffers are the driver's again.
    expect(asked()).toBe(1);
    expect(errors).toEqual(only("1 requests unanswered"));
    // A pause is one again.
    await enable(front, false);
    await enable(front, true);
    expect(resets()).toBe(before + 1);
    await reads(again, 3);
  });

  it.each(forms)("keep what was never answered, although they were stopped long before: $name", async (way) => {
    const { front, keepInflight, asked } = await rig(wanted | way.form);
    await keepInflight();
    const options = { features: { packed: way.packed }, base: way.beginning };
    const ring = await front.startRing(0, options);
    const other = await front.startRing(1, options);
    await reads(ring, 5);
    await ring.start(await ring.stop());
    await reads(ring, 5);
    ring.submit(UNANSWERED);
    await until(() => asked() === 1);
    await enable(front, false, [0]);
    await enable(front, true, [0]);
    expect(await ring.completions(1)).toMatchObject([{ first: UNANSWERED, status: 0 }]);
    await reads(ring, 3);
    await reads(other, 3);
  });
});

if (await requireVhostUser()) {
  describe("rings that are disabled, of Workers", { timeout: 600_000 }, () => {
    beforeAll(makeWorkerProgram);
    afterAll(forgetWorkerProgram);

    it("go on with the devices as they are, and are reset when they are set up anew", async () => {
      const { path, errors } = await spreadDisk();
      const front = await ScriptedFrontEnd.connect(path);
      onTestFinished(() => front.close());
      await front.setUp(wanted);
      const rings = [await front.startRing(0), await front.startRing(1)];
      const before = await Promise.all(rings.map((ring) => ring.readOne(special.resets)));
      for (let round = 0; round < 3; round++) {
        await enable(front, false);
        await enable(front, true);
        for (const [index, ring] of rings.entries()) expect(await ring.readOne(special.resets)).toBe(before[index]);
      }
      await enable(front, false);
      const next = [await front.startRing(0), await front.startRing(1)];
      for (const [index, ring] of next.entries()) {
        expect(await ring.readOne(special.resets)).toBe((before[index] ?? NaN) + 1);
      }
      expect(errors).toEqual([]);
    });
  });
}
