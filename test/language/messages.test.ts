import { describe, expect, it } from "vitest";
import { readAll } from "./reading.js";

describe("what is said about a mistake", () => {
  it.each([
    ["struct S {\n  le32 a\n}", "2:9 expected `;` after the field, found `}`"],
    ["struct S {\n  le32 a\n  le32 b;\n}", "2:9 expected `;` after the field, found `le32`"],
    ["struct S {\n  le32;\n}", "2:7 expected the name of the field, found `;`"],
    [
      "struct S {\n  le32 a iff MQ since 1.3;\n}",
      "2:10 expected `;` after the field, found `iff` (did you mean `if`?)",
    ],
    ["struct S {\n  le32 a sinse 1.3;\n}", "2:10 expected `;` after the field, found `sinse` (did you mean `since`?)"],
    ["struct S {\n  le32 a if;\n}", "2:12 expected a value, found `;`"],
    ["struct S {\n  le32 a since x;\n}", "2:16 expected a version such as `1.3`, found `x`"],
    ["struct S {\n  u8 a[;\n}", "2:8 expected a length or `]`, found `;`"],
    ["struct S {\n  u8 a[4;\n}", "2:9 expected `]`, found `;`"],
    ["struct S {\n  mach a { X => {} }\n}", "2:3 expected a field, found `mach` (did you mean `match`?)"],
    ["structt S {\n  le32 a;\n}", "1:1 expected a declaration, found `structt` (did you mean `struct`?)"],
    [
      "device d = 1 {\n  faetures {\n    A = 1;\n  }\n}",
      "2:3 expected a declaration, found `faetures` (did you mean `features`?)",
    ],
    ["device = 1 {\n}", "1:8 expected the name of the device, found `=`"],
    ["device d = {\n}", "1:12 expected the number of the device, found `{`"],
    ['device d = 1\n  spec "5";\n}', "1:13 expected `{`, found `spec`"],
    [
      "request R {\n  reedable { u8 a; }\n}",
      "2:3 expected `readable`, `writable`, `match`, `if` or `struct`, found `reedable` (did you mean `readable`?)",
    ],
    ["request R {\n  match t {\n    A readable {}\n  }\n}", "3:7 expected `=>`, found `readable`"],
    ["request R {\n  match t {\n    => readable {}\n  }\n}", "3:5 expected a value, found `=>`"],
    ["const A 1;", "1:9 expected `=` and a value, found `1`"],
    ["const A = (1 + 2;", "1:17 expected `)`, found `;`"],
    ["const A = 1 + ;", "1:15 expected a value, found `;`"],
    ["const A = a.;", "1:13 expected a name after `.`, found `;`"],
    ["import core;", "1:8 expected the path of a file in quotes, found `core`"],
    ["struct S {\n  le32 a;\n", "1:10 `{` is never closed"],
    ["struct S {\n  le32 a;\n}\n}", "4:1 `}` closes nothing"],
    ["/* never", "1:1 comment is never closed"],
    ['import "never;', "1:8 string is never closed"],
    ["#include <linux/types.h>\nstruct S {}", "1:1 only `#define` is understood, not `#include`"],
    ["struct S {\n  le32 $$$ a;\n}", "2:8 unexpected character `$`"],
    ["\u20ac\u20ac", "1:1 unexpected character U+20AC"],
    ["enum E : u8 {\n  = 1;\n}", "2:3 expected a name, found `=`"],
    ["device d = 1 {\n  queues {\n    a request R;\n  }\n}", "3:7 expected `;` after the queue, found `request`"],
  ])("%j", (text, message) => {
    expect(readAll(text).errors).toEqual([message]);
  });

  it("points at exactly what was found", () => {
    const text = "struct S {\n  le32 a iff MQ;\n}";
    const [{ span } = { span: undefined }] = readAll(text).diagnostics;
    expect(span && text.slice(span.start, span.end)).toBe("iff");
  });

  it("goes on behind a mistake", () => {
    const { file, errors } = readAll(
      "struct A {\n  le32 ;\n  le32 b;\n}\nstruct B {\n  le32 c\n}\nstructt C {}\nstruct D {}",
    );
    expect(errors).toHaveLength(3);
    expect(file.items.map((item) => ("name" in item ? item.name?.text : undefined))).toEqual(["A", "B", "D"]);
  });

  it("finds the block that is not closed by how it is indented", () => {
    const text = "device d = 1 {\n  features {\n    A = 1;\n  config {\n    le32 a;\n  }\n}\n";
    expect(readAll(text).errors).toEqual(["2:12 `{` is never closed"]);
  });

  it("says nothing twice about a text with a hundred mistakes and more", () => {
    const { errors } = readAll("le32 ;\n".repeat(1000));
    expect(errors.length).toBeGreaterThan(50);
    expect(errors.length).toBeLessThanOrEqual(100);
    expect(new Set(errors).size).toBe(errors.length);
  });
});
