import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiagnosticBag } from "../../../src/diagnostics/diagnostic.js";
import { tokenEnd } from "../../../src/language/lexer.js";
import { parseWithTokens } from "../../../src/language/parse.js";
import { format } from "../../../src/language/printer/index.js";
import { corpus, factsOf } from "./facts.js";
import "../../seed.js";

/** Short files with every construct; long ones would only make the runs slower. */
const files = corpus()
  .filter(([name, text]) => name.startsWith("test/fixtures/language") || text.length < 400)
  .map(([name, text]) => {
    const { tokens } = parseWithTokens({ name, text }, new DiagnosticBag()).tokens;
    return { name, text, places: tokens.flatMap((token) => [token.startOffset, tokenEnd(token)]) };
  });

const insertions = [
  "// behind\n", " // behind, with a gap  \n", "\n// alone\n", "\n\n// after a blank line\n\n", "//\n", "//////\n",
  "/* block */", "/**/", " /* one */ /* two */ ", "\n/* alone */\n", "/* two\n   lines */", "/*\n * stars\n */",
  "\n/// documentation\n", "/// documentation behind\n", "/** block documentation */", "\n/**\n * more of it\n */\n",
  "\n", "\n\n\n\n", "  ", "\t", "\r\n", "\\\n", ";",
]; // prettier-ignore

/** A file with something between some of its tokens. */
const changed = fc
  .tuple(
    fc.constantFrom(...files),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...insertions)), { minLength: 1, maxLength: 4 }),
  )
  .map(([{ text, places }, pieces]) => {
    const at = pieces.map(([place, piece]) => [places[place % places.length] ?? 0, piece] as const);
    return at
      .sort(([a], [b]) => b - a)
      .reduce((now, [place, piece]) => now.slice(0, place) + piece + now.slice(place), text);
  });

describe("anything between two tokens", () => {
  it("is kept, in its order, and stays where it is when it is formatted again", async () => {
    await fc.assert(
      fc.asyncProperty(changed, async (text) => {
        const facts = factsOf(text);
        // Not everything may stand everywhere: a line end in a `#define` changes what it says.
        fc.pre(facts !== undefined);
        const formatted = await format(text, "x.virtio");
        expect(factsOf(formatted)).toEqual(facts);
        expect(await format(formatted, "x.virtio")).toBe(formatted);
      }),
      { numRuns: 400 },
    );
  });
});
