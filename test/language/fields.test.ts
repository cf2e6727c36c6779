import { describe, expect, it } from "vitest";
import { member, plain } from "./parsed-text.js";

function field(text: string): unknown {
  return plain(member("field", text));
}
const le32 = { kind: "named-type", name: "le32" };

describe("types of fields", () => {
  it.each([
    ["le32 x;", { name: "le32" }],
    ["struct virtio_net_hdr x;", { keyword: "struct", name: "virtio_net_hdr" }],
    ["union anything x;", { keyword: "union", name: "anything" }],
    ["enum Kind x;", { keyword: "enum", name: "Kind" }],
    ["le32<Cipher> x;", { name: "le32", contents: [{ name: "Cipher" }] }],
    ["le32<bitset Cipher> x;", { name: "le32", contents: [{ bitset: true, name: "Cipher" }] }],
    ["le32<bitset Cipher @ 32> x;", { name: "le32", contents: [{ bitset: true, name: "Cipher", from: "32" }] }],
    ["le32<bitset> x;", { name: "le32", contents: [{ name: "bitset" }] }],
    ["le64<address> x;", { name: "le64", contents: [{ name: "address" }] }],
    ["le32<address * 4096> x;", { name: "le32", contents: [{ name: "address", scale: "4096" }] }],
    ["le64<address of Domain> x;", { name: "le64", contents: [{ name: "address", space: "Domain" }] }],
    [
      "le32<A if op == 1, bitset B if (op > 2), C> x;",
      {
        name: "le32",
        contents: [
          { name: "A", condition: "(op == 1)" },
          { bitset: true, name: "B", condition: "(op > 2)" },
          { name: "C" },
        ],
      },
    ],
    ["Vlf(flf.key_len, 2) x;", { name: "Vlf", arguments: ["flf.key_len", "2"] }],
    ["struct Vlf(n) x;", { keyword: "struct", name: "Vlf", arguments: ["n"] }],
  ])("%s", (text, type) => {
    expect(field(text)).toEqual({ kind: "field", name: "x", type: { kind: "named-type", ...type } });
  });

  it.each(["struct", "union"])("an anonymous %s", (keyword) => {
    expect(field(`${keyword} { le32 a; };`)).toEqual({
      kind: "field",
      type: { kind: "struct", keyword, members: [{ kind: "field", name: "a", type: le32 }] },
    });
  });

  it("a struct that is declared where it is used", () => {
    expect(field("struct geometry { le32 a; } here[2] if GEOMETRY;")).toEqual({
      kind: "field",
      name: "here",
      type: {
        kind: "struct",
        keyword: "struct",
        name: "geometry",
        members: [{ kind: "field", name: "a", type: le32 }],
      },
      dimensions: [{ unit: "elements", length: "2" }],
      clauses: [{ kind: "clause", word: "if", expression: "GEOMETRY" }],
    });
  });
});

describe("modifiers", () => {
  it.each(["reserved", "volatile", "ro", "rw", "wo", "w1c", "legacy"])("%s", (word) => {
    expect(field(`${word} le32 x;`)).toEqual({ kind: "field", modifiers: [{ word }], type: le32, name: "x" });
  });

  it("several", () => {
    expect(member("field", "volatile ro legacy le32 x;").modifiers.map(({ word }) => word)).toEqual([
      "volatile",
      "ro",
      "legacy",
    ]);
  });

  it("are names where a type cannot follow", () => {
    expect(field("le32 reserved;")).toEqual({ kind: "field", type: le32, name: "reserved" });
    expect(field("reserved le32;")).toEqual({ kind: "field", modifiers: [{ word: "reserved" }], type: le32 });
    expect(field("reserved le32 reserved[3];")).toMatchObject({ name: "reserved", modifiers: [{ word: "reserved" }] });
  });
});

describe("dimensions", () => {
  it.each([
    ["u8 x[6];", [{ unit: "elements", length: "6" }]],
    ["u8 x[];", [{ unit: "elements" }]],
    ["u8 x[n + 1];", [{ unit: "elements", length: "(n + 1)" }]],
    ["u8 x[2][3][];", [{ unit: "elements", length: "2" }, { unit: "elements", length: "3" }, { unit: "elements" }]],
    ["u8 x[bytes n];", [{ unit: "bytes", length: "n" }]],
    ["u8 x[bytes];", [{ unit: "elements", length: "bytes" }]],
  ])("%s", (text, dimensions) => {
    expect(field(text)).toMatchObject({ dimensions });
  });

  it.each(["[<actual size>]", "[Queue Size]", "[<n>]"])("prose in a listing: %s", (text) => {
    expect(field(`u8 x${text};`)).toMatchObject({ dimensions: [{ unit: "elements" }] });
  });
});

describe("bit-fields", () => {
  it("of a type", () => {
    expect(field("le32 unmap : 1;")).toEqual({ kind: "field", type: le32, name: "unmap", bits: "1" });
  });
  it("without a name", () => {
    expect(field("reserved le32 : 31;")).toEqual({
      kind: "field",
      modifiers: [{ word: "reserved" }],
      type: le32,
      bits: "31",
    });
  });
  it("in a container", () => {
    const container = member("field", "le16 { kind : 12; more : 4, } head;");
    expect(plain(container)).toMatchObject({
      name: "head",
      type: {
        kind: "struct",
        members: [
          { name: "kind", bits: "12", type: { name: "le16" } },
          { name: "more", bits: "4", type: { name: "le16" } },
        ],
      },
    });
  });
});

it("a hyphen belongs to a name if there are no gaps", () => {
  expect(field("u8 command-specific-data[];")).toMatchObject({ name: "command-specific-data" });
});
