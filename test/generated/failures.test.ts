import { describe, expect, it } from "vitest";
import { BlkDevice } from "../../generated/blk.js";
import { ScsiDevice } from "../../generated/scsi.js";
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
    queue: "requestQueue",
    index: 2,
    make: scsi,
    cases: [
      { kind: "a command", request: "01 .. 51", room: 12 + 96 + 4, answer: [12, "0000000000000000 0000 00 09" + "5b".repeat(100)] },
    ],
  },
];

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
