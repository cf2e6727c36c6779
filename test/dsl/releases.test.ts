import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { DeviceModel, FieldModel, SharedModel } from "../../src/model/device-model.js";
import { modelOfAll } from "./definitions.js";
import { explained } from "./release-differences.js";

/** What the listings of a release have; a struct is `size: field@offset+size ...`, with `?` for what varies. */
interface Listings {
  readonly structs: Readonly<Record<string, string>>;
  readonly constants: Readonly<Record<string, number>>;
}

interface Layout {
  readonly size: number | null;
  readonly fields: readonly FieldModel[];
}

const releases = ["1.2", "1.3", "1.4"] as const;
const seen = new Set<string>();

describe.each(releases)("--spec-version %s", (release) => {
  const file = new URL(`expected/releases/${release}.json`, import.meta.url);
  const listings = JSON.parse(readFileSync(file, "utf8")) as Record<string, Listings>;
  const model = modelOfAll(release);

  it.each(Object.keys(listings))("%s has what the listings have", (name) => {
    const device = model.devices.find((each) => (each.kind === "core" ? "core" : each.name) === name);
    const expected = listings[name];
    if (device === undefined || expected === undefined) throw new Error(`no device ${name}`);
    const differences = [
      ...structDifferences(expected, [model.shared, device], device),
      ...constantDifferences(expected, [model.shared, device], device),
    ].map((difference) => `${release} ${name} ${difference}`);
    for (const difference of differences) seen.add(difference);
    expect(differences.filter((difference) => !(difference in explained))).toEqual([]);
  });
});

it("every difference that is explained is there", () => {
  expect(Object.keys(explained).filter((difference) => !seen.has(difference))).toEqual([]);
});

function structDifferences(expected: Listings, rooms: readonly SharedModel[], device: DeviceModel): string[] {
  const layouts = new Map<string, Layout[]>();
  const add = (name: string, layout: Layout): void => {
    layouts.set(name, [...(layouts.get(name) ?? []), layout]);
  };
  for (const struct of rooms.flatMap(({ structs }) => structs)) add(struct.specName, struct);
  for (const block of device.registers) add(block.specName, block);
  if (device.config) add(device.config.specName, device.config);
  return Object.entries(expected.structs).flatMap(([name, figures]) => {
    const candidates = (layouts.get(name) ?? []).map((layout) => layoutDifferences(name, figures, layout));
    // The specification gives one name to two structs now and then.
    return candidates.sort((a, b) => a.length - b.length)[0] ?? [`${name} is missing`];
  });
}

function layoutDifferences(name: string, figures: string, { size, fields }: Layout): string[] {
  const [whole = "", places = ""] = figures.split(": ");
  const differs = whole !== "?" && whole !== String(size);
  const own = differs ? [`${name} has ${String(size)} bytes, not ${whole}`] : [];
  return places
    .split(" ")
    .filter((place) => place !== "")
    .reduce((differences, place) => {
      const [, fieldName = "", offset = "?", fieldSize = "?"] = /^(.*)@(\d+|\?)\+(\d+|\?)$/.exec(place) ?? [];
      const field = fields.find(({ specName }) => specName === fieldName);
      const isSame =
        field !== undefined &&
        (offset === "?" || offset === String(field.offset)) &&
        (fieldSize === "?" || fieldSize === String(field.size));
      return isSame ? differences : [...differences, `${name}.${fieldName}`];
    }, own);
}

function constantDifferences(expected: Listings, rooms: readonly SharedModel[], device: DeviceModel): string[] {
  const values = new Map<string, Set<number | string>>();
  const add = (name: string, value: number | string): void => {
    values.set(name, (values.get(name) ?? new Set()).add(value));
  };
  for (const { specName, value } of rooms.flatMap(({ constants }) => constants)) add(specName, value);
  for (const { specName, id } of device.tables.flatMap(({ entries }) => entries)) add(specName, id);
  for (const { specName, bit } of device.features) add(specName, bit);
  return Object.entries(expected.constants)
    .filter(([name, value]) => !values.get(name)?.has(value))
    .map(([name]) => name);
}
