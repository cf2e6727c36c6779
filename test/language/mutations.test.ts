import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiagnosticBag } from "../../src/diagnostics/diagnostic.js";
import { tokenEnd, tokenize } from "../../src/language/lexer.js";
import { processorTime } from "./processor-time.js";
import { definitionsIn, readAll } from "./reading.js";
import "../seed.js";

const files = definitionsIn("dsl", "examples").map(({ name, text }) => {
  const { tokens } = tokenize({ name, text }, new DiagnosticBag());
  return { name, text, tokens: tokens.map((token) => ({ start: token.startOffset, end: tokenEnd(token) })) };
});

/** Milliseconds of processor time that one text may take. */
const patience = 1000;
const costToRead = (text: string): number => processorTime(() => void readAll(text), patience);

/** A part of a file, so that a run takes milliseconds; whole files are tried less often. */
const excerpt = fc
  .tuple(fc.constantFrom(...files), fc.nat(), fc.integer({ min: 1, max: 200 }))
  .map(([{ text, tokens }, at, length]) => {
    const first = at % tokens.length;
    const start = tokens[first]?.start ?? 0;
    const end = tokens[Math.min(tokens.length - 1, first + length)]?.end ?? text.length;
    return text.slice(start, end);
  });
const garbage = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom(
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    ",",
    '"',
    "'",
    "/*",
    "*/",
    "//",
    "\n",
    "#define ",
    "=>",
    "\\",
    "\0",
    "=",
  ),
);

const cut = (text: string, at: number) => at % (text.length + 1);
const mutations = fc.array(
  fc.oneof(
    fc.tuple(fc.nat(), garbage).map(([at, piece]) => (text: string) => {
      const place = cut(text, at);
      return text.slice(0, place) + piece + text.slice(place);
    }),
    fc.tuple(fc.nat(), fc.integer({ min: 1, max: 30 })).map(([at, length]) => (text: string) => {
      const place = cut(text, at);
      return text.slice(0, place) + text.slice(place + length);
    }),
    fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 60 })).map(([from, to, length]) => (text: string) => {
      const piece = text.slice(cut(text, from), cut(text, from) + length);
      const place = cut(text, to);
      return text.slice(0, place) + piece + text.slice(place);
    }),
    fc.nat().map((at) => (text: string) => text.slice(0, cut(text, at))),
  ),
  { minLength: 1, maxLength: 4 },
);

const mutated = fc.tuple(excerpt, mutations).map(([text, list]) => list.reduce((now, mutate) => mutate(now), text));
const mutatedFile = fc
  .tuple(fc.constantFrom(...files), mutations)
  .map(([{ text }, list]) => list.reduce((now, mutate) => mutate(now), text));

describe("mutations of every definition", () => {
  it("of parts of them are read without an exception, and quickly", () => {
    fc.assert(
      fc.property(mutated, (text) => {
        expect(costToRead(text)).toBeLessThanOrEqual(patience);
      }),
      { numRuns: 10_000 },
    );
  });

  it("as a whole too", () => {
    fc.assert(
      fc.property(mutatedFile, (text) => {
        expect(costToRead(text)).toBeLessThanOrEqual(patience);
      }),
      { numRuns: 200 },
    );
  });
});

describe("a typo", () => {
  type Edit = (text: string, start: number, end: number) => string | undefined;
  const edits: Record<string, Edit> = {
    "a token too few": (text, start, end) => text.slice(0, start) + text.slice(end),
    "a token too many": (text, start, end) => `${text.slice(0, end)} ${text.slice(start, end)}${text.slice(end)}`,
    "letters swapped": (text, start, end) => {
      const word = text.slice(start, end);
      if (!/^[a-z_]{3,}$/i.test(word)) return undefined;
      return `${text.slice(0, start + 1)}${word.charAt(2)}${word.charAt(1)}${text.slice(start + 3)}`;
    },
    "a letter too few": (text, start, end) =>
      /^[a-z_]{3,}$/i.test(text.slice(start, end)) ? text.slice(0, start + 1) + text.slice(start + 2) : undefined,
  };

  /** Every so many tokens, so that all files together stay within seconds. */
  const samples = 60;

  describe.each(files)("in $name", ({ text, tokens }) => {
    it.each(Object.entries(edits))("%s: at most two errors", (_, edit) => {
      const step = Math.max(1, Math.floor(tokens.length / samples));
      let errors = 0;
      // A prime offset a file, so that not only the same kind of token is met.
      for (let index = tokens.length % 7; index < tokens.length; index += step) {
        const { start, end } = tokens[index] ?? { start: 0, end: 0 };
        const wrong = edit(text, start, end);
        if (wrong === undefined) continue;
        const found = readAll(wrong).errors;
        errors += found.length;
        expect(
          found.length,
          `${wrong.slice(Math.max(0, start - 40), end + 40)}\n${found.join("\n")}`,
        ).toBeLessThanOrEqual(2);
      }
      expect(errors).toBeGreaterThan(0);
    });
  });
});
