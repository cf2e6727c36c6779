import { describe, expect, it } from "vitest";
import { compile } from "../../../src/compiler/compile.js";
import { emitDocs } from "../../../src/emit/docs/index.js";
import type { DeviceModel, Model } from "../../../src/model/device-model.js";
import { theModel } from "../../dsl/models.js";
import { readPage, type ReadPage } from "./page-reader.js";

function siteOf(model: Model): ReadonlyMap<string, string> {
  return new Map(emitDocs(model, { version: "1.2.3" }).map(({ path, text }) => [path, text]));
}

function modelOf(text: string): Model {
  const { model, diagnostics } = compile([{ name: "test.virtio", text }]);
  if (!model) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return model;
}

const site = siteOf(theModel());
const pages = new Map(
  [...site].filter(([path]) => path.endsWith(".html")).map(([path, text]) => [path, readPage(text)]),
);

function page(path: string): ReadPage {
  const found = pages.get(path);
  if (!found) throw new Error(`no page ${path}`);
  return found;
}

const idsOf = new Map([...pages].map(([path, read]) => [path, new Set(ids(read))]));

function ids({ elements }: ReadPage): readonly string[] {
  return elements.flatMap(({ attributes }) => attributes.get("id") ?? []);
}

function valuesOf(attribute: string, { elements }: ReadPage): readonly string[] {
  return elements.flatMap(({ attributes }) => attributes.get(attribute) ?? []);
}

