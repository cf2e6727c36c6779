import { spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConsoleDevice } from "../../../../generated/console.js";
import { INPUT_CONFIG_SIZE } from "../../../../generated/input.js";
import { openKeyboard } from "../../../../src/serve/keyboard.js";
import type { VirtioDevice } from "../../../../src/runtime/index.js";
import { UnixSocket } from "../../../../src/runtime/transport/posix/index.js";
import {
  backEndTable,
  decodePayload,
  MessageChannel,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { plain, ScriptedFrontEnd, until } from "./scripted-front-end.js";
import { requireVhostUser, serveDevice } from "./served-device.js";
import { CONFIG_WCE, FLUSH, SECTORS, serveDisk } from "./served-disk.js";

async function frontEndOf(device: VirtioDevice): Promise<ScriptedFrontEnd> {
  const { path } = await serveDevice(device);
  const front = await ScriptedFrontEnd.connect(path);
  onTestFinished(() => front.close());
  return front;
}

const read = async (front: ScriptedFrontEnd, length: number, offset = 0): Promise<Uint8Array> =>
  decodePayload("config", await front.ask("GET_CONFIG", "config", { offset, flags: 0, bytes: new Uint8Array(length) }))
    .bytes;
const write = (front: ScriptedFrontEnd, offset: number, bytes: Uint8Array): Promise<boolean> =>
  front.acknowledged("SET_CONFIG", "config", { offset, flags: 0, bytes });

describe.runIf(await requireVhostUser())("the configuration of a served device", () => {
  it("is asked by writing all of it, before the front end has said its features, as QEMU's input does", async () => {
    const errors: string[] = [];
    const keyboard = openKeyboard({ name: "keys", onError: (error) => void errors.push(error.message) });
    const front = await frontEndOf(keyboard.device);
    const protocol = await front.askNumber("GET_PROTOCOL_FEATURES");
    front.send("SET_PROTOCOL_FEATURES", "u64", protocol);
    const ask = async (select: number, subsel: number): Promise<Uint8Array> => {
      for (const change of [
        { at: 0, to: select },
        { at: 1, to: subsel },
      ]) {
        const whole = await read(front, INPUT_CONFIG_SIZE);
        whole[change.at] = change.to;
        expect(await write(front, 0, whole)).toBe(true);
      }
      const answer = await read(front, INPUT_CONFIG_SIZE);
      return answer.subarray(8, 8 + (answer[2] ?? 0));
    };
    expect(new TextDecoder().decode(await ask(1, 0))).toBe("keys");
    expect([...(await ask(0x11, 17))]).toEqual([7]);
    expect([...(await ask(0x11, 5))]).toEqual([]);
    // What is asked when the device starts stays asked.
    await ask(1, 0);
    await front.setUp(plain);
    await front.startRing(0);
    expect((await read(front, 3)).subarray(0, 3)).toEqual(Uint8Array.of(1, 0, 4));
    expect([...(await ask(0x11, 17))]).toEqual([7]);
    expect(errors).toEqual([]);
  });

  it("keeps what was written before the device starts, the last of it", async () => {
    const { path, device, errors } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | FLUSH | CONFIG_WCE);
    for (let round = 0; round < 200; round++) {
      expect(await write(front, 32, Uint8Array.of(round % 2))).toBe(true);
      expect(device.config.writeback).toBe(round % 2);
    }
    expect(await write(front, 32, Uint8Array.of(0))).toBe(true);
    await front.startRing(0);
    expect(device.config.writeback).toBe(0);
    expect(errors).toEqual([]);
    front.close();
  });

  it("has what may be written at any time take effect once", async () => {
    const printed: number[] = [];
    const terminal = new ConsoleDevice({
      features: ["EMERG_WRITE"],
      transmitq: (buffer) => buffer.complete(),
      configWritten: { emergWr: (character) => void printed.push(character) },
    });
    const front = await frontEndOf(terminal);
    await front.setUp(plain | (1n << 2n));
    expect(await write(front, 8, Uint8Array.of(0x21, 0, 0, 0))).toBe(true);
    expect(await write(front, 8, Uint8Array.of(0x21, 0, 0, 0))).toBe(true);
    expect(printed).toEqual([0x21, 0x21]);
    await front.startRing(0);
    expect(printed).toEqual([0x21, 0x21]);
  });

  it("is read and written, and the front end is told of its changes", async () => {
    const { path, device, errors } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain | FLUSH | CONFIG_WCE);
    const [ours, theirs] = UnixSocket.pair(front.system);
    expect(await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [theirs.fd])).toBe(true);
    theirs.close();
    const channel = new MessageChannel(ours, backEndTable, "requests");
    expect(new DataView((await read(front, 8)).buffer).getBigUint64(0, true)).toBe(BigInt(SECTORS));
    expect((await read(front, 256)).length).toBe(256);
    const refused = await front.ask("GET_CONFIG", "config", { offset: 5000, flags: 0, bytes: new Uint8Array(4) });
    expect(refused.payload).toHaveLength(0);
    const writeByte = (offset: number, value: number): Promise<boolean> => write(front, offset, Uint8Array.of(value));
    // Writes from before the start of the device are kept for it.
    expect(await writeByte(32, 0)).toBe(true);
    await front.startRing(0);
    expect(device.config.writeback).toBe(0);
    device.config.capacity = 4711n;
    await until(() => channel.receive()?.name === "CONFIG_CHANGE_MSG", "a message of the change");
    expect(new DataView((await read(front, 8)).buffer).getBigUint64(0, true)).toBe(4711n);
    expect(await writeByte(32, 1)).toBe(true);
    expect(device.config.writeback).toBe(1);
    // A field that the driver may not write is left alone.
    expect(await writeByte(0, 99)).toBe(true);
    expect(device.config.capacity).toBe(4711n);
    expect(errors.map((error) => error.message)).toEqual([expect.stringContaining("config-read-only")]);
    expect(await writeByte(5000, 1)).toBe(false);
    channel.close();
    device.config.capacity = 4712n;
    front.close();
  });

  it("is told of over a pipe, too", async () => {
    const { path, device, errors } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp(plain);
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-pipe-"));
    spawnSync("mkfifo", [join(folder, "pipe")]);
    const pipe = openSync(join(folder, "pipe"), constants.O_RDWR | constants.O_NONBLOCK);
    rmSync(folder, { recursive: true });
    expect(await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [pipe])).toBe(true);
    await front.startRing(0);
    const told = (): number[] => {
      const bytes = Buffer.alloc(100);
      const length = readSync(pipe, bytes);
      return Array.from({ length: length / 4 }, (_, index) => bytes.readUInt32LE(4 * index));
    };
    device.config.capacity = 4711n;
    // The request's number, version 1, no payload.
    expect(told()).toEqual([2, 1, 0]);
    // What nobody reads does not stop the device, but is said.
    for (let round = 0; round < 6000; round++) device.config.capacity = BigInt(round);
    expect(errors.map((error) => error.message)).toEqual([expect.stringContaining("peer-slow")]);
    closeSync(pipe);
    front.close();
  });
});
