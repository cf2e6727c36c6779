import { afterAll, describe, expect, it } from "vitest";
import { build } from "../../src/compiler/build.js";
import { VirtioDevice } from "../../src/runtime/index.js";
import { classOf } from "../generated/message-pair.js";
import { RawDriver } from "../runtime/fixtures/raw-driver.js";
import { LoadedModules } from "./generated.js";

/* What generated devices answer whose handlers fail, for definitions that no chapter has. */

const modules = new LoadedModules();
afterAll(() => modules.remove());

const common = `enum Status : u8 { OK = 0; IOERR = 1; }
enum Kind : u8 { READ = 1; WRITE = 2; FLUSH = 3; }
queues { q : request R; }`;

let made = 0;

/** A device with a handler that throws, and a way to ask it. `shared` stands outside of the device. */
async function failing(body: string, shared = ""): Promise<(request: string, room: number) => Promise<Answer>> {
  const name = `failing${made++}.virtio`;
  const text = `${shared}\ndevice failing = 42 {\n${common}\n${body}\n}`;
  const result = await build([{ name, text }], { emit: ["ts"] });
  const module = Object(await modules.load({ name, text, result })) as object;
  return (request, room) => answerOf(module, request, room);
}

interface Answer {
  readonly written: number;
  /** What is in the device-writable part, which the handler has filled with `5b`. */
  readonly bytes: string;
  readonly errors: readonly string[];
}

async function answerOf(module: object, request: string, room: number): Promise<Answer> {
  const errors: string[] = [];
  const q = ({ writable }: { writable: { length: number; fill(value: number, at: number, length: number): void } }) => {
    writable.fill(0x5b, 0, writable.length);
    throw new Error("no");
  };
  const device: unknown = Reflect.construct(classOf(module, "FailingDevice"), [{ features: [], q }]);
  if (!(device instanceof VirtioDevice)) throw new Error("no device");
  device.onProtocolError = (error) => errors.push(error.message);
  const raw = new RawDriver(device);
  raw.negotiate([]);
  const ring = raw.queue(0);
  raw.ready();
  const out = Buffer.from(request.replaceAll(" ", ""), "hex");
  const answer = raw.write(new Uint8Array(room));
  ring.begin();
  if (out.length > 0) ring.addReadable(raw.write(out), out.length);
  ring.addWritable(answer, room);
  ring.end();
  ring.kick();
  for (let turns = 0; turns < 1000 && errors.length === 0; turns++) await new Promise((done) => setTimeout(done, 1));
  expect(ring.poll()).toBeGreaterThanOrEqual(0);
  return { written: ring.lastWritten, bytes: Buffer.from(raw.read(answer, room)).toString("hex"), errors };
}

const handlerFailed = ["handler of queue 0: no"];

describe("a device whose handler fails", () => {
  it("answers what the end of an answer has, whose last integer is divided into bits", async () => {
    const ask = await failing(`request R { writable { u8 data[]; Status status; le16 a : 4; le16 b : 12; } }
      answers R { failed status = IOERR; }`);
    expect(await ask("", 5)).toEqual({ written: 5, bytes: "0000010000", errors: handlerFailed });
  });

  it("answers what is in a struct in an external type, neither of which is the device's", async () => {
    const ask = await failing(
      `request R { readable { Outer in; } writable { Outer out; } }
      answers R { failed out.inner.code = 5; failed out.first = in.inner.code; }`,
      `struct Inner { le16 code; le16 more; } external Outer sized 8 { le16 first; Inner inner; }`,
    );
    const bytes = "4433 0500 00000000".replaceAll(" ", "");
    expect(await ask("1111 4433 0000 0000", 8)).toEqual({ written: 8, bytes, errors: handlerFailed });
  });
});
