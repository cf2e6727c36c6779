import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { DiagnosticBag } from "../../src/diagnostics/diagnostic.js";
import { parse } from "../../src/language/parse.js";
import { restrictToVersion } from "../../src/compiler/spec-version.js";
import { check } from "../../src/model/check.js";
import type { Model } from "../../src/model/device-model.js";
import { specVersions } from "../../src/model/versions.js";

const root = new URL("../../", import.meta.url);

function modelOf(names: readonly string[]): Model {
  const bag = new DiagnosticBag();
  return check(
    names.map((name) => parse({ name, text: readFileSync(new URL(name, root), "utf8") }, bag)),
    bag,
  );
}

const definitions = readdirSync(new URL("dsl/", root)).filter((name) => name.endsWith(".virtio"));
const fixtures = readdirSync(new URL("test/fixtures/language/", root));
const schema: unknown = JSON.parse(readFileSync(new URL("schema/model.schema.json", root), "utf8"));
const isSchema = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
if (!isSchema(schema)) throw new Error("the schema is no object");
const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(schema);

function complaints(model: Model): readonly string[] {
  // As a consumer gets it: plain JSON.
  if (validate(JSON.parse(JSON.stringify(model)))) return [];
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ""}`);
}

describe("the schema of the model", () => {
  it("holds for the standard devices, in every release", () => {
    const model = modelOf(definitions.map((name) => `dsl/${name}`));
    expect(model.devices.length).toBeGreaterThan(3);
    expect(complaints(model)).toEqual([]);
    for (const version of specVersions) expect(complaints(restrictToVersion(model, version))).toEqual([]);
  });

  it.each(fixtures)("holds for the fixture %s", (name) => {
    expect(complaints(modelOf([`test/fixtures/language/${name}/input.virtio`]))).toEqual([]);
  });

  it("is strict: what it does not know is refused", () => {
    const model = modelOf(["dsl/entropy.virtio"]);
    const extended = { ...model, devices: model.devices.map((device) => ({ ...device, surprise: 1 })) };
    expect(complaints(extended)).not.toEqual([]);
    const [device] = model.devices;
    expect(device).toBeDefined();
    expect(complaints({ ...model, devices: [{ ...model.devices[0], queues: undefined } as never] })).not.toEqual([]);
  });
});
