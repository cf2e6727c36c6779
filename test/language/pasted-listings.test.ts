import { describe, expect, it } from "vitest";
import { outline, read, readClean } from "./parsed-text.js";

/** What was understood of a listing, at the top of a file and in a device. */
function understood(listing: string): readonly string[] {
  const { items } = readClean(listing);
  const top = items.flatMap((item) => (item.kind === "import" || item.kind === "device" ? [] : outline([item])));
  const [device] = readClean(`device pasted = 60 {\n${listing}\n}\n`).items;
  expect(device?.kind === "device" && outline(device.members)).toEqual(top);
  return top;
}

describe("a listing parses as it stands", () => {
  it("structs with and without a semicolon at the end", () => {
    expect(
      understood(
        "struct demo_a {\n        le32 x;\n        struct demo_b y;\n        struct demo_b z[2][3];\n}\n\nstruct demo_b {\n        u8 v;\n};\n",
      ),
    ).toEqual(["struct demo_a", "  le32 x", "  demo_b y", "  demo_b z[2][3]", "struct demo_b", "  u8 v"]);
  });

  it("structs and unions in structs, with and without names", () => {
    expect(
      understood(
        "struct demo {\n  union {\n    struct {\n      le16 a;\n    };\n    u8 raw[8];\n  };\n  struct demo_pos { le32 x, \n } at;\n};".replace(
          ", \n",
          ";\n",
        ),
      ),
    ).toEqual([
      "struct demo",
      "  union -",
      "    struct -",
      "      le16 a",
      "    u8 raw[8]",
      "  struct at",
      "    le32 x",
    ]);
  });

  it("bit-fields", () => {
    expect(
      understood(
        "struct demo {\n  le32 valid:1;\n  le32 kind : 7;\n  le32 reserved:24;\n  le16 {\n    offset : 15; /* where */\n    wrap : 1;    // how often\n  } desc; /* if asked for */\n};",
      ),
    ).toEqual([
      "struct demo",
      "  le32 valid:1",
      "  le32 kind:7",
      "  le32 reserved:24",
      "  struct desc",
      "    le16 offset:15",
      "    le16 wrap:1",
    ]);
  });

  it("constants among fields, over several lines, with prose behind them", () => {
    expect(
      understood(
        "struct demo_req {\n#define DEMO_READ    0\n#define DEMO_WRITE   (1 << 2) /* not always */\n        u8 kind;\n#define DEMO_BOTH    (DEMO_READ | \\\n                      DEMO_WRITE)\n#define DEMO_OLD     7 (was used by early drivers, don't)\n        u8 status;\n};\n#define DEMO_OP(group, n) (((group) << 8) | (n))\n#define DEMO_OP_PING DEMO_OP(3, 0x01)\n",
      ),
    ).toEqual([
      "struct demo_req",
      "  define DEMO_READ 0",
      "  define DEMO_WRITE (1 << 2)",
      "  u8 kind",
      "  define DEMO_BOTH (DEMO_READ | DEMO_WRITE)",
      "  define DEMO_OLD 7",
      "  u8 status",
      "define DEMO_OP(group, n) ((group << 8) | n)",
      "define DEMO_OP_PING DEMO_OP(3, 1)",
    ]);
  });

  it("remarks behind fields, even instead of a semicolon", () => {
    expect(
      understood(
        "struct demo_hdr {\n  u8 flags;\n  le32 hash;      (Only if DEMO_F_HASH negotiated)\n  le16 outer      (Only if DEMO_F_A or DEMO_F_B negotiated)\n  le16 inner;     (only if DEMO_F_A negotiated)\n  le16 last;\n};",
      ),
    ).toEqual([
      "struct demo_hdr",
      "  u8 flags",
      "  le32 hash if DEMO_F_HASH",
      "  le16 outer if (DEMO_F_A || DEMO_F_B)",
      "  le16 inner if DEMO_F_A",
      "  le16 last",
    ]);
  });

  it("attributes of C", () => {
    expect(
      understood(
        "struct demo_a {\n  be64 x;\n} __attribute__ ((packed));\nstruct __attribute__((packed)) demo_b {\n  u8 y __attribute__((aligned(4)));\n};",
      ),
    ).toEqual(["struct demo_a", "  be64 x", "struct demo_b", "  u8 y"]);
  });

  it("enums of C", () => {
    expect(
      understood(
        "enum demo_kind {\n  /* first */\n  DEMO_A = 0x0100,\n  DEMO_B,\n\n  /* second */\n  DEMO_C = 'c',\n};\nenum { DEMO_X = DEMO_A, DEMO_Y };",
      ),
    ).toEqual([
      "enum demo_kind",
      "  DEMO_A = 256",
      "  DEMO_B",
      "  DEMO_C = 99",
      "enum -",
      "  DEMO_X = DEMO_A",
      "  DEMO_Y",
    ]);
  });

  it("hyphens in names, le8, lengths in prose, fields on their own", () => {
    expect(
      understood(
        "struct demo {\n  le8 small;\n  u8 command-specific-data[];\n  u8 command-specific-result[<rest>];\n  le16 ring[ /* Queue Size */ ];\n  le16 other[Queue Size];\n};\nle64 offloads;\n",
      ),
    ).toEqual([
      "struct demo",
      "  le8 small",
      "  u8 command-specific-data[]",
      "  u8 command-specific-result[]",
      "  le16 ring[]",
      "  le16 other[]",
      "le64 offloads",
    ]);
  });
});

