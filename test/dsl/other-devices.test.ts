import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compile } from "../../src/compiler/index.js";
import type { Source } from "../../src/diagnostics/source.js";
import type { DeviceModel } from "../../src/model/device-model.js";

/** Figures that were taken from the specification's listings, without its words. */
interface Expected {
  readonly id: number;
  readonly features: Readonly<Record<string, number>>;
  readonly legacyFeatures: Readonly<Record<string, number>>;
  readonly constants: Readonly<Record<string, number>>;
  readonly structs: Readonly<Record<string, { readonly size: number | null }>>;
}

const shipped = new URL("../../dsl/", import.meta.url);
const folder = new URL("../fixtures/devices/", import.meta.url);
const definitionsIn = (where: URL): Source[] =>
  readdirSync(where)
    .filter((name) => name.endsWith(".virtio"))
    .sort()
    .map((name) => ({ name, text: readFileSync(new URL(name, where), "utf8") }));

const sources = [...definitionsIn(shipped), ...definitionsIn(folder)];
const { model, diagnostics } = compile(sources);
const devices = model?.devices ?? [];
const names = readdirSync(new URL("expected/", folder)).map((name) => name.replace(".json", ""));

function device(name: string): DeviceModel {
  const found = devices.find((each) => each.source === `${name}.virtio`);
  if (!found) throw new Error(`no device in ${name}.virtio`);
  return found;
}

function expected(name: string): Expected {
  return JSON.parse(readFileSync(new URL(`expected/${name}.json`, folder), "utf8")) as Expected;
}

describe("devices beside net, blk, console and entropy, shipped or still fixtures", () => {
  it("compile together without a word", () => {
    expect(diagnostics.map(({ span, code, message }) => `${span.source.name} ${code} ${message}`)).toEqual([]);
  });

  it.each([
    ["1.2", 19, 81, 5],
    ["1.3", 19, 91, 5],
    ["1.4", 23, 106, 5],
  ] as const)("make up the devices and feature bits of %s", (specVersion, count, modern, legacy) => {
    const all = compile(sources, { specVersion }).model?.devices ?? [];
    const restricted = all.filter(({ kind }) => kind === "device");
    const features = restricted.flatMap((each) => each.features);
    expect(restricted).toHaveLength(count);
    expect(features.filter((feature) => !feature.legacy)).toHaveLength(modern);
    expect(features.filter((feature) => feature.legacy)).toHaveLength(legacy);
  });

  it.each(names)("%s has the id and the feature bits of its chapter", (name) => {
    const { id, features, legacyFeatures } = expected(name);
    const bits = Object.fromEntries(device(name).features.map(({ specName, bit }) => [specName, bit]));
    expect(device(name).id).toBe(id);
    expect(bits).toEqual({ ...features, ...legacyFeatures });
  });

  it.each(names)("%s has the constants of its chapter", (name) => {
    const { constants, tables } = device(name);
    const actual = new Map<string, number | string>([
      ...[...constants, ...(model?.shared.constants ?? [])].map(({ specName, value }) => [specName, value] as const),
      ...tables.flatMap(({ entries }) => entries.map(({ specName, id }) => [specName, id] as const)),
    ]);
    const differences = Object.entries(expected(name).constants).filter(
      ([constant, value]) => actual.get(constant) !== value,
    );
    expect(differences).toEqual([]);
  });

  it.each(names)("%s has the structs of its chapter, with their sizes", (name) => {
    const { config, structs, requests } = device(name);
    const sizes = new Map<string, number | null>(
      [...(model?.shared.structs ?? []), ...structs].map(({ specName, size }) => [specName, size]),
    );
    if (config) sizes.set(config.specName, config.size);
    const messages = new Set(
      requests.flatMap((request) => [
        request.specName,
        ...request.variants.flatMap((variant) => [variant.specName, variant.readableSpecName]),
      ]),
    );
    for (const [struct, { size }] of Object.entries(expected(name).structs)) {
      expect(sizes.has(struct) || messages.has(struct), struct).toBe(true);
      const actual = sizes.get(struct);
      if (size !== null && actual !== undefined && actual !== null) expect([struct, actual]).toEqual([struct, size]);
    }
  });
});
