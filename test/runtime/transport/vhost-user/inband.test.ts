import { spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ProtocolFeature, VhostUserError } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../fixtures/process-state.js";
import { Ear } from "./ear.js";
import {
  isSignalled,
  pause,
  plain,
  ScriptedFrontEnd,
  until,
  type ScriptedRing,
  type ScriptedRingOptions,
} from "./scripted-front-end.js";
import { ringForms } from "./ring-forms.js";
import { requireVhostUser } from "./served-device.js";
import { answer, MQ, serveDisk, type ServedDisk } from "./served-disk.js";

const bit = (feature: number): bigint => 1n << BigInt(feature);

interface Listening {
  readonly front: ScriptedFrontEnd;
  readonly ear: Ear;
}

/** A front end without eventfds. */
async function listening(path: string, wanted = plain): Promise<Listening> {
  const front = await ScriptedFrontEnd.connect(path);
  await front.setUp(wanted);
  return { front, ear: await Ear.open(front) };
}
function startRing(front: ScriptedFrontEnd, index = 0, options: ScriptedRingOptions = {}): Promise<ScriptedRing> {
  return front.startRing(index, { inband: true, ...options });
}
/** A disk whose back end offers in-band notifications. */
const serveInband = (): Promise<ServedDisk> => serveDisk(answer, { inbandNotifications: true });
const rulesOf = ({ errors }: ServedDisk): string[] =>
  errors.map((error) => (error instanceof VhostUserError ? error.rule : String(error)));

