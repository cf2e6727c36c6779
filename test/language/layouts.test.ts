import { describe, expect, it } from "vitest";
import { declaration, declarations, member, members, plain } from "./parsed-text.js";

describe("structs", () => {
  it.each(["struct", "union", "header"] as const)("%s", (keyword) => {
    expect(plain(declaration("struct", `${keyword} A since 1.1 { u8 x; }`))).toEqual({
      kind: "struct",
      keyword,
      name: "A",
      clauses: [{ kind: "clause", word: "since", version: "1.1" }],
      members: [{ kind: "field", type: { kind: "named-type", name: "u8" }, name: "x" }],
    });
  });

  it("with parameters", () => {
    const { parameters } = declaration("struct", "struct Vlf(key_len, n) { u8 key[key_len]; }");
    expect(plain(parameters)).toEqual(["key_len", "n"]);
  });

  it.each(["", ";"])("ends with or without a semicolon: %j", (end) => {
    const names = declarations(`struct A { u8 x; }${end}\nstruct B { u8 y; }${end}`).map((node) => node.kind);
    expect(names).toEqual(["struct", "struct"]);
  });

  it("may be empty", () => {
    expect(declaration("struct", "struct A {}").members).toEqual([]);
  });

  it("spans from its keyword to its brace", () => {
    const { span } = declaration("struct", "/// Documented.\nstruct A { u8 x; }");
    expect(span.source.text.slice(span.start, span.end)).toBe("struct A { u8 x; }");
  });
});

describe("match among fields", () => {
  it("has arms of values, ranges and the default", () => {
    expect(
      plain(member("match-fields", "match hdr.kind { A, 2 => { u8 x; } 3..7 => u8 y; default => {} } body sized 8;")),
    ).toEqual({
      kind: "match-fields",
      subject: "hdr.kind",
      name: "body",
      clauses: [{ kind: "clause", word: "sized", expression: "8" }],
      arms: [
        {
          patterns: [
            { kind: "value-pattern", value: "A" },
            { kind: "value-pattern", value: "2" },
          ],
          body: [{ kind: "field", type: { kind: "named-type", name: "u8" }, name: "x" }],
        },
        {
          patterns: [{ kind: "range-pattern", low: "3", high: "7" }],
          body: [{ kind: "field", type: { kind: "named-type", name: "u8" }, name: "y" }],
        },
        { patterns: [{ kind: "default-pattern" }] },
      ],
    });
  });

  it("arms have clauses and documentation", () => {
    const { arms } = member("match-fields", "match kind {\n/// First.\nA if F since 1.2 => {}\n}");
    expect(plain(arms)).toMatchObject([{ documentation: ["First."], clauses: [{ word: "if" }, { word: "since" }] }]);
  });

  it("is a name where it cannot be a match", () => {
    expect(plain(member("field", "le32 match;"))).toMatchObject({ name: "match" });
    expect(plain(member("field", "match x;"))).toMatchObject({ type: { name: "match" }, name: "x" });
  });
});

describe("if among fields", () => {
  it("chooses between layouts", () => {
    expect(plain(member("conditional-fields", "if (A) { u8 x; } else if (B) { u8 y; } else { u8 z; }"))).toMatchObject({
      condition: "A",
      whenTrue: [{ name: "x" }],
      whenFalse: [
        { kind: "conditional-fields", condition: "B", whenTrue: [{ name: "y" }], whenFalse: [{ name: "z" }] },
      ],
    });
  });

  it("needs no else", () => {
    expect(member("conditional-fields", "if (A) { u8 x; }").whenFalse).toEqual([]);
  });
});

it("constants stand among fields", () => {
  const found = members("u8 a;\nconst X = 1;\n#define Y 2\n#define Z(n) (n)\nu8 b;").map((node) => node.kind);
  expect(found).toEqual(["field", "constant", "constant", "macro", "field"]);
});
