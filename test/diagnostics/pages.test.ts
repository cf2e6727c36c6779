import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { diagnosticTable } from "../../src/diagnostics/table.js";

const folder = new URL("../../docs/diagnostics/", import.meta.url);
const rules = Object.entries(diagnosticTable);

describe("the table of diagnostics", () => {
  it("uses each code once", () => {
    const codes = rules.map(([, { code }]) => code);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });

  it.each(rules.map(([name, { code }]) => [code, name]))("%s has a page that names the rule %s", (code, name) => {
    const page = new URL(`${code}.md`, folder);
    expect(existsSync(page)).toBe(true);
    const text = readFileSync(page, "utf8");
    expect(text.startsWith(`# ${code}: `)).toBe(true);
    expect(text).toContain(`\`${name}\``);
  });

  it("has an entry for every page", () => {
    const codes = new Set<string>(rules.map(([, { code }]) => code));
    const pages = readdirSync(folder).filter((name) => /^VG\d+\.md$/.test(name));
    expect(pages.filter((name) => !codes.has(name.slice(0, -3)))).toEqual([]);
  });
});
