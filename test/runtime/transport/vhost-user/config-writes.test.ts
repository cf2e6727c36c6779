import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConsoleDevice } from "../../../../generated/console.js";
import { INPUT_CONFIG_SIZE } from "../../../../generated/input.js";
import { openKeyboard } from "../../../../src/serve/keyboard.js";
import type { VirtioDevice } from "../../../../src/runtime/index.js";
import { serve } from "../../../../src/runtime/transport/vhost-user/index.js";
import { decodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { plain, ScriptedFrontEnd } from "./scripted-front-end.js";
import { requireVhostUser, serveDisk } from "./served-disk.js";

async function frontEndOf(device: VirtioDevice): Promise<ScriptedFrontEnd> {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-vhost-"));
  const served = await serve(device, { socket: join(folder, "socket") });
  const front = await ScriptedFrontEnd.connect(served.socket);
  onTestFinished(async () => {
    front.close();
    await served.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return front;
}

const read = async (front: ScriptedFrontEnd, length: number): Promise<Uint8Array> =>
  decodePayload(
    "config",
    await front.ask("GET_CONFIG", "config", { offset: 0, flags: 0, bytes: new Uint8Array(length) }),
  ).bytes;
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
    await front.setUp(plain | (1n << 9n) | (1n << 11n));
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
});
