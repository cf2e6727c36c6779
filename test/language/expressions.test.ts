import { describe, expect, it } from "vitest";
import { declaration, expression, read } from "./parsed-text.js";

describe("literals", () => {
  it.each([
    ["0", "0"],
    ["42", "42"],
    ["0x1F", "31"],
    ["0b101", "5"],
    ["1ULL", "1"],
    ["0xffffffffffffffff", "18446744073709551615"],
    ["'a'", "97"],
    ["'\\n'", "10"],
    ["'\\x1b'", "27"],
    ["'\\''", "39"],
    ['"text"', '"text"'],
    ['"say \\"it\\""', '"say \\"it\\""'],
  ])("%s is %s", (text, value) => {
    expect(expression(text)).toBe(value);
  });

  it("keeps a number as it was written", () => {
    const { value } = declaration("let", "let x = 0x0F;");
    expect(value).toMatchObject({ kind: "number", value: 15n, text: "0x0F" });
  });

  it.each(["08", "1x", "0x", "0b2", "1_000"])("refuses %s", (text) => {
    expect(read(`const A = ${text};`).errors).toEqual([`1:11 VG1007 \`${text}\` is not a number`]);
  });
});

describe("operators", () => {
  it.each([
    ["1 + 2 * 3", "(1 + (2 * 3))"],
    ["1 * 2 + 3", "((1 * 2) + 3)"],
    ["1 - 2 - 3", "((1 - 2) - 3)"],
    ["8 / 4 % 3", "((8 / 4) % 3)"],
    ["1 << 2 + 3", "(1 << (2 + 3))"],
    ["1 | 2 ^ 3 & 4", "(1 | (2 ^ (3 & 4)))"],
    ["a & b == c", "(a & (b == c))"],
    ["a < b == c > d", "((a < b) == (c > d))"],
    ["a <= b != c >= d", "((a <= b) != (c >= d))"],
    ["a || b && c", "(a || (b && c))"],
    ["a or b and not c", "(a || (b && (!c)))"],
    ["(1 + 2) * 3", "((1 + 2) * 3)"],
    ["-1 - -2", "((-1) - (-2))"],
    ["!~-x", "(!(~(-x)))"],
    ["not not a", "(!(!a))"],
    ["a >> 1", "(a >> 1)"],
  ])("groups %s", (text, shown) => {
    expect(expression(text)).toBe(shown);
  });

  it.each([
    ["a ? b : c", "(a ? b : c)"],
    ["a ? b : c ? d : e", "(a ? b : (c ? d : e))"],
    ["a ? b ? c : d : e", "(a ? (b ? c : d) : e)"],
    ["a || b ? c + 1 : d", "((a || b) ? (c + 1) : d)"],
  ])("groups the conditional operator in %s", (text, shown) => {
    expect(expression(text)).toBe(shown);
  });
});

describe("names and calls", () => {
  it.each([
    ["MQ", "MQ"],
    ["config.num_queues", "config.num_queues"],
    ["a.b.c", "a.b.c"],
    ["sizeof(virtio_blk_lifetime)", "sizeof(virtio_blk_lifetime)"],
    ["sizeof(struct virtio_blk_lifetime)", "sizeof(virtio_blk_lifetime)"],
    ["min(a, b + 1)", "min(a, (b + 1))"],
    ["max(min(1, 2), 3)", "max(min(1, 2), 3)"],
    ["OPCODE(SERVICE, 0x01)", "OPCODE(SERVICE, 1)"],
    ["f()", "f()"],
  ])("reads %s", (text, shown) => {
    expect(expression(text)).toBe(shown);
  });

  it.each(["not", "type", "struct", "default", "match", "if", "sizeof", "readable"])(
    "takes the word %s as a name",
    (word) => {
      expect(expression(`${word} + 1`)).toBe(`(${word} + 1)`);
    },
  );
});

it("knows where an expression stands", () => {
  const { value } = declaration("let", "let x = (a + 1) * b;");
  const { source, start, end } = value.span;
  expect(source.text.slice(start, end)).toBe("(a + 1) * b");
  expect(value.kind === "binary" && source.text.slice(value.left.span.start, value.left.span.end)).toBe("(a + 1)");
});
