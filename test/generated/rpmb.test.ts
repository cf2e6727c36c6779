import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import {
  RpmbDevice,
  RpmbDriver,
  RPMB_FRAME_SIZE,
  writeRpmbFrame,
  type RpmbFrame,
  type RpmbFrameType,
  type RpmbRequest,
  type RpmbResult,
} from "../../generated/rpmb.js";
import { ByteWriter } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const BLOCK = 256;
const KEY = Uint8Array.from({ length: 32 }, (_, index) => index * 7);
const NONCE = Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index);
const block = (value: number): Uint8Array => new Uint8Array(BLOCK).fill(value);

/** The MAC of frames: HMAC SHA-256 of each one from `data` up to its end. */
function macOf(key: Uint8Array, frames: readonly RpmbFrame[]): Uint8Array {
  const hmac = createHmac("sha256", key);
  for (const frame of frames) {
    const bytes = new Uint8Array(RPMB_FRAME_SIZE);
    const writer = new ByteWriter(bytes);
    writeRpmbFrame(writer, frame);
    expect(writer.error).toBeUndefined();
    hmac.update(bytes.subarray(228));
  }
  return new Uint8Array(hmac.digest());
}

const BLANK: RpmbFrame = {
  keyMac: new Uint8Array(32),
  data: new Uint8Array(BLOCK),
  nonce: new Uint8Array(16),
  writeCounter: 0,
  address: 0,
  blockCount: 1,
  result: "OK",
  reqResp: 0,
};

/** Storage as the chapter describes it: a key that can be set once, a counter, MACs both ways. */
class Storage {
  readonly blocks = new Uint8Array(512 * BLOCK);
  #key: Uint8Array | undefined;
  #counter = 0;
  #last: RpmbFrame = BLANK;

