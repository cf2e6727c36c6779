import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DiagnosticBag } from "../src/diagnostics/diagnostic.js";
import { renderPlain } from "../src/diagnostics/render-plain.js";
import { diagnosticTable } from "../src/diagnostics/table.js";
import { parse } from "../src/language/parse.js";
import { check } from "../src/model/check.js";

/**
 * Folders of an input and what the compiler makes of it. `npm run test:accept` writes new expected files; read the diff
 * before committing it.
 */

const accepting = process.env["VIRTIO_GEN_ACCEPT"] === "1";
const fixtures = new URL("./fixtures/", import.meta.url);

function cases(kind: string): readonly string[] {
  const folder = new URL(`${kind}/`, fixtures);
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

function compile(kind: string, name: string): { readonly bag: DiagnosticBag; readonly model: unknown } {
  const bag = new DiagnosticBag();
  const text = readFileSync(new URL(`${kind}/${name}/input.virtio`, fixtures), "utf8");
  const file = parse({ name: "input.virtio", text }, bag);
  return { bag, model: check([file], bag) };
}

function compare(kind: string, name: string, file: string, actual: string): void {
  const path = new URL(`${kind}/${name}/${file}`, fixtures);
  if (accepting) {
    mkdirSync(new URL(".", path), { recursive: true });
    writeFileSync(path, actual);
  }
  expect(existsSync(path), `${file} is missing: npm run test:accept writes it`).toBe(true);
  expect(actual).toBe(readFileSync(path, "utf8"));
}

describe("wrong input", () => {
  it.each(cases("diagnostics"))("%s", (name) => {
    const { bag } = compile("diagnostics", name);
    const found = bag.sorted();
    compare("diagnostics", name, "diagnostics.txt", renderPlain(found));
    const [rule] = name.split("--");
    expect(found.map((diagnostic) => diagnostic.name)).toContain(rule);
  });
});

describe("right input", () => {
  it.each(cases("language"))("%s", (name) => {
    const { bag, model } = compile("language", name);
    expect(renderPlain(bag.sorted())).toBe("");
    compare("language", name, "expected.model.json", `${JSON.stringify(model, null, 2)}\n`);
  });
});

describe("the table of diagnostics", () => {
  // What is found on the way from files to texts has no input that a text could show.
  const elsewhere = (code: string): boolean => code.startsWith("VG9") || code === diagnosticTable["invalid-utf8"].code;
  const shown = new Set(cases("diagnostics").map((name) => name.split("--")[0]));
  const rules = Object.entries(diagnosticTable).filter(([, { code }]) => !elsewhere(code));

  it.each(rules.map(([rule]) => rule))("%s has a fixture", (rule) => {
    expect(shown).toContain(rule);
  });
});

describe("pages of diagnostics", () => {
  const pages = Object.entries(diagnosticTable).filter(([, { code }]) => /^VG[1-5]/.test(code));

  it.each(pages.map(([rule, { code }]) => [code, rule]))(
    "%s: the wrong example is wrong, the right one is right",
    (code, rule) => {
      const text = readFileSync(new URL(`../docs/diagnostics/${code}.md`, import.meta.url), "utf8");
      const blocks = [...text.matchAll(/```virtio\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");
      expect(blocks).toHaveLength(2);
      const [wrong, right] = blocks.map((block) => {
        const bag = new DiagnosticBag();
        check([parse({ name: "example.virtio", text: block }, bag)], bag);
        return bag.sorted();
      });
      expect(renderPlain(right ?? [])).toBe("");
      // An example of bad bytes cannot be printed, and one of thousands of variants is shortened.
      if (rule === "invalid-utf8" || rule === "too-many-variants") return;
      expect(wrong?.map((diagnostic) => diagnostic.name)).toEqual([rule]);
    },
  );
});
