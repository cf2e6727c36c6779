import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { build, compile, renderPlain, type FieldModel, type Model, type Source } from "../../src/compiler/index.js";
import type { StructModel } from "../../src/model/device-model.js";

const dsl = new URL("../../dsl/", import.meta.url);
const sources: readonly Source[] = readdirSync(dsl)
  .filter((name) => name.endsWith(".virtio"))
  .map((name) => ({ name, text: readFileSync(new URL(name, dsl), "utf8") }));

function modelOf(text: string, specVersion: string): Model {
  const { model, diagnostics } = compile([{ name: "a.virtio", text }], { specVersion });
  expect(renderPlain(diagnostics)).toBe("");
  if (!model) throw new Error("no model");
  return model;
}
const names = (items: readonly { readonly name: string }[] | undefined): readonly string[] =>
  (items ?? []).map((item) => item.name);

const text = `
device a = 60 since 1.1 {
  features {
    OLD = 0;
    NEW = 1 since 1.2 requires OLD;
    GONE = 2 until 1.1;
    BOTH = 3 requires OLD or NEW;
    require OLD or NEW or BOTH;
  }
  config {
    le32 first;
    le32 second if OLD and not NEW;
    le32 third if NEW since 1.2;
  }
  queues {
    q[NEW ? config.third : 2] : request Request;
    late : request Request if NEW since 1.2;
  }
  enum Kind : le32 { ONE = 1; TWO = 2 since 1.2; THREE = 3; }
  struct Part since 1.2 { le16 x; }
  request Request {
    readable { Kind kind; Part part; }
    match kind {
      ONE, TWO => readable { le32 a; }
      THREE since 1.3 => readable { le32 b; }
      default => {}
    }
    writable { u8 status; }
  }
}
`;

describe("leaving out what came later", () => {
  const [old] = modelOf(text, "1.1").devices;
  const [now] = modelOf(text, "1.4").devices;

  it("leaves out features, and what requires them goes on without", () => {
    expect(names(old?.features)).toEqual(["OLD", "GONE", "BOTH"]);
    expect(names(now?.features)).toEqual(["OLD", "NEW", "BOTH"]);
    expect(old?.features.find((feature) => feature.name === "BOTH")?.requires).toEqual([["OLD"]]);
    expect(old?.featureRules.map((rule) => rule.condition)).toEqual(["OLD || BOTH"]);
  });

  it("leaves out config fields; the config ends where the last one that is left does", () => {
    expect(names(old?.config?.fields)).toEqual(["first", "second"]);
    expect(old?.config?.size).toBe(8);
    expect(now?.config?.size).toBe(12);
    expect(old?.config?.fields[1]?.condition).toBe("OLD");
  });

  it("leaves out queues, and works their numbers out anew", () => {
    expect(old?.queues.map(({ name, count }) => [name, count])).toEqual([["q", "2"]]);
    expect(names(now?.queues)).toEqual(["q", "late"]);
  });

  it("leaves out values, and variants that no value leads to", () => {
    expect(names(old?.enums[0]?.members)).toEqual(["ONE", "THREE"]);
    const tags = old?.requests[0]?.variants.map((variant) => variant.tags[0]?.patterns.map(({ name }) => name));
    expect(tags).toEqual([["ONE"], []]);
  });

  it("keeps the struct of a field that is older than the struct: the layout is what it was", () => {
    expect(names(old?.structs)).toEqual(["Part"]);
    expect(names(old?.requests[0]?.variants[0]?.readable)).toContain("part");
  });

  it("leaves out devices", () => {
    expect(modelOf(text, "1.0").devices).toEqual([]);
  });
});

/** Everything that a model mentions by name is there. */
function danglingStructs(model: Model): readonly string[] {
  const missing: string[] = [];
  for (const device of model.devices) {
    const known = new Set(
      names([...device.structs, ...device.externals, ...model.shared.structs, ...model.shared.externals]),
    );
    const visit = (type: FieldModel["type"]): void => {
      if (typeof type === "string") {
        if (!/^(u|[lb]e)\d+$/.test(type) && !known.has(type)) missing.push(`${device.name}: ${type}`);
      } else if ("of" in type) visit(type.of);
      else if ("struct" in type) visit(type.struct);
      else type.arms.forEach((arm) => visit(arm.struct));
    };
    for (const struct of device.structs) for (const field of struct.fields) visit(field.type);
    for (const field of device.config?.fields ?? []) visit(field.type);
    for (const { variants } of device.requests) {
      for (const { readable, replies } of variants) {
        for (const field of [...readable, ...replies.flatMap((reply) => reply.writable)]) visit(field.type);
      }
    }
  }
  return missing;
}

