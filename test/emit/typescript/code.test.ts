import { expect, test } from "vitest";
import { code, paragraphs, parameterNames, quoted, render } from "../../../src/emit/typescript/code.js";
import { docComment } from "../../../src/emit/typescript/doc-comment.js";
import { importDeclaration, runtime, runtimeType } from "../../../src/emit/typescript/imports.js";

test("imports follow from what was printed", () => {
  const { text, symbols } = render(
    code`const a: ${runtimeType("FeatureSet")} = ${runtime("make")}(${runtimeType("make")});`,
  );
  expect(text).toBe("const a: FeatureSet = make(make);");
  expect(importDeclaration(symbols)).toBe('import { type FeatureSet, make } from "virtio-gen/runtime";');
  expect(importDeclaration([runtimeType("A")])).toBe('import type { A } from "virtio-gen/runtime";');
  expect(importDeclaration([])).toBe("");
});

test("what prints nothing leaves no empty line, and a paragraph keeps its own", () => {
  const { text } = render(code`{
    ${undefined}
    ${false}
    a;

    b;
  }`);
  expect(text.split("\n").map((line) => line.trim())).toEqual(["{", "a;", "", "b;", "}"]);
  expect(render(paragraphs([code`a`, code``, code`b`])).text).toBe("a\n\nb");
});

test("text from a definition cannot leave its literal or its comment", () => {
  expect(render(quoted('a"\n\u2028\\')).text).toBe('"a\\"\\n\\u2028\\\\"');
  expect(render(docComment({ doc: "ends */ here" })).text).toBe("/** ends *\\/ here. */\n");
});

test("unused parameters are left out at the end and marked elsewhere", () => {
  expect(parameterNames(["a", "b", "c"], code`return b;`)).toBe("_a, b");
  expect(parameterNames(["a"], code`this.#a + ab`)).toBe("");
});
