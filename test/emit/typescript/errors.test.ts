import { expect, test } from "vitest";
import { compile } from "../../../src/compiler/compile.js";
import { EmitError, emitTypeScript } from "../../../src/emit/typescript/index.js";

async function refusal(text: string): Promise<EmitError> {
  const { model, diagnostics } = compile([{ name: "a.virtio", text }]);
  expect(diagnostics.filter((diagnostic) => diagnostic.severity === "error")).toEqual([]);
  if (model === undefined) throw new Error("no model");
  try {
    await emitTypeScript(model, { version: "0.0.0" });
  } catch (error) {
    if (error instanceof EmitError) return error;
    throw error;
  }
  throw new Error("emitted");
}

test("a tag inside of a union is refused", async () => {
  const error = await refusal(`device a = 60 {
    enum Kind : u8 { X = 0; Y = 1; }
    queues { q : request R; }
    union Hdr { Kind kind; u8 more; }
    request R {
      readable { Hdr hdr; }
      match hdr.kind { X => readable { le16 x; } Y => {} }
      writable { u8 status; }
    }
  }`);
  expect(error.construct).toBe("a tag inside of a union");
});