describe.runIf(await requireVhostUser())("notifications as messages", () => {
  it.each(ringForms)("read and write, over several laps of the ring: $name", async ({ wanted, ring: form }) => {
    const { path, disk, errors } = await serveInband();
    const { front, ear } = await listening(path, wanted);
    const ring = await startRing(front, 0, { features: form });
    for (let round = 0; round < 50; round++) {
      ring.queue.enableNotifications();
      ring.submit(round, 200 - round);
      await ear.hears("VRING_CALL 0");
      expect(ring.poll()).toMatchObject([{ status: 0 }]);
      expect(disk[512 * round]).toBe(200 - round);
      ring.queue.enableNotifications();
      ring.submit(round);
      await ear.hears("VRING_CALL 0");
      expect(ring.poll()).toMatchObject([{ first: 200 - round, status: 0 }]);
    }
    expect(errors).toEqual([]);
    front.close();
    ear.channel.close();
  });

  it("are offered on request only, and with what they need: VRING_KICK is refused otherwise", async () => {
    const without = await serveDisk();
    const front = await ScriptedFrontEnd.connect(without.path);
    expect((await front.askNumber("GET_PROTOCOL_FEATURES")) & bit(ProtocolFeature.INBAND_NOTIFICATIONS)).toBe(0n);
    await front.setUp();
    expect(await front.acknowledged("VRING_KICK", "vringState", { index: 0, num: 0 })).toBe(false);
    expect(rulesOf(without)).toEqual(["not-negotiated"]);
    front.close();
    const served = await serveInband();
    const inband = bit(ProtocolFeature.INBAND_NOTIFICATIONS);
    for (const missing of [ProtocolFeature.BACKEND_REQ, ProtocolFeature.REPLY_ACK]) {
      const peer = await ScriptedFrontEnd.connect(served.path);
      const offered = await peer.askNumber("GET_PROTOCOL_FEATURES");
      expect(offered & inband).toBe(inband);
      peer.send("SET_PROTOCOL_FEATURES", "u64", offered & ~bit(missing));
      await peer.cutOff();
      peer.close();
    }
    await until(() => served.ends.length === 2);
    expect(served.ends).toEqual(["features", "features"]);
  });

  it("do not come or go while a ring runs", async () => {
    const served = await serveInband();
    const { front, ear } = await listening(served.path);
    await startRing(front);
    const offered = await front.askNumber("GET_PROTOCOL_FEATURES");
    const without = offered & ~bit(ProtocolFeature.INBAND_NOTIFICATIONS);
    expect(await front.acknowledged("SET_PROTOCOL_FEATURES", "u64", without)).toBe(false);
    expect(rulesOf(served)).toEqual(["features"]);
    front.close();
    ear.channel.close();
  });

  it("start a ring with the first kick, and only if it is enabled; a stop is the end of that", async () => {
    const { path } = await serveInband();
    const { front, ear } = await listening(path);
    const ring = await startRing(front);
    ring.submit(1);
    await ear.hears("VRING_CALL 0");
    expect(ring.poll()).toMatchObject([{ first: 1 }]);
    expect(await ring.stop()).toBe(1);
    // Nothing starts it but a kick, whatever else is said.
    const state = { index: 0, num: 1 };
    expect(await front.acknowledged("SET_VRING_BASE", "vringState", state)).toBe(true);
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", state)).toBe(true);
    expect(await front.acknowledged("SET_VRING_BASE", "vringState", state)).toBe(true);
    ring.submit(2);
    await ear.hears("VRING_CALL 0");
    expect(await front.acknowledged("SET_VRING_BASE", "vringState", state)).toBe(false);
    expect(ring.poll()).toMatchObject([{ first: 2 }]);
    // Disabled it stands still, and goes on without another kick.
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num: 0 })).toBe(true);
    ring.submit(3);
    await pause(20);
    expect(ring.poll()).toEqual([]);
    expect(await front.acknowledged("SET_VRING_ENABLE", "vringState", state)).toBe(true);
    await ear.hears("VRING_CALL 0");
    expect(ring.poll()).toMatchObject([{ first: 3 }]);
    front.close();
    ear.channel.close();
  });

  it("are acknowledged when the device has looked at the ring", async () => {
    const { path } = await serveInband();
    const { front, ear } = await listening(path);
    const ring = await startRing(front);
    for (let round = 0; round < 20; round++) {
      ring.queue.disableNotifications();
      ring.submit(round);
      expect(await front.acknowledged("VRING_KICK", "vringState", { index: 0, num: 0 })).toBe(true);
      expect(ring.poll()).toMatchObject([{ first: round }]);
    }
    front.close();
    ear.channel.close();
  });

  it("keep one call of each ring at most for a front end that does not answer", async () => {
    const { path, errors } = await serveInband();
    const { front, ear } = await listening(path, plain | MQ);
    const rings = [await startRing(front, 0), await startRing(front, 3)];
    const round = async (): Promise<void> => {
      for (const ring of rings) ring.submit(1);
      for (const ring of rings) await ring.completions(1);
    };
    for (let count = 0; count < 100; count++) await round();
    expect((await ear.all()).sort()).toEqual(["VRING_CALL 0", "VRING_CALL 3"]);
    // What was called for meanwhile is told once, after the answer.
    ear.answer();
    expect((await ear.all()).sort()).toEqual(["VRING_CALL 0", "VRING_CALL 3"]);
    ear.answer();
    expect(await ear.all()).toEqual([]);
    await round();
    expect((await ear.all()).sort()).toEqual(["VRING_CALL 0", "VRING_CALL 3"]);
    expect(errors).toEqual([]);
    front.close();
    ear.channel.close();
  });

  it("wait for room, without bound in time and with one in memory", async () => {
    const served = await serveInband();
    const { device } = served;
    const { front, ear } = await listening(served.path);
    const ring = await startRing(front);
    // News of the configuration have no answer: a front end that does not read has its socket full of them.
    for (let count = 0; count < 5000; count++) device.config.capacity = BigInt(1000 + count);
    expect(rulesOf(served)).toEqual(["peer-slow"]);
    for (let count = 0; count < 20; count++) {
      ring.submit(count);
      await ring.completions(1);
    }
    // The back end looks for room once in 100 ms by now.
    await until(() => {
      ear.listen();
      return ear.heard.includes("VRING_CALL 0");
    });
    const heard = await ear.all();
    expect(heard.length).toBeLessThan(1000);
    expect(heard.filter((what) => what === "VRING_CALL 0")).toHaveLength(1);
    ear.answer();
    expect(rulesOf(served)).toEqual(["peer-slow"]);
    front.close();
    ear.channel.close();
  });

  it("go over a pipe, over which nothing comes back", async () => {
    const served = await serveInband();
    const front = await ScriptedFrontEnd.connect(served.path);
    await front.setUp(plain);
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-pipe-"));
    spawnSync("mkfifo", [join(folder, "pipe")]);
    const pipe = openSync(join(folder, "pipe"), constants.O_RDWR | constants.O_NONBLOCK);
    rmSync(folder, { recursive: true });
    expect(await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [pipe])).toBe(true);
    const ring = await startRing(front);
    const told = (): number[] => {
      const bytes = Buffer.alloc(1 << 17);
      const length = readSync(pipe, bytes);
      return Array.from({ length: length / 4 }, (_, index) => bytes.readUInt32LE(4 * index));
    };
    ring.submit(1);
    await ring.completions(1);
    // VRING_CALL, version 1 and no wish for an answer, 8 bytes: ring 0, 0.
    expect(told()).toEqual([4, 1, 8, 0, 0]);
    for (let count = 0; count < 6000; count++) served.device.config.capacity = BigInt(1000 + count);
    for (let count = 0; count < 20; count++) {
      ring.submit(1);
      await ring.completions(1);
    }
    // CONFIG_CHANGE_MSG, as many as there was room for.
    const full = told();
    expect(full.length).toBeGreaterThan(3 * 5000);
    expect(full.every((word, index) => word === [2, 1, 0][index % 3])).toBe(true);
    expect(rulesOf(served)).toEqual(["peer-slow"]);
    await pause(150);
    expect(told()).toEqual([2, 1, 0, 4, 1, 8, 0, 0]);
    closeSync(pipe);
    front.close();
  });

  it("are for rings without eventfds only", async () => {
    const { path } = await serveInband();
    const { front, ear } = await listening(path);
    const ring = await startRing(front);
    expect(await front.acknowledged("SET_VRING_CALL", "u64", 0n, [ring.call.fd])).toBe(true);
    expect(isSignalled(ring.call)).toBe(true);
    ring.submit(1);
    await until(() => isSignalled(ring.call), "a call");
    expect(ring.poll()).toMatchObject([{ first: 1 }]);
    expect(await ear.all()).toEqual([]);
    // Without one from here on: it may have been called in vain.
    expect(await front.acknowledged("SET_VRING_CALL", "u64", 0x100n)).toBe(true);
    await ear.hears("VRING_CALL 0");
    ring.submit(2);
    await ear.hears("VRING_CALL 0");
    expect(ring.poll()).toMatchObject([{ first: 2 }]);
    // Polled for what is available, it calls in messages.
    expect(await front.acknowledged("SET_VRING_KICK", "u64", 0x100n)).toBe(true);
    for (const sector of [3, 4]) {
      ring.queue.enableNotifications();
      ring.submit(sector);
      await ear.hears("VRING_CALL 0");
      expect(ring.poll()).toMatchObject([{ first: sector }]);
    }
    front.close();
    ear.channel.close();
  });

  it("tell of a ring that the driver has broken", async () => {
    const { path, device } = await serveInband();
    for (const isByMessage of [true, false]) {
      const { front, ear } = await listening(path);
      const ring = await startRing(front);
      if (!isByMessage) expect(await front.acknowledged("SET_VRING_ERR", "u64", 0n, [ring.call.fd])).toBe(true);
      const at = front.memory.locate(ring.addresses.driver, 4);
      at?.view.setUint16(ring.addresses.driver - at.start + 2, 1000, true);
      front.send("VRING_KICK", "vringState", { index: 0, num: 0 });
      if (isByMessage) await ear.hears("VRING_ERR 0");
      else await until(() => isSignalled(ring.call), "an error");
      expect(device.status & 64).toBe(64);
      front.close();
      ear.channel.close();
      await until(() => device.status === 0);
    }
  });

  it("are told again over another channel, and kept for the first one", async () => {
    const { path } = await serveInband();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await startRing(front);
    ring.submit(1);
    await ring.completions(1);
    const first = await Ear.open(front);
    expect(await first.all()).toEqual(["VRING_CALL 0"]);
    // It does not answer to this one.
    const next = await Ear.open(front);
    await next.hears("VRING_CALL 0");
    ring.submit(2);
    await next.hears("VRING_CALL 0");
    await first.closed();
    first.channel.close();
    next.channel.close();
    front.close();
  });

  const words = (...numbers: number[]): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);
  it.each([
    { what: "an answer to nothing", bytes: words(4, 5, 8, 0, 0), rule: "unexpected-reply", asked: false },
    { what: "an answer to something else", bytes: words(5, 5, 8, 0, 0), rule: "unexpected-reply", asked: true },
    { what: "a second answer", bytes: words(4, 5, 8, 0, 0, 4, 5, 8, 0, 0), rule: "unexpected-reply", asked: true },
    { what: "an answer that is short", bytes: words(4, 5, 4, 0), rule: "payload-size", asked: true },
    { what: "an answer of 4 GiB", bytes: words(4, 5, 0xffff_ffff), rule: "payload-size", asked: true },
    { what: "a request", bytes: words(4, 1, 8, 0, 0), rule: "direction", asked: true },
    { what: "something unknown", bytes: words(77, 5, 0), rule: "unknown-request", asked: true },
  ])("are over for a front end that gives $what; the device goes on", async ({ bytes, rule, asked }) => {
    const served = await serveInband();
    const { front, ear } = await listening(served.path);
    const ring = await startRing(front);
    if (asked) ring.submit(1);
    await until(() => !asked || ring.poll().length === 1);
    ear.channel.socket.send(bytes);
    await until(() => served.errors.length > 0);
    expect(rulesOf(served)).toEqual([rule]);
    ear.listen = () => undefined;
    await ear.closed().catch(() => undefined);
    ring.submit(5);
    expect(await ring.completions(1)).toMatchObject([{ first: 5 }]);
    // A new channel makes all well again.
    const next = await Ear.open(front);
    await next.hears("VRING_CALL 0");
    for (const one of [ear, next]) one.channel.close();
    front.close();
    await until(() => served.ends.length === 1);
    expect(served.ends).toEqual(["closed"]);
  });

  it("that the front end refuses are reported", async () => {
    const served = await serveInband();
    const { front, ear } = await listening(served.path);
    const ring = await startRing(front);
    ring.submit(1);
    await until(() => (ear.listen(), ear.heard.length > 0));
    ear.answer(1n);
    await until(() => served.errors.length > 0);
    expect(rulesOf(served)).toEqual(["refused"]);
    front.close();
    ear.channel.close();
  });

  it("leave nothing behind, 100 times", async () => {
    const { path, ends } = await serveInband();
    const round = async (): Promise<void> => {
      const { front, ear } = await listening(path, plain | MQ);
      const rings = [await startRing(front, 0), await startRing(front, 1)];
      for (const ring of rings) ring.submit(1);
      for (const ring of rings) await ring.completions(1);
      const ended = ends.length;
      front.close();
      ear.channel.close();
      await until(() => ends.length > ended);
    };
    await round();
    const before = openFiles();
    for (let count = 0; count < 100; count++) await round();
    await until(() => openFiles() <= before, "as few open files as before");
    expect(new Set(ends)).toEqual(new Set(["closed"]));
  });
});
