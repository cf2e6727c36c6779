import { mkdirSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BuildCache, hashOf } from "../../src/cli/build-cache.js";
import { BuildSession } from "../../src/cli/build-session.js";
import type { Io } from "../../src/cli/io.js";
import { definition, Workspace, type Ran } from "./workspace.js";

const shared = `/// A point.
struct Point {
  le32 x;
  le32 y;
}
`;
const user = (name: string, id: number): string =>
  `import "shared.virtio";\n${definition(name, id).replace("struct Pair {", "struct Pair {\n    Point at;")}`;
const three = {
  "dsl/shared.virtio": shared,
  "dsl/alpha.virtio": definition("alpha", 60),
  "dsl/beta.virtio": user("beta", 61),
};

const options = ["--cache-dir", "cache"];
const cached = (space: Workspace, ...more: readonly string[]): Promise<Ran> =>
  space.run(["build", "dsl", "--out", "made", ...options, ...more]);

/** What a build without a cache gives. */
async function plain(space: Workspace, ...more: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const { code } = await space.run(["build", "dsl", "--out", "plain", "--no-cache", ...more]);
  expect(code).toBe(0);
  return space.snapshot("plain");
}

function entries(space: Workspace): readonly string[] {
  return readdirSync(space.path("cache")).map((name) => `cache/${name}`);
}

