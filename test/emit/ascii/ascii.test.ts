import { describe, expect, it } from "vitest";
import { compile } from "../../../src/compiler/compile.js";
import { asciiByteMap, findLayouts, layoutNames } from "../../../src/emit/ascii/index.js";
import type { Model } from "../../../src/model/device-model.js";
import { theModel } from "../../dsl/models.js";

function mapOf(model: Model, name: string): string {
  const [layout] = findLayouts(model, name);
  if (!layout) throw new Error(`no layout ${name}`);
  return layout.streams.map(({ fields }) => asciiByteMap(fields, layout.scope)).join("\n");
}

function structMap(fields: string): string {
  const { model, diagnostics } = compile([{ name: "t.virtio", text: `device t = 60 { struct s { ${fields} } }` }]);
  if (!model) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return mapOf(model, "s");
}

describe("byte maps as text", () => {
  it.each(["blk.config", "virtio_net_hdr", "blk.Request.ZoneReport", "virtio_net_rss_config"])("%s", async (name) => {
    await expect(mapOf(theModel(), name)).toMatchFileSnapshot(`expected/${name}.txt`);
  });

  it("fit into 80 columns and name every condition, whatever is drawn", () => {
    for (const name of layoutNames(theModel())) {
      const map = mapOf(theModel(), name);
      const longest = Math.max(...map.split("\n").map((line) => line.length));
      expect(longest, name).toBeLessThanOrEqual(80);
      const text = map.replace(/\s+/g, " ");
      const fields = findLayouts(theModel(), name)[0]?.streams.flatMap((stream) => stream.fields) ?? [];
      for (const { condition } of fields) if (condition !== null) expect(text, name).toContain(` if ${condition}`);
    }
  });

  it("shortens long fields and says how much is left out", () => {
    expect(structMap("u8 a[512]; le32 b;")).toContain("... 504 bytes more ...");
  });

  it("gives bit-fields their share of the row", () => {
    const lines = structMap("le32 low : 8; le32 high : 24;").split("\n");
    expect(lines).toContain("0x00    |      low      |                      high                     |");
  });

  it("draws a field over several rows as one", () => {
    const lines = structMap("le16 a; le64 b;").split("\n");
    expect(lines.slice(1, 8)).toEqual([
      "        +-------------------------------+-------------------------------+",
      "0x00    |               a               |                               |",
      "        +-------------------------------+                               |",
      "0x04    |                               b                               |",
      "        |                               +-------------------------------+",
      "0x08    |                               |",
      "        +-------------------------------+",
    ]);
  });

  it("marks what belongs to a field of the row before", () => {
    const lines = structMap("le16 a; le32 b; le16 c;").split("\n");
    expect(lines.slice(1, 6)).toEqual([
      "        +-------------------------------+-------------------------------+",
      "0x00    |               a               |               b               |",
      "        +-------------------------------+-------------------------------+",
      "0x04    |             ... b             |               c               |",
      "        +-------------------------------+-------------------------------+",
    ]);
  });
});

describe("names", () => {
  it.each(["blk.config", "virtio_blk_config", "blk.virtio_blk_config", "BLK.CONFIG"])("%s is the config", (name) => {
    expect(findLayouts(theModel(), name).map(({ specName }) => specName)).toEqual(["virtio_blk_config"]);
  });

  it("find variants of requests by the specification's name of their layout", () => {
    expect(findLayouts(theModel(), "virtio_blk_req_za").map(({ names }) => names[0])).toEqual([
      "blk.Request.ZoneAppend",
    ]);
  });

  it("that several devices have give all of them", () => {
    expect(findLayouts(theModel(), "Request").map(({ names }) => names[0])).toEqual(["blk.Request", "entropy.Request"]);
  });

  it("with the device before them stand for one thing", () => {
    for (const device of theModel().devices) {
      for (const { name } of device.structs.filter(({ message }) => message === null)) {
        expect(findLayouts(theModel(), `${device.name}.${name}`), name).toHaveLength(1);
      }
    }
  });
});
