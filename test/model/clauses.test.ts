import { describe, expect, it } from "vitest";
import { restrictToVersion } from "../../src/compiler/spec-version.js";
import { compile, deviceOf } from "./inline.js";

function said(body: string): readonly string[] {
  return compile(`device demo = 42 {\n${body}\n}`).found.map(({ message }) => message);
}

describe("what a number stands for", () => {
  it("is said in the model", () => {
    const [, signed] = deviceOf(`
      struct Map { le32 domain; }
      struct S { le32<signed> a; le64<address of Domain> b; }
      protocol Domain per domain { state NONE; on Map : any; }`).structs;
    expect(signed?.fields).toMatchObject([
      { signed: true, type: "le32" },
      { address: true, addressSpace: "Domain", addressUnit: 1 },
    ]);
    const { fields } = deviceOf(`
      enum Cipher { A = 1; B = 40; }
      flags Rights : u8 { READ @ 0; }
      struct S {
        le32<bitset Cipher @ 32> high;
        le32<address * 4096> page;
        le16 kind;
        le32<Rights if kind == 1, Cipher> detail;
      }`).structs[0] ?? { fields: [] };
    expect(fields[0]).toMatchObject({ bitset: "Cipher", bitsetFrom: 32 });
    expect(fields[1]).toMatchObject({ address: true, addressUnit: 4096, addressSpace: null });
    expect(fields[3]?.meanings.map(({ kind, type, condition }) => [kind, type, condition])).toEqual([
      ["flags", "Rights", "kind == 1"],
      ["enum", "Cipher", null],
    ]);
  });

  it.each([
    ["struct S { le32<signed * 2> a; }", "`*` does not apply to what is no address"],
    ["struct S { le32<address @ 2> a; }", "`@` does not apply to an address"],
    ["struct S { le32<address of Nowhere> a; }", "unknown protocol Nowhere"],
    [
      "enum E { A = 1; } struct S { le32<E if a == 1, signed> a; }",
      "expected an enum or flags, as there are several, but signed is `signed`",
    ],
  ])("%s is a mistake", (text, message) => {
    expect(said(text)).toEqual([message]);
  });
});

