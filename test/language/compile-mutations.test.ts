import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seed } from "../seed.js";
import { allDefinitions, compile, costToCompile } from "./compiling.js";

const files = allDefinitions();
const timeout = 600_000;
const longest = files.reduce((most, file) => (file.text.length > most.text.length ? file : most)).text;
/** Milliseconds of processor time that one text may take: many times as many as the longest definition. */
const patience = Math.max(1000, 20 * costToCompile(longest));

const garbage = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom("{", "}", "(", ")", "[", "]", ";", ",", '"', "'", "/*", "*/", "//", "\n", "\r", "#define ", "=>", "\\", "\0",
    "=", "?", ":", "@", "..", "-", "0x", "config.", "if ", "match ", "since ", "struct ", "le32 ", "\u{1f600}", "\ud800"), // prettier-ignore
);

/** One change of a text: the same numbers make the same change. */
const change = fc.oneof(
  fc.tuple(fc.nat(), garbage).map(
    ([at, piece]) =>
      (text: string) =>
        splice(text, at, 0, piece),
  ),
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 30 })).map(
    ([at, length]) =>
      (text: string) =>
        splice(text, at, length, ""),
  ),
  fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 60 })).map(([from, to, length]) => (text: string) => {
    const start = from % (text.length + 1);
    return splice(text, to, 0, text.slice(start, start + length));
  }),
  fc.nat().map((at) => (text: string) => text.slice(0, at % (text.length + 1))),
);
const changes = fc.array(change, { minLength: 1, maxLength: 4 });

function splice(text: string, at: number, length: number, piece: string): string {
  const place = at % (text.length + 1);
  return text.slice(0, place) + piece + text.slice(place + length);
}

/** Some lines of a file in a device of their own, so that most of them are checked, and a run takes milliseconds. */
const excerpt = fc
  .tuple(fc.constantFrom(...files), fc.nat(), fc.integer({ min: 1, max: 25 }))
  .map(([{ text }, at, count]) => {
    const lines = text.split("\n");
    const first = at % lines.length;
    return `device excerpt = 60 {\n${lines.slice(first, first + count).join("\n")}\n}\n`;
  });

const words = ["device", "struct", "union", "header", "match", "request", "readable", "writable", "enum", "flags", "features",
  "config", "queues", "registers", "memory", "let", "const", "if", "else", "since", "as", "sized", "default", "sizeof", "x", "A",
  "le32", "u8", "1", "0x10", "1.3", "{", "}", "(", ")", "[", "]", "<", ">", ";", ":", "=>", "=", ",", "@", ".", "..", "?", "-",
  "*", "!", "#define", "\\\n", "\n", '"s"', '"', "'", "//", "/*", "*/"]; // prettier-ignore
const soup = fc.array(fc.constantFrom(...words), { maxLength: 120 }).map((list) => list.join(" "));
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((list) => new TextDecoder().decode(list)),
  fc.string({ unit: "binary", maxLength: 300 }),
);

function everyOne(texts: fc.Arbitrary<string>, numRuns: number): void {
  fc.assert(
    fc.property(texts, (text) => {
      expect(costToCompile(text, patience)).toBeLessThanOrEqual(patience);
    }),
    { numRuns, seed },
  );
}

describe("mutations are compiled without an exception, and quickly", () => {
  const change = ([text, list]: [string, ((text: string) => string)[]]) => list.reduce((now, next) => next(now), text);

  it("of parts of every definition", { timeout }, () => {
    everyOne(fc.tuple(excerpt, changes).map(change), 9_800);
  });

  it("of whole definitions", { timeout }, () => {
    const whole = fc.constantFrom(...files).map(({ text }) => text);
    everyOne(fc.tuple(whole, changes).map(change), 200);
  });
});

describe("what was never a definition is compiled without an exception, and quickly", () => {
  it("words in any order", { timeout }, () => {
    everyOne(soup, 1_000);
  });

  it("words in any order in a device", { timeout }, () => {
    everyOne(
      soup.map((text) => `device soup = 60 {\n${text}\n}`),
      1_000,
    );
  });

  it("bytes", { timeout }, () => {
    everyOne(bytes, 500);
  });
});

describe("a file that ends too early", () => {
  /** Every offset of the small ones; of the others so many that a run stays within seconds. */
  const most = 150;

  it.each(files)("$name gives at most two errors", { timeout }, ({ name, text, others }) => {
    const step = Math.max(1, Math.floor(text.length / most));
    for (let end = 0; end < text.length; end += step) {
      // Files that are compiled with it miss what is gone, and say so.
      const found = compile(text.slice(0, end), others, name).filter(({ span }) => span.source.name === name);
      expect(found.length, `${String(end)}: ${found.map(({ message }) => message).join("; ")}`).toBeLessThanOrEqual(2);
    }
  });
});
