import { closeSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BLK_DEVICE_ID, BlkDriver } from "../../../../../generated/blk.js";
import { FeatureSet } from "../../../../../src/runtime/index.js";
import { createMemoryFile, SystemCallError } from "../../../../../src/runtime/transport/posix/index.js";
import {
  connect,
  type ConnectOptions,
  type VhostUserDriverTransport,
  type VhostUserError,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import {
  encodePayload,
  inflightBytes,
  ProtocolFeature,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../../fixtures/process-state.js";
import { ScriptedBackEnd, u64 } from "../scripted-back-end.js";
import { until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";

const bit = (number: number): bigint => 1n << BigInt(number);
const VERSION_1 = 32;
const RING_RESET = 40;
const ring = { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 };
const second = { size: 8, descriptor: 0x10_4000, driver: 0x10_5000, device: 0x10_6000 };

/** What was asked for is not there any more when its answer is read, or is taken back meanwhile. */
describe.runIf(await requireVhostUser())("a connection that ends at an awkward moment", () => {
  let folder: string;
  let path: string;
  let back: ScriptedBackEnd;
  let transport: VhostUserDriverTransport | undefined;
  const ends: VhostUserError[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "virtio-gen-awkward-moments-"));
    path = join(folder, "socket");
    ends.length = 0;
    transport = undefined;
    back = await ScriptedBackEnd.listen(path);
    back.features |= bit(26) | bit(RING_RESET);
  });
  afterEach(() => {
    transport?.close();
    back.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(options: Partial<ConnectOptions> = {}): Promise<VhostUserDriverTransport> {
    const opened = await connect(path, {
      ...{ deviceId: BLK_DEVICE_ID, memorySize: 1 << 20, patience: 2000, queueSize: 8, ...options },
      onEnd: (error) => void ends.push(error),
    });
    transport = opened;
    await opened.setFeatures(FeatureSet.of([VERSION_1, RING_RESET]));
    return opened;
  }

  it("leaves nothing behind when the last answer before the channel for requests is the end", async () => {
    back.protocolFeatures |= bit(ProtocolFeature.BACKEND_REQ);
    back.script = (name) => (name === "GET_QUEUE_NUM" ? (back.reply(name, u64(2n)), "gone") : undefined);
    await expect(open()).rejects.toMatchObject({ rule: "peer-gone" });
    const before = openFiles();
    for (let count = 0; count < 3; count++) await expect(open()).rejects.toMatchObject({ rule: "peer-gone" });
    expect(openFiles()).toBe(before);
  });

  it("leaves nothing behind when the inflight region comes with a broken rule", async () => {
    back.script = (name) => {
      if (name !== "GET_INFLIGHT_FD") return undefined;
      const size = inflightBytes(2, 8, false);
      const fd = createMemoryFile(back.system, "inflight", size);
      back.reply(name, { payload: encodePayload("inflight", { size, offset: 0, queues: 2, queueSize: 8 }), fds: [fd] });
      closeSync(fd);
      // Nobody has asked for that.
      back.reply("GET_FEATURES", u64(0n));
      return "nothing";
    };
    const before = openFiles();
    for (let count = 0; count < 3; count++) {
      const on = await open({ reconnect: true });
      await expect(on.enableQueue(0, ring)).rejects.toMatchObject({ rule: "unexpected-reply" });
      on.close();
      back.cutOff();
    }
    expect(openFiles()).toBe(before);
  });

  it("leaves nothing behind when it is closed while it is about to set a ring up", async () => {
    const before = openFiles();
    for (let count = 0; count < 3; count++) {
      const on = await open();
      const enabling = on.enableQueue(0, ring);
      on.close();
      await expect(enabling).rejects.toMatchObject({ rule: "peer-gone" });
      expect(on.queueEnabled(0)).toBe(false);
      back.cutOff();
    }
    expect(openFiles()).toBe(before);
  });

  it("sets a ring up once, whoever asks at the same time", async () => {
    const before = openFiles();
    const on = await open({ reconnect: true });
    const both = await Promise.allSettled([
      on.enableQueue(0, ring),
      on.enableQueue(0, ring),
      on.enableQueue(1, second),
    ]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    on.close();
    back.cutOff();
    expect(openFiles()).toBe(before);
  });

  it.each([
    { what: "goes", answer: () => "gone" as const, rule: "peer-gone" },
    { what: "refuses", answer: () => u64(1n), rule: "refused" },
  ])("leaves no dirty log behind when the back end $what while it is turned off", async ({ answer, rule }) => {
    const before = openFiles();
    for (let count = 0; count < 3; count++) {
      const on = await open();
      await on.startLog();
      back.script = (name) => (name === "SET_FEATURES" ? answer() : undefined);
      await expect(on.stopLog()).rejects.toMatchObject({ rule });
      back.script = () => undefined;
      on.close();
      back.cutOff();
    }
    expect(openFiles()).toBe(before);
  });

  it("turns the dirty log on once, whoever asks at the same time", async () => {
    const before = openFiles();
    const on = await open();
    const both = await Promise.allSettled([on.startLog(), on.startLog()]);
    expect(both).toMatchObject([{ status: "fulfilled" }, { status: "rejected", reason: { rule: "log-running" } }]);
    expect(await on.stopLog()).toEqual([]);
    on.close();
    back.cutOff();
    expect(openFiles()).toBe(before);
  });

  it("turns the dirty log on and off before it says so, also without acknowledgements", async () => {
    back.protocolFeatures &= ~bit(ProtocolFeature.REPLY_ACK);
    const on = await open();
    await on.enableQueue(0, ring);
    const told = (): number => back.names(0).filter((name) => name === "SET_VRING_ADDR").length;
    await on.startLog();
    expect(told()).toBe(2);
    await on.stopLog();
    expect(told()).toBe(3);
  });

  it("waits for a back end that does not acknowledge, rather than to send more than it can read", async () => {
    back.protocolFeatures &= ~bit(ProtocolFeature.REPLY_ACK);
    back.queues = 100n;
    const on = await open();
    for (let index = 0; index < 100; index++) await on.enableQueue(index, ring);
    await until(() => back.names(0).filter((name) => name === "SET_VRING_ENABLE").length === 100);
    expect(ends).toEqual([]);
  });

  it.each([
    { what: "a ring", work: (on: VhostUserDriverTransport) => on.enableQueue(0, ring), from: 2 },
    { what: "a dirty log", work: (on: VhostUserDriverTransport) => on.startLog(), from: 1 },
  ])("leaves nothing behind when there are no descriptors left for $what", async ({ work, from }) => {
    const on = await open();
    const before = openFiles();
    const create = back.system.eventfd.bind(back.system);
    for (let count = 0; count < 3; count++) {
      let calls = 0;
      const made = vi.spyOn(back.system, "eventfd").mockImplementation((flags) => {
        if (++calls >= from) throw new SystemCallError("eventfd", 24);
        return create(flags);
      });
      await expect(work(on)).rejects.toThrow("EMFILE");
      made.mockRestore();
    }
    expect(openFiles()).toBe(before);
    // Then there are some.
    await work(on);
    expect(ends).toEqual([]);
  });

  it("is not reset before a ring is that was being reset", async () => {
    // With a status it would be told after that in any case.
    back.protocolFeatures &= ~bit(ProtocolFeature.STATUS);
    const on = await open();
    await on.enableQueue(0, ring);
    const order: string[] = [];
    back.script = (name, { payload }) => {
      if (name !== "GET_VRING_BASE") return undefined;
      setTimeout(() => {
        order.push("stopped");
        back.reply(name, { payload });
      }, 50);
      return "nothing";
    };
    on.resetQueue(0);
    await Promise.resolve(on.setStatus(0)).then(() => order.push("reset"));
    expect(order).toEqual(["stopped", "reset"]);
    expect(on.queueResetting(0)).toBe(false);
    back.script = () => undefined;
    await on.setFeatures(FeatureSet.of([VERSION_1]));
    await on.enableQueue(0, ring);
  });

  it("is over when a reset is refused: the rings may run on", async () => {
    const on = await open();
    await on.enableQueue(0, ring);
    await on.enableQueue(1, second);
    back.script = (name) => (name === "SET_VRING_ENABLE" ? u64(1n) : undefined);
    await expect(on.setStatus(0)).rejects.toMatchObject({ rule: "refused" });
    expect(ends).toMatchObject([{ rule: "refused" }]);
    expect(on.connected).toBe(false);
  });

  it("lets a driver stop when its back end goes in the middle of that", async () => {
    back.config = new Uint8Array(96);
    const on = await connect(path, { deviceId: BLK_DEVICE_ID, onEnd: (error) => void ends.push(error) });
    transport = on;
    const driver = await BlkDriver.start(on, { features: ["RING_RESET"] });
    back.script = (name) => (name === "SET_VRING_ENABLE" ? "gone" : undefined);
    // Of the queue it is true, too: nobody works on it any more.
    const queue = driver.resetQueue("requestq");
    await driver.stop();
    await queue.catch((error: unknown) => expect(error).toMatchObject({ rule: "stopped" }));
    expect(ends).toMatchObject([{ rule: "peer-gone" }]);
    expect(await on.getStatus()).toBe(0);
  });

  it("lets a driver stop at once when its back end is gone", async () => {
    back.config = new Uint8Array(96);
    const on = await connect(path, { deviceId: BLK_DEVICE_ID, onEnd: (error) => void ends.push(error) });
    transport = on;
    const errors: Error[] = [];
    const driver = await BlkDriver.start(on, { onError: (error) => void errors.push(error) });
    const reading = driver.requestq.submit({ type: "IN", sector: 0n, data: 512 });
    back.cutOff();
    await expect(reading).rejects.toMatchObject({ rule: "device-needs-reset" });
    await driver.stop();
    expect(errors).toMatchObject([{ rule: "device-needs-reset" }]);
    expect(await on.getStatus()).toBe(0);
    // It cannot be started again.
    await expect(BlkDriver.start(on, { onError: () => undefined })).rejects.toMatchObject({ rule: "peer-gone" });
    await until(() => ends.length === 1);
  });
});
