import { expect, test } from "vitest";
import { FsDevice, FsDriver, type FsNotify } from "../../generated/fs.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { ascii, bytes, textOf, until } from "./turns.js";

const READ = 15;
const FORGET = 2;
const INTERRUPT = 36;

/** `fuse_in_header`: length, opcode, unique number. */
function inHeader(opcode: number, unique: number, argument: Uint8Array): Uint8Array {
  const header = new Uint8Array(40);
  const view = new DataView(header.buffer);
  view.setUint32(0, 40 + argument.length, true);
  view.setUint32(4, opcode, true);
  view.setBigUint64(8, BigInt(unique), true);
  return header;
}

function outHeader(unique: bigint, length: number): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint32(0, 16 + length, true);
  view.setBigUint64(8, unique, true);
  return header;
}

const opcodeOf = (header: Uint8Array): number => new DataView(header.buffer, header.byteOffset).getUint32(4, true);
const uniqueOf = (header: Uint8Array): bigint => new DataView(header.buffer, header.byteOffset).getBigUint64(8, true);

const file = ascii("the contents of a file");

async function start(features: readonly "NOTIFICATION"[]) {
  const urgent: number[] = [];
  const queues: number[] = [];
  const notes: FsNotify[] = [];
  const device = new FsDevice({
    features,
    config: { tag: "shared", numRequestQueues: 2, notifyBufSize: 64 },
    hiprio(request) {
      const opcode = opcodeOf(request.in);
      urgent.push(opcode);
      return request.complete(opcode === FORGET ? {} : { out: outHeader(uniqueOf(request.in), 0) });
    },
    requestQueue(request) {
      queues.push(request.queueIndex);
      expect(opcodeOf(request.in)).toBe(READ);
      const view = new DataView(request.datain.toUint8Array().buffer);
      const part = file.subarray(view.getUint32(0, true), view.getUint32(0, true) + request.dataout.length);
      request.dataout.write(part);
      return request.complete({ out: outHeader(uniqueOf(request.in), part.length) });
    },
  });
  const driver = await FsDriver.start(loopback(device), { features, notificationQueue: (note) => void notes.push(note) });
  return { device, driver, urgent, queues, notes };
}

const from = (offset: number): Uint8Array => bytes(offset, 0, 0, 0);

test.each([[[], 1] as const, [["NOTIFICATION"], 2] as const])("requests, with %j from queue %i on", async (features, first) => {
  const { driver, queues } = await start(features);
  expect(driver.config.tag).toBe("shared");
  const [one, two] = driver.requestQueues;
  const reply = await one?.submit({ in: inHeader(READ, 7, from(4)), datain: from(4), dataout: 8 });
  expect(textOf(reply?.dataout ?? bytes())).toBe("contents");
  expect(uniqueOf(reply?.out ?? bytes())).toBe(7n);
  // Behind the end of the file there are no bytes, which is not the same as no reply.
  const end = await two?.submit({ in: inHeader(READ, 8, from(100)), datain: from(100), dataout: 8 });
  expect(end).toEqual({ out: outHeader(8n, 0), dataout: bytes() });
  expect(queues).toEqual([first, first + 1]);
  await driver.stop();
});

test("a FORGET has no response, an INTERRUPT may have one", async () => {
  const { driver, urgent } = await start([]);
  expect(await driver.hiprio.submit({ in: inHeader(FORGET, 1, bytes()), datain: bytes() })).toEqual({ out: undefined });
  const reply = await driver.hiprio.submit({ in: inHeader(INTERRUPT, 2, bytes()), datain: bytes(), wantsOut: true });
  expect(reply.out).toEqual(outHeader(2n, 0));
  expect(urgent).toEqual([FORGET, INTERRUPT]);
  await driver.stop();
});

test("a notify message fills its buffer", async () => {
  const { device, driver, notes } = await start(["NOTIFICATION"]);
  await until(() => device.notificationQueue.available > 0);
  expect(device.notificationQueue.room).toBe(64);
  expect(device.notificationQueue.send({ outHdr: outHeader(0n, 48), outarg: new Uint8Array(48).fill(3) })).toBe(true);
  await until(() => notes.length > 0);
  expect(notes).toEqual([{ outHdr: outHeader(0n, 48), outarg: new Uint8Array(48).fill(3) }]);
  await driver.stop();
});
