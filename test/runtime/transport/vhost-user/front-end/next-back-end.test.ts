import { fstatSync, mkdtempSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FeatureSet } from "../../../../../src/runtime/index.js";
import { createMemoryFile } from "../../../../../src/runtime/transport/posix/index.js";
import {
  connect,
  type VhostUserDriverTransport,
  type VhostUserError,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import {
  decodePayload,
  encodePayload,
  inflightBytes,
  ProtocolFeature,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { ScriptedBackEnd, u64 } from "../scripted-back-end.js";
import { until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";

const bit = (number: number): bigint => 1n << BigInt(number);
const INFLIGHT = bit(ProtocolFeature.INFLIGHT_SHMFD);
const VERSION_1 = 32;
const RING_RESET = 40;
const NEEDS_RESET = 0x40;
const ring = { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 };
const second = { size: 8, descriptor: 0x10_4000, driver: 0x10_5000, device: 0x10_6000 };

/** What a driver has done so far decides what the next back end must be told. */
describe.runIf(await requireVhostUser())("a back end that takes the place of one that died", () => {
  let folder: string;
  let path: string;
  let back: ScriptedBackEnd;
  let transport: VhostUserDriverTransport | undefined;
  let returned: number;
  const ends: VhostUserError[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "virtio-gen-next-back-end-"));
    path = join(folder, "socket");
    ends.length = returned = 0;
    transport = undefined;
    back = await ScriptedBackEnd.listen(path);
    back.features |= bit(RING_RESET);
  });
  afterEach(() => {
    transport?.close();
    back.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** With two rings that run. */
  async function started(): Promise<VhostUserDriverTransport> {
    const on = await connect(path, {
      ...{ deviceId: 2, memorySize: 1 << 20, patience: 2000, queueSize: 8 },
      reconnect: { delay: 1, longestDelay: 20, onReturn: () => returned++ },
      onEnd: (error) => void ends.push(error),
    });
    transport = on;
    await on.setStatus(3);
    await on.setFeatures(FeatureSet.of([VERSION_1, RING_RESET]));
    await on.enableQueue(0, ring);
    await on.enableQueue(1, second);
    await on.setStatus(15);
    return on;
  }
  async function replaced(): Promise<void> {
    const before = returned;
    back.cutOff();
    await until(() => returned === before + 1 || ends.length > 0);
    expect(ends).toEqual([]);
  }

  it("is no help if it has an inflight region and the first had none: nobody knows what was in flight", async () => {
    back.protocolFeatures &= ~INFLIGHT;
    const on = await started();
    back.protocolFeatures |= INFLIGHT;
    await replaced();
    expect((await on.getStatus()) & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(back.names(1)).not.toContain("SET_VRING_KICK");
    // Nor is what the next one might lack brought into use.
    const agreed = back.seen[1]?.find(({ name }) => name === "SET_PROTOCOL_FEATURES");
    expect(agreed && decodePayload("u64", agreed) & INFLIGHT).toBe(0n);
  });

  it("is given a region before a ring that was reset is set up again", async () => {
    const on = await started();
    for (const index of [0, 1]) on.resetQueue(index);
    await until(() => !on.queueResetting(0) && !on.queueResetting(1));
    await replaced();
    await on.enableQueue(0, ring);
    const names = back.names(1);
    expect(names).toContain("SET_INFLIGHT_FD");
    expect(names.indexOf("SET_INFLIGHT_FD")).toBeLessThan(names.indexOf("SET_VRING_NUM"));
  });

  it("is not told what the first one refused to be told of the configuration", async () => {
    const on = await started();
    await on.writeConfig(2, Uint8Array.of(5));
    back.script = (name, message) => {
      if (name !== "SET_CONFIG") return undefined;
      return u64(decodePayload("config", message).bytes[0] === 5 ? 0n : 1n);
    };
    await expect(on.writeConfig(2, Uint8Array.of(6))).rejects.toMatchObject({ rule: "refused" });
    await expect(on.writeConfig(4, Uint8Array.of(7))).rejects.toMatchObject({ rule: "refused" });
    await replaced();
    const written = back.seen[1]?.filter(({ name }) => name === "SET_CONFIG") ?? [];
    expect(written.map((message) => decodePayload("config", message))).toEqual([
      { offset: 2, flags: 0, bytes: Uint8Array.of(5) },
    ]);
  });

  it("hears that the driver is ready when its rings are set up, and not before", async () => {
    await started();
    await replaced();
    const told = (back.seen[1] ?? []).flatMap<bigint | string>((message) => {
      if (message.name === "SET_STATUS") return [decodePayload("u64", message)];
      return message.name === "SET_VRING_ENABLE" ? ["ring"] : [];
    });
    expect(told).toEqual([11n, "ring", "ring", 15n]);
  });

  it("finds in a region with spare room what was in flight on rings that were not reset", async () => {
    const files: number[] = [];
    back.script = (name, message) => {
      if (name !== "GET_INFLIGHT_FD") return undefined;
      const { queues, queueSize } = decodePayload("inflight", message);
      // Whole pages, as a system has them.
      const size = 4096;
      const fd = createMemoryFile(back.system, "inflight", size);
      writeSync(fd, new Uint8Array(size).fill(1));
      return { payload: encodePayload("inflight", { size, offset: 0, queues, queueSize }), fds: [fd] };
    };
    const on = await started();
    on.resetQueue(0);
    await until(() => !on.queueResetting(0));
    const found = new Uint8Array(4096);
    back.script = (name, { fds: [fd] }) => {
      if (name === "SET_INFLIGHT_FD" && fd !== undefined)
        files.push(fstatSync(fd).size, readSync(fd, found, 0, 4096, 0));
      return undefined;
    };
    await replaced();
    expect(files).toEqual([4096, 4096]);
    const part = inflightBytes(1, 8, false);
    expect(found.subarray(0, part).every((byte) => byte === 0)).toBe(true);
    expect(found.subarray(part).every((byte) => byte === 1)).toBe(true);
  });

  it("may say that it has more queues than messages can name", async () => {
    back.queues = 2n ** 64n - 1n;
    const on = await started();
    expect(on.queueMaxSize(255)).toBe(8);
    expect(on.queueMaxSize(256)).toBe(0);
    const asked = back.seen[0]?.find(({ name }) => name === "GET_INFLIGHT_FD");
    expect(asked && decodePayload("inflight", asked)).toMatchObject({ queues: 256 });
  });
});
