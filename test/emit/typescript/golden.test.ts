import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../../../src/compiler/compile.js";
import { emitTypeScript } from "../../../src/emit/typescript/index.js";

/** Folders of a definition and the TypeScript that is made of it; `npm run test:accept` writes it anew. */
const fixtures = new URL("../../fixtures/emit/", import.meta.url);
const accepting = process.env["VIRTIO_GEN_ACCEPT"] === "1";

async function emitted(name: string): Promise<string> {
  const text = readFileSync(new URL(`${name}/input.virtio`, fixtures), "utf8");
  const { model, diagnostics } = compile([{ name: "input.virtio", text }]);
  expect(diagnostics).toEqual([]);
  if (model === undefined) throw new Error("no model");
  const files = await emitTypeScript(model, { version: "0.0.0" });
  expect(files.map((file) => file.path)).toEqual([`${name}.ts`]);
  return files[0]?.text ?? "";
}

describe("what is made of a definition", () => {
  test.each(readdirSync(fixtures))("%s", async (name) => {
    const text = await emitted(name);
    const path = new URL(`${name}/expected.ts`, fixtures);
    if (accepting) writeFileSync(path, text);
    expect(text).toBe(readFileSync(path, "utf8"));
  });
});

test("the same model gives the same bytes", async () => {
  expect(await emitted("structures")).toBe(await emitted("structures"));
});
