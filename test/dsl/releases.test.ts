import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { DeviceModel, FieldModel, Model, SharedModel } from "../../src/model/device-model.js";
import { modelOfAll } from "./definitions.js";
import { explained, notDefined, ownNames } from "./release-differences.js";

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
const structCounts = { "1.2": 162, "1.3": 185, "1.4": 266 };
/** Everything in the text of a release that looks like a constant, with the releases that have it. */
const namesInText = JSON.parse(
  readFileSync(new URL("expected/releases/names.json", import.meta.url), "utf8"),
) as Record<string, string>;

describe.each(releases)("--spec-version %s", (release) => {
  const file = new URL(`expected/releases/${release}.json`, import.meta.url);
  const listings = JSON.parse(readFileSync(file, "utf8")) as Record<string, Listings>;
  const model = modelOfAll(release);
  const inText = new Set(Object.keys(namesInText).filter((name) => namesInText[name]?.split(" ").includes(release)));
  const defined = definedNames(model);

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

  it("has every name that the text has, in prose and tables too", () => {
    const missing = [...inText].filter((name) => !defined.has(name));
    for (const name of missing) seen.add(name);
    expect(missing.filter((name) => !(name in notDefined))).toEqual([]);
  });

  it("has no name of another release", () => {
    const listed = new Set(Object.values(listings).flatMap(({ constants }) => Object.keys(constants)));
    const others = [...defined].filter((name) => !inText.has(name) && !listed.has(name));
    const reasons = others.map((name) => ownNames.find(([pattern]) => pattern.test(name)));
    for (const reason of reasons) if (reason) seen.add(reason[0].source);
    expect(others.filter((_, index) => reasons[index] === undefined)).toEqual([]);
  });

  it("counts what the catalogue counts", () => {
    // In the chapters of the devices; one struct more is an example of bit-fields in the introduction.
    const devices = Object.entries(listings).filter(([name]) => name !== "core");
    expect(devices.reduce((sum, [, { structs }]) => sum + Object.keys(structs).length, 1)).toBe(structCounts[release]);
  });
});

it("every difference that is explained is there", () => {
  const all = [...Object.keys(explained), ...Object.keys(notDefined), ...ownNames.map(([{ source }]) => source)];
  expect(all.filter((difference) => !seen.has(difference))).toEqual([]);
});

it("names change with the release", () => {
  const registers = (release: (typeof releases)[number]): string[] =>
    modelOfAll(release).devices.flatMap((device) =>
      device.registers.flatMap(({ fields }) => fields.map(({ specName }) => specName)),
    );
  expect(registers("1.2")).toEqual(expect.arrayContaining(["QueueNumMax", "QueueNum", "queue_notify_data"]));
  const [now, then] = [registers("1.3"), registers("1.2")];
  expect(now).toEqual(expect.arrayContaining(["QueueSizeMax", "QueueSize", "queue_notif_config_data"]));
  expect(then.filter((name) => /^(QueueSize|queue_notif_)/.test(name))).toEqual([]);
  expect(now.filter((name) => /^(QueueNum|queue_notify_data)/.test(name))).toEqual([]);
});

/** Constants, features and entries of tables. */
function definedNames(model: Model): Set<string> {
  const rooms: readonly SharedModel[] = [model.shared, ...model.devices];
  return new Set([
    ...rooms.flatMap(({ constants }) => constants.map(({ specName }) => specName)),
    ...model.devices.flatMap(({ features }) => features.map(({ specName }) => specName)),
    ...model.devices.flatMap(({ tables }) => tables.flatMap(({ entries }) => entries.map(({ specName }) => specName))),
  ]);
}

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
