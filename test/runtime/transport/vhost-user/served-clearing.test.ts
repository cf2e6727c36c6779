import { describe, expect, it, onTestFinished } from "vitest";
import { GPU_CONFIG_SIZE, GpuDevice, GpuEvents } from "../../../../generated/gpu.js";
import { VirtioDevice, type DeviceDefinition, type QueuePlan } from "../../../../src/runtime/index.js";
import { decodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { plain, ScriptedFrontEnd } from "./scripted-front-end.js";
import { requireVhostUser, serveDevice } from "./served-device.js";

/* Ones that clear bits, from a front end that hands over all of the configuration whatever the driver wrote, as QEMU does. */

async function frontEndOf(device: VirtioDevice): Promise<ScriptedFrontEnd> {
  const { path } = await serveDevice(device);
  const front = await ScriptedFrontEnd.connect(path);
  onTestFinished(() => front.close());
  return front;
}
const read = async (front: ScriptedFrontEnd, length: number): Promise<Uint8Array> =>
  decodePayload(
    "config",
    await front.ask("GET_CONFIG", "config", { offset: 0, flags: 0, bytes: new Uint8Array(length) }),
  ).bytes;
const write = (front: ScriptedFrontEnd, bytes: Uint8Array): Promise<boolean> =>
  front.acknowledged("SET_CONFIG", "config", { offset: 0, flags: 0, bytes });

/** A byte whose own bits ones clear, one that is stored, one that clears the last; and that one. */
const definition: DeviceDefinition = {
  name: "clearing",
  id: 61,
  features: {},
  requires: [],
  offers: [],
  configSize: 4,
  writableConfig: [
    { offset: 0, size: 1, clears: 0, phase: "features_ok", allowed: () => true },
    { offset: 1, size: 1, phase: "features_ok", allowed: () => true },
    { offset: 2, size: 1, clears: 3, phase: "features_ok", allowed: () => true },
  ],
};
class ClearingDevice extends VirtioDevice {
  readonly heard: (readonly number[])[] = [];
  constructor() {
    super(definition, [], Uint8Array.of(0x0f, 1, 0, 0xff));
  }
  protected override queuePlan(): readonly QueuePlan[] {
    return [];
  }
  protected override configWritten(offset: number, length: number, written: Uint8Array): void {
    this.heard.push([offset, ...written.subarray(offset, offset + length)]);
  }
}

describe.runIf(await requireVhostUser())("ones that clear bits in a served device", () => {
  it("clear what they are for, once, and nothing that happens later", async () => {
    const cleared: number[] = [];
    const gpu = new GpuDevice({
      config: { eventsRead: 0x12, numScanouts: 1, numCapsets: 0, blobAlignment: 4096 },
      controlq: (request) => request.complete("RESP_ERR_UNSPEC"),
      cursorq: (request) => request.complete({ hdr: request.hdr }),
      configWritten: { eventsClear: (value) => void cleared.push(value) },
    });
    const front = await frontEndOf(gpu);
    await front.setUp(plain);
    const clear = async (ones: number): Promise<void> => {
      const whole = await read(front, GPU_CONFIG_SIZE);
      whole[4] = ones;
      expect(await write(front, whole)).toBe(true);
    };
    await clear(0x02);
    expect(gpu.config.eventsRead).toBe(0x10);
    gpu.config.eventsRead |= GpuEvents.DISPLAY | 0x02;
    // What was written before the start has cleared what there was then.
    await front.startRing(0);
    expect(gpu.config.eventsRead).toBe(0x13);
    await clear(0x03);
    await clear(0);
    expect(gpu.config.eventsRead).toBe(0x10);
    expect(cleared).toEqual([0x02, 0x03]);
  });

  it("are told from what was read, and from what was written before", async () => {
    const device = new ClearingDevice();
    const front = await frontEndOf(device);
    await front.setUp(plain);
    // The driver writes what it has read, to have all of it cleared.
    expect(await write(front, Uint8Array.of(0x0f, 1, 0, 0xff))).toBe(true);
    expect([...(await read(front, 4))]).toEqual([0, 1, 0, 0xff]);
    device.configSpace.bytes[0] = 0x0f;
    // It writes another field, beside what it has read and what it wrote to the third one before.
    expect(await write(front, Uint8Array.of(0x0f, 7, 0x30, 0xff))).toBe(true);
    expect([...(await read(front, 4))]).toEqual([0x0f, 7, 0, 0xff]);
    expect(await write(front, Uint8Array.of(0, 7, 0x30, 0xff))).toBe(true);
    expect([...(await read(front, 4))]).toEqual([0x0f, 7, 0, 0xcf]);
    expect(device.heard).toEqual([
      [0, 0x0f],
      [1, 7],
      [2, 0x30],
    ]);
  });
});