describe("clauses of features, members, queues and fields", () => {
  it("fill an implied feature in wherever it is asked for, but not into its own condition", () => {
    const { features, config } = deviceOf(`
      features { STREAM = 0 implied if !SEQPACKET; SEQPACKET = 1; }
      config { le32 size if STREAM; }`);
    expect(features[0]?.implied).toBe("!SEQPACKET");
    expect(config?.fields[0]?.condition).toBe("STREAM || !SEQPACKET");
  });

  it("say an unknown name in it once", () => {
    expect(said("features { STREAM = 0 implied if !GONE; } config { le32 size if STREAM; }")).toEqual([
      "unknown name GONE",
    ]);
  });

  it("give names: prefixes, members, aliases, names with gaps", () => {
    const { model, found } = compile(`device sound = 25 as virtio_snd {
      features { CTLS = 0; }
      enum Status : le32 as virtio_snd_status members VIRTIO_SND_S_* { OK = 0; FINE = 0 alias; }
      struct PcmInfo { Status status; }
      queues { eventq as "event queue" : receive PcmInfo; }
    }`);
    expect(found).toEqual([]);
    const [device] = model.devices;
    expect(device?.features[0]?.specName).toBe("VIRTIO_SND_F_CTLS");
    expect(device?.structs[0]?.specName).toBe("virtio_snd_pcm_info");
    expect(device?.enums[0]?.specName).toBe("virtio_snd_status");
    expect(device?.enums[0]?.members.map(({ specName, alias }) => [specName, alias])).toEqual([
      ["VIRTIO_SND_S_OK", false],
      ["VIRTIO_SND_S_FINE", true],
    ]);
    expect(device?.queues[0]?.specName).toBe("event queue");
  });

  it("keep the reserved bytes that a newer field replaced", () => {
    const { model } = compile(
      `device demo = 42 { config { le32 a; le32 algorithms was reserved since 1.3; le32 b; le32 c was old since 1.3; } }`,
    );
    const fields = restrictToVersion(model, "1.2").devices[0]?.config?.fields ?? [];
    expect(fields.map(({ name, offset, reserved }) => [name, offset, reserved])).toEqual([
      ["a", 0, false],
      ["reserved", 4, true],
      ["b", 8, false],
    ]);
  });

  it("limit when a field may be written, and what is known of it from elsewhere", () => {
    const { config, structs } = deviceOf(`
      config { rw le32 poison before driver_ok; le64 region constant; le64 plugged unannounced; }
      struct Info { le32 count; }
      struct Values { le32 values[] learnt Element.count; }
      protocol Element { learns count on Info; }`);
    expect(config?.fields.map(({ before, constant, unannounced }) => [before, constant, unannounced])).toEqual([
      ["driver_ok", false, false],
      [null, true, false],
      [null, false, true],
    ]);
    expect(structs[1]?.fields[0]?.learnt).toEqual({ protocol: "Element", field: "count" });
  });

  it("say whose bits ones clear", () => {
    const { config } = deviceOf(`
      config { w1c le32 first clears later; w1c u8 own; le32 later; w1c be16 clears; w1c be16 last clears clears; }`);
    expect(config?.fields.map(({ name, clears }) => [name, clears])).toEqual([
      ["first", "later"],
      ["own", null],
      ["later", null],
      ["clears", null],
      ["last", "clears"],
    ]);
  });

  it("clear bits of a field by its earlier name, which stays, and their own in a release without that field", () => {
    const text = `device a = 42 {
      config { w1c le32 a clears b; le32 b was b_once until 1.1; w1c le32 c clears d; le32 d since 1.2; }
    }`;
    const { model, found } = compile(text);
    expect(found).toEqual([]);
    const fields = restrictToVersion(model, "1.1").devices[0]?.config?.fields ?? [];
    expect(fields.map(({ name, specName, clears }) => [name, specName, clears])).toEqual([
      ["a", "a", "b"],
      ["b", "b_once", null],
      ["c", "c", null],
    ]);
  });

  it.each([
    ["config { rw le32 a clears b; le32 b; }", "`clears` does not apply to a field that is not `w1c`"],
    ["config { le32 a clears b; le32 b; }", "`clears` does not apply to a field that is not `w1c`"],
    ["config { w1c le32 a clears other; le32 b; }", "unknown config field other"],
    ["config { w1c u8 a[2] clears b; u8 b[2]; }", "`clears` does not apply to a field that is no number"],
    ["config { w1c le32 a : 32 clears b; le32 b; }", "`clears` does not apply to a bit-field"],
    ["struct S { le32 a clears b; le32 b; }", "`clears` does not apply to a field of a message"],
    ["registers R { w1c le32 a @ 0 clears b; le32 b @ 4; }", "`clears` does not apply to a register"],
    ["config { w1c le32 a clears b; wo le32 b; }", "b is a field that it can only write"],
    ["config { w1c le32 a clears b; le16 b; }", "b is of type le16"],
    ["config { w1c le32 a clears b; be32 b; }", "b is of type be32"],
    ["config { w1c le32 a clears b; le32 b : 32; }", "b is a bit-field"],
    ["config { w1c u8 a clears b; u8 b[1]; }", "b is no number"],
    ["config { w1c le32 a clears b; reserved le32 b; }", "b is reserved"],
    ["config { w1c le32 a clears a; }", "a is the field itself, whose bits are cleared without the clause"],
    ["config { w1c le32 a clears b; w1c le32 b clears c; le32 c; }", "b is a field that clears another one"],
  ])("%s is a mistake", (text, message) => {
    expect(
      said(text).map((all) => all.replace(/^expected a field of type \w+ that the driver can read, but /, "")),
    ).toEqual([message]);
  });

  it.each([
    ["config { le32 a before driver_ok; }", "`before` does not apply to a field that the driver cannot write"],
    ["config { rw le32 a before noon; }", "unknown phase noon"],
    ["struct V { u8 v[] learnt Element.count; }", "unknown protocol Element"],
    [
      "struct I { le32 n; } struct V { u8 v[] learnt E.count; } protocol E { learns n on I; }",
      "unknown what E learns: count",
    ],
    ["struct V { u8 v[] learnt 3; }", "expected what a protocol learns, as in `Element.count`, found something else"],
    [
      "request R { readable { le16 line; } } queues { q : R per line; }",
      "`per` does not apply to a queue without `posted`",
    ],
    ["request R { readable { le16 line; } } queues { q : R posted 1 per lane; }", "unknown field of R lane"],
  ])("%s is a mistake", (text, message) => {
    expect(said(text)).toEqual([message]);
  });
});
