import { describe, expect, it } from "vitest";
import { compile, deviceOf, findings } from "./inline.js";

const inDevice = (body: string): readonly string[] => findings(`device demo = 42 {\n${body}\n}`);

describe("one mistake gives one error", () => {
  it("reports a missing type once, however often it is used", () => {
    expect(inDevice("struct A { Missing a; Missing b; }\nstruct C { Missing c; A d; le32 e @ 99; }")).toEqual([
      "unknown-name@2",
    ]);
  });

  it("says nothing about offsets behind something broken", () => {
    expect(inDevice("struct A { Missing a; le32 b @ 4; }\nstruct B { A a; le32 c @ 1; }")).toEqual(["unknown-name@2"]);
  });

  it("says nothing about the model when reading failed", () => {
    const found = findings("device demo = 42 {\n struct A { le32 a \n Missing b; }\n}");
    expect(found.every((finding) => finding.startsWith("unexpected-"))).toBe(true);
    expect(found.length).toBeGreaterThan(0);
  });

  it("names the feature at fault, not those that need it", () => {
    const rules = "A = 1;\nB = 2 requires A;\nC = 3 requires B;\nD = 4 requires C;\nrequire not (A and B);";
    expect(inDevice(`features {\n${rules}\n}`)).toEqual(["feature-never-possible@4"]);
  });
});

describe("names", () => {
  it.each([
    ["features { A = 1; A = 2; }", "duplicate-name@2"],
    ["queues { q : transmit D; q : transmit D; }\nstruct D { u8 a[]; }", "duplicate-name@2"],
    ["enum E : u8 { A = 1; A = 2; }", "duplicate-name@2"],
    ["struct S { u8 a; union { u8 b; u8 a; }; }", "duplicate-name@2"],
    ["config { u8 a; }\nconfig { u8 b; }", "duplicate-name@3"],
    ["const A = 1;\n#define A 2", "duplicate-name@3"],
    ["struct S(n, n) { u8 a[n]; }", "duplicate-name@2"],
    ["request R { readable { u8 a; } }\nstruct R { u8 a; }", "duplicate-name@3"],
    ["memory { A = 1; A = 2; }", "duplicate-name@2"],
    ["config { u8 a if MISSING; }", "unknown-name@2"],
    ["features { A = 1 requires MISSING; }", "unknown-name@2"],
    ["let a = config.missing;", "unknown-name@2"],
    ["config { u8 a; }\nlet a = config.missing;", "unknown-name@3"],
    ["struct S { u8 a[missing]; }", "unknown-name@2"],
    ["struct H { u8 a; }\nstruct S { H h; u8 a[h.b]; }", "unknown-name@3"],
    ["enum E : u8 { A = 1; }\nconst X = E.B;", "unknown-name@3"],
    ["enum E : u8 { A = 1; }\nstruct S { E e; match e { B => {} } x; }", "unknown-name@3"],
    ["const X = foo(1);", "unknown-name@2"],
    ["config { rw u8 a phase later; }", "unknown-name@2"],
  ])("%s", (body, expected) => {
    expect(inDevice(body)).toEqual([expected]);
  });

  it("shows both places of a duplicate", () => {
    const { found } = compile("struct A { u8 a; }\nstruct A { u8 b; }");
    expect(found[0]?.labels.map(({ span }) => span.start)).toEqual([7]);
  });

  it("suggests what was meant", () => {
    const { found } = compile("device demo = 42 {\nstruct S { le23 a; }\n}");
    expect(found[0]?.help).toBe("did you mean le32?");
  });

  it("shares what stands outside of devices between files", () => {
    const { model, found } = compile(
      "struct Shared { le32 a; }",
      'import "a.virtio";\ndevice demo = 42 { config { Shared s; } }',
    );
    expect(found).toEqual([]);
    expect(model.devices[0]?.config?.size).toBe(4);
  });

  it("keeps the names of one device out of another", () => {
    expect(findings("device one = 41 { struct Own { u8 a; } }\ndevice two = 42 { config { Own a; } }")).toEqual([
      "unknown-name@2",
    ]);
  });
});

