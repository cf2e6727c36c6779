import { describe, expect, it } from "vitest";
import { DiagnosticBag, type Diagnostic } from "../../src/diagnostics/diagnostic.js";
import { excerptAt } from "../../src/diagnostics/render-excerpt.js";
import { renderGithub } from "../../src/diagnostics/render-github.js";
import { jsonDiagnostics } from "../../src/diagnostics/render-json.js";
import { renderPlain } from "../../src/diagnostics/render-plain.js";
import { renderPretty } from "../../src/diagnostics/render-pretty.js";
import { textColumns } from "../../src/diagnostics/render-width.js";
import type { Source, Span } from "../../src/diagnostics/source.js";

/** A source in which `[[` and `]]` mark ranges; the marks are taken out. */
function marked(name: string, text: string): { source: Source; spans: readonly Span[] } {
  const ranges: [number, number][] = [];
  let plain = "";
  for (const piece of text.split(/(\[\[|\]\])/)) {
    if (piece === "[[") ranges.push([plain.length, plain.length]);
    else if (piece === "]]") {
      const open = ranges.at(-1);
      if (open) open[1] = plain.length;
    } else plain += piece;
  }
  const source = { name, text: plain };
  return { source, spans: ranges.map(([start, end]) => ({ source, start, end })) };
}

function unknownName(
  span: Span | undefined,
  labels: readonly (Span | undefined)[] = [],
  help?: string,
): readonly Diagnostic[] {
  const bag = new DiagnosticBag();
  if (!span) throw new Error("nothing is marked");
  const places = labels.flatMap((label) => (label ? [{ span: label, message: "seen here" }] : []));
  bag.report("unknown-name", span, { what: "type", name: "le23" }, { labels: places, help });
  return bag.sorted();
}

const pretty = (diagnostics: readonly Diagnostic[], columns = 100): string =>
  renderPretty(diagnostics, { colour: false, columns });

describe("plain", () => {
  it("gives one line a finding, with its labels and its help below", () => {
    const { spans } = marked("a.virtio", "struct S {\n  [[le32]] x;\n  [[le23]] y;\n}\n");
    expect(renderPlain(unknownName(spans[1], [spans[0]], "did you mean le32?"))).toBe(
      "a.virtio:3:3: error[VG2001]: unknown type le23\n  a.virtio:2:3: seen here\n  help: did you mean le32?\n",
    );
  });

  it("is empty if there is nothing to say", () => {
    expect(renderPlain([])).toBe("");
  });

  it("lets no control character of the input through", () => {
    const { spans } = marked("a\u001b[31m\nb.virtio", "[[x]]");
    const text = renderPlain(unknownName(spans[0], [], "\u202e\r\u0007"));
    expect(text).toBe(
      "a\\u{1b}[31m\\u{a}b.virtio:1:1: error[VG2001]: unknown type le23\n  help: \\u{202e}\\u{d}\\u{7}\n",
    );
  });
});

