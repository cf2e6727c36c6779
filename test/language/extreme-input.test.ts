import { describe, expect, it } from "vitest";
import { costToCompile } from "./compiling.js";

describe("nesting of 10,000 levels", () => {
  const levels = 10_000;
  it.each<[string, string, string, (count: number) => string]>([
    ["braces", "", "{", () => ""],
    ["structs", "struct a { ", "struct { ", () => ""],
    ["parentheses", "const a = ", "(", () => "1"],
    ["closed parentheses", "const a = ", "(", (count) => `1${")".repeat(count)};`],
    ["brackets", "u8 a", "[a", () => ""],
    ["exclamation marks", "const a = ", "!", () => "1;"],
    ["tildes", "const a = ", "~", () => "1;"],
    ["minus signs", "const a = ", "-", () => "1;"],
    ["nots", "const a = ", "not ", () => "1;"],
    ["signs and parentheses", "const a = ", "-(", () => "1"],
    ["conditions", "const a = ", "1 ? ", () => "1"],
    ["other conditions", "const a = ", "1 ? 2 : ", () => "3;"],
    ["sums", "const a = ", "1 + ", () => "1;"],
    ["shifts and sums in turn", "const a = ", "1 << 1 + ", () => "1;"],
    ["matches of fields", "struct a { ", "match a { A => ", () => ""],
    ["matches of parts", "request a { ", "match a { A => ", () => ""],
    ["conditional fields", "struct a { ", "if (a) { ", () => ""],
    ["else if", "struct a { if (a) { }", "else if (a) { }", () => "}"],
    ["calls", "const a = ", "min(1, ", () => "1"],
    ["types with arguments", "struct a { ", "Vlf(", () => ""],
  ])("of %s", (_, start, level, end) => {
    for (const before of ["", "device d = 60 { "]) {
      const text = (count: number) => before + start + level.repeat(count) + end(count);
      const cost = costToCompile(text(levels), 1000);
      // A slow machine is held to the tenth part of it; quadratic work would take 100 times as long.
      expect(cost).toBeLessThanOrEqual(cost <= 1000 ? 1000 : 30 * costToCompile(text(levels / 10)));
    }
  });
});

describe("1 MiB on one line", () => {
  it.each([
    "a",
    " ",
    "0",
    "a ",
    "le32 a; ",
    "{",
    "}",
    "(",
    ";",
    '"',
    "'",
    "/",
    "/*",
    "\\",
    "#",
    "\u20ac",
    "=> ",
    "if ",
    "struct a { ",
    "-",
  ])("of %j", { timeout: 600_000 }, (piece) => {
    const text = (length: number) => piece.repeat(Math.ceil(length / piece.length));
    // What somebody wrote fits in a few dozen KiB; this only has to end soon.
    const soon = 30_000;
    const cost = costToCompile(text(1 << 20), soon);
    // A slow machine is held to the 16th part of it; quadratic work would take 256 times as long.
    expect(cost).toBeLessThanOrEqual(cost <= soon ? soon : 60 * costToCompile(text(1 << 16)));
  });
});
