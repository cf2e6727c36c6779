import { expect, it } from "vitest";
import { declaration, declarations, member, readClean } from "./parsed-text.js";

it("documentation belongs to what follows it", () => {
  const config = declaration(
    "config",
    "/// Of the block.\nconfig {\n  /// Of the field,\n  ///   in two lines.\n  le32 a;\n  le32 b;\n}",
  );
  expect(config.documentation).toEqual(["Of the block."]);
  expect(config.members.map((node) => (node.kind === "field" ? node.documentation : []))).toEqual([
    ["Of the field,", "  in two lines."],
    [],
  ]);
});

it("a block is documentation too", () => {
  expect(declaration("struct", "/** One.\n * Two.\n *\n * Three.\n */\nstruct A { u8 x; }").documentation).toEqual([
    "One.",
    "Two.",
    "",
    "Three.",
  ]);
});

it("a blank line ends a piece of documentation", () => {
  expect(declaration("struct", "/// Of nothing.\n\n/// Of A.\nstruct A { u8 x; }").documentation).toEqual(["Of A."]);
});

it("a remark between documentation and declaration does no harm", () => {
  expect(declaration("struct", "/// Of A.\n// Remark.\nstruct A { u8 x; }").documentation).toEqual(["Of A."]);
});

it("rulers and empty comments are not documentation", () => {
  expect(
    declarations("////////\nstruct A { u8 x; }\n/**/\nstruct B { u8 x; }\n/*** x ***/\nstruct C { u8 x; }"),
  ).toMatchObject([{ documentation: [] }, { documentation: [] }, { documentation: [] }]);
});

it("enum members, queues, arms and lets are documented", () => {
  expect(declaration("enum", "enum A : u8 {\n/// M.\nX = 1; }").members[0]?.documentation).toEqual(["M."]);
  expect(declaration("queues", "queues {\n/// Q.\nq; }").members[0]?.documentation).toEqual(["Q."]);
  expect(declaration("let", "/// L.\nlet x = 1;").documentation).toEqual(["L."]);
  expect(member("match-fields", "match a {\n/// R.\nX => {} }").arms[0]?.documentation).toEqual(["R."]);
});

it("other comments are kept aside, in order", () => {
  const { comments } = readClean(
    "// one\nstruct A { /* two */ u8 x; // three\n}\n/// documentation\nstruct B { u8 x; }",
  );
  expect(comments.map(({ kind, text }) => [kind, text])).toEqual([
    ["line-comment", "// one"],
    ["block-comment", "/* two */"],
    ["line-comment", "// three"],
  ]);
});
