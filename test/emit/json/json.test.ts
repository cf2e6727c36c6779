import { expect, test } from "vitest";
import { compile } from "../../../src/compiler/compile.js";
import { emitJson } from "../../../src/emit/json/index.js";

test("the model as text is the model", () => {
  const { model } = compile([
    { name: "a.virtio", text: "device a = 60 { queues { q : request R; } request R { writable { u8 data[]; } } }" },
  ]);
  if (model === undefined) throw new Error("no model");
  const text = emitJson(model);
  expect(JSON.parse(text)).toEqual(model);
  expect(text.endsWith("}\n")).toBe(true);
});
