import { expect, test } from "vitest";
import {
  SoundDevice,
  SoundDriver,
  SOUND_SND_JACK_INFO_SIZE,
  type SoundControl,
  type SoundSndJackInfo,
} from "../../generated/sound.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const jack = (connected: number): SoundSndJackInfo => ({
  hdr: { hdaFnNid: 1 },
  features: 1,
  hdaRegDefconf: 2,
  hdaRegCaps: 3,
  connected,
});
const JACKS = [jack(1), jack(0)];

function control(request: SoundControl) {
  switch (request.code) {
    case "R_JACK_INFO":
      if (request.startId + request.count > JACKS.length) return request.complete("S_BAD_MSG");
      return request.complete({
        code: "S_OK",
        jacks: JACKS.slice(request.startId, request.startId + request.count),
      });
    case "R_PCM_START":
    case "R_PCM_STOP":
      return request.complete(request.streamId === 0 ? "S_OK" : "S_BAD_MSG");
    case "R_CTL_TLV_READ":
      return request.complete({ code: "S_OK", tlv: { type: 4, length: 8, value: [1, 2] } });
    case "R_CTL_WRITE":
      return request.complete(request.value.value.integer?.[3] === 77 ? "S_OK" : "S_IO_ERR");
    default:
      return request.complete("S_NOT_SUPP");
  }
}

async function start() {
  const played: number[] = [];
  const device = new SoundDevice({
    features: ["CTLS"],
    config: { jacks: 2, streams: 2, chmaps: 0, controls: 1 },
    controlq: control,
    txq: (request) => {
      played.push(...request.frames.toUint8Array());
      return request.complete({ status: { status: "S_OK", latencyBytes: 0 } });
    },
    rxq: (request) => {
      request.frames.write(new Uint8Array(request.frames.length).fill(request.xfer.streamId));
      return request.complete({ status: { status: "S_OK", latencyBytes: 16 } });
    },
  });
  const driver = await SoundDriver.start(loopback(device), { features: ["CTLS"], eventq: () => undefined });
  return { driver, played };
}

test("items are as far apart as the driver says", async () => {
  const { driver } = await start();
  const { controlq } = driver;
  for (const size of [SOUND_SND_JACK_INFO_SIZE, SOUND_SND_JACK_INFO_SIZE + 8]) {
    const info = { code: "R_JACK_INFO", startId: 0, size } as const;
    expect(await controlq.submit({ ...info, count: 2 })).toEqual({ code: "S_OK", jacks: JACKS });
    expect(await controlq.submit({ ...info, count: 3 })).toEqual({ code: "S_BAD_MSG" });
  }
  await driver.stop();
});

test("commands are answered by a code, and controls by what they hold", async () => {
  const { driver } = await start();
  const { controlq } = driver;
  expect(await controlq.submit({ code: "R_PCM_START", streamId: 0 })).toEqual({ code: "S_OK" });
  expect(await controlq.submit({ code: "R_PCM_STOP", streamId: 1 })).toEqual({ code: "S_BAD_MSG" });
  expect(await controlq.submit({ code: "R_PCM_PREPARE", streamId: 1 })).toEqual({ code: "S_NOT_SUPP" });
  expect(await controlq.submit({ code: "R_CTL_TLV_READ", controlId: 0, tlv: 64 })).toEqual({
    code: "S_OK",
    tlv: { type: 4, length: 8, value: [1, 2] },
  });
  const integer = Array.from({ length: 128 }, (_, index) => (index === 3 ? 77 : 0));
  expect(await controlq.submit({ code: "R_CTL_WRITE", controlId: 0, value: { value: { integer } } })).toEqual({
    code: "S_OK",
  });
  await driver.stop();
});

test("frames are played and recorded, with a status behind them", async () => {
  const { driver, played } = await start();
  const status = { status: "S_OK", latencyBytes: 0 };
  expect(await driver.txq.submit({ xfer: { streamId: 0 }, frames: Uint8Array.of(1, 2, 3) })).toEqual({ status });
  expect(played).toEqual([1, 2, 3]);
  const recorded = await driver.rxq.submit({ xfer: { streamId: 9 }, frames: 4 });
  expect(recorded).toEqual({ frames: Uint8Array.of(9, 9, 9, 9), status: { ...status, latencyBytes: 16 } });
  await driver.stop();
});
