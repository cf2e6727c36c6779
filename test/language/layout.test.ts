import { describe, expect, it } from "vitest";
import { read, readAll, readFields } from "./reading.js";

const path = (...segments: string[]) => ({ kind: "path", segments });
const number = (value: number) => ({ kind: "number", value, text: String(value) });
const type = (name: string) => ({ kind: "named-type", name });
const field = (typeName: string, name: string, more: object = {}) => ({
  kind: "field",
  type: type(typeName),
  name,
  ...more,
});

describe("fields", () => {
  it.each([
    ["le32 x;", field("le32", "x")],
    [
      "u8 macs[entries][6];",
      {
        dimensions: [
          { length: path("entries"), unit: "elements" },
          { length: number(6), unit: "elements" },
        ],
      },
    ],
    ["u8 keys[][];", { dimensions: [{ unit: "elements" }, { unit: "elements" }] }],
    ["Tlv list[bytes probe_size];", { dimensions: [{ length: path("probe_size"), unit: "bytes" }] }],
    ["u8 x[bytes];", { dimensions: [{ length: path("bytes"), unit: "elements" }] }],
    ["u8 x[bytes - 1];", { dimensions: [{ length: { kind: "binary", left: path("bytes") }, unit: "elements" }] }],
    ["le32 unmap:1;", { name: "unmap", bits: number(1) }],
    ["u8 command-specific-data[];", { name: "command-specific-data", dimensions: [{ unit: "elements" }] }],
    ["reserved u8 unused0;", { name: "unused0", modifiers: [{ word: "reserved" }] }],
    ["reserved le32;", { modifiers: [{ word: "reserved" }], type: type("le32") }],
    ["volatile rw le64 x;", { modifiers: [{ word: "volatile" }, { word: "rw" }] }],
    ["u8 reserved[7];", { name: "reserved", dimensions: [{ length: number(7), unit: "elements" }] }],
    ["le32<Cipher> x;", { type: { ...type("le32"), contents: [{ bitset: false, name: "Cipher" }] } }],
    ["le32<bitset Cipher> x;", { type: { ...type("le32"), contents: [{ bitset: true, name: "Cipher" }] } }],
    ["le64<bitset> x;", { type: { ...type("le64"), contents: [{ bitset: false, name: "bitset" }] } }],
    ["Vlf(flf.key_len, 3) x;", { type: { ...type("Vlf"), arguments: [path("flf", "key_len"), number(3)] } }],
    ["struct virtio_net_hdr hdr;", { type: { ...type("virtio_net_hdr"), keyword: "struct" }, name: "hdr" }],
    [
      "struct Vlf(flf.key_len) vlf;",
      { type: { ...type("Vlf"), keyword: "struct", arguments: [path("flf", "key_len")] } },
    ],
    ["enum Type type;", { type: { ...type("Type"), keyword: "enum" }, name: "type" }],
    ["union u x;", { type: { ...type("u"), keyword: "union" }, name: "x" }],
    ["header hdr;", field("header", "hdr")],
    ["uint8_t x;", field("uint8_t", "x")],
  ])("%s", (text, expected) => {
    expect(readFields(text)).toMatchObject([expected]);
  });

  const words = [
    "type",
    "class",
    "in",
    "data",
    "status",
    "config",
    "select",
    "size",
    "default",
    "if",
    "match",
    "since",
  ];
  it.each([
    ...words,
    "struct",
    "readable",
    "unit",
    "at",
    "where",
    "spec",
    "features",
    "queues",
    "reserved",
    "not",
    "or",
    "const",
  ])("a field may be called %s", (name) => {
    expect(readFields(`le32 ${name};`)).toEqual([field("le32", name)]);
    expect(readFields(`le32 ${name} if A;`)).toMatchObject([{ name, clauses: [{ word: "if" }] }]);
    expect(readFields(`u8 ${name}[4];`)).toMatchObject([{ name }]);
  });

  it("has clauses in any order, and keeps the order", () => {
    const text =
      'le32 x unit "bytes" if A || B since 1.3 valid if C where x <= 1 default 3 @ 0x20 sized 4 was y as z_* phase any;';
    expect(readFields(text)).toMatchObject([
      {
        clauses: [
          { word: "unit", text: "bytes" },
          { word: "if", expression: { kind: "binary", operator: "||" } },
          { word: "since", version: "1.3" },
          { word: "valid", expression: path("C") },
          { word: "where", expression: { kind: "binary", operator: "<=" } },
          { word: "default", expression: number(3) },
          { word: "at", expression: { value: 32, text: "0x20" } },
          { word: "sized", expression: number(4) },
          { word: "was", name: "y" },
          { word: "as", name: "z_*" },
          { word: "phase", name: "any" },
        ],
      },
    ]);
  });

  it("has the other clauses too", () => {
    const text = "u8 x[] stride 8 ends x == 0 terminated strings persists mandatory until 1.4 only mmio;";
    const [member] = readFields(text) as [{ clauses: { word: string }[] }];
    expect(member.clauses.map(({ word }) => word)).toEqual([
      "stride", "ends", "terminated", "strings", "persists", "mandatory", "until", "only",
    ]); // prettier-ignore
  });
});

