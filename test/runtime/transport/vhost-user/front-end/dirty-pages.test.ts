import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { BLK_DEVICE_ID, BlkDevice, BlkDriver } from "../../../../../generated/blk.js";
import { FeatureSet, type CommonFeatureName } from "../../../../../src/runtime/index.js";
import {
  connect,
  type VhostUserDriverTransport,
  type VhostUserRule,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import { decodePayload, ProtocolFeature } from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../../fixtures/process-state.js";
import { openVhostUser } from "../both-ends.js";
import { ScriptedBackEnd } from "../scripted-back-end.js";
import { pause, until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";
import { answer } from "../served-disk.js";

const PAGE = 4096;
const SECTOR = 512;
const SECTORS = 4096;

function image(transport: VhostUserDriverTransport): Buffer {
  return Buffer.concat(transport.memory.regions.map(({ bytes }) => Buffer.from(bytes)));
}
/** Addresses of pages that are not the same. */
function changed(before: Buffer, after: Buffer, start: number): number[] {
  const found: number[] = [];
  for (let at = 0; at < before.length; at += PAGE) {
    if (Buffer.compare(before.subarray(at, at + PAGE), after.subarray(at, at + PAGE)) !== 0) found.push(start + at);
  }
  return found;
}

describe.runIf(await requireVhostUser())("the dirty log of a front end", () => {
  it.each<{ rings: string; features: CommonFeatureName[]; withhold: ("INDIRECT_DESC" | "EVENT_IDX")[] }>([
    { rings: "split", features: [], withhold: [] },
    { rings: "plain split", features: [], withhold: ["INDIRECT_DESC", "EVENT_IDX"] },
    { rings: "packed", features: ["RING_PACKED"], withhold: [] },
    { rings: "packed, in order", features: ["RING_PACKED", "IN_ORDER"], withhold: ["INDIRECT_DESC"] },
    { rings: "split, in order", features: ["IN_ORDER"], withhold: [] },
  ])("has every page that the device changes, and few others: $rings", async ({ features, withhold }) => {
    const disk = new Uint8Array(randomBytes(SECTORS * SECTOR));
    let served = 0;
    const device = new BlkDevice({
      features: ["RING_PACKED", "IN_ORDER"],
      config: { capacity: BigInt(SECTORS) },
      requestq: async (request) => {
        if (served % 3 === 0) await pause(1);
        served++;
        return answer(request, disk);
      },
    });
    const transport = await openVhostUser(device, { connect: { memorySize: 8 << 20 } });
    const driver = await BlkDriver.start(transport, { features, withhold, queueSize: 128 });
    const [start = 0] = transport.memory.regions.map((region) => region.start);
    let told = 0;
    const log = await transport.startLog(() => told++);
    expect(log.take()).toEqual([]);
    const serve = transport.onQueueUsed;
    let dirty = 0;
    for (let round = 0; round < 20; round++) {
      const count = 1 + Math.floor(30 * Math.random());
      const before = served;
      // The driver does not look at what is used before all is compared.
      transport.onQueueUsed = undefined;
      const replies = Array.from({ length: count }, () => {
        const sectors = 1 + Math.floor(40 * Math.random());
        const sector = BigInt(Math.floor((SECTORS - sectors) * Math.random()));
        return Math.random() < 0.8
          ? driver.requestq.submit({ type: "IN", sector, data: sectors * SECTOR })
          : driver.requestq.submit({ type: "OUT", sector, data: randomBytes(sectors * SECTOR) });
      });
      // The device is in this thread: it has seen nothing yet.
      const untouched = image(transport);
      await until(() => served === before + count);
      await pause(20);
      const pages = changed(untouched, image(transport), start);
      const marked = log.take();
      const missing = pages.filter((page) => !marked.includes(page));
      expect(missing).toEqual([]);
      expect(pages.length).toBeGreaterThan(0);
      // A page may be written with what it had; and of rings all pages are marked.
      expect(marked.length - pages.length).toBeLessThan(count + 8);
      dirty += pages.length;
      transport.onQueueUsed = serve;
      serve?.(0);
      await Promise.all(replies);
    }
    expect(dirty).toBeGreaterThan(100);
    expect(told).toBeGreaterThan(0);

    await expect(transport.startLog()).rejects.toMatchObject({ rule: "log-running" });
    // A buffer of one sector may lie in the last page of the ring.
    await driver.requestq.submit({ type: "IN", sector: 0n, data: 4 * PAGE });
    expect((await transport.stopLog()).length).toBeGreaterThan(3);
    expect(await transport.stopLog()).toEqual([]);
    await driver.requestq.submit({ type: "IN", sector: 0n, data: SECTOR });
    const again = await transport.startLog();
    expect(again.take()).toEqual([]);
    // It stays on when the driver starts anew.
    await driver.stop();
    const second = await BlkDriver.start(transport, { features });
    await second.requestq.submit({ type: "IN", sector: 0n, data: SECTOR });
    expect(again.take().length).toBeGreaterThan(0);
    await second.stop();
  });

  describe("on a back end that is made up", () => {
    async function open(prepare: (back: ScriptedBackEnd) => void = () => undefined) {
      const folder = mkdtempSync(join(tmpdir(), "virtio-gen-dirty-pages-"));
      const path = join(folder, "socket");
      const back = await ScriptedBackEnd.listen(path);
      back.features |= 1n << 26n;
      prepare(back);
      let returned = 0;
      const transport = await connect(path, {
        deviceId: BLK_DEVICE_ID,
        memorySize: 1 << 20,
        patience: 2000,
        queueSize: 8,
        reconnect: { delay: 1, onReturn: () => returned++ },
      });
      onTestFinished(() => {
        transport.close();
        back.close();
        rmSync(folder, { recursive: true, force: true });
      });
      await transport.setFeatures(FeatureSet.of([32]));
      await transport.enableQueue(0, { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 });
      return { back, transport, returned: () => returned };
    }

    it("is turned on and off with the features and the addresses of the rings", async () => {
      const { back, transport } = await open();
      const before = back.seen[0]?.length ?? 0;
      await transport.startLog();
      await transport.stopLog();
      const seen = back.seen[0]?.slice(before) ?? [];
      const names = ["SET_LOG_BASE", "SET_LOG_FD", "SET_FEATURES", "SET_VRING_ADDR", "SET_FEATURES", "SET_VRING_ADDR"];
      expect(seen.map(({ name }) => name)).toEqual(names);
      expect(seen.map(({ fds }) => fds.length)).toEqual([1, 1, 0, 0, 0, 0]);
      const [base, , on, ring, off, ringOff] = seen;
      if (!base || !on || !ring || !off || !ringOff) throw new Error("requests are missing");
      // 2 MiB of guest addresses: 512 pages.
      expect(decodePayload("log", base)).toEqual({ size: 64, offset: 0 });
      expect(decodePayload("u64", on)).toBe((1n << 32n) | (1n << 30n) | (1n << 26n));
      expect(decodePayload("u64", off)).toBe((1n << 32n) | (1n << 30n));
      expect(decodePayload("vringAddress", ring)).toMatchObject({ flags: 1, log: 0x10_2000 });
      expect(decodePayload("vringAddress", ringOff)).toMatchObject({ flags: 0 });
    });

    it("takes all pages for written when another back end has taken the place of one that died", async () => {
      const { back, transport, returned } = await open();
      const log = await transport.startLog();
      back.cutOff();
      await until(() => returned() === 1);
      expect(back.names(1).filter((name) => name.startsWith("SET_LOG"))).toEqual(["SET_LOG_BASE", "SET_LOG_FD"]);
      const ring = back.seen[1]?.find(({ name }) => name === "SET_VRING_ADDR");
      expect(ring && decodePayload("vringAddress", ring)).toMatchObject({ flags: 1, log: 0x10_2000 });
      expect(log.take()).toEqual(Array.from({ length: 256 }, (_, page) => 0x10_0000 + page * PAGE));
      expect(log.take()).toEqual([]);
    });

    it.each<[string, VhostUserRule, (back: ScriptedBackEnd, transport: VhostUserDriverTransport) => unknown]>([
      ["is closed on this side", "peer-gone", (_, transport) => transport.close()],
      [
        "breaks a rule",
        "payload-size",
        (back, transport) => {
          back.script = (name) => (name === "GET_CONFIG" ? { payload: new Uint8Array(5) } : undefined);
          return transport.readConfig(0, 4).catch(() => undefined);
        },
      ],
    ])("says that nobody knows what was written when the connection %s while it is on", async (_, rule, end) => {
      const { back, transport } = await open();
      const log = await transport.startLog();
      log.markAll();
      await end(back, transport);
      expect(transport.connected).toBe(false);
      for (let count = 0; count < 2; count++) await expect(transport.stopLog()).rejects.toMatchObject({ rule });
    });

    it("says nothing of it when it was off by then", async () => {
      const { transport } = await open();
      await transport.startLog();
      await transport.stopLog();
      transport.close();
      expect(await transport.stopLog()).toEqual([]);
    });

    it("needs a back end that has one", async () => {
      const { transport } = await open((back) => (back.protocolFeatures &= ~(1n << BigInt(ProtocolFeature.LOG_SHMFD))));
      await expect(transport.startLog()).rejects.toMatchObject({ rule: "not-negotiated" });
      expect(await transport.stopLog()).toEqual([]);
    });

    it("leaves nothing behind, also when the back end refuses", async () => {
      const { back, transport } = await open();
      const before = openFiles();
      for (let round = 0; round < 5; round++) {
        await transport.startLog();
        await transport.stopLog();
        back.script = (name) => (name === "SET_VRING_ADDR" ? { payload: new Uint8Array(8).fill(1) } : undefined);
        await expect(transport.startLog()).rejects.toMatchObject({ rule: "refused" });
        back.script = () => undefined;
      }
      await until(() => openFiles() <= before);
    });
  });
});
