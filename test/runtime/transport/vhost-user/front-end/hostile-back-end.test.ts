import { fstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FeatureSet } from "../../../../../src/runtime/index.js";
import { createMemoryFile, EventFd } from "../../../../../src/runtime/transport/posix/index.js";
import {
  connect,
  type ReconnectOptions,
  type VhostUserDriverTransport,
  type VhostUserError,
  type VhostUserRule,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import {
  decodePayload,
  encodePayload,
  ProtocolFeature,
  type FrontEndRequest,
  type InflightArea,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../../fixtures/process-state.js";
import { ScriptedBackEnd, u64 } from "../scripted-back-end.js";
import { pause, until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";

const VERSION_1 = 32;
const RING_PACKED = 34;
const NEEDS_RESET = 0x40;
const ring = { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 };
const second = { size: 8, descriptor: 0x10_4000, driver: 0x10_5000, device: 0x10_6000 };

/** A back end that is there again, and is not what it seems. */
describe.runIf(await requireVhostUser())("a front end that keeps an inflight region", () => {
  let folder: string;
  let path: string;
  let back: ScriptedBackEnd;
  let transport: VhostUserDriverTransport | undefined;
  const ends: VhostUserError[] = [];
  const news: string[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "virtio-gen-hostile-back-end-"));
    path = join(folder, "socket");
    ends.length = news.length = 0;
    transport = undefined;
    back = await ScriptedBackEnd.listen(path);
  });
  afterEach(() => {
    transport?.close();
    back.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(reconnect: ReconnectOptions | boolean = { timeout: 20_000, delay: 1, longestDelay: 20 }) {
    transport = await connect(path, {
      deviceId: 2,
      memorySize: 1 << 20,
      patience: 2000,
      queueSize: 8,
      reconnect:
        typeof reconnect === "boolean"
          ? reconnect
          : { onLost: ({ rule }) => news.push(`lost: ${rule}`), onReturn: () => news.push("returned"), ...reconnect },
      onEnd: (error) => void ends.push(error),
    });
    return transport;
  }
  /** As a driver does it, with two rings. */
  async function start(on: VhostUserDriverTransport, features = [VERSION_1]): Promise<void> {
    await on.setStatus(0);
    await on.setStatus(3);
    await on.setFeatures(FeatureSet.of(features));
    await on.readConfig(0, 8);
    await on.enableQueue(0, ring);
    await on.enableQueue(1, second);
    await on.setStatus(15);
  }
  const setUp: readonly FrontEndRequest[] = [
    ...(["SET_VRING_NUM", "SET_VRING_BASE", "SET_VRING_ADDR", "SET_VRING_CALL", "SET_VRING_ERR"] as const),
    ...(["SET_VRING_KICK", "SET_VRING_ENABLE"] as const),
  ];
  const greeting: readonly FrontEndRequest[] = [
    ...(["SET_OWNER", "GET_FEATURES", "GET_PROTOCOL_FEATURES", "SET_PROTOCOL_FEATURES"] as const),
    ...(["GET_QUEUE_NUM", "SET_MEM_TABLE"] as const),
  ];

  it.each([
    { rings: "split", features: [VERSION_1], bases: [5, 0] },
    { rings: "packed", features: [VERSION_1, RING_PACKED], bases: [0x8000_8000, 0x8000_8000] },
  ])("tells the next one all that the first was told: $rings", async ({ features, bases }) => {
    const files: number[] = [];
    back.script = (name, { fds }) => {
      const [fd] = fds;
      if (name === "SET_INFLIGHT_FD" && fd !== undefined) files.push(fstatSync(fd).ino);
      return undefined;
    };
    const on = await open();
    let told: number[] = [];
    on.onQueueUsed = (index) => told.push(index);
    await start(on, features);
    await on.writeConfig(3, Uint8Array.of(9));
    // The first back end has used five buffers of ring 0.
    on.memory.locate(ring.device, 4)?.view.setUint16(ring.device - 0x10_0000 + 2, 5, true);
    told = [];
    back.cutOff();
    await until(() => news.length === 2);
    expect(news).toEqual(["lost: peer-gone", "returned"]);
    expect(back.names(1)).toEqual([
      ...greeting,
      ...["SET_FEATURES", "GET_CONFIG", "SET_CONFIG", "SET_STATUS", "SET_INFLIGHT_FD"],
      ...setUp,
      ...setUp,
      "SET_STATUS",
    ]);
    expect(files).toHaveLength(2);
    expect(files[1]).toBe(files[0]);
    const found = back.seen[1]?.filter(({ name }) => name === "SET_VRING_BASE");
    expect(found?.map((message) => decodePayload("vringState", message).num)).toEqual(bases);
    // Nobody knows whether the first one has told of everything.
    expect(told).toEqual([0, 1]);
    expect(await on.getStatus()).toBe(15);
    expect(on.connected).toBe(true);
  });

  it("goes on whenever the next ones die while they are being set up", async () => {
    const on = await open();
    await start(on);
    const steps = greeting.length + 4 + 2 * setUp.length + 1;
    back.script = (_, __, connection) =>
      connection >= 1 && connection <= steps && back.seen[connection]?.length === connection ? "gone" : undefined;
    back.cutOff();
    await until(() => news.includes("returned"));
    expect(news).toEqual(["lost: peer-gone", "returned"]);
    expect(back.seen).toHaveLength(steps + 2);
    expect(await on.getStatus()).toBe(15);
  });

  it.each<[string, (area: InflightArea, fds: number[]) => InflightArea, VhostUserRule]>([
    ["of no size", (area) => ({ ...area, size: 0 }), "inflight-size"],
    ["that is too small", (area) => ({ ...area, size: 383 }), "inflight-size"],
    ["that is far too large", (area) => ({ ...area, size: 2 ** 40 }), "inflight-size"],
    ["beyond its file", (area) => ({ ...area, offset: 64 }), "inflight-size"],
    ["for other queues", (area) => ({ ...area, queues: 3 }), "inflight-size"],
    ["for larger queues", (area) => ({ ...area, queueSize: 16 }), "inflight-size"],
    ["without a file", (area, fds) => (fds.splice(0), area), "descriptor-count"],
    ["with two files", (area, fds) => (fds.push(createMemoryFile(back.system, "two", 4096)), area), "descriptor-count"],
    ["in an eventfd", (area, fds) => (fds.splice(0, 1, EventFd.create(back.system).fd), area), "descriptor"],
  ])("refuses one %s", async (_, spoil, rule) => {
    back.script = (name, message) => {
      if (name !== "GET_INFLIGHT_FD") return undefined;
      const { queues, queueSize } = decodePayload("inflight", message);
      const area = { size: 4096, offset: 0, queues, queueSize };
      const fds = [createMemoryFile(back.system, "inflight", area.size)];
      return { payload: encodePayload("inflight", spoil(area, fds)), fds };
    };
    const on = await open();
    await expect(start(on)).rejects.toMatchObject({ rule });
    expect(ends).toMatchObject([{ rule }]);
    expect((await on.getStatus()) & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(news).toEqual([]);
  }); // prettier-ignore

  it.each<[string, VhostUserRule, RegExp, () => void]>([
    ["offers less", "same-device", /features 32 /, () => (back.features = 1n << 30n)],
    ["speaks less", "same-device", /protocol features 12 /, () => (back.protocolFeatures &= ~(1n << 12n))],
    ["has fewer queues", "same-device", /1 queues, not 2/, () => (back.queues = 1n)],
    ["has another configuration", "same-device", /byte 7/, () => (back.config = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0))],
    ["has a shorter one", "same-device", /byte 2/, () => (back.config = Uint8Array.of(1, 2))],
    ["does not answer", "unanswered", /GET_FEATURES/, () => (back.script = (name) => (name === "GET_FEATURES" ? "nothing" : undefined))],
    ["refuses the region", "refused", /SET_INFLIGHT_FD/, () => (back.script = (name) => (name === "SET_INFLIGHT_FD" ? u64(1n) : undefined))],
    ["refuses a ring", "refused", /SET_VRING_KICK/, () => (back.script = (name) => (name === "SET_VRING_KICK" ? u64(1n) : undefined))],
    ["answers too much", "payload-size", /GET_FEATURES/, () => (back.script = (name) => (name === "GET_FEATURES" ? { payload: new Uint8Array(9) } : undefined))],
  ])("is at an end when the next one %s", async (_, rule, detail, spoil) => {
    const on = await open();
    await start(on);
    let changes = 0;
    on.onConfigChange = () => changes++;
    spoil();
    back.cutOff();
    await until(() => !on.connected);
    const waiting: Promise<unknown>[] = [on.readConfig(0, 4), on.setFeatures(FeatureSet.of([VERSION_1])), on.writeConfig(0, new Uint8Array(1))];
    await Promise.allSettled(waiting);
    for (const one of waiting) await expect(one).rejects.toMatchObject({ rule });
    expect(ends).toMatchObject([{ rule, detail: expect.stringMatching(detail) as unknown }]);
    expect(news).toEqual(["lost: peer-gone"]);
    expect(changes).toBe(1);
    expect((await on.getStatus()) & NEEDS_RESET).toBe(NEEDS_RESET);
    await on.setStatus(0);
  }); // prettier-ignore

  it("holds the next one to a configuration only as far as it is known", async () => {
    const on = await open();
    await start(on);
    // After a write the device decides what there is to be read.
    await on.writeConfig(0, Uint8Array.of(7));
    back.config = Uint8Array.of(7, 7, 7, 7, 7, 7, 7, 7);
    expect(await on.readConfig(0, 8)).toEqual(back.config);
    back.config = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    back.cutOff();
    await until(() => news.length === 2);
    expect(ends).toEqual([]);
  });

  it("waits for no longer than it was told, and tells who waits", async () => {
    const on = await open({ timeout: 4000, delay: 1 });
    await start(on);
    back.script = () => "gone";
    back.cutOff();
    await expect(on.readConfig(0, 4)).rejects.toMatchObject({ rule: "peer-gone", detail: /none has come in time/ as unknown });
    expect(ends).toHaveLength(1);
    expect(back.seen.length).toBeGreaterThan(4);
  }); // prettier-ignore

  it("takes one that comes and goes all the time for none", async () => {
    const on = await open({ timeout: 4000, delay: 1, longestDelay: 500 });
    await start(on);
    back.script = (name, _, connection) => {
      const starts = back.seen[connection]?.filter((one) => one.name === "SET_VRING_ENABLE").length ?? 0;
      if (connection > 0 && name === "SET_VRING_ENABLE" && starts === 2) setTimeout(() => back.cutOff(), 2);
      return undefined;
    };
    back.cutOff();
    await until(() => ends.length === 1);
    expect(ends).toMatchObject([{ rule: "peer-gone" }]);
    expect(news.filter((one) => one === "returned").length).toBeGreaterThan(2);
  });

  it("breaks a rule while it is in use: nobody is waited for", async () => {
    const on = await open();
    await start(on);
    back.script = (name) => (name === "GET_CONFIG" ? { payload: new Uint8Array(5) } : undefined);
    await expect(on.readConfig(0, 4)).rejects.toMatchObject({ rule: "payload-size" });
    expect(ends).toHaveLength(1);
    expect(news).toEqual([]);
  });

  it("needs a reset after another one has come if there is no inflight region", async () => {
    back.protocolFeatures &= ~(1n << BigInt(ProtocolFeature.INFLIGHT_SHMFD));
    const on = await open();
    await start(on);
    let changes = 0;
    on.onConfigChange = () => changes++;
    back.cutOff();
    await until(() => news.length === 2);
    expect(changes).toBe(1);
    expect(await on.getStatus()).toBe(15 | NEEDS_RESET);
    expect(back.names(1)).not.toContain("SET_VRING_KICK");
    await start(on);
    expect(await on.getStatus()).toBe(15);
    expect(back.names(1).filter((name) => name === "SET_VRING_KICK")).toHaveLength(2);
    expect(ends).toEqual([]);
  });

  it("asks and tells what waits when there is one again, and resets at once when there is none", async () => {
    const on = await open();
    await start(on);
    back.script = (_, __, connection) => (connection < 10 ? "gone" : undefined);
    back.cutOff();
    const waiting = [on.readConfig(0, 2), on.setStatus(0xf), on.writeConfig(1, Uint8Array.of(5))] as const;
    expect(await on.getStatus()).toBe(15);
    expect((await Promise.all(waiting))[0]).toEqual(Uint8Array.of(1, 2));
    expect(back.names(10)).toContain("SET_VRING_KICK");

    back.script = (name, _, connection) => {
      // In the middle of the set-up of the rings.
      if (connection === 11 && name === "SET_VRING_ENABLE") void on.setStatus(0);
      return undefined;
    };
    back.cutOff();
    await until(() => news.filter((one) => one === "returned").length === 2);
    expect(back.names(11)).toContain("SET_VRING_ENABLE");
    expect(back.seen).toHaveLength(13);
    expect(back.names(12)).toEqual([...greeting, "SET_STATUS"]);
    expect(on.queueEnabled(0)).toBe(false);
    await start(on);
    expect(back.names(12)).toContain("GET_INFLIGHT_FD");
    expect(ends).toEqual([]);
  });

  it("resets a queue at once while there is no back end, and the next one is not told of it", async () => {
    back.features |= 1n << 40n;
    const on = await open();
    await start(on, [VERSION_1, 40]);
    back.script = (_, __, connection) => (connection < 5 ? "gone" : undefined);
    back.cutOff();
    await until(() => news.length === 1);
    on.resetQueue(0);
    await until(() => !on.queueResetting(0));
    expect(on.queueEnabled(0)).toBe(false);
    await until(() => news.length === 2);
    const [base, more] = back.seen[5]?.filter(({ name }) => name === "SET_VRING_BASE") ?? [];
    expect(base && decodePayload("vringState", base).index).toBe(1);
    expect(more).toBeUndefined();
    // In the middle of its set-up it begins anew.
    await on.enableQueue(0, ring);
    back.script = (name, _, connection) => {
      if (connection === 6 && name === "SET_VRING_NUM") on.resetQueue(0);
      return undefined;
    };
    back.cutOff();
    await until(() => news.length === 4);
    expect(back.seen).toHaveLength(8);
    expect(back.names(7).filter((name) => name === "SET_VRING_KICK")).toHaveLength(1);
    // A reset that the back end does not do is none: nobody may believe that the memory is free.
    back.script = (name) => (name === "GET_VRING_BASE" ? "nothing" : undefined);
    on.resetQueue(1);
    await expect(on.enableQueue(1, second)).rejects.toMatchObject({ rule: "queue-resetting" });
    await until(() => ends.length === 1);
    expect(ends).toMatchObject([{ rule: "unanswered" }]);
    expect(on.queueResetting(1)).toBe(true);
  });

  it("can be closed while it waits; nothing is left behind", async () => {
    const round = async (): Promise<void> => {
      const on = await open({ timeout: 20_000, delay: 1, longestDelay: 5 });
      await start(on);
      const before = news.length;
      back.cutOff();
      await until(() => news.length === before + 2);
      back.script = () => "gone";
      back.cutOff();
      await pause(10);
      on.close();
      await expect(on.readConfig(0, 1)).rejects.toMatchObject({ rule: "peer-gone" });
      back.script = () => undefined;
      await pause(10);
    };
    await round();
    const before = openFiles();
    for (let count = 0; count < 10; count++) await round();
    await until(() => openFiles() <= before, "as few open files as before");
    expect(news.filter((one) => one === "returned")).toHaveLength(11);
  });
});