  serve(request: RpmbRequest) {
    switch (request.reqResp) {
      case "REQ_PROGRAM_KEY": {
        const isNew = this.#key === undefined;
        if (isNew) this.#key = request.keyMac;
        this.#last = this.#signed({ reqResp: "RESP_PROGRAM_KEY", result: isNew ? "OK" : "WRITE_FAILURE" });
        return request.complete({ result: request.resultRead && this.#last });
      }
      case "REQ_GET_WRITE_COUNTER":
        return request.complete({
          response: this.#signed({
            reqResp: "RESP_GET_COUNTER",
            nonce: request.nonce,
            writeCounter: this.#counter,
            result: this.#key === undefined ? "NO_AUTH_KEY" : "OK",
          }),
        });
      case "REQ_DATA_WRITE": {
        // A request has the members of its first frame.
        const frames: readonly RpmbFrame[] = [request, ...request.frames];
        const result = this.#write(request, frames);
        this.#last = this.#signed({
          reqResp: "RESP_DATA_WRITE",
          address: request.address,
          writeCounter: this.#counter,
          result,
        });
        return request.complete({ result: request.resultRead && this.#last });
      }
      case "REQ_DATA_READ": {
        const end = request.address + request.blockCount;
        const common: Partial<RpmbFrame> = { reqResp: "RESP_DATA_READ", nonce: request.nonce };
        if (end * BLOCK > this.blocks.length)
          return request.complete({ frames: [this.#signed({ ...common, result: "ADDR_FAILURE" })] });
        const frames: RpmbFrame[] = [];
        for (let at = request.address; at < end; at++) {
          const data = this.blocks.slice(at * BLOCK, (at + 1) * BLOCK);
          frames.push({ ...BLANK, ...common, data, address: at, blockCount: request.blockCount });
        }
        const last = frames.at(-1);
        if (last !== undefined) frames[frames.length - 1] = { ...last, keyMac: macOf(this.#key ?? KEY, frames) };
        return request.complete({ frames });
      }
      case "REQ_RESULT_READ":
        return request.complete({ response: this.#last });
      default:
        return request.complete();
    }
  }

  #write(first: RpmbFrame, frames: readonly RpmbFrame[]): RpmbResult {
    if (this.#key === undefined) return "NO_AUTH_KEY";
    const last = frames.at(-1);
    const mac = macOf(this.#key, frames);
    if (last === undefined || !Buffer.from(mac).equals(Buffer.from(last.keyMac))) return "AUTH_FAILURE";
    if (first.writeCounter !== this.#counter) return "COUNT_FAILURE";
    frames.forEach((frame, index) => this.blocks.set(frame.data, (first.address + index) * BLOCK));
    this.#counter++;
    return "OK";
  }

  #signed(fields: Partial<RpmbFrame>): RpmbFrame {
    const frame = { ...BLANK, ...fields };
    return this.#key === undefined ? frame : { ...frame, keyMac: macOf(this.#key, [frame]) };
  }
}

async function start() {
  const storage = new Storage();
  const errors: Error[] = [];
  const device = new RpmbDevice({
    config: { capacity: 1, maxWrCnt: 4, maxRdCnt: 4 },
    requestq: (request) => storage.serve(request),
    onProtocolError: (error) => errors.push(error),
  });
  return { storage, errors, driver: await RpmbDriver.start(loopback(device)) };
}

const resultRead: RpmbFrame = { ...BLANK, reqResp: "REQ_RESULT_READ" };

test("a key is programmed once, and blocks are written and read with it", async () => {
  const { storage, driver, errors } = await start();
  const { requestq } = driver;
  expect((await requestq.submit({ reqResp: "REQ_GET_WRITE_COUNTER", nonce: NONCE })).response).toMatchObject({
    result: "NO_AUTH_KEY",
    nonce: NONCE,
  });
  const program = { reqResp: "REQ_PROGRAM_KEY", keyMac: KEY, resultRead, wantsResult: true } as const;
  expect((await requestq.submit(program)).result).toMatchObject({ reqResp: "RESP_PROGRAM_KEY", result: "OK" });
  expect((await requestq.submit(program)).result).toMatchObject({ result: "WRITE_FAILURE" });

  // Three blocks in one request: the MAC is over all frames, and stands in the last one.
  const frames = [1, 2, 3].map(
    (value): RpmbFrame => ({ ...BLANK, data: block(value), address: 5, blockCount: 3, reqResp: "REQ_DATA_WRITE" }),
  );
  const [first, second, third] = frames;
  if (first === undefined || second === undefined || third === undefined) throw new Error("there are three");
  const signed = { ...third, keyMac: macOf(KEY, frames) };
  const write = { ...first, reqResp: "REQ_DATA_WRITE", frames: [second, signed], resultRead } as const;
  const written = await requestq.submit({ ...write, wantsResult: true });
  expect(written.result).toMatchObject({ reqResp: "RESP_DATA_WRITE", result: "OK", writeCounter: 1, address: 5 });
  expect(storage.blocks.subarray(4 * BLOCK, 8 * BLOCK)).toEqual(
    Uint8Array.from([...block(0), ...block(1), ...block(2), ...block(3)]),
  );

  // The same once more is a replay.
  expect((await requestq.submit({ ...write, wantsResult: true })).result).toMatchObject({ result: "COUNT_FAILURE" });
  // Its result can be asked for later, too.
  expect((await requestq.submit({ reqResp: "REQ_RESULT_READ" })).response).toMatchObject({ result: "COUNT_FAILURE" });

  const read = await requestq.submit({
    reqResp: "REQ_DATA_READ",
    nonce: NONCE,
    address: 5,
    blockCount: 3,
    frames: 3 * RPMB_FRAME_SIZE,
  });
  expect(read.frames.map(({ data, nonce }) => [data[0], nonce])).toEqual([1, 2, 3].map((value) => [value, NONCE]));
  const last = read.frames.at(-1);
  if (last === undefined) throw new Error("there is no last frame");
  const unsigned = read.frames.map((frame) => (frame === last ? { ...frame, keyMac: new Uint8Array(32) } : frame));
  expect(last.keyMac).toEqual(macOf(KEY, unsigned));
  expect(errors).toEqual([]);
  await driver.stop();
});

test("a refusal is one frame, and what is not asked for is not written", async () => {
  const { driver } = await start();
  const refused = await driver.requestq.submit({
    reqResp: "REQ_DATA_READ",
    address: 511,
    blockCount: 2,
    frames: 2 * RPMB_FRAME_SIZE,
  });
  expect(refused.frames.map(({ result }) => result)).toEqual(["ADDR_FAILURE"]);
  expect(await driver.requestq.submit({ reqResp: "REQ_PROGRAM_KEY", keyMac: KEY })).toEqual({});
  await driver.stop();
});

test("numbers are big-endian, in the place that the chapter gives", () => {
  const bytes = new Uint8Array(RPMB_FRAME_SIZE);
  const type: RpmbFrameType = "REQ_DATA_WRITE";
  writeRpmbFrame(new ByteWriter(bytes), { ...BLANK, writeCounter: 0x01020304, blockCount: 0x0506, reqResp: type });
  expect([...bytes.subarray(500)]).toEqual([1, 2, 3, 4, 0, 0, 5, 6, 0, 0, 0, 3]);
});
