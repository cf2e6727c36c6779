import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../generated/blk.js";
import { CanDevice } from "../../generated/can.js";
import { CryptoDevice } from "../../generated/crypto.js";
import { FsDevice } from "../../generated/fs.js";
import { GpioDevice } from "../../generated/gpio.js";
import { GpuDevice } from "../../generated/gpu.js";
import { I2cDevice } from "../../generated/i2c.js";
import { IommuDevice } from "../../generated/iommu.js";
import { MediaDevice } from "../../generated/media.js";
import { MemDevice } from "../../generated/mem.js";
import { NetDevice } from "../../generated/net.js";
import { PmemDevice } from "../../generated/pmem.js";
import { RpmbDevice } from "../../generated/rpmb.js";
import { RtcDevice } from "../../generated/rtc.js";
import { ScmiDevice } from "../../generated/scmi.js";
import { ScsiDevice } from "../../generated/scsi.js";
import { SoundDevice } from "../../generated/sound.js";
import { SpiDevice } from "../../generated/spi.js";
import { compile } from "../../src/compiler/compile.js";
import type { VirtioDevice } from "../../src/runtime/index.js";
import { RawDriver } from "../runtime/fixtures/raw-driver.js";

/** What a handler sees of every request. */
interface AnyRequest {
  readonly writable: { readonly length: number; fill(value: number, at?: number, length?: number): unknown };
}
type Failing = (request: AnyRequest) => Promise<never>;
type Answer = readonly [written: number, bytes: string];

/** A request, and what is in the device-writable part after the handler has failed; `5b` is what that has written before. */
interface Case {
  readonly kind: string;
  /** In hexadecimal digits, with spaces and `..` for zeros up to the length of the request. */
  readonly request: string;
  readonly room: number;
  readonly answer: Answer;
}
interface Queue {
  readonly device: string;
  readonly queue: string;
  readonly index: number;
  readonly make: (fail: Failing) => VirtioDevice;
  readonly features?: readonly number[];
  readonly cases: readonly Case[];
}

const scsi = (fail: Failing) =>
  new ScsiDevice({
    features: [],
    config: { numQueues: 1, segMax: 126, maxSectors: 1, cmdPerLun: 1, eventInfoSize: 16, maxChannel: 0, maxTarget: 0, maxLun: 0 },
    controlq: fail,
    requestQueue: fail,
  });
const crypto = (fail: Failing) =>
  new CryptoDevice({
    features: [],
    config: { status: 1, maxDataqueues: 1, cryptoServices: 2, cipherAlgoL: 0, cipherAlgoH: 0, hashAlgo: 16, macAlgoL: 0, macAlgoH: 0, aeadAlgo: 0, maxCipherKeyLen: 0, maxAuthKeyLen: 0, maxSize: 4096n, akcipherAlgo: 0 },
    dataq: fail,
    controlq: fail,
  });
const gpu = (fail: Failing) => new GpuDevice({ config: { eventsRead: 0, numScanouts: 1, numCapsets: 0, blobAlignment: 4096 }, controlq: fail, cursorq: fail });
const fs = (fail: Failing) => new FsDevice({ config: { tag: "it", numRequestQueues: 1 }, hiprio: fail, requestQueue: fail });
const gpio = (fail: Failing) => new GpioDevice({ features: ["IRQ"], config: { ngpio: 2, gpioNamesSize: 4 }, requestq: fail, eventq: fail });
const can = (fail: Failing) => new CanDevice({ features: ["CAN_CLASSIC"], config: { status: 0 }, txq: fail, controlq: fail });
const sound = (fail: Failing) =>
  new SoundDevice({ features: [], config: { jacks: 1, streams: 1, chmaps: 0, controls: 0 }, controlq: fail, txq: fail, rxq: fail });

/** A frame of RPMB with this type. */
function frame(type: number): string {
  return "00".repeat(510) + type.toString(16).padStart(4, "0");
}

