import { describe, expect, it } from "vitest";
import type { StructModel } from "../../src/model/device-model.js";
import { withoutMessageStructs } from "../../src/model/message-structs.js";
import { compile, deviceOf, findings } from "./inline.js";

const inDevice = (body: string): readonly string[] => findings(`device demo = 42 {\n${body}\n}`);

function struct(body: string, specName: string): StructModel {
  const found = deviceOf(body).structs.find((candidate) => candidate.specName === specName);
  if (!found) throw new Error(`no struct ${specName}`);
  return found;
}

const places = ({ fields }: StructModel): readonly string[] =>
  fields.map(({ specName, offset, size }) => `${specName} ${String(offset ?? "?")} ${String(size ?? "*")}`);

const kinds = "enum Kind : u8 { GET = 1; SET = 2; }\nenum Status : u8 { OK = 0; ERR = 1; }\n";

describe("structs of messages", () => {
  it("put what is written behind what is read", () => {
    const body = "request R as virtio_demo_req { readable { le32 a; le64 b; } writable { u8 status; } }";
    const found = struct(body, "virtio_demo_req");
    expect(places(found)).toEqual(["a 0 4", "b 4 8", "status 12 1"]);
    expect([found.size, found.message]).toEqual([13, { request: "R", variants: ["R"], streams: "both" }]);
  });

  it("are not made for names that nobody gave", () => {
    expect(deviceOf("request R { readable { le32 a; } }").structs).toEqual([]);
  });

  it("end where the block ends that has the name", () => {
    const body = "request R { readable as virtio_demo_cmd { le32 code; } readable { u8 payload[]; } }";
    expect(struct(body, "virtio_demo_cmd").size).toBe(4);
  });

  it("of a variant whose reply has a name are what is read", () => {
    const body = `${kinds}request R {
      readable { Kind kind; }
      match kind {
        GET as virtio_demo_get => {
          readable { le16 item; }
          writable { Status status; }
          match status { OK as virtio_demo_got => writable { le32 value; } }
        }
        default => {}
      }
    }`;
    expect(places(struct(body, "virtio_demo_get"))).toEqual(["kind 0 1", "item 1 2"]);
    expect(places(struct(body, "virtio_demo_got"))).toEqual(["status 0 1", "value 1 4"]);
  });

  it("leave a struct alone that is declared under the name", () => {
    const body = "struct virtio_demo_req { le32 a; }\nrequest R { readable as virtio_demo_req { virtio_demo_req r; } }";
    expect(struct(body, "virtio_demo_req").message).toBeNull();
    expect(deviceOf(body).structs).toHaveLength(1);
  });

  it("lie where all variants have them", () => {
    const body = `${kinds}request R as virtio_demo_req {
      readable { Kind kind; }
      match kind { GET => readable { le32 a; le32 c; } SET => readable { le16 b; le32 c; } }
      writable { Status status; }
    }`;
    const found = struct(body, "virtio_demo_req");
    expect(places(found)).toEqual(["kind 0 1", "a 1 4", "b 1 2", "c ? 4", "status ? 1"]);
    expect(found.size).toBeNull();
    expect(found.fields.map(({ overlaps }) => overlaps)).toEqual([false, true, true, false, false]);
  });

  it("can be taken away", () => {
    const { model } = compile("device demo = 42 { request R as virtio_demo_req { readable { le32 a; } } }");
    expect(model.devices[0]?.structs).toHaveLength(1);
    expect(withoutMessageStructs(model).devices[0]?.structs).toEqual([]);
  });
});

describe("streams", () => {
  it("a match looks at what is written first, once something is", () => {
    const body = `${kinds}request R {
      readable { Kind type; }
      match type { GET => {} SET => {} }
      writable { Status type; }
      match type { OK => writable { le32 value; } }
    }`;
    const [variant] = deviceOf(body).requests[0]?.variants ?? [];
    expect(variant?.tags.map(({ patterns }) => patterns[0]?.name)).toEqual(["GET"]);
    expect(variant?.replies.map(({ name }) => name)).toEqual(["Ok", "Other"]);
  });

  it("an optional part is an array of the rest", () => {
    const [variant] = deviceOf("request R { readable { u8 a; optional le32 b; u8 c; } }").requests[0]?.variants ?? [];
    expect(variant?.readable.map(({ optional, size, fromEnd }) => [optional, size, fromEnd])).toEqual([
      [false, 1, null],
      [true, null, null],
      [false, 1, 1],
    ]);
  });

  it.each([
    ["request R { readable { checked le32 a; } }", "clause-not-here@2"],
    ["config { optional u8 a; }", "clause-not-here@2"],
    ["request R { readable { optional u8 a[]; } }", "varying-size@2"],
    ["request R { readable { optional u8 a; optional u8 b; } }", "two-rest-parts@2"],
    ["request R { readable since 1.2 { u8 a; } }", "clause-not-here@2"],
    ["config window missing { rw u8 a; }", "unknown-name@2"],
    ["config window a { u8 a; u8 b; }", "wrong-kind@2"],
    ["struct S window a { u8 a; }", "clause-not-here@2"],
    [
      `${kinds}struct S { match tag { GET => { u8 n; } default => {} } u sized 4; Kind tag; u8 a[u.m]; }`,
      "unknown-name@4",
    ],
    ["request R { struct S { writable { u8 a; } readable { u8 b; } } s; }", "readable-after-writable@2"],
  ])("%s", (body, expected) => {
    expect(inDevice(body)).toEqual([expected]);
  });
});
