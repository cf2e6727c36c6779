import { describe, expect, it } from "vitest";
import { declaration, member, plain } from "./parsed-text.js";

/** The clauses behind a field. */
function clauses(text: string): unknown {
  return plain(member("field", `le32 x ${text};`).clauses);
}

describe("clauses", () => {
  it.each(["if", "requires", "offers", "where", "default", "sized", "stride", "ends", "holds", "posted"])(
    "%s takes an expression",
    (word) => {
      expect(clauses(`${word} a + 1`)).toEqual([{ kind: "clause", word, expression: "(a + 1)" }]);
    },
  );

  it.each([
    ["@ 0x20", { word: "at", expression: "32" }],
    ["valid if A", { word: "valid", expression: "A" }],
    ["merged by hdr.num_buffers", { word: "merged", expression: "hdr.num_buffers" }],
    ["since 1.3", { word: "since", version: "1.3" }],
    ["until 1.2", { word: "until", version: "1.2" }],
    ["as VIRTIO_BLK_T_*", { word: "as", name: "VIRTIO_BLK_T_*" }],
    ["as *", { word: "as", name: "*" }],
    ["as command-specific-data", { word: "as", name: "command-specific-data" }],
    ["was old_name", { word: "was", name: "old_name" }],
    [
      "was old_name until 1.2",
      { word: "was", name: "old_name", until: { kind: "clause", word: "until", version: "1.2" } },
    ],
    ["phase features_ok", { word: "phase", name: "features_ok" }],
    ["only mmio", { word: "only", name: "mmio" }],
    ['spec "5.2.6"', { word: "spec", text: "5.2.6" }],
    ['unit "512-byte sectors"', { word: "unit", text: "512-byte sectors" }],
    ["mandatory", { word: "mandatory" }],
    ["persists", { word: "persists" }],
    ["terminated", { word: "terminated" }],
    ["strings", { word: "strings" }],
  ])("reads %s", (text, clause) => {
    expect(clauses(text)).toEqual([{ kind: "clause", ...clause }]);
  });

  it("come in any order, as often as somebody likes", () => {
    const words = member("field", 'le32 x since 1.1 if A spec "1" if B @ 4;').clauses.map(({ word }) => word);
    expect(words).toEqual(["since", "if", "spec", "if", "at"]);
  });

  it("may stand on lines of their own", () => {
    const { clauses: found } = declaration("struct", 'struct A\n  since 1.2\n  spec "5.1"\n{\n  u8 x;\n}');
    expect(found.map(({ word }) => word)).toEqual(["since", "spec"]);
  });

  it("leave their words free to be names", () => {
    expect(plain(member("field", "le32 unit;"))).toMatchObject({ name: "unit" });
    expect(plain(member("field", "le32 since since 1.2;"))).toMatchObject({
      name: "since",
      clauses: [{ word: "since", version: "1.2" }],
    });
  });
});