describe("pretty", () => {
  it("underlines the range, labels related places, and says how to learn more", () => {
    const { spans } = marked("a.virtio", "struct S {\n  [[le32]] x;\n\n  [[le23]] y;\n}\n");
    expect(pretty(unknownName(spans[1], [spans[0]], "did you mean le32?"))).toBe(
      [
        "error[VG2001]: unknown type le23",
        " --> a.virtio:4:3",
        "  |",
        "2 |   le32 x;",
        "  |   ---- seen here",
        "...",
        "4 |   le23 y;",
        "  |   ^^^^",
        "  = help: did you mean le32?",
        "  = to learn more: virtio-gen explain VG2001",
        "",
        "",
      ].join("\n"),
    );
  });

  it("shows places in another file in a frame of their own", () => {
    const here = marked("a.virtio", "[[x]]").spans[0];
    const there = marked("core.virtio", "\n\n\n\n\n\n\n\n\n  [[y]]").spans[0];
    expect(pretty(unknownName(here, [there]))).toContain(
      [
        "  --> a.virtio:1:1",
        "   |",
        " 1 | x",
        "   | ^",
        "  ::: core.virtio:10:3",
        "   |",
        "10 |   y",
        "   |   - seen here",
      ].join("\n"),
    );
  });

  it("shows two marks in one line under the same line", () => {
    const { spans } = marked("a.virtio", "[[A]] = 1; [[A]] = 2;");
    const lines = pretty(unknownName(spans[1], [spans[0]])).split("\n");
    expect(lines.slice(3, 6)).toEqual(["1 | A = 1; A = 2;", "  | - seen here", "  |        ^"]);
  });

  it.each([
    ["a tab", "\t[[x]]", "    x", "    ^"],
    ["a tab after text", "ab\t[[x]]\ty", "ab  x   y", "    ^"],
    ["wide characters", "/* 仮想 */ [[x]]", "/* 仮想 */ x", "           ^"],
    ["wide characters in the range", "[[仮想]]x", "仮想x", "^^^^"],
    ["an emoji", "🚀 [[x]]", "🚀 x", "   ^"],
    ["combining characters", "e\u0301 [[x]]", "e\u0301 x", "  ^"],
    ["a control character", "\u0000[[x]]", "\\u{0}x", "     ^"],
    ["half a surrogate pair", "\ud800[[x]]", "\\u{d800}x", "        ^"],
    ["a carriage return at the end", "[[x]]\r\ny", "x", "^"],
    ["an empty range at the end", "x[[]]", "x", " ^"],
    ["a range over several lines", "a [[b\nc]] d", "a b", "  ^"],
  ])("aligns after %s", (_name, text, line, underline) => {
    const { spans } = marked("a.virtio", text);
    expect(pretty(unknownName(spans[0])).split("\n").slice(3, 5)).toEqual([`1 | ${line}`, `  | ${underline}`]);
  });

  it("cuts a long line to the columns of the terminal and keeps the range in sight", () => {
    for (const before of [0, 5, 30, 500_000, 1_048_576]) {
      const { spans } = marked("a.virtio", `${"a".repeat(before)}[[WRONG]]${"b".repeat(1_048_576 - before)}`);
      const lines = pretty(unknownName(spans[0]), 60).split("\n").slice(3, 5);
      const [line = "", underline = ""] = lines;
      expect(textColumns(line)).toBeLessThanOrEqual(60);
      const at = underline.indexOf("^");
      expect(line.slice(at, at + 5)).toBe("WRONG");
      expect(underline.slice(at)).toBe("^^^^^");
    }
  });

  it("shows marks that are far apart in a long line in lines of their own", () => {
    const { spans } = marked("a.virtio", `[[FIRST]]${" ".repeat(5000)}[[SECOND]]`);
    const text = pretty(unknownName(spans[1], [spans[0]]), 60);
    expect(text).toMatch(/FIRST.*\n.*-{5} seen here\n/);
    expect(text).toMatch(/… +SECOND\n.* \^{6}\n/);
  });

  it("never cuts a character in two", () => {
    const { source } = marked("a.virtio", "🚀".repeat(1000));
    for (let offset = 0; offset < 200; offset++) {
      expect(excerptAt(source, offset, 31).text).toMatch(/^…?🚀+…?$/u);
    }
  });

  it("names a file as a whole without a frame", () => {
    const bag = new DiagnosticBag();
    bag.report("path-missing", { source: { name: "x.virtio", text: "" }, start: 0, end: 0 }, { path: "x.virtio" });
    expect(pretty(bag.sorted())).toBe(
      "error[VG9002]: there is no file or folder x.virtio\n --> x.virtio\n  = to learn more: virtio-gen explain VG9002\n\n",
    );
  });

  it("paints only when asked to", () => {
    const diagnostics = unknownName(marked("a.virtio", "[[x]]").spans[0]);
    const painted = renderPretty(diagnostics, { colour: true });
    expect(painted).toContain("\u001b[1;31merror[VG2001]\u001b[22;39m");
    expect(painted.replace(/\u001b\[[\d;]*m/g, "")).toBe(pretty(diagnostics));
    expect(pretty(diagnostics)).not.toContain("\u001b");
  });
});

describe("json", () => {
  it("gives places as lines, columns and offsets", () => {
    const { spans } = marked("a.virtio", "x\n [[ab]] [[c]]");
    expect(jsonDiagnostics(unknownName(spans[1], [spans[0]]))).toEqual([
      {
        code: "VG2001",
        rule: "unknown-name",
        severity: "error",
        message: "unknown type le23",
        place: {
          file: "a.virtio",
          start: { line: 2, column: 5, offset: 6 },
          end: { line: 2, column: 6, offset: 7 },
        },
        labels: [
          {
            place: {
              file: "a.virtio",
              start: { line: 2, column: 2, offset: 3 },
              end: { line: 2, column: 4, offset: 5 },
            },
            message: "seen here",
          },
        ],
        help: null,
      },
    ]);
  });
});

describe("github", () => {
  it("writes a workflow command", () => {
    const { spans } = marked("dsl/a.virtio", "x\n [[ab]]");
    expect(renderGithub(unknownName(spans[0], [], "did you mean le32?"))).toBe(
      "::error file=dsl/a.virtio,line=2,endLine=2,col=2,endColumn=4,title=VG2001 unknown-name::" +
        "unknown type le23%0Ahelp: did you mean le32?\n",
    );
  });

  it("escapes what would end a value or a command", () => {
    const { spans } = marked("C:,%\n.virtio", "[[x]]");
    const text = renderGithub(unknownName(spans[0], [], "50 %\r\n::error::x"));
    expect(text).toContain("file=C%3A%2C%25%0A.virtio,");
    expect(text).toContain("help: 50 %25%0D%0A::error::x");
    expect(text.split("\n")).toHaveLength(2);
  });

  it("leaves columns out of a range over several lines", () => {
    const { spans } = marked("a.virtio", "[[a\nb]]");
    expect(renderGithub(unknownName(spans[0]))).toMatch(/line=1,endLine=2,title=/);
  });
});
