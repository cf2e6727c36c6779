import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { diagramFiles, fillPage } from "../../scripts/grammar-diagrams.js";
import { DiagnosticBag } from "../../src/diagnostics/diagnostic.js";
import { renderPlain } from "../../src/diagnostics/render-plain.js";
import { diagnosticTable } from "../../src/diagnostics/table.js";
import { keywords } from "../../src/language/keywords.js";
import { parse } from "../../src/language/parse.js";
import { check } from "../../src/model/check.js";

const docs = new URL("../../docs/", import.meta.url);
const page = readFileSync(new URL("language.md", docs), "utf8");
const needsPage = readFileSync(new URL("needs.md", docs), "utf8");

interface Block {
  readonly title: string;
  /** As a file that can be compiled. */
  readonly text: string;
  /** Code of the diagnostic that it must give. */
  readonly wrong: string | undefined;
}

function wrapped(text: string, words: readonly string[]): string {
  if (words.includes("device")) return `device example = 60 {\n${text}}\n`;
  if (words.includes("struct")) return `struct Example {\n${text}}\n`;
  return text;
}

/** Code blocks of the language: whole files, or with `device` or `struct` what stands in one. `error` comes with a code. */
function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```virtio(.*)\n([^]*?)^```$/gm)].map((match) => {
    const words = (match[1] ?? "").split(" ").filter((word) => word !== "");
    const line = markdown.slice(0, match.index).split("\n").length;
    const error = words.indexOf("error");
    return {
      title: `line ${line}${words.length === 0 ? "" : ` (${words.join(" ")})`}`,
      text: wrapped(match[2] ?? "", words),
      wrong: error < 0 ? undefined : words[error + 1],
    };
  });
}

describe("the examples of the language reference", () => {
  const blocks = blocksOf(page);

  it("are found, all of them", () => {
    expect(blocks.length).toBeGreaterThan(30);
    expect(blocks.length).toBe(page.match(/^\s*```virtio/gm)?.length);
  });

  it.each(blocks)("$title", ({ text, wrong }) => {
    const bag = new DiagnosticBag();
    check([parse({ name: "example.virtio", text }, bag)], bag);
    if (wrong === undefined) expect(renderPlain(bag.sorted())).toBe("");
    else expect(bag.sorted().map(({ name }) => diagnosticTable[name].code)).toEqual([wrong]);
  });
});

describe("the grammar in the documentation", () => {
  const folder = new URL("images/grammar/", docs);
  const files = diagramFiles();

  // scripts/grammar-diagrams.ts writes all of it.
  it("has all diagrams up to date", () => {
    expect(readdirSync(folder).sort()).toEqual([...files.keys()].sort());
    for (const [name, text] of files) expect(readFileSync(new URL(name, folder), "utf8"), name).toBe(text);
  });

  it("has the rules and the table of clauses up to date", () => {
    expect(fillPage(page)).toBe(page);
  });

  it("shows every diagram once", () => {
    const shown = [...page.matchAll(/\(images\/grammar\/(\w+\.svg)\)/g)].map((match) => match[1]);
    expect(shown.sort()).toEqual([...files.keys()].sort());
  });

  it("leaves out what is there for mistakes only", () => {
    const rules = /<!-- ebnf: all -->\s+```ebnf([^]*?)```/.exec(page)?.[1] ?? "";
    const names = new Set([...rules.matchAll(/^(\w+) ::=/gm)].map((match) => match[1]));
    const used = new Set(rules.replace(/'[^']*'/g, "").match(/\b[a-z]\w*\b/g));
    expect(names.size).toBeGreaterThan(40);
    expect([...used].filter((name) => !names.has(name))).toEqual([]);
  });

  it("shows every word of the language in code", () => {
    const text = page.replace(/<!-- (ebnf|clauses)[^]*?<!-- end/g, "");
    const code = [...text.matchAll(/```virtio([^]*?)```|`([^`\n]+)`/g)].map((match) => match[1] ?? match[2] ?? "");
    const words = new Set(code.join(" ").match(/\w+/g));
    expect(keywords.filter((word) => !words.has(word))).toEqual([]);
  });
});

/** Cells of the table between two comments, without its head. */
function tableOf(name: string): readonly (readonly string[])[] {
  const text = new RegExp(`<!-- ${name} -->([^]*?)<!-- end of ${name} -->`).exec(needsPage)?.[1] ?? "";
  const rows = text.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll("\\|", "|")),
  );
}

describe("the index by need", () => {
  const needs = tableOf("needs");

  it("have an entry for every need", () => {
    const numbers = Array.from({ length: 84 }, (_, index) => `N-${String(index + 1).padStart(2, "0")}`);
    expect(needs.map(([number]) => number)).toEqual(numbers);
  });

  const used = needs.filter((row) => row[3] !== "");

  it.each(used)("%s: %s is used in dsl/", (_number, _what, _construct, place = "") => {
    const [, file = "", snippet = ""] = /\]\(\.\.\/(dsl\/[\w-]+\.virtio)\): `(.+)`$/.exec(place) ?? [];
    expect(snippet).not.toBe("");
    const text = readFileSync(new URL(`../${file}`, docs), "utf8");
    expect(text.replace(/\s+/g, " ")).toContain(snippet);
  });
});

describe("the links of the index by need", () => {
  const headings = new Set(headingsOf(page));
  const links = [...needsPage.matchAll(/\]\(language\.md#([^)\s]+)\)/g)].map((match) => match[1] ?? "");

  it("lead to headings of the language reference", () => {
    expect(links.length).toBeGreaterThan(50);
    expect(links.filter((link) => !headings.has(link))).toEqual([]);
  });
});

function headingsOf(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("the links of the language reference", () => {
  const links = [...page.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");

  it("lead to headings", () => {
    const headings = headingsOf(page);
    expect(links.filter((link) => link.startsWith("#") && !headings.includes(link.slice(1)))).toEqual([]);
  });

  it("lead to files", () => {
    expect(links.filter((link) => !link.startsWith("#") && !existsSync(new URL(link, docs)))).toEqual([]);
  });
});
