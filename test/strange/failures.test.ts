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

  it("repeats the low bytes of a longer number, and the sign of a shorter one", async () => {
    const ask = await failing(`request R {
        readable { le64 unique; le16<signed> small; u8<signed> tiny; le64<signed> large; }
        writable { le32 low; be64 minus; le32 tiny; le16 large; }
      } answers R {
        failed low = unique; failed minus = small; failed tiny = tiny; failed large = large;
      }`);
    const bytes = "98badcfe fffffffffffffffe fdffffff fcff".replaceAll(" ", "");
    const answer = { written: 18, bytes, errors: handlerFailed };
    expect(await ask("98badcfeffffffff feff fd fcffffffffffffff", 18)).toEqual(answer);
  });

  it("works with all the bits of what it is made of", async () => {
    const ask = await failing(`request R {
        readable { le32 a; le32 b; le16<signed> small; }
        writable { le64 product; le32 low; le32 less; u8 is_large; }
      } answers R {
        failed product = a * b; failed low = a * b + 1; failed less = small - 1; failed is_large = a > b ? 2 : 3;
      }`);
    const bytes = "01000000feffffff 02000000 fdffffff 03".replaceAll(" ", "");
    expect(await ask("ffffffff ffffffff feff", 17)).toEqual({ written: 17, bytes, errors: handlerFailed });
  });

  it("does not stumble over a shift by what the driver chose", async () => {
    const ask = await failing(`request R {
        readable { le32 a; le32 by; le64 large; }
        writable { le64 first; le64 second; le64 third; }
      } answers R { failed first = a << by; failed second = large << by; failed third = large >> by; }`);
    const many = { written: 24, bytes: "00".repeat(24), errors: handlerFailed };
    expect(await ask("01000000 ffffffff ffffffffffffffff", 24)).toEqual(many);
    expect(await ask("00000000 00040000 ffffffffffffffff", 24)).toEqual(many);
    const few = "1000000000000000 f0ffffffffffffff ffffffffffffff0f".replaceAll(" ", "");
    expect(await ask("01000000 04000000 ffffffffffffffff", 24)).toEqual({ ...many, bytes: few });
  });

  it("writes nothing for what no kind of request describes, unless a rule is for that, too", async () => {
    const ask = await failing(`request R {
        readable { Kind kind; }
        match kind {
          READ => writable { Status status; }
          WRITE => writable { Status status; le32 more; }
        }
      } answers R { failed status = IOERR; }`);
    expect(await ask("01", 5)).toEqual({ written: 1, bytes: "015b5b5b5b", errors: handlerFailed });
    expect(await ask("09", 5)).toEqual({ written: 0, bytes: "5b5b5b5b5b", errors: handlerFailed });
  });

  it("writes nothing for it where only some of what is not described has a failure", async () => {
    const ask = await failing(`request R {
        readable { Kind kind; }
        match kind {
          READ => {
            readable { u8 sub; }
            match sub { 1 => writable { le16 n; } }
            writable { Status status; }
          }
          WRITE => writable { Status status; }
        }
      } answers R { failed status = IOERR; }`);
    expect(await ask("0101", 4)).toEqual({ written: 4, bytes: "00000001", errors: handlerFailed });
    expect(await ask("0900", 4)).toEqual({ written: 0, bytes: "5b5b5b5b", errors: handlerFailed });
  });
});