describe.each(["1.0", "1.1", "1.2", "1.3", "1.4"])("the standard devices as of %s", (specVersion) => {
  it("can all be written", async () => {
    const { model, diagnostics, outputs } = await build(sources, { specVersion, emit: ["json"] });
    expect(renderPlain(diagnostics)).toBe("");
    expect(outputs).toHaveLength(1);
    expect(model && danglingStructs(model)).toEqual([]);
  });
});

it("knows the size of blk's config in every release", () => {
  const sizes = ["1.0", "1.1", "1.2", "1.3", "1.4"].map(
    (specVersion) =>
      compile(sources, { specVersion }).model?.devices.find((device) => device.name === "blk")?.config?.size,
  );
  expect(sizes).toEqual([33, 60, 72, 96, 96]);
});

it("is the whole model in the latest release", () => {
  const { model } = compile(sources);
  expect(compile(sources, { specVersion: "1.4" }).model?.devices.map((device) => names(device.structs))).toEqual(
    model?.devices.map((device) => names(device.structs)),
  );
});

it("a later struct that only subdivides a number is that number in an earlier release", () => {
  const structs = (specVersion: string): readonly StructModel[] | undefined =>
    compile(sources, { specVersion }).model?.devices.find((device) => device.name === "net")?.structs;
  const typeOf = (specVersion: string): unknown =>
    structs(specVersion)
      ?.find(({ specName }) => specName === "virtio_net_rss_config")
      ?.fields.find(({ name }) => name === "unclassified_queue")?.type;
  expect([typeOf("1.2"), typeOf("1.3")]).toEqual(["le16", "RssRqId"]);
  expect(structs("1.2")?.some(({ specName }) => specName === "rss_rq_id")).toBe(false);
});

describe("a field with `was name until V`", () => {
  const text = `device x = 99 since 1.0 {
    struct S {
      le16 index was number until 1.2;
      u8 length was count until 1.2;
      u8 data[length];
      u8 plain was old;
    }
  }`;
  const fieldsOf = (specVersion: string): unknown =>
    modelOf(text, specVersion).devices[0]?.structs[0]?.fields.map(({ name, specName }) => [name, specName]);

  it("has the old name up to that release", () => {
    // What a formula mentions keeps the name that formulas know.
    const old = [["number", "number"], ["length", "count"], ["data", "data"], ["plain", "plain"]]; // prettier-ignore
    const now = [["index", "index"], ["length", "length"], ["data", "data"], ["plain", "plain"]]; // prettier-ignore
    expect([fieldsOf("1.1"), fieldsOf("1.2"), fieldsOf("1.3")]).toEqual([old, old, now]);
  });
});

describe("a constant whose value has changed", () => {
  const text = `device x = 99 since 1.0 {
    enum Status : u8 as X_* {
      OK = 0;
      LATE = 1 since 1.3;
      MAX = 2 since 1.3;
      MAX_1_2 = 1 as X_MAX until 1.2;
    }
  }`;
  const found = (specVersion: string | undefined): unknown => {
    const { model } = compile([{ name: "a.virtio", text }], specVersion === undefined ? {} : { specVersion });
    const device = model?.devices[0];
    const values = device?.constants.filter(({ specName }) => specName === "X_MAX").map(({ value }) => value);
    const members = device?.enums[0]?.members.filter(({ specName }) => specName === "X_MAX").map(({ value }) => value);
    return [values, members];
  };

  it("has the value of the release, and without one that of the newest", () => {
    expect(["1.0", "1.2", "1.3", "1.4", undefined].map(found)).toEqual([
      [[1], [1]],
      [[1], [1]],
      [[2], [2]],
      [[2], [2]],
      [[2], [2]],
    ]);
  });
});

describe("fields of external types", () => {
  const external = `device a = 60 {
    external head sized 16 { le32 now was "earlier" until 1.2; le32 later since 1.3; }
    struct Message { head in; }
    queues { q : receive Message; }
  }`;

  it("are those of the release, with the names that they had", () => {
    expect(names(modelOf(external, "1.2").devices[0]?.externals[0]?.fields)).toEqual(["earlier"]);
    expect(names(modelOf(external, "1.4").devices[0]?.externals[0]?.fields)).toEqual(["now", "later"]);
  });
});
