import { describe, expect, it } from "vitest";
import { compile, patience, timeToCompile } from "./compiling.js";

describe("nesting of 10,000 levels", () => {
  const levels = 10_000;
  it.each([
    ["braces", "", "{", ""],
    ["structs", "struct a { ", "struct { ", ""],
    ["parentheses", "const a = ", "(", "1"],
    ["closed parentheses", "const a = ", "(", `1${")".repeat(levels)};`],
    ["brackets", "u8 a", "[a", ""],
    ["exclamation marks", "const a = ", "!", "1;"],
    ["tildes", "const a = ", "~", "1;"],
    ["minus signs", "const a = ", "-", "1;"],
    ["nots", "const a = ", "not ", "1;"],
    ["signs and parentheses", "const a = ", "-(", "1"],
    ["conditions", "const a = ", "1 ? ", "1"],
    ["other conditions", "const a = ", "1 ? 2 : ", "3;"],
    ["sums", "const a = ", "1 + ", "1;"],
    ["shifts and sums in turn", "const a = ", "1 << 1 + ", "1;"],
    ["matches of fields", "struct a { ", "match a { A => ", ""],
    ["matches of parts", "request a { ", "match a { A => ", ""],
    ["conditional fields", "struct a { ", "if (a) { ", ""],
    ["else if", "struct a { if (a) { }", "else if (a) { }", "}"],
    ["calls", "const a = ", "min(1, ", "1"],
    ["types with arguments", "struct a { ", "Vlf(", ""],
  ])("of %s", (_, start, level, end) => {
    const text = start + level.repeat(levels) + end;
    expect(timeToCompile(text)).toBeLessThan(patience);
    expect(timeToCompile(`device d = 60 { ${text}`)).toBeLessThan(patience);
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
  ])("of %j", { timeout: 60_000 }, (piece) => {
    const text = piece.repeat(Math.ceil((1 << 20) / piece.length));
    const start = process.cpuUsage();
    compile(text);
    const { user } = process.cpuUsage(start);
    // What somebody wrote fits in a few dozen KiB; this only has to end soon.
    expect(user / 1000).toBeLessThan(30 * patience);
  });
});
