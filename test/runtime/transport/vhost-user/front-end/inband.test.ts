import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { BLK_DEVICE_ID, BlkDriver } from "../../../../../generated/blk.js";
import { FeatureSet } from "../../../../../src/runtime/index.js";
import {
  connect,
  serve,
  type VhostUserDriverTransport,
  type VhostUserError,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import {
  decodePayload,
  encodePayload,
  MessageChannel,
  ProtocolFeature,
  type FrontEndRequest,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../../fixtures/process-state.js";
import { useAtRandom } from "../../../fixtures/random-requests.js";
import { RamDisk } from "../../../../interop/linux/ram-disk.js";
import { openVhostUser } from "../both-ends.js";
import { ScriptedBackEnd, u64 } from "../scripted-back-end.js";
import { pause, until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";

const SIZE = 1 << 20;
const SECTOR = 512;
const NEEDS_RESET = 0x40;
const bit = (number: number): bigint => 1n << BigInt(number);
const inband = { serve: { inbandNotifications: true }, connect: { inbandNotifications: true } };
const place = { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 };

/** Messages that either side sends as notifications; both are in this process. */
function countMessages(): (name: string) => number {
  const received = vi.spyOn(MessageChannel.prototype, "receive");
  onTestFinished(() => void vi.restoreAllMocks());
  return (name) =>
    received.mock.results.filter(({ type, value }) => type === "return" && value?.name === name && !value.isReply)
      .length;
}

if (await requireVhostUser()) {
  describe("a driver whose notifications are messages", () => {
    it.each([
      { rings: "plain split", features: [], withhold: ["INDIRECT_DESC", "EVENT_IDX"] },
      { rings: "split", features: [], withhold: [] },
      { rings: "packed", features: ["RING_PACKED"], withhold: [] },
    ] as const)("reads and writes at random, over $rings rings", async ({ features, withhold }) => {
      const counted = countMessages();
      const disk = new RamDisk(SIZE, SIZE, 2);
      const model = randomBytes(SIZE);
      model.copy(disk.bytes);
      const transport = await openVhostUser(disk.device, {
        ...inband,
        connect: { ...inband.connect, memorySize: 16 << 20 },
      });
      const driver = await BlkDriver.start(transport, { features: ["MQ", "FLUSH", ...features], withhold });
      await useAtRandom(driver, model, 50);
      expect(disk.bytes.equals(model)).toBe(true);
      await driver.stop();
      expect(counted("VRING_KICK")).toBeGreaterThan(20);
      expect(counted("VRING_CALL")).toBeGreaterThan(20);
      expect(counted("SET_VRING_KICK") + counted("SET_VRING_CALL")).toBe(0);
    });

    it("does with eventfds what the back end does not offer as messages", async () => {
      const counted = countMessages();
      const disk = new RamDisk(SIZE, SIZE, 1);
      disk.bytes.fill(3);
      const transport = await openVhostUser(disk.device, { connect: inband.connect });
      const driver = await BlkDriver.start(transport);
      const { data } = await driver.requestq.submit({ type: "IN", sector: 1n, data: SECTOR });
      expect(data[0]).toBe(3);
      await driver.stop();
      expect(counted("VRING_KICK") + counted("VRING_CALL")).toBe(0);
    });

    it("goes on with the next back end when one dies, and leaves nothing behind", async () => {
      const folder = mkdtempSync(join(tmpdir(), "virtio-gen-inband-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const socket = join(folder, "socket");
      const before = openFiles();
      const disk = new RamDisk(SIZE, SIZE, 1);
      let server = await serve(disk.device, { socket, ...inband.serve });
      let returned = 0;
      const reconnect = { delay: 1, longestDelay: 20, onReturn: () => returned++ };
      const transport = await connect(socket, { deviceId: BLK_DEVICE_ID, ...inband.connect, reconnect });
      const driver = await BlkDriver.start(transport);
      for (let life = 1; life <= 3; life++) {
        const data = randomBytes(SECTOR);
        const writes = Array.from({ length: 10 }, (_, index) =>
          driver.requestq.submit({ type: "OUT", sector: BigInt(10 * life + index), data }),
        );
        await server.close();
        server = await serve(disk.device, { socket, ...inband.serve });
        for (const { status } of await Promise.all(writes)) expect(status).toBe("OK");
        await until(() => returned === life);
        for (let index = 0; index < 10; index++) {
          const { data: read } = await driver.requestq.submit({
            type: "IN",
            sector: BigInt(10 * life + index),
            data: SECTOR,
          });
          expect(data.equals(read)).toBe(true);
        }
      }
      await driver.stop();
      transport.close();
      await server.close();
      await until(() => openFiles() <= before, "as few open files as before");
    });

    it("finds that the device needs a reset when the device says that a ring has failed", async () => {
      const disk = new RamDisk(SIZE, SIZE, 1);
      const errors: string[] = [];
      disk.device.onProtocolError = () => undefined;
      const transport = await openVhostUser(disk.device, inband);
      const enabled = vi.spyOn(transport, "enableQueue");
      const driver = await BlkDriver.start(transport, { onError: ({ message }) => void errors.push(message) });
      // The driver claims 1,000 buffers in a ring of 256.
      const driverArea = enabled.mock.calls[0]?.[1].driver ?? 0;
      const region = transport.memory.locate(driverArea, 4);
      region?.view.setUint16(driverArea - region.start + 2, 1000, true);
      transport.notify(0);
      await until(() => errors.length > 0);
      expect(errors).toEqual([expect.stringContaining("device-needs-reset")]);
      await driver.stop();
    });
  });

  describe("a front end that is kicked by messages, and a back end that is not as it should be", () => {
    let folder: string;
    let back: ScriptedBackEnd;
    let transport: VhostUserDriverTransport | undefined;
    const ends: VhostUserError[] = [];
    const before = { files: 0 };

    beforeEach(async () => {
      before.files = openFiles();
      folder = mkdtempSync(join(tmpdir(), "virtio-gen-inband-"));
      ends.length = 0;
      transport = undefined;
      back = await ScriptedBackEnd.listen(join(folder, "socket"));
      back.protocolFeatures |= bit(ProtocolFeature.BACKEND_REQ) | bit(ProtocolFeature.INBAND_NOTIFICATIONS);
    });
    afterEach(async () => {
      transport?.close();
      back.close();
      rmSync(folder, { recursive: true, force: true });
      await until(() => openFiles() <= before.files, "as few open files as before");
    });

    /** With one ring that runs. */
    async function started(inbandNotifications = true): Promise<VhostUserDriverTransport> {
      const opened = await connect(join(folder, "socket"), {
        ...{ deviceId: BLK_DEVICE_ID, memorySize: 1 << 20, patience: 2000, queueSize: 8, inbandNotifications },
        onEnd: (error) => void ends.push(error),
      });
      transport = opened;
      await opened.setStatus(0);
      await opened.setStatus(3);
      await opened.setFeatures(FeatureSet.of([32]));
      await opened.enableQueue(0, place);
      await opened.setStatus(15);
      return opened;
    }
    const kicks = (): number => back.names(0).filter((name) => name === "VRING_KICK").length;
    const call = (index: number): Uint8Array => encodePayload("vringState", { index, num: 0 });
    /** What the front end answers. */
    async function answerTo(name: "VRING_CALL" | "VRING_ERR", payload: Uint8Array): Promise<bigint> {
      back.asks?.request(name, payload, { needReply: true });
      let answer: bigint | undefined;
      await until(() => {
        const message = back.asks?.receive();
        if (message !== undefined) answer = decodePayload("u64", message);
        return message !== undefined;
      }, "an answer");
      return answer ?? -1n;
    }
    const starting: readonly FrontEndRequest[] = [
      "SET_VRING_NUM",
      "SET_VRING_BASE",
      "SET_VRING_ADDR",
      "SET_VRING_ENABLE",
    ];

    it("starts a ring with a kick, and takes what is needed along", async () => {
      await started();
      expect(back.names(0).filter((name) => name.includes("VRING"))).toEqual([...starting, "VRING_KICK"]);
    });

    it.each([ProtocolFeature.REPLY_ACK, ProtocolFeature.BACKEND_REQ])(
      "does without, where feature %i is missing",
      async (missing) => {
        back.protocolFeatures &= ~bit(missing);
        await started();
        const taken = back.seen[0]?.find(({ name }) => name === "SET_PROTOCOL_FEATURES");
        const features = taken === undefined ? 0n : decodePayload("u64", taken);
        expect(features & bit(ProtocolFeature.INBAND_NOTIFICATIONS)).toBe(0n);
        await until(() => back.names(0).includes("SET_VRING_KICK"));
      },
    );

    it("has one kick of a ring under way at most, and none after a stop", async () => {
      const on = await started();
      back.script = (name) => (name === "VRING_KICK" ? "nothing" : undefined);
      for (let count = 0; count < 100; count++) on.notify(0);
      await until(() => kicks() === 2, "two kicks");
      await pause(30);
      expect(kicks()).toBe(2);
      back.reply("VRING_KICK", u64(0n));
      await until(() => kicks() === 3);
      await pause(30);
      expect(kicks()).toBe(3);
      on.notify(0);
      const reset = on.setStatus(0);
      back.reply("VRING_KICK", u64(0n));
      await reset;
      await pause(30);
      expect(kicks()).toBe(3);
      expect(back.names(0).slice(-3)).toEqual(["SET_VRING_ENABLE", "GET_VRING_BASE", "SET_STATUS"]);
      expect(ends).toEqual([]);
    });

    it.each([
      { what: "refuses a kick", script: () => u64(1n), rule: "refused" },
      { what: "does not answer to one", script: () => "nothing" as const, rule: "unanswered" },
      { what: "is gone", script: () => "gone" as const, rule: "peer-gone" },
      {
        what: "answers with something else",
        script: () => ({ payload: call(0).subarray(0, 4) }),
        rule: "payload-size",
      },
    ])("is done with one that $what", async ({ script, rule }) => {
      const on = await started();
      back.script = (name) => (name === "VRING_KICK" ? script() : undefined);
      on.notify(0);
      await until(() => ends.length > 0);
      expect(ends.map((error) => error.rule)).toEqual([rule]);
      expect((await on.getStatus()) & NEEDS_RESET).toBe(NEEDS_RESET);
    });

    it("is called for rings that there are, and says so of others", async () => {
      const on = await started();
      const told: number[] = [];
      on.onQueueUsed = (index) => void told.push(index);
      expect(await answerTo("VRING_CALL", call(0))).toBe(0n);
      expect(told).toEqual([0]);
      // This one does not run (any more).
      expect(await answerTo("VRING_CALL", call(1))).toBe(0n);
      for (const index of [2, 0xffff_ffff]) {
        expect(await answerTo("VRING_CALL", call(index))).toBe(1n);
        expect(await answerTo("VRING_ERR", call(index))).toBe(1n);
      }
      expect(told).toEqual([0]);
      expect((await on.getStatus()) & NEEDS_RESET).toBe(0);
      let changes = 0;
      on.onConfigChange = () => changes++;
      for (let count = 0; count < 3; count++) expect(await answerTo("VRING_ERR", call(0))).toBe(0n);
      expect(changes).toBe(1);
      expect((await on.getStatus()) & NEEDS_RESET).toBe(NEEDS_RESET);
      await on.setStatus(0);
      expect(await on.getStatus()).toBe(0);
    });

    it("is not called by messages that were not agreed on", async () => {
      const on = await started(false);
      let told = 0;
      on.onQueueUsed = () => told++;
      expect(await answerTo("VRING_CALL", call(0))).toBe(1n);
      expect(await answerTo("VRING_ERR", call(0))).toBe(1n);
      expect(told).toBe(0);
      expect((await on.getStatus()) & NEEDS_RESET).toBe(0);
    });

    const words = (...numbers: number[]): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);
    it.each([
      { what: "closes the channel", bytes: undefined, rule: "peer-gone" },
      { what: "sends a reply", bytes: words(4, 5, 8, 0, 0), rule: "direction" },
      { what: "sends a short call", bytes: words(4, 1, 4, 0), rule: "payload-size" },
      { what: "sends a call of 4 GiB", bytes: words(4, 1, 0xffff_ffff), rule: "payload-size" },
      { what: "sends something unknown", bytes: words(99, 1, 0), rule: "unknown-request" },
    ])("is done with one that $what, without which there are no calls", async ({ bytes, rule }) => {
      const on = await started();
      if (bytes === undefined) back.asks?.close();
      else back.asks?.socket.send(bytes);
      await until(() => ends.length > 0);
      expect(ends.map((error) => error.rule)).toEqual([rule]);
      expect(on.connected).toBe(false);
    });

    it("is done with one that does not read its answers", async () => {
      await started();
      let isFull = false;
      const flood = (): void => {
        const { asks } = back;
        while (asks !== undefined && asks.socket.fd >= 0 && ends.length === 0) {
          if (!asks.offer("VRING_CALL", call(1), true)) break;
        }
        isFull = true;
      };
      const timer = setInterval(flood, 1);
      await until(() => ends.length > 0).finally(() => clearInterval(timer));
      expect(isFull).toBe(true);
      expect(ends.map((error) => error.rule)).toEqual(["peer-slow"]);
    });
  });
}
