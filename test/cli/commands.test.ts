import { chmodSync, statSync, symlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { definition, Workspace } from "./workspace.js";

const wrong = "device x = 60 {\n  config {\n    le23 a;\n  }\n}\n";

describe("check", () => {
  it("shows a code frame on the standard error, with colour only where it is wanted", async () => {
    const space = new Workspace({ "x.virtio": wrong });
    const { code, out, err } = await space.run(["check", "x.virtio"]);
    expect(err).toContain(" --> x.virtio:3:5\n");
    expect(err).toContain("3 |     le23 a;\n  |     ^^^^");
    expect(err).toContain("virtio-gen explain VG2001");
    expect(err).toMatch(/\n1 error found\n$/);
    expect(err).not.toContain("\u001b");
    expect(out).toBe("");
    expect(code).toBe(1);
  });

  it.each([
    [true, {}, [], true],
    [false, {}, [], false],
    [true, { NO_COLOR: "1" }, [], false],
    [true, { NO_COLOR: "" }, [], true],
    [true, { TERM: "dumb" }, [], false],
    [true, {}, ["--no-color"], false],
    [false, { FORCE_COLOR: "1" }, [], true],
    [true, { FORCE_COLOR: "0" }, [], false],
    [false, {}, ["--color"], true],
    [false, { NO_COLOR: "1" }, ["--color"], true],
    [true, { FORCE_COLOR: "1" }, ["--no-color"], false],
  ])("terminal %j, environment %j, options %j: colour %j", async (terminal, env, options, colour) => {
    const space = new Workspace({ "x.virtio": wrong });
    const { err } = await space.run(["check", "x.virtio", ...options], { terminal, env });
    expect(err.includes("\u001b[")).toBe(colour);
  });

  it("gives one JSON document on the standard output", async () => {
    const space = new Workspace({ "x.virtio": wrong });
    const { code, out, err } = await space.run(["check", "x.virtio", "--format", "json"]);
    expect(err).toBe("");
    expect(JSON.parse(out)).toMatchObject({
      diagnostics: [{ code: "VG2001", place: { file: "x.virtio", start: { line: 3, column: 5 } } }],
      errors: 1,
      warnings: 0,
    });
    expect(code).toBe(1);
  });

  it("gives annotations for GitHub on the standard output", async () => {
    const space = new Workspace({ "x.virtio": wrong });
    const { out, err } = await space.run(["check", "x.virtio", "--format", "github"]);
    expect(err).toBe("");
    expect(out).toMatch(/^::error file=x\.virtio,line=3,endLine=3,col=5,endColumn=9,title=VG2001 unknown-name::/);
  });

  it("names files from the working directory", async () => {
    const space = new Workspace({ "a/x.virtio": wrong, "b/.keep": "" });
    const { err } = await space.run(["check", "../a", "--format", "plain"], { cwd: "b" });
    expect(err).toMatch(/^\.\.\/a\/x\.virtio:3:5: /);
  });

  it("does not show thousands of findings at once", async () => {
    const fields = Array.from({ length: 80 }, (_, index) => `  Missing${index} f${index};`).join("\n");
    const space = new Workspace({ "x.virtio": `struct S {\n${fields}\n}\n` });
    const { err } = await space.run(["check"]);
    expect(err.match(/error\[VG/g)).toHaveLength(50);
    expect(err).toContain("(30 more findings not shown; --format plain shows all)\n80 errors found\n");
    expect((await space.run(["check", "--format", "plain"])).err.match(/error\[VG/g)).toHaveLength(80);
  });
});

describe("model", () => {
  it("prints the model, from files and from the standard input", async () => {
    const text = definition("alpha", 60);
    const space = new Workspace({ "alpha.virtio": text });
    const { code, out, err } = await space.run(["model", "alpha.virtio"]);
    expect(err).toBe("");
    expect(code).toBe(0);
    const model: unknown = JSON.parse(out);
    expect(model).toMatchObject({ modelVersion: 1, devices: [{ name: "alpha", id: 60, source: "alpha.virtio" }] });
    const piped = await space.run(["model", "-"], { stdin: text });
    expect(JSON.parse(piped.out)).toMatchObject({ modelVersion: 1, devices: [{ name: "alpha", id: 60 }] });
  });

  it("leaves out what came after a release", async () => {
    const text = "device alpha = 60 {\n  features { OLD = 0; NEW = 1 since 1.3; }\n}\n";
    const space = new Workspace({ "alpha.virtio": text });
    const { out } = await space.run(["model", "alpha.virtio", "--spec-version", "1.2"]);
    expect(JSON.parse(out)).toMatchObject({ devices: [{ features: [{ name: "OLD" }] }] });
    expect(out).not.toContain("NEW");
    expect((await space.run(["model", "alpha.virtio", "--spec-version", "1.9"])).code).toBe(2);
  });

  it("prints nothing but messages if there are errors", async () => {
    const { code, out, err } = await new Workspace({ "x.virtio": wrong }).run(["model", "x.virtio"]);
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err).toContain("error[VG2001]");
  });
});

describe("fmt", () => {
  const ugly = "device  alpha=60{config{le32   limit ;}}";

  it("rewrites what is not laid out, and leaves the rest alone", async () => {
    const space = new Workspace({ "a.virtio": ugly });
    const first = await space.run(["fmt"]);
    expect(first).toMatchObject({ code: 0, err: "", out: "1 file changed, 0 unchanged\n" });
    const pretty = space.read("a.virtio");
    expect(pretty).not.toBe(ugly);
    expect((await space.run(["fmt"])).out).toBe("0 files changed, 1 unchanged\n");
    expect(space.read("a.virtio")).toBe(pretty);
    expect((await space.run(["fmt", "-"], { stdin: ugly })).out).toBe(pretty);
  });

  it("--check changes nothing and ends with 1", async () => {
    const space = new Workspace({ "a.virtio": ugly });
    const { code, err } = await space.run(["fmt", "--check", "--format", "plain"]);
    expect(err).toBe("a.virtio:1:1: error[VG9014]: a.virtio is not formatted\n  help: run `virtio-gen fmt`\n");
    expect(code).toBe(1);
    expect(space.read("a.virtio")).toBe(ugly);
    await space.run(["fmt"]);
    expect(await space.run(["fmt", "--check"])).toMatchObject({ code: 0, out: "1 file formatted\n", err: "" });
  });

  it("takes a byte order mark away", async () => {
    const space = new Workspace({ "a.virtio": ugly });
    await space.run(["fmt"]);
    const pretty = space.read("a.virtio");
    space.write("a.virtio", `\ufeff${pretty}`);
    expect((await space.run(["fmt", "--check"])).code).toBe(1);
    await space.run(["fmt"]);
    expect(space.read("a.virtio")).toBe(pretty);
  });

  it("changes nothing at all if one of the files does not parse", async () => {
    const space = new Workspace({ "a.virtio": ugly, "b.virtio": "device {" });
    const { code, err, out } = await space.run(["fmt", "--format", "plain"]);
    expect(err).toMatch(/^b\.virtio:1:\d+: error\[VG1\d{3}\]/);
    expect(out).toBe("");
    expect(code).toBe(1);
    expect(space.read("a.virtio")).toBe(ugly);
  });

  it("keeps a file's permissions, and links what is linked", async () => {
    const space = new Workspace({ "real/a.virtio": ugly });
    chmodSync(space.path("real/a.virtio"), 0o640);
    symlinkSync("real/a.virtio", space.path("a.virtio"));
    await space.run(["fmt", "a.virtio"]);
    expect(space.read("real/a.virtio")).not.toBe(ugly);
    expect(statSync(space.path("real/a.virtio")).mode & 0o777).toBe(0o640);
  });
});

describe("new", () => {
  it("writes a definition that checks, is laid out, and builds", async () => {
    const space = new Workspace();
    const { code, out, err } = await space.run(["new", "thermometer"]);
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toContain("virtio-gen build thermometer.virtio --out generated");
    expect((await space.run(["fmt", "--check"])).code).toBe(0);
    expect((await space.run(["build", "thermometer.virtio", "--out", "generated"])).err).toBe("");
    expect(Object.keys(space.snapshot("generated"))).toEqual(["thermometer.ts"]);
    expect(space.read("generated/thermometer.ts")).toContain("export class ThermometerDevice");
  });

  it("takes a folder and a number", async () => {
    const space = new Workspace();
    await space.run(["new", "a", "--dir", "devices", "--id", "1234"]);
    expect(space.read("devices/a.virtio")).toContain("device a = 1234 {");
  });

  it("does not replace a file unless told to", async () => {
    const space = new Workspace({ "a.virtio": "mine" });
    expect(await space.run(["new", "a"])).toEqual({
      code: 2,
      out: "",
      err: "error: a.virtio exists already; --force replaces it\n",
    });
    expect(space.read("a.virtio")).toBe("mine");
    expect((await space.run(["new", "a", "--force"])).code).toBe(0);
    expect(space.read("a.virtio")).toContain("device a =");
  });

  it.each(["", "A", "9a", "a b", "../a", "a-b", "a".repeat(50)])("does not take the name %j", async (name) => {
    const space = new Workspace();
    expect((await space.run(["new", name])).code).toBe(2);
    expect(space.snapshot()).toEqual({});
  });

  it.each(["0", "-1", "x", "70000", "1.5", ""])("does not take the number %j", async (id) => {
    expect((await new Workspace().run(["new", "a", `--id=${id}`])).code).toBe(2);
  });
});

describe("explain", () => {
  it.each(["VG9002", "vg9002", "9002", "path-missing"])("finds the page of %s", async (wanted) => {
    const { code, out } = await new Workspace().run(["explain", wanted]);
    expect(code).toBe(0);
    expect(out).toMatch(/^# VG9002: /);
  });

  it("lists all codes, sorted", async () => {
    const { out } = await new Workspace().run(["explain"]);
    const codes = out.split("\n").map((line) => line.slice(0, 6));
    expect(codes).toContain("VG1001");
    expect(codes.filter(Boolean)).toEqual([...codes.filter(Boolean)].sort());
    expect(new Set(codes).size).toBe(codes.length);
  });

  it.each([
    ["unknown-nmae", "did you mean unknown-name?"],
    ["VG9902", "did you mean VG"],
    ["hello", "`virtio-gen explain` lists all codes"],
  ])("suggests something for %s", async (wanted, hint) => {
    const { code, err } = await new Workspace().run(["explain", wanted]);
    expect(err).toContain(hint);
    expect(code).toBe(2);
  });
});