describe("the site", () => {
  it("has an index, a page a device, one for what is shared, and what they need", () => {
    const devices = theModel().devices.map(({ name }) => `${name}.html`);
    expect([...site.keys()]).toEqual(["index.html", ...devices, "shared.html", "names.js", "search.js", "style.css"]);
  });

  it("is the same for the same model, also for one that was JSON in between", () => {
    const copy = JSON.parse(JSON.stringify(theModel())) as Model;
    expect(siteOf(copy)).toEqual(site);
  });

  it("loads nothing from elsewhere: links to the specification are the only ones that leave", () => {
    for (const read of pages.values()) {
      for (const address of valuesOf("src", read)) expect(site.has(address)).toBe(true);
      for (const { name, attributes } of read.elements) {
        if (name === "link") expect(site.has(attributes.get("href") ?? "")).toBe(true);
      }
      const leaving = valuesOf("href", read).filter((href) => /^[a-z]+:|^\/\//i.test(href));
      const elsewhere = leaving.filter((href) => !href.startsWith("https://docs.oasis-open.org/virtio/virtio/v1.4/"));
      expect(elsewhere).toEqual([]);
    }
    expect(site.get("style.css")).not.toMatch(/url\(|@import/);
    expect(site.get("search.js")).not.toMatch(/https?:|fetch\(|XMLHttpRequest/);
  });

  it("has every id once on a page", () => {
    for (const read of pages.values()) {
      const all = ids(read);
      expect(all.filter((id, index) => all.indexOf(id) < index)).toEqual([]);
      expect(all.filter((id) => /\s/.test(id))).toEqual([]);
    }
  });

  it("has an aim for every link", () => {
    for (const [path, read] of pages) {
      for (const href of valuesOf("href", read).filter((address) => !address.startsWith("https:"))) {
        const [file = "", fragment] = href.split("#");
        const target = file === "" ? path : file;
        const isThere =
          fragment === undefined ? site.has(target) : idsOf.get(target)?.has(decodeURIComponent(fragment));
        if (!isThere) expect.unreachable(`${path} links to ${href}`);
      }
    }
  });

  it("names the section of the specification where it links to it", () => {
    const link = page("blk.html").elements.find(
      ({ attributes }) => attributes.get("title")?.includes("5.2.6") === true,
    );
    expect(link?.attributes.get("href")).toMatch(/^https:\/\/docs\.oasis-open\.org\/virtio\/virtio\/v1\.4\/.*5\.2\.6$/);
  });
});

describe.each(theModel().devices.map((device): [string, DeviceModel] => [device.name, device]))(
  "%s",
  (name, device) => {
    const read = page(`${name}.html`);
    const anchors = new Set(ids(read));

    it("has features with bits", () => {
      for (const { specName, bit } of device.features) {
        expect(anchors.has(specName), specName).toBe(true);
        expect(site.get(`${name}.html`)).toMatch(new RegExp(`id="${specName}"[^>]*>\\s*<td>${bit}</td>`));
      }
    });

    it("has every struct, request, enum and queue, and every field of them", () => {
      const { config, requests, queues, registers } = device;
      const structs = device.structs.filter(({ message }) => message === null);
      for (const item of [...(config ? [config] : []), ...structs, ...registers, ...device.externals]) {
        expect(anchors.has(item.specName), item.specName).toBe(true);
        for (const field of item.fields) expect(anchors.has(`${item.specName}.${field.specName}`)).toBe(true);
      }
      for (const { specName } of [...device.structs, ...requests, ...queues, ...device.enums]) {
        expect(anchors.has(specName), specName).toBe(true);
      }
      for (const { specName, variants } of requests) {
        for (const variant of variants) {
          for (const field of [...variant.readable, ...variant.replies.flatMap(({ writable }) => writable)]) {
            expect(anchors.has(`${specName}.${variant.name}.${field.specName}`), variant.name).toBe(true);
          }
        }
      }
    });

    it("has every constant", () => {
      for (const { specName } of device.constants) expect(anchors.has(specName), specName).toBe(true);
    });

    it("draws every field of its config, with a title and a link to where it is described", () => {
      const text = site.get(`${name}.html`) ?? "";
      for (const { specName, size } of device.config?.fields ?? []) {
        if (size !== 0) expect(text).toMatch(new RegExp(`<title>\\s*${specName}[.:]`));
      }
    });

    it("is in the index, which can be searched for all of its names", () => {
      const row = page("index.html").elements.find(({ attributes }) => attributes.get("href") === `${name}.html`);
      expect(row).toBeDefined();
      const names = entriesOf(name);
      for (const id of anchors) {
        const isFrame = /^[a-z]+$/.test(id) && !names.has(id);
        if (!isFrame) expect(names.has(id), id).toBe(true);
      }
    });
  },
);

/** Ids that the search of a device leads to. */
function entriesOf(title: string): ReadonlySet<string> {
  const script = site.get("names.js") ?? "";
  const json = /^virtioNames\((.*)\);\n$/s.exec(script)?.[1] ?? "";
  const all = JSON.parse(json) as readonly [string, string, readonly (readonly [string, string, string?])[]][];
  const [, , entries = []] = all.find(([name]) => name === title) ?? [];
  return new Set(entries.map(([name, , anchor = name]) => anchor));
}

describe("the reader of these tests", () => {
  it.each(["<p>a", "<p><div></div></p>", "<b></i>", "<i>&x;</i>", "<a href=x></a>", "<tr></tr>", "a < b"])(
    "refuses %s",
    (markup) => {
      expect(() => readPage(`<!doctype html>\n${markup}`)).toThrow();
    },
  );
});

describe("a page", () => {
  const blk = site.get("blk.html") ?? "";

  it("tells which feature gates a field, whether it changes, and where it is", () => {
    expect(blk).toContain("size_max: le32\nat 0x08, 4 bytes, in bytes\nif SIZE_MAX\nLargest segment.");
    expect(blk).toContain("capacity: le64\nat 0x00, 8 bytes, in 512-byte sectors\nvolatile");
    expect(blk).toContain("writeback: u8\nat 0x20, 1 byte\nread, write\nif CONFIG_WCE\n");
    expect(blk).toContain("geometry.heads: u8\nat 0x12, 1 byte\nif GEOMETRY");
  });

  it("counts what follows a part of unknown length from the end", () => {
    expect(blk).toContain("status: u8\nat -0x01, 1 byte");
    expect(blk).toContain("data: u8[]\nat 0x00, of variable size");
  });

  it("draws structs inside of others, down to fields of bits", () => {
    const { elements } = page("blk.html");
    expect(blk).toContain("flags.unmap: le32:1\nat 0x0c bit 0, 1 bit");
    const maps = elements.filter(({ name }) => name === "svg");
    const names = maps.map(({ attributes }) => attributes.get("aria-label"));
    expect(names).toContain("Byte map of virtio_blk_discard_write_zeroes");
  });

  it("links names in formulas to what they mean", () => {
    expect(blk).toContain(
      '<a href="#VIRTIO_BLK_F_MQ">MQ</a> ? <a href="#virtio_blk_config.num_queues">config.num_queues</a>',
    );
  });

  it("explains each role of its queues once", () => {
    for (const [path, { text }] of pages) {
      expect(text.match(/receive: the device sends messages/g)?.length ?? 0, path).toBeLessThanOrEqual(1);
    }
    expect(page("net.html").text).toContain("receive: the device sends messages");
  });

  it("leaves no code in a table so long in one piece that the table would be wider than the page", () => {
    for (const [path, text] of site) {
      const cells = path.endsWith(".html") ? (text.match(/<td>(?:(?!<\/td>).)*<\/td>(?!<\/tr>)/gs) ?? []) : [];
      for (const [, code = ""] of cells.flatMap((cell) => [...cell.matchAll(/<code>(.*?)<\/code>/gs)])) {
        const pieces = code.split("<wbr />").map((piece) => piece.replace(/<[^>]*>/g, ""));
        expect(
          pieces.filter((piece) => piece.length > 48),
          path,
        ).toEqual([]);
      }
    }
  });

  it("says what features need", () => {
    const net = page("net.html").text.replace(/\s+/g, " ");
    expect(net).toContain("GUEST_TSO4 or GUEST_TSO6");
  });

  it("escapes what comes from a definition", () => {
    const hostile = "</title><script>alert('1')</script> & \"quoted\" `<code>` ]]> <!--";
    const model = modelOf(`/// ${hostile}
device x = 60 {
  features {
    /// ${hostile}
    A = 0;
  }
  config {
    /// ${hostile}
    le32 a if A where a < 3 && a > 1;
  }
}`);
    const files = siteOf(model);
    const read = readPage(files.get("x.html") ?? "");
    expect(read.elements.filter(({ name }) => name === "script")).toHaveLength(1);
    expect(read.text).toContain("alert('1')");
    readPage(files.get("index.html") ?? "");
    expect(files.has("shared.html")).toBe(false);
  });

  it("keeps pages apart whose names would be one file", () => {
    const model = modelOf("device index = 60 {}\ndevice Index = 61 {}\ndevice shared = 62 {}\ndevice a_b = 63 {}");
    const paths = [...siteOf(model).keys()].map((path) => path.toLowerCase());
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths).toContain("index.html");
    expect(paths).toContain("a-b.html");
  });
});
