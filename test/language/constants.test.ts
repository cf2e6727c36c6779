import { describe, expect, it } from "vitest";
import { declaration, declarations, plain, read } from "./parsed-text.js";

describe("const", () => {
  it("has a value and clauses", () => {
    expect(plain(declaration("constant", "const A = 1 << 2 as VIRTIO_A since 1.1;"))).toEqual({
      kind: "constant",
      syntax: "const",
      name: "A",
      value: "(1 << 2)",
      clauses: [
        { kind: "clause", word: "as", name: "VIRTIO_A" },
        { kind: "clause", word: "since", version: "1.1" },
      ],
    });
  });
});

describe("#define", () => {
  it.each([
    ["#define A 1", "1"],
    ["#define A (1 << 3)", "(1 << 3)"],
    ["#define A 0x10 /* remark */", "16"],
    ["#define A 1 // remark", "1"],
    ["#define A 5 (in bytes) as it's said, 100 % §", "5"],
    ["#define A B (obsolete)", "B"],
    ["#define A F(1, 2)", "F(1, 2)"],
    ["#  define A 7", "7"],
    ["#define A (1 << 0) | \\\n          (1 << 1)", "((1 << 0) | (1 << 1))"],
    ["#define A \\\r\n 3\r", "3"],
  ])("%j", (text, value) => {
    expect(plain(declaration("constant", text))).toEqual({ kind: "constant", syntax: "define", name: "A", value });
  });

  it("may have no value", () => {
    expect(plain(declaration("constant", "#define A"))).toEqual({ kind: "constant", syntax: "define", name: "A" });
  });

  it("has parameters if they follow the name without a gap", () => {
    expect(plain(declaration("macro", "#define OPCODE(service, op) (((service) << 8) | (op))"))).toEqual({
      kind: "macro",
      name: "OPCODE",
      parameters: ["service", "op"],
      value: "((service << 8) | op)",
    });
    expect(plain(declaration("constant", "#define A (b)"))).toMatchObject({ value: "b" });
  });

  it("ends with its line, whatever stands there", () => {
    const kinds = declarations("#define A 1 {\n#define B 2 } ; (\nstruct C { u8 x; }").map((node) => node.kind);
    expect(kinds).toEqual(["constant", "constant", "struct"]);
  });

  it("needs a name", () => {
    expect(read("#define 3\nconst A = 1;").errors).toEqual(["1:9 VG1002 expected the name of a constant, found `3`"]);
  });

  it("is the only directive", () => {
    expect(read("#include <linux/types.h>\n#ifdef X \\\n more\nstruct A { u8 x; }").errors).toEqual([
      "1:1 VG1009 only `#define` is understood, not `#include`",
      "2:1 VG1009 only `#define` is understood, not `#ifdef`",
    ]);
  });
});
