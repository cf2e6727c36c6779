import { describe, expect, it } from "vitest";
import { format } from "../../../src/language/printer/index.js";
import { corpus, factsOf } from "./facts.js";

describe.each(corpus())("%s, formatted", (name, text) => {
  it("keeps the tree and every comment, and is formatted then", async () => {
    const formatted = await format(text, name);
    expect(factsOf(formatted)).toEqual(factsOf(text));
    expect(await format(formatted, name)).toBe(formatted);
    expect(formatted).toMatch(/[^\n]\n$/);
    expect(formatted).not.toMatch(/[ \t]\n|\n\n\n/);
  });

  it("is the same with the line ends of Windows and a byte order mark", async () => {
    const formatted = await format(text, name);
    expect(await format(`\ufeff${text.replaceAll("\n", "\r\n")}`, name)).toBe(formatted);
  });

  it("does not depend on how far lines were indented", async () => {
    const flat = text.replaceAll(/^[ \t]+/gm, "");
    expect(await format(flat, name)).toBe(await format(text, name));
  });
});

describe("the definitions of the package", () => {
  const own = corpus().filter(([name]) => !name.startsWith("test/"));
  it.each(own)("%s is formatted", async (name, text) => {
    expect(await format(text, name)).toBe(text);
  });
});