describe("cycles", () => {
  it.each([
    ["struct A { A a; }", "cycle@2"],
    ["struct A { B b; }\nstruct B { A a[2]; }", "cycle@2"],
    ["let a = b + 1;\nlet b = a;", "cycle@2"],
    ["#define F(x) G(x)\n#define G(x) F(x)\nconst A = F(1);", "cycle@2"],
    ["features { A = 1 requires B; B = 2 requires A; }", "cycle@2"],
    ["struct A { u8 a[sizeof(B)]; }\nstruct B { A a; }", "cycle@2"],
  ])("%s", (body, expected) => {
    expect(inDevice(body)).toEqual([expected]);
  });

  it("allows alternatives that come back", () => {
    expect(inDevice("features { A = 1 requires B or C; B = 2 requires A; C = 3; }")).toEqual([]);
  });
});

describe("layout", () => {
  it.each([
    ["struct S { le32 a; le32 b @ 2; }", "field-overlap@2"],
    ["struct S { u8 n; u8 a[n]; le32 b @ 2; }", "field-overlap@2"],
    ["config sized 4 { le64 a; }", "size-overrun@2"],
    ["struct S { le64 a[2] stride 4; }", "size-overrun@2"],
    ["struct S { le64 a sized 4; }", "size-overrun@2"],
    ["struct S { u8 a[b]; u8 c[]; u8 b; }", "not-yet-known@2"],
    ["struct S { u8 a[a]; }", "wrong-operand@2"],
    ["struct S { u8 a if a == 1; }", "not-yet-known@2"],
    ["struct S { le16 a : 9; le16 b : 8; }", "bit-field-container@2"],
    ["struct S { le16 a : 8; le32 b : 32; }", "bit-field-container@2"],
    ["struct T { u8 a[]; }\nstruct S { T a; T b; }", "two-rest-parts@3"],
    ["struct T { u8 a[]; }\nstruct S { T a[3]; }", "rest-in-array@3"],
    ["header H { u8 n; u8 a[n]; }", "varying-size@2"],
    ["struct S { u8 a[0x200000000]; }", "value-out-of-range@2"],
    ["struct S { u8 a : 0; }", "value-out-of-range@2"],
  ])("%s", (body, expected) => {
    expect(inDevice(body)).toEqual([expected]);
  });

  it("gives alternatives of a message a rest each", () => {
    expect(inDevice("features { A = 1; }\nstruct S { if (A) { u8 a[]; } else { le16 b[]; } u8 c; }")).toEqual([]);
  });

  it("keeps offsets known behind alternatives of the same size", () => {
    const device = deviceOf("features { A = 1; }\nstruct S { if (A) { le32 a; } else { le16 b; le16 c; } u8 d; }");
    expect(device.structs[0]?.fields.map((field) => field.offset)).toEqual([0, 0, 2, 4]);
    expect(device.structs[0]?.size).toBe(5);
  });

  it("fills a count in only if one array has that length", () => {
    const device = deviceOf("struct S { le16 n; le16 m; u8 a[n]; u8 b[m - 2]; u8 c[n]; }");
    expect(device.structs[0]?.fields.map((field) => field.counts)).toEqual([
      null,
      { field: "b", plus: 2 },
      null,
      null,
      null,
    ]);
  });

  it("measures fixed fields behind the rest from the end", () => {
    const device = deviceOf("struct S { u8 a; u8 data[]; le32 b; le16 low : 4; le16 high : 12; u8 c; }");
    expect(device.structs[0]?.fields.map((field) => field.fromEnd)).toEqual([null, null, 7, 3, 3, 1]);
  });
});