describe("nested layouts", () => {
  it.each([
    ["struct { u8 a; } x;", { type: { kind: "struct", members: [field("u8", "a")] }, name: "x" }],
    ["struct named { u8 a; } x if A;", { type: { name: "named" }, name: "x", clauses: [{ word: "if" }] }],
    ["union { u8 a; le16 b; };", { type: { keyword: "union" } }],
    ["union { u8 a; } if A since 1.3;", { clauses: [{ word: "if" }, { word: "since" }] }],
    ["struct { u8 a; } stats[];", { name: "stats", dimensions: [{ unit: "elements" }] }],
    ["struct { u8 a; } type;", { name: "type" }],
    ["struct { u8 a; } default[2];", { name: "default" }],
    [
      "le16 { a : 12; b : 4; } head;",
      { type: { keyword: "struct", members: [{ name: "a", bits: number(12) }, { name: "b" }] }, name: "head" },
    ],
    [
      "be16 { a : 2, /* first */ b : 14; };",
      { type: { members: [{ type: type("be16") }, { name: "b", bits: number(14) }] } },
    ],
  ])("%s", (text, expected) => {
    expect(readFields(text)).toMatchObject([{ kind: "field", ...expected }]);
  });

  it("reads conditions among fields", () => {
    expect(readFields("if (A) { u8 a; } else if B { u8 b; } else { u8 c; }")).toMatchObject([
      {
        kind: "conditional-fields",
        condition: path("A"),
        whenTrue: [field("u8", "a")],
        whenFalse: [
          {
            kind: "conditional-fields",
            condition: path("B"),
            whenTrue: [field("u8", "b")],
            whenFalse: [field("u8", "c")],
          },
        ],
      },
    ]);
  });

  it("reads unions with a tag", () => {
    const text = "match hdr.type { A, B since 1.3 => { u8 a; } 3..0x10 if F => u8 b; default => {} } body sized 48;";
    expect(readFields(text)).toMatchObject([
      {
        kind: "match-fields",
        subject: path("hdr", "type"),
        name: "body",
        clauses: [{ word: "sized" }],
        arms: [
          {
            patterns: [{ value: path("A") }, { value: path("B") }],
            clauses: [{ word: "since" }],
            body: [field("u8", "a")],
          },
          { patterns: [{ kind: "range-pattern", low: number(3), high: { value: 16 } }], body: [field("u8", "b")] },
          { patterns: [{ kind: "default-pattern" }] },
        ],
      },
    ]);
  });

  it("needs no name behind a union with a tag", () => {
    expect(readFields("match a { X => {} }\nle32 b;")).toMatchObject([{ kind: "match-fields" }, field("le32", "b")]);
    expect(readFields("match a { X => {} };\nle32 b;")).toHaveLength(2);
  });
});

describe("declarations of layouts", () => {
  it.each([
    ["struct X {}", { keyword: "struct", name: "X" }],
    ["struct X {};", { name: "X" }],
    ['header X spec "5.1" since 1.2 {}', { keyword: "header", clauses: [{ word: "spec" }, { word: "since" }] }],
    ["union X sized 48 {}", { keyword: "union", clauses: [{ word: "sized" }] }],
    ["struct Vlf(key_len, iv_len) {}", { parameters: ["key_len", "iv_len"] }],
    ["struct X {} __attribute__((packed));", { name: "X" }],
    ["struct __attribute__((__packed__)) X {}", { name: "X" }],
  ])("%s", (text, expected) => {
    expect(read(text)).toMatchObject([{ kind: "struct", ...expected }]);
  });

  it("wants a name", () => {
    expect(readAll("struct { u8 a; }").errors).toEqual(["1:8 expected a name, found `{`"]);
  });
});

describe("constants", () => {
  it.each([
    ["const A = 1 << 3 since 1.3;", { syntax: "const", value: { kind: "binary" }, clauses: [{ word: "since" }] }],
    ["#define A 1", { syntax: "define", value: number(1) }],
    ["#define A", { syntax: "define", name: "A" }],
    ["# \tdefine A (1 << 3)", { value: { kind: "binary" } }],
    ["#define A 0 (for automatic steering)", { value: number(0) }],
    ["#define A 0xff;", { value: { value: 255 } }],
    ["#define A 1 /* comment */", { value: number(1) }],
    ["#define A 1 don't {care} about `this` \u20ac", { value: number(1) }],
    ["#define A \\\n    F(B, 0x02)", { value: { kind: "call", callee: "F" } }],
    ["#define A \\ \r\n  3", { value: number(3) }],
  ])("%j", (text, expected) => {
    expect(read(text)).toMatchObject([{ kind: "constant", name: "A", ...expected }]);
  });

  it("tells a macro from a constant in brackets by the gap", () => {
    expect(read("#define F(a, b) (((a) << 8) | (b))\n#define G (a)")).toMatchObject([
      { kind: "macro", name: "F", parameters: ["a", "b"], value: { operator: "|" } },
      { kind: "constant", name: "G", value: path("a") },
    ]);
  });

  it("stands among fields", () => {
    expect(readFields("#define A 1\nle32 x; /* c */\n#define B 2\n")).toMatchObject([
      { kind: "constant", name: "A" },
      field("le32", "x"),
      { kind: "constant", name: "B" },
    ]);
  });
});
