import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { definition, Workspace, type Ran } from "./workspace.js";
import "../seed.js";

const plain = ["--format", "plain"];

/** Errors, each with a place and a code, and nothing that looks like a crash. */
function expectErrors({ code, out, err }: Ran): void {
  expect(err).toMatch(/^[^\n]+:\d+:\d+: error\[VG\d{4}\]: [^\n]+\n/);
  expect(err).not.toMatch(/^ +at /m);
  expect(out).toBe("");
  expect(code).toBe(1);
}

async function checkBytes(bytes: string | Uint8Array): Promise<Ran> {
  return new Workspace({ "x.virtio": bytes }).run(["check", "x.virtio", ...plain]);
}

describe("text that is no definition", () => {
  it("random bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 2000 }), async (bytes) => {
        const { code, err } = await new Workspace().run(["check", "-", ...plain], { stdin: bytes });
        expect([0, 1]).toContain(code);
        expect(code === 1).toBe(err !== "");
      }),
      { numRuns: 100 },
    );
  });

  it("a definition that is cut off anywhere", async () => {
    const text = definition("alpha", 60);
    const space = new Workspace();
    for (let length = 0; length < text.length; length += 7) {
      const { code, err } = await space.run(["check", "-", ...plain], { stdin: text.slice(0, length) });
      expect([0, 1]).toContain(code);
      expect(err).not.toContain("bug");
    }
  });

  it.each([
    ["one letter", "a"],
    ["opening braces", "{"],
    ["open comments", "/*"],
    ["quotes", '"'],
    ["half a field", "le32; "],
  ])(
    "1 MiB of one line: %s",
    async (_name, unit) => {
      const started = performance.now();
      expectErrors(await checkBytes(unit.repeat(Math.ceil((1 << 20) / unit.length))));
      // It only has to end.
      expect(performance.now() - started).toBeLessThan(300_000);
    },
    400_000,
  );

  it("shows an error in a line of 1 MiB in one screen", async () => {
    const space = new Workspace({ "x.virtio": `/* ${"x".repeat(1 << 20)} */ ?` });
    const { code, err } = await space.run(["check", "x.virtio"]);
    expect(err.length).toBeLessThan(1000);
    expect(code).toBe(1);
  });

  it("deep nesting", async () => {
    for (const [open, close] of [
      ["struct { ", "} x; "],
      ["if (A) { ", "} "],
    ]) {
      expectErrors(await checkBytes(`struct S { ${open?.repeat(20_000)} ${close?.repeat(20_000)} };`));
    }
    expectErrors(await checkBytes(`const A = ${"(".repeat(50_000)}1${")".repeat(50_000)};`));
  }, 300_000);
});

describe("encodings", () => {
  it.each([
    ["a lone byte", [0xff], "1:4"],
    ["a character that is cut off", [0xe4, 0xbb], "1:4"],
    ["a form that is too long", [0xc0, 0xaf], "1:4"],
    ["half a surrogate pair", [0xed, 0xa0, 0x80], "1:4"],
    ["after a wide character", [0xf0, 0x9f, 0x9a, 0x80, 0x0a, 0x80], "2:1"],
  ])("invalid UTF-8: %s", async (_name, bytes, place) => {
    const ran = await checkBytes(Buffer.concat([Buffer.from("// "), Buffer.from(bytes)]));
    expect(ran.err).toBe(
      `x.virtio:${place}: error[VG1006]: the file is not valid UTF-8\n  help: save the file as UTF-8\n`,
    );
    expect(ran.code).toBe(1);
  });

  it("invalid UTF-8 in a file that is imported", async () => {
    const space = new Workspace({ "x.virtio": 'import "y.virtio";', "y.virtio": Buffer.from([0x20, 0xff]) });
    const { code, err } = await space.run(["check", "x.virtio", ...plain]);
    expect(err).toMatch(/^y\.virtio:1:2: error\[VG1006\]/);
    expect(code).toBe(1);
  });

  it("UTF-16", async () => {
    expectErrors(await checkBytes(Buffer.from(`\ufeff${definition("alpha", 60)}`, "utf16le")));
  });

  it("a byte order mark is no error and does not move columns", async () => {
    expect((await checkBytes(`\ufeff${definition("alpha", 60)}`)).code).toBe(0);
    expect((await checkBytes("\ufeff  ?")).err).toMatch(/^x\.virtio:1:3: /);
  });

  it("CRLF is no error and does not move lines", async () => {
    expect((await checkBytes(definition("alpha", 60).replaceAll("\n", "\r\n"))).code).toBe(0);
    expect((await checkBytes("\r\n\r\n ?\r\n")).err).toMatch(/^x\.virtio:3:2: /);
  });
});