describe("queues", () => {
  it("finds an overlap only where features allow it", () => {
    const queues = (requires: string): readonly string[] =>
      inDevice(`features { A = 1; B = 2 ${requires}; }
        queues { one @ 0 if A : transmit D; two @ (A ? 1 : 0) : transmit D; three @ (B ? 1 : 2) if B : transmit D; }
        struct D { u8 a[]; }`);
    expect(queues("requires A")).toEqual(["queue-index-overlap@3"]);
    expect(queues("")).toEqual(["queue-index-overlap@3"]);
    expect(
      inDevice(`features { A = 1; B = 2 requires A; }
        queues { one @ (A ? 1 : 0) : transmit D; two @ 0 if B : transmit D; }
        struct D { u8 a[]; }`),
    ).toEqual([]);
  });

  it.each([
    ["queues { q : Data; }\nstruct Data { u8 a[]; }", "missing-value@2"],
    ["queues { q : receive R; }\nrequest R { readable { u8 a; } }", "wrong-message@2"],
    ["queues { q @ 0 - 1 : transmit D; }\nstruct D { u8 a[]; }", "queue-index-range@2"],
    ["queues { q : receive D merged by missing; }\nstruct D { u8 a[]; }", "unknown-name@2"],
  ])("%s", (body, expected) => {
    expect(inDevice(body)[0]).toBe(expected);
  });
});

describe("requests", () => {
  const queue = "queues { q : request R; }\n";
  it.each([
    ["request R { writable { u8 a; } if (1) { readable { u8 b; } } }", "readable-after-writable@3"],
    [
      "request R { readable { u8 t; } match t { 1 => { writable { u8 a; } } } readable { u8 b; } }",
      "readable-after-writable@3",
    ],
    ["request R { readable { u8 t; } match t { 300 => {} } }", "value-out-of-range@3"],
    ["request R { readable { u8 t; } match t { 1..5 => {} 3 => {} } }", "duplicate-arm@3"],
    ["request R { readable { u8 t; } match t + 1 { 1 => {} } }", "unusable-tag@3"],
    ["request R { readable { u8 t[4]; } match t { 1 => {} } }", "unusable-tag@3"],
    ["request R { readable { u8 t; } match missing { 1 => {} } }", "unknown-name@3"],
    ["request R { readable { u8 a[n]; u8 n; } }", "not-yet-known@3"],
    ["request R { readable { u8 data[]; } writable { u8 a[size]; } }", "unknown-name@3"],
  ])("%s", (body, expected) => {
    expect(inDevice(queue + body)).toEqual([expected]);
  });

  it("lets the writable part use what was read", () => {
    const device = deviceOf(`${queue}request R { readable { le32 n; } writable { u8 data[n]; } }`);
    const type = device.requests[0]?.variants[0]?.replies[0]?.writable[0]?.type;
    expect(type).toMatchObject({ length: "n", lengthTree: { op: "field", scope: "readable", path: ["n"] } });
  });
});

describe("features", () => {
  it.each([
    ["features { A = 24; }", "reserved-feature-bit@2"],
    ["features { A = 128; }", "reserved-feature-bit@2"],
    ["features { legacy A = 64; }", "reserved-feature-bit@2"],
    ["features { A = 1 mandatory; B = 2 mandatory; require not A or not B; }", "contradictory-rules@2"],
    ["features { A = 1 only pci; B = 2 only mmio requires A; }", "feature-never-possible@2"],
    ["features { A = 1 since 1.2; B = 2 since 1.9; }", "unknown-version@2"],
  ])("%s", (body, expected) => {
    expect(inDevice(body)).toEqual([expected]);
  });

  it("lets legacy and modern features share a bit", () => {
    expect(inDevice("features { A = 7; legacy B = 7; C = 8 until 1.1; D = 8 since 1.2; }")).toEqual([]);
  });

  it("keeps bits 24 to 43 for core", () => {
    expect(findings("core virtio { features { A = 41; } }")).toEqual([]);
    expect(findings("core virtio { features { A = 3; } }")).toEqual(["reserved-feature-bit@1"]);
  });

  it("distributes requirements into an and of ors", () => {
    const device = deviceOf("features { A = 1; B = 2; C = 3; D = 4 requires A and B or C; }");
    expect(device.features.at(-1)?.requires).toEqual([
      ["A", "C"],
      ["B", "C"],
    ]);
  });
});
