import { describe, expect, it } from "vitest";
import { read, readAll } from "./reading.js";

const path = (...segments: string[]) => ({ kind: "path", segments });

/** The members of a device with this text between its braces. */
function inDevice(text: string) {
  const [device] = read(`device d = 60 {\n${text}\n}`) as { members?: unknown[] }[];
  return device?.members ?? [];
}

describe("files and devices", () => {
  it("reads what stands at the top", () => {
    expect(
      read('import "core.virtio";\ndevice blk = 0x2 since 1.0 spec "5.2" { spec "5.2"; }\ncore virtio {}'),
    ).toMatchObject([
      { kind: "import", path: "core.virtio" },
      {
        kind: "device",
        keyword: "device",
        name: "blk",
        id: { value: 2, text: "0x2" },
        clauses: [{}, {}],
        members: [{ kind: "spec-section", text: "5.2" }],
      },
      { kind: "device", keyword: "core", name: "virtio" },
    ]);
    expect(read("")).toEqual([]);
    expect(read("\ufeff// only a comment")).toEqual([]);
  });

  it("takes byte order marks, all line ends and tabs", () => {
    expect(read('\ufeffdevice\tx = 1\r\n{\r\n\tspec\t"1";\r}\r\n')).toMatchObject([
      { members: [{ kind: "spec-section" }] },
    ]);
  });

  it("has no devices in devices", () => {
    expect(readAll("device a = 1 {\n  device b = 2 {}\n}").errors).toEqual([
      "2:3 expected a declaration, found `device`",
    ]);
    expect(readAll('device a = 1 {\n  import "b";\n}').errors).toEqual(["2:3 expected a declaration, found `import`"]);
  });
});

describe("features", () => {
  it("are numbered, or rules over several", () => {
    expect(
      inDevice(
        "features since 1.1 { A = 1 requires B && (C or D); legacy B = 0; legacy = 3; require = 4; require A || B; }",
      ),
    ).toMatchObject([
      {
        kind: "features",
        clauses: [{ word: "since" }],
        members: [
          { name: "A", legacy: false, value: { value: 1 }, clauses: [{ word: "requires" }] },
          { name: "B", legacy: true },
          { name: "legacy", legacy: false },
          { name: "require", value: { value: 4 } },
          { kind: "feature-rule", condition: { operator: "||" } },
        ],
      },
    ]);
  });
});

describe("enums and flags", () => {
  it.each([
    [
      "enum E { A, B = 3, };",
      { keyword: "enum", open: false, name: "E", members: [{ name: "A" }, { name: "B", value: { value: 3 } }] },
    ],
    ["enum { A, B }", { members: [{ name: "A" }, { name: "B" }] }],
    [
      "enum E : le32 as X_* { A = 1; B; }",
      { type: { name: "le32" }, clauses: [{ word: "as", name: "X_*" }], members: [{ name: "A" }, { name: "B" }] },
    ],
    [
      "open enum E : u8 { A = 0x80..0xff; }",
      { open: true, members: [{ value: { value: 128 }, rangeEnd: { value: 255 } }] },
    ],
    ["flags F : u8 { A @ 3; B = 4; }", { keyword: "flags", members: [{ clauses: [{ word: "at" }] }, { name: "B" }] }],
    [
      "flags F : u8 { enum kind mask 0x1f since 1.2 { A = 0; } B = 0x80; }",
      {
        members: [{ kind: "masked-enum", name: "kind", mask: { value: 31 }, members: [{ name: "A" }] }, { name: "B" }],
      },
    ],
    ["enum E : u8 { A as 3D-B_*; }", { members: [{ name: "A" }] }],
    [
      "enum E : u8 { default = 1; if; match = 2; enum = 3; struct; }",
      { members: [{ name: "default" }, { name: "if" }, { name: "match" }, { name: "enum" }, { name: "struct" }] },
    ],
  ])("%s", (text, expected) => {
    if (text.includes("3D")) expect(readAll(text).errors).toHaveLength(1);
    else expect(read(text)).toMatchObject([{ kind: "enum", ...expected }]);
  });
});

describe("queues", () => {
  it("have a count, a role, a message and clauses on both sides", () => {
    const text =
      "queues {\n  a[n] @ k == 0 ? 0 : 2 * k + 2 : receive Data;\n  b @ 2 if M : request Control holds 8 posted 1;\n  c : Message;\n  d merged by hdr.n : transmit struct x(1);\n  receive : held X;\n}";
    expect(inDevice(text)).toMatchObject([
      {
        kind: "queues",
        members: [
          {
            name: "a",
            count: path("n"),
            role: "receive",
            message: { name: "Data" },
            clauses: [{ word: "at", expression: { kind: "conditional" } }],
          },
          {
            name: "b",
            role: "request",
            clauses: [{ word: "at" }, { word: "if" }, { word: "holds" }, { word: "posted" }],
          },
          { name: "c", message: { name: "Message" } },
          {
            name: "d",
            role: "transmit",
            message: { keyword: "struct", name: "x" },
            clauses: [{ word: "merged", expression: path("hdr", "n") }],
          },
          { name: "receive", role: "held" },
        ],
      },
    ]);
  });
});