describe("paths", () => {
  it("that do not exist", async () => {
    const { code, err } = await new Workspace().run(["check", "nowhere", "x.virtio", ...plain]);
    expect(err).toBe(
      "nowhere:1:1: error[VG9002]: there is no file or folder nowhere\n" +
        "x.virtio:1:1: error[VG9002]: there is no file or folder x.virtio\n",
    );
    expect(code).toBe(1);
  });

  it("of a link that leads nowhere, named and found in a folder", async () => {
    const space = new Workspace({ "alpha.virtio": definition("alpha", 60) });
    symlinkSync("nowhere.virtio", space.path("x.virtio"));
    for (const path of ["x.virtio", "."]) expectErrors(await space.run(["check", path, ...plain]));
  });

  it("of links that go round in a circle", async () => {
    const space = new Workspace();
    symlinkSync("b.virtio", space.path("a.virtio"));
    symlinkSync("a.virtio", space.path("b.virtio"));
    const { code, err } = await space.run(["check", "a.virtio", ...plain]);
    expect(err).toBe("a.virtio:1:1: error[VG9003]: cannot read a.virtio: its symbolic links go round in a circle\n");
    expect(code).toBe(1);
    expectErrors(await space.run(["check", ".", ...plain]));
  });

  it("of something that is no file", async () => {
    const space = new Workspace();
    execFileSync("mkfifo", [space.path("x.virtio")]);
    for (const path of ["x.virtio", "."]) {
      const { code, err } = await space.run(["check", path, ...plain]);
      expect(err).toBe("x.virtio:1:1: error[VG9003]: cannot read x.virtio: it is not a file\n");
      expect(code).toBe(1);
    }
  });

  it("below a file", async () => {
    const space = new Workspace({ "x.virtio": definition("alpha", 60) });
    expectErrors(await space.run(["check", "x.virtio/y.virtio", ...plain]));
  });

  it("with a NUL in them", async () => {
    expectErrors(await new Workspace().run(["check", "x\0.virtio", ...plain]));
  });

  it("of a folder without definitions, even one with the name of a file", async () => {
    const space = new Workspace();
    mkdirSync(space.path("x.virtio"));
    const { code, err } = await space.run(["check", "x.virtio", ...plain]);
    expect(err).toMatch(/^x\.virtio:1:1: error\[VG9005\]: there are no \.virtio files in x\.virtio\n/);
    expect(code).toBe(1);
  });

  it("of a file with another extension", async () => {
    const space = new Workspace({ "README.md": "# hello\n" });
    const { code, err } = await space.run(["check", "README.md", ...plain]);
    expect(err).toBe("README.md:1:1: error[VG9004]: README.md is not a definition: the name of one ends in .virtio\n");
    expect(code).toBe(1);
  });

  it("of a file that is too large", async () => {
    const space = new Workspace({ "x.virtio": "" });
    truncateSync(space.path("x.virtio"), (16 << 20) + 1);
    const { code, err } = await space.run(["check", "x.virtio", ...plain]);
    expect(err).toBe("x.virtio:1:1: error[VG9006]: x.virtio is larger than 16 MiB\n");
    expect(code).toBe(1);
    const piped = await new Workspace().run(["check", "-", ...plain], { stdin: Buffer.alloc((16 << 20) + 1) });
    expect(piped.err).toContain("error[VG9006]: the standard input is larger than 16 MiB");
  });

  it("says what could not be read, and nothing that only follows from it", async () => {
    const space = new Workspace({ "x.virtio": "device x = 60 { config { Elsewhere y; } }" });
    const { err } = await space.run(["check", "x.virtio", "elsewhere.virtio", ...plain]);
    expect(err.match(/error\[/g)).toHaveLength(1);
    expect(err).toContain("VG9002");
  });
});

describe("imports", () => {
  it.each([
    ["missing.virtio", "it does not exist"],
    ["/etc/passwd", "the path is not relative"],
    ["C:/x.virtio", "the path is not relative"],
    ["..\\\\x.virtio", "the path is not relative"],
    ["folder", "the name of a definition ends in .virtio"],
    ["folder.virtio", "it is not a file"],
  ])("of %s", async (path, reason) => {
    const space = new Workspace({ "a/x.virtio": `\n  import "${path}";\n` });
    mkdirSync(space.path("a/folder.virtio"));
    const { code, err } = await space.run(["check", "a", ...plain]);
    expect(err).toMatch(/^a\/x\.virtio:2:\d+: error\[VG9001\]: cannot import /);
    expect(err).toContain(`: ${reason}\n`);
    expect(err.match(/error\[/g)).toHaveLength(1);
    expect(code).toBe(1);
  });
});
