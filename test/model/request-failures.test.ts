import { describe, expect, it } from "vitest";
import { failureAnswers, typesIn, type FailureAnswer } from "../../src/model/request-failures.js";
import { compile } from "./inline.js";

/** What each kind of the first request answers when the device fails. */
function failuresOf(body: string): Readonly<Record<string, FailureAnswer>> {
  const text = `enum Status : u8 { OK = 0; BAD = 7; WORSE = 3; }\n${body}\nqueues { q : request R; }`;
  const { model, found: problems } = compile(`device demo = 42 {\n${text}\n}`);
  const wrong = problems.find(({ severity }) => severity === "error");
  if (wrong) throw new Error(`${wrong.code}: ${wrong.message}`);
  const [device] = model.devices;
  const [request] = device?.requests ?? [];
  if (device === undefined || request === undefined) throw new Error("no request");
  const found = failureAnswers(request, device.answers, typesIn([model.shared, device]), ({ name }, path) => {
    throw new Error(`${path.join(".")} of ${name} has no place`);
  });
  return Object.fromEntries([...found].map(([{ name }, answer]) => [name, answer]));
}

const status = (offset: number, value: number) => ({
  path: ["status"],
  offset,
  type: "u8",
  enum: "Status",
  valueTree: { op: "number", value },
});

describe("the answer of a device that failed", () => {
  it("goes up to the end of the field that is set, and of what is reserved behind it", () => {
    const found = failuresOf(`request R {
      writable { le32 count; Status status; reserved u8 padding[3]; le16 more valid if status == OK; le32 rest; }
    } answers R { failed status = BAD; }`);
    expect(found).toEqual({ R: { anchor: "start", size: 10, fields: [status(4, 7)] } });
  });

  it("has all of the struct that the field is in", () => {
    const found = failuresOf(`struct Head { le16 code; le32 length; } request R {
      writable { Head head; u8 data[]; }
    } answers R { failed head.code = 1; }`);
    expect(found).toMatchObject({ R: { anchor: "start", size: 6, fields: [{ path: ["head", "code"], offset: 0 }] } });
  });

  it("is as far from the end as the integers behind it are long, however they are divided into bits", () => {
    const found = failuresOf(`request R {
      writable { u8 data[]; Status status; le16 a : 4; le16 b : 12; le16 c : 16; }
    } answers R { failed status = BAD; }`);
    expect(found).toEqual({ R: { anchor: "end", size: 5, fields: [status(0, 7)] } });
    const usual = failuresOf(`request R { writable { u8 data[]; Status status; le16 a : 4; le16 b : 12; } }`);
    expect(usual).toEqual({ R: { anchor: "end", size: 3, fields: [status(0, 3)] } });
  });

  it("goes up to the end of a reserved integer that is divided into bits, if all of it is reserved", () => {
    const found = failuresOf(`request R {
      writable { Status status; reserved u8 x : 4; reserved u8 y : 4; reserved u8 z; }
    } answers R { failed status = BAD; }`);
    expect(found).toEqual({ R: { anchor: "start", size: 3, fields: [status(0, 7)] } });
    const partly = failuresOf(`request R {
      writable { Status status; reserved u8 w; reserved u8 x : 4; u8 y : 4; }
    } answers R { failed status = BAD; }`);
    expect(partly).toEqual({ R: { anchor: "start", size: 2, fields: [status(0, 7)] } });
  });

  it("is where the field is, behind alternatives that are all of one size", () => {
    const answer = { anchor: "start", size: 5, fields: [status(4, 7)] };
    const behindUnion = failuresOf(`request R {
      writable { union { le32 a; be32 b; }; Status status; u8 data[]; }
    } answers R { failed status = BAD; }`);
    expect(behindUnion).toEqual({ R: answer });
    const behindBranches = failuresOf(`features { A = 0; } request R {
      writable { if A { le32 n; } else { be32 n; } Status status; le16 more; }
    } answers R { failed status = BAD; }`);
    expect(behindBranches).toEqual({ R: answer });
  });

  it("is nowhere, behind alternatives that differ in size", () => {
    const found = failuresOf(`features { A = 0; } request R {
      writable { if A { le32 n; } else { be16 n; } Status status; le16 more; }
    } answers R { failed status = BAD; }`);
    expect(found).toEqual({ R: { anchor: "end", size: 3, fields: [status(0, 7)] } });
  });

  it("is at the end in all kinds, if it is in one", () => {
    const found = failuresOf(`request R {
      readable { u8 type; }
      match type { 1 => writable { u8 data[]; } 2 => writable { le32 id; } 3 => {} }
      writable { Status status; u8 last; }
    } answers R { failed status = BAD; }`);
    const answer = { anchor: "end", size: 2, fields: [status(0, 7)] };
    expect(found).toEqual({ Value1: answer, Value2: answer, Value3: answer, Other: answer });
  });

  it("is for the kinds that it is said of", () => {
    const found = failuresOf(
      `request R {
      readable { u8 type; }
      match type { 1, 2 => {} 3 => {} }
      writable { Status status; }
    } answers R { failed status = BAD for Value3; }`,
    );
    expect(found).toEqual({ Value3: { anchor: "start", size: 1, fields: [status(0, 7)] } });
  });

  it("is what several answers have in common", () => {
    const found = failuresOf(`request R {
      writable { Status status; le32 id; }
      match status { OK => writable { u8 data[]; } }
    } answers R { failed status = WORSE; failed id = 5; }`);
    expect(found["R"]).toMatchObject({ anchor: "start", size: 5, fields: [{ offset: 0 }, { offset: 1 }] });
  });

  it("is in what another standard defines, as far as the definition says what that is", () => {
    const found =
      failuresOf(`external Reply { le32<signed> error; } external Head sized 12 { le32 length; le64 unique; }
      request R { readable { Head in; } writable { le16 code; Reply reply; } }
      answers R { failed reply.error = -5; failed code = in.length; }`);
    const fields = [
      { path: ["reply", "error"], offset: 2, type: "le32", valueTree: { op: "number", value: -5 } },
      { path: ["code"], offset: 0, valueTree: { op: "field", scope: "readable", path: ["in", "length"] } },
    ];
    expect(found).toMatchObject({ R: { anchor: "start", size: 6, fields } });
  });

  it("is the smallest error of the first status, where nothing is said", () => {
    const found = failuresOf(
      `struct Tail { le16 id; Status status; } request R { writable { u8 data[]; Tail tail; } }`,
    );
    const fields = [{ ...status(0, 3), path: ["tail", "status"] }];
    expect(found).toEqual({ R: { anchor: "end", size: 1, fields } });
  });

  it("is nothing, where nobody knows what a success is", () => {
    expect(failuresOf(`enum Level : u8 { LOW = 0; HIGH = 1; } request R { writable { Level level; } }`)).toEqual({});
  });
});
