import { describe, expect, it } from "vitest";
import { VERSION } from "../../src/compiler/version.js";
import { Workspace } from "./workspace.js";

const commands = ["build", "check", "model", "fmt", "new", "explain"];

describe("help", () => {
  it("lists every command and shows the way", async () => {
    const { code, out, err } = await new Workspace().run(["--help"]);
    expect(code).toBe(0);
    expect(err).toBe("");
    for (const command of commands) expect(out).toMatch(new RegExp(`^  ${command} .*[a-z]`, "m"));
    expect(out).toContain("virtio-gen new thermometer");
    expect(out).toContain("Exit codes:");
  });

  it.each(commands)("of %s has examples and fits into 80 columns", async (command) => {
    const { code, out } = await new Workspace().run([command, "--help"]);
    expect(code).toBe(0);
    expect(out).toContain("Examples:");
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect((await new Workspace().run(["help", command])).out).toBe(out);
  });

  it("prints the version", async () => {
    expect(await new Workspace().run(["--version"])).toEqual({ code: 0, out: `${VERSION}\n`, err: "" });
  });
});

describe("wrong use ends with 2 and says why", () => {
  it.each([
    [["bild"], "Did you mean build?"],
    [["build", "--chek"], "Did you mean --check?"],
    [["build", "--emit", "rust"], "ts, json"],
    [["build", "--emit", ""], "ts, json"],
    [["build", "--format", "xml"], "pretty, plain, json, github"],
    [["build", "--watch", "--check"], "cannot be used with"],
    [["build", "-"], "standard input"],
    [["build", "--out"], "argument missing"],
    [["model"], "missing required argument"],
    [["new"], "missing required argument"],
    [["new", "a", "b"], "too many arguments"],
    [["explain", "VG2001", "VG2002"], "too many arguments"],
  ])("%j", async (argv, message) => {
    const { code, out, err } = await new Workspace().run(argv);
    expect(err).toContain(message);
    expect(err).not.toMatch(/^ +at /m);
    expect(out).toBe("");
    expect(code).toBe(2);
  });

  it("nothing at all: shows the help on the standard error", async () => {
    const { code, out, err } = await new Workspace().run([]);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toContain("Usage: virtio-gen");
  });
});

describe("a mistake in the compiler itself", () => {
  const broken = { readStdin: () => Promise.reject(new Error("boom")) };

  it("ends with 70, a short message and no stack", async () => {
    const { code, err } = await new Workspace().run(["check", "-"], { io: broken });
    expect(code).toBe(70);
    expect(err).toContain("Error: boom");
    expect(err).toContain("VIRTIO_GEN_DEBUG=1");
    expect(err).not.toMatch(/^ +at /m);
    expect(err.split("\n").length).toBeLessThan(6);
  });

  it("shows the stack when asked to", async () => {
    const { err } = await new Workspace().run(["check", "-"], { io: broken, env: { VIRTIO_GEN_DEBUG: "1" } });
    expect(err).toMatch(/^ +at /m);
  });
});
