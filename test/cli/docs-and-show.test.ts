import { describe, expect, it } from "vitest";
import { definition, Workspace } from "./workspace.js";

describe("docs", () => {
  it("writes a site and leaves alone what is the same already", async () => {
    const space = new Workspace({ "dsl/x.virtio": definition("x", 60) });
    const first = await space.run(["docs", "dsl", "--out", "site"]);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toContain("5 files written to site, 0 unchanged");
    expect(Object.keys(space.snapshot("site"))).toEqual(["index.html", "names.js", "search.js", "style.css", "x.html"]);
    const second = await space.run(["docs", "dsl", "--out", "site"]);
    expect(second.out).toContain("0 files written to site, 5 unchanged");
  });

  it("writes nothing if there are errors", async () => {
    const space = new Workspace({ "x.virtio": "device x = 60 { config { le23 a; } }" });
    const { code, err } = await space.run(["docs", "x.virtio", "--out", "site"]);
    expect(code).toBe(1);
    expect(err).toContain("le23");
    expect(Object.keys(space.snapshot())).toEqual(["x.virtio"]);
  });

  it("leaves out what came later than a release", async () => {
    const text = "device x = 60 { features { A = 0; B = 1 since 1.3; } }";
    const space = new Workspace({ "x.virtio": text });
    await space.run(["docs", "x.virtio", "--out", "site", "--spec-version", "1.2"]);
    const page = space.read("site/x.html");
    expect(page).toContain("VIRTIO_X_F_A");
    expect(page).not.toContain("VIRTIO_X_F_B");
  });
});

describe("show", () => {
  it("draws what the package defines if no definitions are given", async () => {
    const { code, out, err } = await new Workspace().run(["show", "blk.config", "--ascii"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("virtio_blk_config (blk.config), 96 bytes, section 5.2.4\n");
    expect(out).toContain("[1]  if SIZE_MAX\n");
  });

  it("draws both streams of a request", async () => {
    const space = new Workspace({ "x.virtio": definition("x", 60) });
    const { out } = await space.run(["show", "x.Request", "x.virtio"]);
    expect(out).toContain("device-readable");
    expect(out).toContain("|                             pair.a                            |");
    expect(out).toContain("device-writable");
    expect(out).toContain("|                             answer                            |");
  });

  it("suggests a name for one that is not there", async () => {
    const space = new Workspace({ "x.virtio": definition("x", 60) });
    const { code, out, err } = await space.run(["show", "x.confg", "x.virtio"]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("there is no layout x.confg; did you mean x.config?");
  });

  it("asks which one is meant", async () => {
    const space = new Workspace({ "x.virtio": definition("x", 60), "y.virtio": definition("y", 61) });
    const { code, err } = await space.run(["show", "Pair", "."]);
    expect(code).toBe(2);
    expect(err).toContain("Pair could be x.Pair or y.Pair; say which");
  });

  it("shows nothing of definitions with errors", async () => {
    const space = new Workspace({ "x.virtio": "device x = 60 { config { le23 a; } }" });
    const { code, out, err } = await space.run(["show", "x.config", "x.virtio"]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("le23");
  });
});