describe("the rest of a device", () => {
  it.each([
    ["let pairs = MQ ? config.n : 1;", { kind: "let", name: "pairs", value: { kind: "conditional" } }],
    ["config as virtio_x_config { le32 a; }", { kind: "config", clauses: [{ word: "as" }], members: [{ name: "a" }] }],
    ["memory { A = 1; }", { kind: "table", table: "memory" }],
    [
      "capabilities since 1.4 { A = 0x800 : virtio_cap since 1.4; }",
      { table: "capabilities", members: [{ name: "A", type: { name: "virtio_cap" }, clauses: [{ word: "since" }] }] },
    ],
    ["resources { }", { table: "resources" }],
    ["parts { }", { table: "parts" }],
    [
      "registers mmio { ro le32 MagicValue @ 0x000; }",
      { kind: "registers", name: "mmio", members: [{ modifiers: [{ word: "ro" }], clauses: [{ word: "at" }] }] },
    ],
    ["external v4l2_buffer sized 88;", { kind: "external", name: "v4l2_buffer", clauses: [{ word: "sized" }] }],
    ["external struct v4l2_buffer sized 88;", { kind: "external", name: "v4l2_buffer" }],
    ["le64 offloads;", { kind: "field", name: "offloads" }],
    ["config x;", { kind: "field", type: { name: "config" } }],
  ])("%s", (text, expected) => {
    expect(inDevice(text)).toMatchObject([expected]);
  });
});

describe("requests", () => {
  it("have parts in either direction, by tag or condition", () => {
    const text = `request R as virtio_r {
      readable { Type type; }
      match type {
        A => writable { u8 data[]; }
        B, C since 1.3 => { readable { u8 x; } writable { u8 y; } }
        D => match sub { E => {} }
        default => {}
      }
      if (F) { writable { u8 z; } } else if G { } else { }
      writable { u8 status; }
    }`;
    expect(read(text)).toMatchObject([
      {
        kind: "request",
        name: "R",
        parts: [
          { kind: "stream", direction: "readable", members: [{ name: "type" }] },
          {
            kind: "match-part",
            subject: path("type"),
            arms: [
              { body: [{ direction: "writable" }] },
              { clauses: [{ word: "since" }], body: [{ direction: "readable" }, { direction: "writable" }] },
              { body: [{ kind: "match-part" }] },
              { patterns: [{ kind: "default-pattern" }] },
            ],
          },
          { kind: "conditional-part", condition: path("F"), whenTrue: [{}], whenFalse: [{ kind: "conditional-part" }] },
          { direction: "writable", members: [{ name: "status" }] },
        ],
      },
    ]);
  });
});

describe("documentation and comments", () => {
  it("belongs to what follows it", () => {
    const text =
      "/// Top.\n///\n///   Indented.\ndevice d = 1 {\n  // no documentation\n  /** Block. */\n  enum E {\n    /// One.\n    A, /// Two.\n    B\n  }\n  /**\n   * Several\n   * lines.\n   */\n  struct S { }\n}";
    expect(read(text)).toMatchObject([
      {
        documentation: ["Top.", "", "  Indented."],
        members: [
          { documentation: ["Block."], members: [{ documentation: ["One."] }, { documentation: ["Two."] }] },
          { documentation: ["Several", "lines."] },
        ],
      },
    ]);
  });

  it("is only the last block in front of it", () => {
    expect(read("/// Far.\n\n/// Near.\nstruct S { }")).toMatchObject([{ documentation: ["Near."] }]);
  });

  it("keeps comments with their places", () => {
    const { file } = readAll("// a\nstruct S { /* b */ } //// c\n/**/");
    expect(file.comments.map(({ kind, text, span }) => [kind, text, span.start])).toEqual([
      ["line-comment", "// a", 0],
      ["block-comment", "/* b */", 16],
      ["line-comment", "//// c", 26],
      ["block-comment", "/**/", 33],
    ]);
  });
});

describe("places", () => {
  it("say where a declaration is", () => {
    const text = "device d = 1 {\n  struct S { le32 abc[4] if A; }\n}";
    const [device] = readAll(text).file.items;
    const spans: string[] = [];
    JSON.stringify(device, (_key, value: unknown) => {
      if (typeof value === "object" && value !== null && "start" in value && "end" in value) {
        spans.push(text.slice(Number(value.start), Number(value.end)));
        return undefined;
      }
      return typeof value === "bigint" ? Number(value) : value;
    });
    expect(spans).toContain("struct S { le32 abc[4] if A; }");
    expect(spans).toContain("le32 abc[4] if A;");
    expect(spans).toContain("[4]");
    expect(spans).toContain("if A");
    expect(spans).toContain("abc");
    expect(spans).toContain(text);
  });
});
