import { describe, expect, it } from "vitest";
import { declaration, plain } from "./parsed-text.js";

describe("enum", () => {
  it("has members with values, ranges, bits and clauses", () => {
    expect(
      plain(
        declaration(
          "enum",
          "open enum Kind : le32 as X_* { A = 1; B; C @ 3; D = 0x80..0xff since 1.2; legacy E = 9; }",
        ),
      ),
    ).toEqual({
      kind: "enum",
      keyword: "enum",
      open: true,
      name: "Kind",
      type: { kind: "named-type", name: "le32" },
      clauses: [{ kind: "clause", word: "as", name: "X_*" }],
      members: [
        { kind: "enum-member", name: "A", value: "1" },
        { kind: "enum-member", name: "B" },
        { kind: "enum-member", name: "C", clauses: [{ kind: "clause", word: "at", expression: "3" }] },
        {
          kind: "enum-member",
          name: "D",
          value: "128",
          rangeEnd: "255",
          clauses: [{ kind: "clause", word: "since", version: "1.2" }],
        },
        { kind: "enum-member", legacy: true, name: "E", value: "9" },
      ],
    });
  });

  it.each(["enum Kind { A = 1, B, };", "enum Kind { A = 1, B }", "enum Kind { A = 1; B }"])("like C's: %s", (text) => {
    expect(plain(declaration("enum", text))).toEqual({
      kind: "enum",
      keyword: "enum",
      name: "Kind",
      members: [
        { kind: "enum-member", name: "A", value: "1" },
        { kind: "enum-member", name: "B" },
      ],
    });
  });

  it("may have no name", () => {
    expect(declaration("enum", "enum { A = 1 };").name).toBeUndefined();
  });

  it("members may be called like words of the language", () => {
    const { members } = declaration(
      "enum",
      "enum Kind : u8 { legacy = 1; default = 2; enum = 3; require = 4; since; if; }",
    );
    expect(members.map(({ name }) => name.text)).toEqual(["legacy", "default", "enum", "require", "since", "if"]);
  });
});

describe("flags", () => {
  it("are bits, and numbers behind a mask", () => {
    expect(
      plain(declaration("enum", "flags F : u8 { A @ 0; enum kind mask 0x1e { X = 0; Y = 2; } B @ 7; }")),
    ).toMatchObject({
      keyword: "flags",
      members: [
        { name: "A" },
        {
          kind: "masked-enum",
          name: "kind",
          mask: "30",
          members: [
            { name: "X", value: "0" },
            { name: "Y", value: "2" },
          ],
        },
        { name: "B" },
      ],
    });
  });
});

describe("features", () => {
  it("have bits, what they need, and rules over several", () => {
    expect(
      plain(
        declaration("features", 'features spec "5" { A = 1; B = 2 requires A or C; require A || B; legacy C = 0; }'),
      ),
    ).toEqual({
      kind: "features",
      clauses: [{ kind: "clause", word: "spec", text: "5" }],
      members: [
        { kind: "enum-member", name: "A", value: "1" },
        {
          kind: "enum-member",
          name: "B",
          value: "2",
          clauses: [{ kind: "clause", word: "requires", expression: "(A || C)" }],
        },
        { kind: "feature-rule", condition: "(A || B)" },
        { kind: "enum-member", legacy: true, name: "C", value: "0" },
      ],
    });
  });
});

describe("tables", () => {
  it.each(["memory", "capabilities", "resources", "parts"] as const)("%s", (table) => {
    expect(plain(declaration("table", `${table} { CACHE = 0 : struct window since 1.2; OTHER = 1; }`))).toEqual({
      kind: "table",
      table,
      members: [
        {
          kind: "enum-member",
          name: "CACHE",
          value: "0",
          type: { kind: "named-type", keyword: "struct", name: "window" },
          clauses: [{ kind: "clause", word: "since", version: "1.2" }],
        },
        { kind: "enum-member", name: "OTHER", value: "1" },
      ],
    });
  });
});
