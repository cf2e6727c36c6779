import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { processorTime } from "./processor-time.js";
import { definitionsIn, readAll } from "./reading.js";
import "../seed.js";

describe("input that is nested too deep", () => {
  const levels = 10_000;
  it.each([
    ["braces", "struct a {", ""],
    ["parentheses", "const a = ", "("],
    ["brackets", "u8 a", "[a"],
    ["signs", "const a = ", "!"],
    ["minus signs", "const a = ", "- "],
    ["words", "const a = ", "not "],
    ["calls", "const a = ", "f("],
    ["choices", "const a = ", "a ? "],
    ["chains", "const a = ", "1 + "],
    ["choices in a row", "const a = ", "a ? 1 : "],
    ["matches", "struct a { ", "match a { A => "],
    ["conditions", "struct a { if a {} ", "else if a {} "],
    ["conditions in requests", "request a { if a {} ", "else if a {} "],
    ["structs", "struct a { ", "struct { "],
  ])("%s", (_, start, level) => {
    const text = start + (level === "" ? start : level).repeat(levels);
    const { errors } = readAll(text);
    expect(errors.filter((error) => error.includes("nested deeper than"))).toHaveLength(1);
  });

  it("is allowed up to a depth that nobody needs", () => {
    const { errors } = readAll(`const a = ${"(".repeat(60)}1${")".repeat(60)};`);
    expect(errors).toEqual([]);
    expect(readAll(`const a = ${"1 + ".repeat(200)}1;`).errors).toEqual([]);
  });
});

describe("a long line", () => {
  const cost = (text: string, enough = 0): number => processorTime(() => void readAll(text), enough);

  it.each([
    "a ",
    "struct ",
    '"',
    "'",
    "/* ",
    "€",
    "( ",
    "default ",
    "if ",
    "a.b",
    "#define A ",
    "le32 a; ",
    "{ ",
    "} { ",
    "=> ",
  ])("of %j takes time in proportion", (piece) => {
    const size = 1 << 15;
    const repeat = (length: number) => piece.repeat(Math.ceil(length / piece.length));
    // Eight times as long; quadratic work would take 64 times as long.
    const enough = 30 * cost(repeat(size)) + 200;
    expect(cost(repeat(8 * size), enough)).toBeLessThanOrEqual(enough);
  });
});

describe("anything", () => {
  const words = ["device", "struct", "match", "request", "enum", "if", "x", "1", "{", "}", "(", ")", "[", "]", ";", ":", "=>",
    "=", ",", "@", "#define", "\n", '"s"', "//", "/*", "*/", "else", "default", "..", "?", "-", "since", "as", "*", "\\\n",
    "readable", "queues", "features", "<", ">", "'", "\u{1f600}"]; // prettier-ignore

  it("is read without an exception", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.array(fc.constantFrom(...words), { maxLength: 80 }).map((list) => list.join(" ")),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    );
    fc.assert(
      fc.property(text, (input) => {
        const { diagnostics } = readAll(input);
        for (const { span } of diagnostics) {
          expect(span.start).toBeLessThanOrEqual(span.end);
          expect(span.end).toBeLessThanOrEqual(input.length);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it.each(definitionsIn("dsl"))("of $name is read up to any place", ({ text }) => {
    fc.assert(
      fc.property(fc.nat(text.length), (end) => {
        expect(readAll(text.slice(0, end)).errors.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 40 },
    );
  });
});