describe("the cache of build", () => {
  it("gives the same bytes and the same counts, and says how much it knew", async () => {
    const space = new Workspace(three);
    const cold = await cached(space);
    expect(cold.out).not.toContain("from the cache");
    const warm = await cached(space);
    expect(warm.out).toContain("3 of 3 files from the cache");
    expect(warm.out.split(": ")[0]).toBe(cold.out.split(": ")[0]);
    expect(warm.out).toContain("check 0.0 ms, emit 0.0 ms, format 0.0 ms");
    expect(space.snapshot("made")).toEqual(await plain(space));
    // Also into a folder that is empty.
    await space.run(["build", "dsl", "--out", "again", ...options]);
    expect(space.snapshot("again")).toEqual(space.snapshot("made"));
  });

  it("does the work of one file if one has changed", async () => {
    const space = new Workspace(three);
    await cached(space);
    space.write("dsl/alpha.virtio", definition("alpha", 60).replace("le32 limit", "le64 limit"));
    expect((await cached(space)).out).toContain("2 of 3 files from the cache");
    expect(space.read("made/alpha.ts")).toContain("bigint");
    expect(space.snapshot("made")).toEqual(await plain(space));
  });

  it("builds again what uses a file that has changed", async () => {
    const space = new Workspace(three);
    await cached(space);
    space.write("dsl/shared.virtio", shared.replace("le32 y", "le64 y"));
    expect((await cached(space)).out).not.toContain("from the cache");
    expect(space.snapshot("made")).toEqual(await plain(space));
    // The import may be outside of what was asked for.
    const one = ["build", "dsl/beta.virtio", "--out", "one", ...options];
    await space.run(one);
    space.write("dsl/shared.virtio", shared.replace("le32 y", "le16 y"));
    expect((await space.run(one)).out).not.toContain("from the cache");
    await space.run(["build", "dsl/beta.virtio", "--out", "other", "--no-cache"]);
    expect(space.snapshot("one")).toEqual(space.snapshot("other"));
  });

  it("keeps results of different options apart", async () => {
    const space = new Workspace({
      ...three,
      "dsl/alpha.virtio": definition("alpha", 60).replace("le32 b;", "le32 b since 1.4;"),
    });
    for (const more of [
      [],
      ["--spec-version", "1.2"],
      ["--emit", "c"],
      ["--emit", "ts,c"],
      ["--emit", "ts,json"],
      [],
    ]) {
      expect((await space.run(["build", "dsl", "--out", `made/${more.join("")}x`, ...options, ...more])).code).toBe(0);
      await space.run(["build", "dsl", "--out", `plain/${more.join("")}x`, "--no-cache", ...more]);
      expect(space.snapshot(`made/${more.join("")}x`)).toEqual(space.snapshot(`plain/${more.join("")}x`));
    }
  });

  it("knows nothing of what another compiler made", async () => {
    const space = new Workspace(three);
    const silent = { write: () => undefined, isTerminal: false, columns: undefined };
    const io: Io = {
      stdout: silent,
      stderr: silent,
      cwd: space.folder,
      env: {},
      readStdin: () => Promise.resolve(undefined),
      onStop: () => undefined,
    };
    const request = { paths: ["dsl"], out: "made", emit: ["ts"] as const, check: false, specVersion: undefined };
    const reused = async (compiler: string): Promise<number | undefined> => {
      const outcome = await new BuildSession(request, io, new BuildCache(space.path("cache"), compiler)).build();
      return outcome?.reuse?.reused;
    };
    expect(await reused("one")).toBe(0);
    expect(await reused("one")).toBe(3);
    expect(await reused("two")).toBe(0);
    expect(await reused("one")).toBe(3);
  });

  it("serves what is stored, and only under the key that it was stored under", async () => {
    const space = new Workspace(three);
    await cached(space);
    // Put something of our own into every entry, with a checksum that is right: it must come out ...
    for (const path of entries(space)) {
      const payload = space.read(path).split("\n").slice(1).join("\n").replaceAll("The answer is doubled", "POISON");
      const key = path.slice("cache/".length, -".json".length);
      space.write(path, `${hashOf(`${key}\n${payload}`)}\n${payload}`);
    }
    await cached(space);
    expect(space.read("made/alpha.ts")).toContain("POISON");
    expect(space.read("made/beta.ts")).toContain("POISON");
    // ... and be gone from where anything that goes in has changed.
    space.write("dsl/alpha.virtio", `${definition("alpha", 60)}\n`);
    await cached(space);
    expect(space.read("made/alpha.ts")).not.toContain("POISON");
    expect(space.read("made/beta.ts")).toContain("POISON");
    space.write("dsl/shared.virtio", `${shared}\n`);
    await cached(space);
    expect(space.snapshot("made")).toEqual(await plain(space));
  });

  it.each([
    ["empty", (): string => ""],
    ["cut off", (text: string): string => text.slice(0, text.length / 2)],
    ["no JSON", (): string => "abc\n{"],
    ["one byte different", (text: string): string => text.replace(/.$/, "!")],
    ["of another entry", (_text: string, other: string): string => other],
    [
      "something else with a right checksum",
      (_text: string, _other: string, key: string): string => `${hashOf(`${key}\n{"outputs":[{}]}`)}\n{"outputs":[{}]}`,
    ],
  ])("does not mind entries that are damaged: %s", async (_what, damage) => {
    const space = new Workspace(three);
    await cached(space);
    const paths = entries(space);
    const texts = paths.map((path) => space.read(path));
    for (const [index, path] of paths.entries()) {
      const other = texts[(index + 1) % texts.length] ?? "";
      space.write(path, damage(texts[index] ?? "", other, path.slice("cache/".length, -".json".length)));
    }
    const { code, out, err } = await cached(space);
    expect([code, err]).toEqual([0, ""]);
    expect(out).not.toContain("from the cache");
    expect(space.snapshot("made")).toEqual(await plain(space));
    expect((await cached(space)).out).toContain("3 of 3 files from the cache");
  });

  it("says what a build without it says", async () => {
    const wrong: readonly Readonly<Record<string, string>>[] = [
      { "dsl/alpha.virtio": definition("alpha", 61) },
      { "dsl/alpha.virtio": definition("beta", 60) },
      { "dsl/alpha.virtio": definition("Beta", 60) },
      { "dsl/alpha.virtio": definition("alpha", 60).replace("le32 limit", "le33 limit") },
      { "dsl/alpha.virtio": "device {" },
      { "dsl/shared.virtio": "struct Other { u8 a; }\n" },
      { "dsl/shared.virtio": `${shared}${shared}` },
      { "dsl/gamma.virtio": shared },
      { "dsl/beta.virtio": user("beta", 61).replace("shared.virtio", "missing.virtio") },
    ];
    for (const change of wrong) {
      const space = new Workspace(three);
      await cached(space);
      for (const [path, text] of Object.entries(change)) space.write(path, text);
      const withCache = await cached(space, "--format", "plain");
      const without = await space.run(["build", "dsl", "--out", "made", "--no-cache", "--format", "plain"]);
      expect([withCache.code, withCache.err]).toEqual([without.code, without.err]);
      expect(withCache.err).not.toBe("");
      // Twice: nothing of it may have been kept as good.
      expect((await cached(space, "--format", "plain")).err).toBe(without.err);
    }
  });

  it("notices files that come and go", async () => {
    const space = new Workspace(three);
    await cached(space);
    space.write("dsl/gamma.virtio", definition("gamma", 62));
    expect((await cached(space)).out).toContain("3 of 4 files from the cache");
    expect(Object.keys(space.snapshot("made"))).toEqual(["alpha.ts", "beta.ts", "gamma.ts"]);
    const { code, err } = await space.run(["build", "dsl/alpha.virtio", "--out", "made", "--check", ...options]);
    expect(code).toBe(1);
    expect(err).toContain("gamma.ts");
  });

  it("compares with what is on disk, not with what it wrote there", async () => {
    const space = new Workspace(three);
    await cached(space);
    space.write("made/alpha.ts", `${space.read("made/alpha.ts")}// edited\n`);
    expect((await cached(space, "--check")).code).toBe(1);
    expect((await cached(space)).out).toContain("1 file written to made, 1 unchanged");
    expect(space.snapshot("made")).toEqual(await plain(space));
  });

  it("is in node_modules/.cache, nowhere if there is none, and not used with --no-cache", async () => {
    const space = new Workspace(three);
    await space.run(["build", "dsl", "--out", "made"], { cwd: "." });
    expect(Object.keys(space.snapshot()).filter((path) => path.includes("cache"))).toEqual([]);
    mkdirSync(space.path("node_modules"));
    await space.run(["build", "dsl", "--out", "made", "--no-cache"]);
    expect(Object.keys(space.snapshot("node_modules"))).toEqual([]);
    await space.run(["build", ".", "--out", "made"], { cwd: "dsl" });
    const kept = Object.keys(space.snapshot("node_modules/.cache/virtio-gen"));
    expect(kept.length).toBeGreaterThan(3);
    expect((await space.run(["build", "dsl", "--out", "made", "--no-cache"])).out).not.toContain("from the cache");
  });

  it("does not need to be writable", async () => {
    const space = new Workspace({ ...three, cache: "a file, not a folder" });
    for (let count = 0; count < 2; count++) {
      const { code, out } = await cached(space);
      expect(code).toBe(0);
      expect(out).not.toContain("from the cache");
    }
  });

  it("throws old entries away", () => {
    const space = new Workspace();
    const cache = new BuildCache(space.path("cache"), "one");
    for (let count = 0; count < 10; count++) cache.put(cache.key(String(count)), count);
    cache.prune(4);
    expect(entries(space)).toHaveLength(4);
  });
});
