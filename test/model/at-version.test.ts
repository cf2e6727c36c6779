import { describe, expect, it } from "vitest";
import { atVersion } from "../../src/model/at-version.js";
import { compile } from "./inline.js";

const { model, found } = compile(`
device demo = 42 since 1.1 {
  features { MQ = 1; RSS = 2 since 1.3 requires MQ; NEW = 3 since 1.4; }
  config {
    le16 first;
    le16 bypass since 1.3;
    le16 queues if MQ or RSS;
    le32 late if NEW since 1.4;
  }
  queues {
    requestq[MQ || RSS ? config.queues : 1] : request Request;
    newq if NEW : transmit Data;
  }
  enum Type : u8 { IN = 0; OUT = 1; ERASE = 2 since 1.2; }
  struct Data { u8 bytes[]; }
  struct Grown { le32 a; le32 b since 1.2; }
  request Request {
    readable { Type type; le32 hint if RSS; }
    match type {
      IN => writable { u8 data[]; }
      ERASE since 1.2 => readable { le32 range; }
    }
    writable { u8 status; }
  }
}
device future = 43 since 1.4 {}
`);

describe("an earlier release", () => {
  const [device] = atVersion(model, "1.1").devices;

  it("comes from a model without errors", () => {
    expect(found).toEqual([]);
    expect(atVersion(model, "1.4")).toEqual(model);
  });

  it("has no later devices, features, members and constants", () => {
    expect(atVersion(model, "1.1").devices.map(({ name }) => name)).toEqual(["demo"]);
    expect(device?.features.map(({ name }) => name)).toEqual(["MQ"]);
    expect(device?.enums[0]?.members.map(({ name }) => name)).toEqual(["IN", "OUT"]);
    expect(device?.constants.map(({ name }) => name)).toEqual(["IN", "OUT"]);
  });

  it("loses the end of the config and keeps the places before it", () => {
    expect(device?.config?.size).toBe(6);
    expect(device?.config?.fields.map(({ name, offset, reserved }) => [name, offset, reserved])).toEqual([
      ["first", 0, false],
      ["bypass", 2, true],
      ["queues", 4, false],
    ]);
    expect(device?.structs.find(({ name }) => name === "Grown")?.size).toBe(4);
  });

  it("works out conditions on features that are not there yet", () => {
    expect(device?.config?.fields[2]?.condition).toBe("MQ");
    expect(device?.queues.map(({ name, count }) => [name, count])).toEqual([["requestq", "MQ ? config.queues : 1"]]);
  });

  it("has no later variants and no fields that cannot be there", () => {
    expect(device?.requests[0]?.variants.map(({ name }) => name)).toEqual(["In", "Other"]);
    expect(device?.requests[0]?.variants[0]?.readable.map(({ name }) => name)).toEqual(["type"]);
  });
});
