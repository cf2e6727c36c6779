import { describe, expect, it } from "vitest";
import { declaration, declarations, plain, read, readClean } from "./parsed-text.js";

describe("files", () => {
  it("hold imports, devices and declarations", () => {
    const { items } = readClean(
      'import "core.virtio";\ncore virtio { }\ndevice blk = 2 since 1.0 { spec "5.2"; }\nstruct A { u8 x; }',
    );
    expect(plain(items)).toMatchObject([
      { kind: "import", path: "core.virtio" },
      { kind: "device", keyword: "core", name: "virtio" },
      {
        kind: "device",
        keyword: "device",
        name: "blk",
        id: "2",
        clauses: [{ word: "since", version: "1.0" }],
        members: [{ kind: "spec-section", text: "5.2" }],
      },
      { kind: "struct", name: "A" },
    ]);
  });

  it("may be empty", () => {
    expect(readClean("").items).toEqual([]);
    expect(readClean("\uFEFF \t\r\n").items).toEqual([]);
  });

  it("may end their lines in any way", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const text = ["struct A {", "  // remark", "  u8 x;", "#define B 1", "  u8 y;", "}"].join(end);
      const [only] = readClean(text).items;
      expect(only?.kind === "struct" && only.members.length).toBe(3);
    }
  });

  it("do not have devices or imports in devices", () => {
    expect(read('device a = 1 {\n  device b = 2 { }\n  import "x";\n}').errors).toEqual([
      "2:3 VG1002 expected a declaration, found `device`",
      "3:3 VG1002 expected a declaration, found `import`",
    ]);
  });
});

describe("blocks of devices", () => {
  it("config", () => {
    expect(plain(declaration("config", 'config spec "5" { volatile le64 capacity; }'))).toMatchObject({
      clauses: [{ word: "spec", text: "5" }],
      members: [{ name: "capacity" }],
    });
  });

  it("registers", () => {
    expect(plain(declaration("registers", "registers mmio { ro le32 MagicValue @ 0x000; }"))).toMatchObject({
      name: "mmio",
      members: [{ name: "MagicValue", modifiers: [{ word: "ro" }], clauses: [{ word: "at", expression: "0" }] }],
    });
  });

  it("let", () => {
    expect(plain(declaration("let", "let pairs = MQ ? config.pairs : 1;"))).toEqual({
      kind: "let",
      name: "pairs",
      value: "(MQ ? config.pairs : 1)",
    });
  });

  it("external", () => {
    expect(plain(declarations("external v4l2_buffer sized 88;\nexternal struct v4l2_event sized 136;"))).toMatchObject([
      { kind: "external", name: "v4l2_buffer", clauses: [{ word: "sized", expression: "88" }] },
      { kind: "external", name: "v4l2_event" },
    ]);
  });

  it("a field of its own", () => {
    expect(plain(declarations("le64 offloads;"))).toMatchObject([{ kind: "field", name: "offloads" }]);
  });

  it.each(["device", "request", "features", "config", "queues", "registers", "memory", "flags"])(
    "the word %s may be a type",
    (word) => {
      expect(plain(declarations(`${word} x;`))).toMatchObject([{ kind: "field", type: { name: word }, name: "x" }]);
    },
  );
});

describe("queues", () => {
  it("have counts, indexes, roles and messages", () => {
    const text =
      "queues {\n/// Rx.\nrxq[pairs] @ 2 * k if MQ : receive Frame(n) holds 64;\nrequestq : Request;\nbare;\n}";
    expect(plain(declaration("queues", text))).toEqual({
      kind: "queues",
      members: [
        {
          kind: "queue",
          documentation: ["Rx."],
          name: "rxq",
          count: "pairs",
          role: "receive",
          message: { kind: "named-type", name: "Frame", arguments: ["n"] },
          clauses: [
            { kind: "clause", word: "at", expression: "(2 * k)" },
            { kind: "clause", word: "if", expression: "MQ" },
            { kind: "clause", word: "holds", expression: "64" },
          ],
        },
        { kind: "queue", name: "requestq", message: { kind: "named-type", name: "Request" } },
        { kind: "queue", name: "bare" },
      ],
    });
  });

  it("may carry a struct", () => {
    expect(plain(declaration("queues", "queues { q : transmit struct Data; }"))).toMatchObject({
      members: [{ role: "transmit", message: { keyword: "struct", name: "Data" } }],
    });
  });
});
