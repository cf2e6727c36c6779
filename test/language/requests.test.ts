import { describe, expect, it } from "vitest";
import { declaration, plain } from "./parsed-text.js";

function parts(text: string): unknown {
  return plain(declaration("request", `request R {\n${text}\n}`).parts);
}

describe("request", () => {
  it("has streams in both directions", () => {
    expect(parts("readable { le32 a; }\nwritable { u8 b; }")).toMatchObject([
      { kind: "stream", direction: "readable", members: [{ name: "a" }] },
      { kind: "stream", direction: "writable", members: [{ name: "b" }] },
    ]);
  });

  it("matches", () => {
    expect(
      parts(
        "match type {\n  IN => writable { u8 data[]; }\n  A, B since 1.1 => { readable { u8 x; } writable { u8 y; } }\n  default => {}\n}",
      ),
    ).toMatchObject([
      {
        kind: "match-part",
        subject: "type",
        arms: [
          { patterns: [{ value: "IN" }], body: [{ kind: "stream", direction: "writable" }] },
          {
            patterns: [{ value: "A" }, { value: "B" }],
            clauses: [{ word: "since", version: "1.1" }],
            body: [{ direction: "readable" }, { direction: "writable" }],
          },
          { patterns: [{ kind: "default-pattern" }] },
        ],
      },
    ]);
  });

  it("matches in matches", () => {
    expect(parts("match a { X => match b { Y => readable { u8 z; } } }")).toMatchObject([
      { arms: [{ body: [{ kind: "match-part", subject: "b", arms: [{ body: [{ direction: "readable" }] }] }] }] },
    ]);
  });

  it("depends on conditions", () => {
    expect(parts("if (A) { readable { u8 x; } } else if (B) { } else { writable { u8 y; } }")).toMatchObject([
      {
        kind: "conditional-part",
        condition: "A",
        whenTrue: [{ direction: "readable" }],
        whenFalse: [{ kind: "conditional-part", condition: "B", whenFalse: [{ direction: "writable" }] }],
      },
    ]);
  });

  it("has a name and clauses", () => {
    expect(plain(declaration("request", 'request R as virtio_r spec "5.2" {}'))).toEqual({
      kind: "request",
      name: "R",
      clauses: [
        { kind: "clause", word: "as", name: "virtio_r" },
        { kind: "clause", word: "spec", text: "5.2" },
      ],
    });
  });
});
