import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../../../../../src/runtime/transport/vhost-user/front-end/index.js";
import { VhostUserError, type VhostUserRule } from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { loadKoffi } from "../../../../../src/runtime/transport/posix/koffi.js";
import { pause } from "../scripted-front-end.js";

const GET_FEATURES = 1;
const GET_PROTOCOL_FEATURES = 15;
const GET_CONFIG = 24;
const SET_MEM_TABLE = 5;
const F_PROTOCOL = 1n << 30n;
const VERSION_1 = 1n << 32n;
const REPLY_ACK = 1n << 3n;
const CONFIG = 1n << 9n;

function message(request: number, flags: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(request, 0);
  header.writeUInt32LE(flags, 4);
  header.writeUInt32LE(payload.length, 8);
  return Buffer.concat([header, payload]);
}
function number(value: bigint): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeBigUInt64LE(value);
  return payload;
}
const reply = (request: number, payload: Uint8Array): Buffer => message(request, 5, payload);

/** What a back end does when it is told something; undefined: what a good one does. */
type Behaviour = (request: number, socket: Socket, payload: Buffer) => Buffer | "nothing" | undefined;

const onLinux = process.platform === "linux" && (await loadKoffi()) !== undefined;

describe.runIf(onLinux)("a front end", () => {
  let folder: string;
  let server: Server;
  let path: string;
  let behaviour: Behaviour;
  let protocolFeatures: bigint;
  const seen: number[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "virtio-gen-front-end-"));
    path = join(folder, "socket");
    seen.length = 0;
    behaviour = () => undefined;
    protocolFeatures = REPLY_ACK | CONFIG;
    server = createServer((socket) => {
      let rest = Buffer.alloc(0);
      socket.on("error", () => undefined);
      socket.on("data", (bytes: Buffer) => {
        rest = Buffer.concat([rest, bytes]);
        while (rest.length >= 12 && rest.length >= 12 + rest.readUInt32LE(8)) {
          const end = 12 + rest.readUInt32LE(8);
          const [request, flags, payload] = [rest.readUInt32LE(0), rest.readUInt32LE(4), rest.subarray(12, end)];
          rest = rest.subarray(end);
          seen.push(request);
          const answer = behaviour(request, socket, payload) ?? goodAnswer(request, flags, payload);
          if (answer !== "nothing") socket.write(answer);
        }
      });
    });
    server.listen(path);
    await once(server, "listening");
  });
  afterEach(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  function goodAnswer(request: number, flags: number, payload: Buffer): Buffer | "nothing" {
    if (request === GET_FEATURES) return reply(request, number(F_PROTOCOL | VERSION_1));
    if (request === GET_PROTOCOL_FEATURES) return reply(request, number(protocolFeatures));
    if (request === GET_CONFIG) return reply(request, payload);
    return (flags & 8) === 0 ? "nothing" : reply(request, number(0n));
  }
  const open = () => connect(path, { deviceId: 2, memorySize: 1 << 20, patience: 2000 });

  it("says what it is and hands memory over", async () => {
    const transport = await open();
    expect(seen).toEqual([3, GET_FEATURES, GET_PROTOCOL_FEATURES, 16, SET_MEM_TABLE]);
    expect(transport.getFeatures().bits()).toEqual([32]);
    expect(transport.connected).toBe(true);
    transport.close();
    transport.close();
    expect(transport.connected).toBe(false);
    await expect(transport.setFeatures(transport.getFeatures())).rejects.toMatchObject({ rule: "peer-gone" });
  });

  it("does not use what was not agreed on", async () => {
    protocolFeatures = 0n;
    const transport = await open();
    expect(await transport.readConfig(0, 8)).toHaveLength(0);
    await transport.writeConfig(0, new Uint8Array(4));
    expect(seen).not.toContain(GET_CONFIG);
    transport.close();
  });

  it.each<[string, VhostUserRule, Behaviour]>([
    ["is gone at once", "peer-gone", (_, socket) => (socket.destroy(), "nothing")],
    ["is gone in the middle of a message", "cut-short", (request, socket) => {
      if (request !== GET_FEATURES) return undefined;
      socket.end(reply(request, number(0n)).subarray(0, 15));
      return "nothing";
    }],
    ["does not answer", "unanswered", (request) => (request === GET_FEATURES ? "nothing" : undefined)],
    ["refuses the memory", "refused", (request) => (request === SET_MEM_TABLE ? reply(request, number(1n)) : undefined)],
    ["speaks another version", "version", (request) => (request === GET_FEATURES ? message(request, 6, number(0n)) : undefined)],
    ["announces 4 GiB", "payload-size", (request) => {
      if (request !== GET_FEATURES) return undefined;
      const huge = reply(request, number(0n));
      huge.writeUInt32LE(0xffff_ffff, 8);
      return huge;
    }],
    ["answers another request", "unexpected-reply", (request) => (request === GET_FEATURES ? reply(17, number(0n)) : undefined)],
    ["asks where it has to answer", "direction", (request) => (request === GET_FEATURES ? message(request, 1, number(0n)) : undefined)],
    ["answers too little", "payload-size", (request) => (request === GET_FEATURES ? reply(request, Buffer.alloc(4)) : undefined)],
    ["answers twice", "unexpected-reply", (request) => {
      if (request !== GET_FEATURES) return undefined;
      const answer = reply(request, number(F_PROTOCOL | VERSION_1));
      return Buffer.concat([answer, answer]);
    }],
    ["answers what is no request", "unknown-request", (request) => (request === GET_FEATURES ? reply(99, number(0n)) : undefined)],
  ])("of a back end that %s says %s", async (_, rule, bad) => {
    behaviour = bad;
    const failed = await open().catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(VhostUserError);
    expect(failed).toMatchObject({ rule });
  }); // prettier-ignore

  it("tells of an end that comes later, and the device needs a reset", async () => {
    const ends: VhostUserError[] = [];
    const transport = await connect(path, {
      deviceId: 2,
      memorySize: 1 << 20,
      onEnd: (error) => void ends.push(error),
    });
    let changes = 0;
    transport.onConfigChange = () => changes++;
    behaviour = (_, socket) => (socket.destroy(), "nothing");
    await expect(transport.readConfig(0, 4)).rejects.toMatchObject({ rule: "peer-gone" });
    expect(ends).toHaveLength(1);
    expect(changes).toBe(1);
    expect(await transport.getStatus()).toBe(0x40);
    await transport.setStatus(0);
    transport.close();
    expect(ends).toHaveLength(1);
  });

  it("leaves no descriptor behind, whatever the end", async () => {
    const descriptors = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
    const connections = promisify(server.getConnections.bind(server));
    const round = async (): Promise<void> => {
      const transport = await open();
      await transport.enableQueue(0, { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 });
      transport.close();
      behaviour = (request) => (request === SET_MEM_TABLE ? reply(request, number(1n)) : undefined);
      await expect(open()).rejects.toThrow();
      behaviour = () => undefined;
      // The back end here is in this process: it has to close its ends, too.
      while ((await connections()) > 0) await pause(1);
    };
    await round();
    const before = await descriptors();
    for (let count = 0; count < 10; count++) await round();
    expect(await descriptors()).toBe(before);
  });

  it("says it when nobody listens", async () => {
    await expect(connect(join(folder, "nothing"), { deviceId: 2 })).rejects.toThrow("ENOENT");
  });
});