const queues: readonly Queue[] = [
  {
    device: "blk",
    queue: "requestq",
    index: 0,
    make: (fail) => new BlkDevice({ config: { capacity: 8n }, requestq: fail }),
    cases: [
      { kind: "IN", request: "00 .. 16", room: 9, answer: [9, "0000000000000000 01"] },
      { kind: "OUT", request: "01 .. 528", room: 1, answer: [1, "01"] },
      { kind: "GET_ID", request: "08 .. 16", room: 21, answer: [21, "00".repeat(20) + "01"] },
      { kind: "no known type", request: "77 .. 16", room: 3, answer: [3, "0000 01"] },
    ],
  },
  {
    device: "scsi",
    queue: "controlq",
    index: 0,
    make: scsi,
    cases: [
      { kind: "TMF", request: "00000000 01 .. 24", room: 1, answer: [1, "09"] },
      { kind: "AN_QUERY", request: "01 .. 16", room: 5, answer: [5, "00000000 09"] },
      { kind: "no known type", request: "77 .. 16", room: 5, answer: [0, "5b5b5b5b5b"] },
    ],
  },
  {
    device: "scsi",
    queue: "request_queue",
    index: 2,
    make: scsi,
    cases: [
      { kind: "a command", request: "01 .. 51", room: 12 + 96 + 4, answer: [12, "0000000000000000 0000 00 09" + "5b".repeat(100)] },
    ],
  },
  {
    device: "crypto",
    queue: "dataq",
    index: 0,
    make: crypto,
    cases: [
      { kind: "HASH", request: "00010000" + "00".repeat(20) + "00000000 04000000 .. 72", room: 5, answer: [5, "00000000 01"] },
      { kind: "no known opcode", request: "77 .. 72", room: 5, answer: [5, "00000000 01"] },
    ],
  },
  {
    device: "crypto",
    queue: "controlq",
    index: 1,
    make: crypto,
    cases: [
      { kind: "HASH_CREATE_SESSION", request: "02010000 .. 72", room: 16, answer: [16, "0000000000000000 01000000 00000000"] },
      { kind: "HASH_DESTROY_SESSION", request: "03010000 .. 72", room: 1, answer: [1, "01"] },
    ],
  },
  {
    device: "gpu",
    queue: "controlq",
    index: 0,
    make: gpu,
    cases: [
      {
        kind: "GET_DISPLAY_INFO with a fence",
        request: "00010000 03000000 1122334455667788 07000000 .. 24",
        room: 408,
        answer: [24, "00120000 01000000 1122334455667788 0000000000000000" + "5b".repeat(384)],
      },
      { kind: "no known type", request: "77 .. 24", room: 24, answer: [24, "00120000 .. 24"] },
    ],
  },
  {
    device: "gpu",
    queue: "cursorq",
    index: 1,
    make: gpu,
    cases: [{ kind: "MOVE_CURSOR", request: "01030000 .. 56", room: 24, answer: [24, "00120000 .. 24"] }],
  },
  {
    device: "fs",
    queue: "hiprio",
    index: 0,
    make: fs,
    cases: [
      { kind: "INTERRUPT", request: "30000000 24000000 1122334455667788 .. 48", room: 16, answer: [16, "10000000 fbffffff 1122334455667788"] },
    ],
  },
  {
    device: "fs",
    queue: "request_queue",
    index: 1,
    make: fs,
    cases: [
      { kind: "READ", request: "50000000 0f000000 1122334455667788 .. 80", room: 20, answer: [16, "10000000 fbffffff 1122334455667788 5b5b5b5b"] },
    ],
  },
  {
    device: "scmi",
    queue: "cmdq",
    index: 0,
    make: (fail) => new ScmiDevice({ cmdq: fail }),
    cases: [{ kind: "a command", request: "01400400", room: 12, answer: [8, "01400400 f8ffffff 5b5b5b5b"] }],
  },
  {
    device: "gpio",
    queue: "requestq",
    index: 0,
    make: gpio,
    cases: [
      { kind: "GET_VALUE", request: "0400 .. 8", room: 2, answer: [1, "01 5b"] },
      { kind: "SET_VALUE", request: "0500 .. 8", room: 2, answer: [2, "01 00"] },
    ],
  },
  {
    device: "gpio",
    queue: "eventq",
    index: 1,
    make: gpio,
    features: [0],
    cases: [{ kind: "a line", request: "0100", room: 1, answer: [1, "00"] }],
  },
  {
    device: "can",
    queue: "txq",
    index: 0,
    make: can,
    features: [0],
    cases: [{ kind: "TX", request: "0100 .. 16", room: 1, answer: [1, "01"] }],
  },
  {
    device: "can",
    queue: "controlq",
    index: 2,
    make: can,
    features: [0],
    cases: [{ kind: "SET_CTRL_MODE_START", request: "0102", room: 1, answer: [1, "01"] }],
  },
  {
    device: "i2c",
    queue: "requestq",
    index: 0,
    make: (fail) => new I2cDevice({ requestq: fail }),
    features: [0],
    cases: [
      { kind: "a read", request: "a000 0000 02000000", room: 3, answer: [3, "0000 01"] },
      { kind: "a write", request: "a000 0000 00000000 55", room: 1, answer: [1, "01"] },
    ],
  },
  {
    device: "iommu",
    queue: "requestq",
    index: 0,
    make: (fail) => new IommuDevice({ features: ["PROBE"], config: { pageSizeMask: 0x1000n, probeSize: 8 }, requestq: fail }),
    features: [4],
    cases: [
      { kind: "ATTACH", request: "01 .. 20", room: 4, answer: [4, "03000000"] },
      { kind: "PROBE", request: "05 .. 72", room: 12, answer: [12, "0000000000000000 03000000"] },
    ],
  },
  {
    device: "media",
    queue: "commandq",
    index: 0,
    make: (fail) => new MediaDevice({ config: { deviceCaps: 1, deviceType: 0, card: "none" }, commandq: fail }),
    cases: [
      { kind: "OPEN", request: "01 .. 8", room: 16, answer: [8, "05000000 00000000 5b5b5b5b5b5b5b5b"] },
      { kind: "IOCTL", request: "03 .. 16", room: 8, answer: [8, "05000000 00000000"] },
      { kind: "CLOSE, which has no answer", request: "02 .. 16", room: 1, answer: [0, "5b"] },
    ],
  },
  {
    device: "mem",
    queue: "guest_request",
    index: 0,
    make: (fail) =>
      new MemDevice({
        config: { blockSize: 4096n, nodeId: 0, addr: 0n, regionSize: 8192n, usableRegionSize: 8192n, pluggedSize: 0n, requestedSize: 0n },
        guestRequest: fail,
      }),
    cases: [
      { kind: "PLUG", request: "00 .. 24", room: 10, answer: [10, "03 .. 10"] },
      { kind: "STATE", request: "03 .. 24", room: 10, answer: [10, "03 .. 10"] },
    ],
  },
  {
    device: "net",
    queue: "controlq",
    index: 2,
    make: (fail) => new NetDevice({ features: ["CTRL_VQ", "CTRL_RX"], config: {}, transmitq: () => undefined, controlq: fail }),
    features: [17, 18],
    cases: [
      { kind: "PROMISC", request: "00 00 01", room: 1, answer: [1, "01"] },
      { kind: "no known class", request: "77 00", room: 1, answer: [1, "01"] },
    ],
  },
  {
    device: "pmem",
    queue: "req_vq",
    index: 0,
    make: (fail) => new PmemDevice({ config: { start: 0n, size: 4096n }, reqVq: fail }),
    cases: [{ kind: "FLUSH", request: "00000000", room: 4, answer: [4, "ffffffff"] }],
  },
  {
    device: "rpmb",
    queue: "requestq",
    index: 0,
    make: (fail) => new RpmbDevice({ config: { capacity: 1, maxWrCnt: 4, maxRdCnt: 4 }, requestq: fail }),
    cases: [
      { kind: "GET_WRITE_COUNTER", request: frame(2), room: 512, answer: [512, "00".repeat(508) + "0001 0200"] },
      { kind: "PROGRAM_KEY with RESULT_READ", request: frame(1) + frame(5), room: 512, answer: [512, "00".repeat(508) + "0001 0100"] },
      { kind: "DATA_READ", request: frame(4), room: 1024, answer: [512, "00".repeat(508) + "0006 0400" + "5b".repeat(512)] },
    ],
  },
  {
    device: "rtc",
    queue: "requestq",
    index: 0,
    make: (fail) => new RtcDevice({ features: [], requestq: fail }),
    cases: [{ kind: "CFG", request: "0010 .. 8", room: 16, answer: [8, "0500000000000000" + "5b".repeat(8)] }],
  },
  {
    device: "sound",
    queue: "controlq",
    index: 0,
    make: sound,
    cases: [
      { kind: "JACK_INFO", request: "01 .. 16", room: 8, answer: [4, "03800000 5b5b5b5b"] },
      { kind: "no known code", request: "77 .. 8", room: 4, answer: [4, "03800000"] },
    ],
  },
  {
    device: "sound",
    queue: "txq",
    index: 2,
    make: sound,
    cases: [{ kind: "frames", request: "00000000 5555", room: 8, answer: [8, "03800000 00000000"] }],
  },
  {
    device: "sound",
    queue: "rxq",
    index: 3,
    make: sound,
    cases: [{ kind: "room for frames", request: "00000000", room: 12, answer: [12, "00000000 03800000 00000000"] }],
  },
  {
    device: "spi",
    queue: "requestq",
    index: 0,
    make: (fail) =>
      new SpiDevice({
        config: {
          csMaxNumber: 1,
          csChangeSupported: 0,
          txNbitsSupported: { dual: false, quad: false, octal: false },
          rxNbitsSupported: { dual: false, quad: false, octal: false },
          bitsPerWordMask: 1 << 7,
          modeFuncSupported: { cpha: 3, cpol: 1, csHigh: true, lsbFirst: false, loop: true },
          maxFreqHz: 0,
          maxWordDelayNs: 0,
          maxCsSetupNs: 0,
          maxCsHoldNs: 0,
          maxCsInactiveNs: 0,
        },
        requestq: fail,
      }),
    cases: [{ kind: "a transfer", request: "00 .. 34", room: 3, answer: [3, "0000 02"] }],
  },
];

