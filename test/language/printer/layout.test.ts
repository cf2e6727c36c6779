import * as prettier from "prettier";
import { describe, expect, it } from "vitest";
import plugin, { format, FormatRefusal, virtioPlugin } from "../../../src/language/printer/index.js";
import { factsOf } from "./facts.js";

/** Formats twice: what comes out stays as it is, and says the same. */
async function formatted(text: string): Promise<string> {
  const result = await format(text, "x.virtio");
  expect(await format(result, "x.virtio")).toBe(result);
  expect(factsOf(result)).toEqual(factsOf(text));
  return result;
}

describe("a listing as it is pasted", () => {
  it("keeps its comments where they were", async () => {
    const listing = `struct virtio_x_hdr {   // opens
#define F_FIRST  1   /* first */
#define F_SECOND (1<<1)   // second
#define ANY 1 /* or */ more, if there is any
  u8 flags;       /* flags */
  u8 mac[6] ; // address
  /* before */ u8 a; /* after */

  // above


  struct virtio_y  y; /* two
                         lines */
  u8 last /* inside */ [ 2 ]
    // odd
    ; // behind
  // at the end
  } __attribute__((packed));   // packed
// end of the file`;
    expect(await formatted(listing)).toBe(`struct virtio_x_hdr { // opens
  #define F_FIRST 1 /* first */
  #define F_SECOND (1 << 1) // second
  #define ANY 1 /* or */ more, if there is any
  u8 flags; /* flags */
  u8 mac[6]; // address
  /* before */ u8 a; /* after */

  // above

  struct virtio_y y; /* two
                         lines */
  u8 last /* inside */[2]
    // odd
    ; // behind
  // at the end
} __attribute__((packed)); // packed
// end of the file
`);
  });

  it("keeps the spelling of numbers and operators", async () => {
    const text = "const A = 0X1F + 0b10 - 'a' * 16u;\nlet b = not A or A and !A || (A);\n";
    expect(await formatted(text)).toBe(text);
  });
});

describe("comments in odd places", () => {
  it.each([
    ["on a line of its own, and one behind it", "const A =\n// own\n /* b */ 42;", "const A =\n  // own\n  /* b */ 42;\n"],
    ["two behind one token", "const A // x\n= /* y */ 42;", "const A // x\n  = /* y */ 42;\n"],
    ["in front of the `;`", "const A = 1 // x\n;", "const A = 1; // x\n"],
    ["in front of the `;` and behind it", "const A = 1 // x\n; /* y */", "const A = 1; // x\n/* y */\n"],
    ["in front of the `;`, twice", "const A = 1 // x\n /* y */ ;", "const A = 1 // x\n  /* y */;\n"],
    ["in an empty block", "struct A {\n\n// x\n}", "struct A {\n  // x\n}\n"],
    ["in an empty block on one line", "struct A { /* x */ }", "struct A { /* x */ }\n"],
    ["in a short block", "struct A { u8 a; /* x */ u8 b; }", "struct A {\n  u8 a; /* x */\n  u8 b;\n}\n"],
    ["between arguments", "const A = max(1, // x\n 2);", "const A =\n  max(\n    1, // x\n    2\n  );\n"],
    ["nothing else", "\n\n// x\n\n\n\n/* y */  ", "// x\n\n/* y */\n"],
    ["documentation behind a comment", "features {\n/* x\n y *//** z */A = 1;\n}", "features {\n  /* x\n y */\n  /** z */\n  A = 1;\n}\n"],
    ["documentation in a `#define`", "#define A /** x */ 1\n", "#define A /** x */ 1\n"],
    ["a star on each line", "struct A {\n      /*\n       * x\n       */\n  u8 a;\n}", "struct A {\n  /*\n   * x\n   */\n  u8 a;\n}\n"],
  ])("%s", async (_, text, expected) => {
    expect(await formatted(text)).toBe(expected);
  }); // prettier-ignore
});

describe("blocks", () => {
  it.each([
    "enum A : u8 { ONE = 1; TWO = 2; }\n",
    "enum A : u8 {\n  ONE = 1;\n}\n",
    "enum { ONE = 1, TWO };\n",
    "struct A { le16 { low : 12; high : 4; } head; }\n",
    "struct A {\n  if (B) { u8 a; } else { u8 b; u8 c; }\n}\n",
  ])("stay on one line if they were: %j", async (text) => {
    expect(await formatted(text)).toBe(text);
  });

  it("leave the line if they do not fit", async () => {
    const fields = Array.from({ length: 12 }, (_, index) => `le32 field${index};`);
    expect(await formatted(`struct A { ${fields.join(" ")} }\n`)).toBe(`struct A {\n  ${fields.join("\n  ")}\n}\n`);
  });

  it("of an `if` are all short or all tall", async () => {
    const text = `struct A {\n  if (B) { u8 a; } else if (C) { u8 ${"b".repeat(80)}; } else { u8 c; }\n}\n`;
    expect(await formatted(text)).toBe(
      `struct A {\n  if (B) {\n    u8 a;\n  } else if (C) {\n    u8 ${"b".repeat(80)};\n  } else {\n    u8 c;\n  }\n}\n`,
    );
  });
});

describe("long lines", () => {
  it("break in front of clauses, and at the operators that bind loosest", async () => {
    const a = "a".repeat(30);
    const clauses = `struct A {\n  u8 ${a} if ${a} && ${a} where ${a} <= 1 since 1.1;\n}\n`;
    expect(await formatted(clauses)).toBe(`struct A {\n  u8 ${a} if ${a} && ${a}\n    where ${a} <= 1 since 1.1;\n}\n`);
    const operators = `const A = ${a} && ${a} || ${a} && ${a};\n`;
    expect(await formatted(operators)).toBe(`const A =\n  ${a} && ${a}\n    || ${a} && ${a};\n`);
  });

  it("of a `#define` go on behind a backslash", async () => {
    const name = "A".repeat(70);
    expect(await formatted(`#define ${name} (1 << ${name})\n`)).toBe(`#define ${name} \\\n  (1 << ${name})\n`);
  });
});

describe("a text with errors", () => {
  it("is refused with what is wrong in it", async () => {
    const refusal: unknown = await format("struct A { u8 }", "bad.virtio").catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(FormatRefusal);
    expect(refusal).toMatchObject({ diagnostics: [{ severity: "error", span: { source: { name: "bad.virtio" } } }] });
  });

  it.each(["/* no end", "import \"no end;", "#include <x>\nconst A = 1;", `const A = ${"(".repeat(100)}`])("%j", async (text) => {
    await expect(format(text, "bad.virtio")).rejects.toBeInstanceOf(FormatRefusal);
  }); // prettier-ignore
});

describe("the plugin", () => {
  it("is what Prettier takes", async () => {
    expect(plugin).toBe(virtioPlugin);
    const text = "const   A=1 ;";
    expect(await prettier.format(text, { filepath: "a.virtio", plugins: [plugin] })).toBe("const A = 1;\n");
    expect(await prettier.check("const A = 1;\n", { filepath: "a.virtio", plugins: [plugin] })).toBe(true);
  });

  it("gives nothing for nothing", async () => {
    expect(await format("", "x.virtio")).toBe("");
    expect(await format(" \n\n", "x.virtio")).toBe("");
  });
});