describe("a broken listing has one error, where it is broken", () => {
  it.each([
    [
      "a missing semicolon",
      "struct demo {\n        le32 a;\n        u8 b[6]\n        le16 c;\n};",
      "3:16 VG1002 expected `;` after the field, found `le16`",
    ],
    [
      "at the end",
      "struct demo {\n        le32 a;\n        u8 b\n};",
      "3:13 VG1002 expected `;` after the field, found `}`",
    ],
    [
      "behind a nested struct",
      "struct demo {\n  struct {\n    u8 a;\n  } b\n  le16 c;\n};",
      "4:6 VG1002 expected `;` after the field, found `le16`",
    ],
    [
      "a comment that is not closed",
      "struct demo {\n  /* What is\n  le64 a[];\n};",
      "2:3 VG1003 comment is never closed",
    ],
    [
      "a comment that the next one closes",
      "struct demo {\n  /* What of the fields below\n     is there\n  le64 a[];\n};\n/* Closed. */\nstruct more {\n  u8 c; /* Closed. */\n};",
      "2:3 VG1003 comment is never closed",
    ],
    [
      "a comment behind a constant that the next one closes",
      "#define DEMO_A 1 /* first\n#define DEMO_B 2 /* second */\nstruct demo { u8 a; };",
      "1:18 VG1003 comment is never closed",
    ],
    [
      "typesetting left in it",
      "struct demo {\n  le32 a;\n$\\ldots$\n  u8 b;\n};\nstruct more { u8 c; };",
      "3:1 VG1001 unexpected character `$`",
    ],
    [
      "a brace that is not closed",
      "struct demo {\n  struct {\n    u8 a;\n  u8 b;\n};",
      "2:10 VG1008 `{` is never closed",
    ],
    [
      "a name that is missing",
      "struct demo {\n  le32;\n  u8 b;\n};",
      "2:7 VG1002 expected the name of the field, found `;`",
    ],
  ])("%s", (_, text, error) => {
    expect(read(text).errors).toEqual([error]);
  });

  it("and what stands around the broken place is understood", () => {
    const text =
      "struct a {\n  /* Which of them\n  le64 x[];\n};\n#define DEMO_A 1 /* first\n#define DEMO_B 2 /* second */\nstruct b {\n  le16 y\n  u8 z;\n};\nenum d { D_A, D_B };";
    const { file, errors } = read(text);
    expect(errors).toEqual([
      "2:3 VG1003 comment is never closed",
      "5:18 VG1003 comment is never closed",
      "8:9 VG1002 expected `;` after the field, found `u8`",
    ]);
    expect(
      file.items.flatMap((item) => (item.kind === "import" || item.kind === "device" ? [] : outline([item]))),
    ).toEqual([
      "struct a",
      "  le64 x[]",
      "define DEMO_A 1",
      "define DEMO_B 2",
      "struct b",
      "  le16 y",
      "  u8 z",
      "enum d",
      "  D_A",
      "  D_B",
    ]);
  });
});