/** Where no answer can say that the device failed. */
const silent = new Map([
  ["balloon free_page_vq", "the buffer is the memory that is given away"],
  ["balloon reporting_vq", "the same"],
  ["entropy requestq", "no bytes are no bytes"],
]);

function bytesOf(text: string): Uint8Array {
  const [digits = "", length = ""] = text.replaceAll(" ", "").split("..");
  const known = Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const bytes = new Uint8Array(length === "" ? known.length : Number(length));
  bytes.set(known);
  return bytes;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

async function answerTo(queue: Queue, { request, room }: Case, isLate: boolean): Promise<Answer> {
  const errors: Error[] = [];
  // What the handler has written before is not what the driver gets.
  const device = queue.make(async ({ writable }) => {
    writable.fill(0x5b, 0, writable.length);
    if (isLate) await new Promise((resolve) => setTimeout(resolve, 1));
    throw new Error("no");
  });
  device.onProtocolError = (error) => errors.push(error);
  const raw = new RawDriver(device);
  raw.negotiate(queue.features);
  const ring = raw.queue(queue.index);
  raw.ready();
  const out = bytesOf(request);
  const answer = raw.write(new Uint8Array(room));
  ring.begin();
  if (out.length > 0) ring.addReadable(raw.write(out), out.length);
  ring.addWritable(answer, room);
  ring.end();
  ring.kick();
  for (let turns = 0; turns < 100 && errors.length === 0; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(errors.map(({ message }) => message)).toEqual([`handler of queue ${queue.index}: no`]);
  expect(ring.poll()).toBeGreaterThanOrEqual(0);
  return [ring.lastWritten, hex(raw.read(answer, room))];
}

describe.each(queues)("$device $queue, whose handler fails", (queue) => {
  it.each(queue.cases)("answers $kind with what the chapter has for it", async (each) => {
    const [written, bytes] = each.answer;
    const expected = [written, hex(bytesOf(bytes))];
    expect(await answerTo(queue, each, false)).toEqual(expected);
    expect(await answerTo(queue, each, true)).toEqual(expected);
  });
});

it("is said for every request that the device answers", () => {
  const folder = new URL("../../dsl/", import.meta.url);
  const sources = readdirSync(folder).map((name) => ({ name, text: readFileSync(new URL(name, folder), "utf8") }));
  const { model } = compile(sources);
  const answered = (model?.devices ?? []).flatMap((device) =>
    device.queues.flatMap(({ name, message }) => {
      const request = device.requests.find((each) => each.name === message);
      const isAnswered = request?.variants.some(({ replies }) => replies.some(({ writable }) => writable.length > 0));
      return isAnswered === true ? [`${device.name} ${name}`] : [];
    }),
  );
  const told = queues.map(({ device, queue }) => `${device} ${queue}`);
  expect(answered.sort()).toEqual([...told, ...silent.keys()].sort());
});
