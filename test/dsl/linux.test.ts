import { describe, expect, test } from "vitest";
import { requirePeer } from "../interop/peers.js";
import type { DeviceModel } from "../../src/model/device-model.js";
import { CommonFeature, DeviceStatus } from "../../src/runtime/index.js";
import { additions, disagreements, renamings } from "./linux-differences.js";
import { definedNames, missingHeaders, values } from "./linux-header.js";
import { deviceNames, layoutOf, theDevice, theModel } from "./models.js";

const present = await requirePeer("a C compiler and Linux's virtio headers (linux-libc-dev)", missingHeaders);

/** One number that both sides may have. */
interface Comparison {
  /** As in `disagreements`. */
  readonly what: string;
  readonly model: number;
  /** In C. */
  readonly linux: string;
  /** Names of the specification that lead to it, and so may be renamed. */
  readonly names: readonly string[];
}

interface Applying {
  readonly where?: string;
  readonly unless?: string;
}

describe.runIf(present)("the model beside Linux's headers", () => {
  // Entries that headers of this age need.
  const conditions = [...renamings, ...disagreements].flatMap(({ where, unless }: Applying) =>
    [where ?? [], unless ?? []].flat(),
  );
  const answers = present ? values(conditions) : [];
  const known = new Set(conditions.filter((_, index) => answers[index] !== undefined));
  const applies = ({ where, unless }: Applying): boolean =>
    (where === undefined || known.has(where)) && (unless === undefined || !known.has(unless));
  const renamed = new Map(renamings.filter(applies).map(({ spec, linux }) => [spec, linux]));
  const linuxName = (spec: string): string => renamed.get(spec) ?? spec;
  const comparisons = present ? deviceNames.flatMap((name) => comparisonsOf(theDevice(name), linuxName)) : [];
  const found = present ? values(comparisons.map(({ linux }) => linux)) : [];

  test("what both have is the same", () => {
    const expected = new Set(disagreements.filter(applies).map(({ what }) => what));
    const wrong = comparisons.flatMap(({ what, model, linux }, index) => {
      const value = found[index];
      return value === undefined || value === model || expected.has(what)
        ? []
        : [`${what}: ${model}, but ${linux} is ${value}`];
    });
    expect(wrong).toEqual([]);
  });

  test("most of the older half of the model is there to be compared", () => {
    // A typing mistake in the probes would make everything "missing" and this file silent.
    expect(found.filter((value) => value !== undefined).length).toBeGreaterThan(200);
  });

  test("each disagreement makes a difference", () => {
    const idle = disagreements.filter(applies).filter(({ what }) => {
      const index = comparisons.findIndex((comparison) => comparison.what === what);
      return index < 0 || found[index] === undefined || found[index] === comparisons[index]?.model;
    });
    expect(idle).toEqual([]);
  });

  test("each renaming makes a difference", () => {
    // Without it, something that is found and agrees would not.
    const doubts = renamings.filter(applies).flatMap((renaming) => {
      const without = (spec: string): string => (spec === renaming.spec ? spec : linuxName(spec));
      const others = deviceNames.flatMap((name) => comparisonsOf(theDevice(name), without));
      return comparisons.flatMap(({ names }, index) => {
        const other = others[index];
        return names.includes(renaming.spec) && found[index] !== undefined && other ? [{ renaming, other, index }] : [];
      });
    });
    const otherwise = values(doubts.map(({ other }) => other.linux));
    const needed = new Set(
      doubts.filter(({ index }, at) => otherwise[at] !== found[index]).map(({ renaming }) => renaming),
    );
    expect(renamings.filter(applies).filter((renaming) => !needed.has(renaming))).toEqual([]);
  });

  test("features and status bits that all devices have", () => {
    const asked: readonly (readonly [string, number])[] = [
      ...Object.entries(CommonFeature).map(([name, bit]) => [`VIRTIO_F_${name}`, bit] as const),
      ...Object.entries(DeviceStatus).map(([name, bit]) => [`VIRTIO_CONFIG_S_${name}`, bit] as const),
    ];
    const linux = values(asked.map(([name]) => name));
    const both = asked.flatMap(([name, ours], index) =>
      linux[index] === undefined ? [] : [[name, ours, linux[index]]],
    );
    expect(both.filter(([, ours, theirs]) => ours !== theirs)).toEqual([]);
    expect(both.length).toBeGreaterThan(12);
  });

  test("Linux has nothing else", () => {
    const { macros, structs } = definedNames();
    const ours = new Set<string>();
    for (const name of deviceNames) {
      const device = theDevice(name);
      for (const { specName } of [...device.features, ...device.constants, ...device.structs, ...device.requests]) {
        ours.add(linuxName(specName)).add(specName);
      }
      if (device.config) ours.add(device.config.specName);
    }
    const isOurs = /^VIRTIO_(NET|BLK|CONSOLE)_|^virtio_(net|blk|console)_|^virtio_scsi_/;
    const added = [...macros, ...structs].filter((name) => isOurs.test(name) && !ours.has(name));
    const expected = additions.filter(({ linux, sometimes }) => sometimes !== true || added.includes(linux));
    expect(added.sort()).toEqual(expected.map(({ linux }) => linux).sort());
  });
});

/** All numbers of a device, as questions to the headers. */
function comparisonsOf(device: DeviceModel, linuxName: (spec: string) => string): readonly Comparison[] {
  const asked: Comparison[] = [];
  const constant = (specName: string, model: number): void => {
    asked.push({ what: specName, model, linux: linuxName(specName), names: [specName] });
  };
  constant(
    `VIRTIO_ID_${device.name === "entropy" ? "RNG" : device.name === "blk" ? "BLOCK" : device.name.toUpperCase()}`,
    device.id ?? -1,
  );
  for (const { specName, bit } of device.features) constant(specName, bit);
  for (const each of device.constants) {
    // Offloads share the names of features, and two of them not their numbers.
    if (each.of !== "GuestOffloads") constant(each.specName, Number(each.value));
  }
  for (const { specName, variants } of device.requests) {
    // The fields in front of the data, which Linux has a struct for.
    for (const field of variants[0]?.readable ?? []) {
      const spec = `${specName}.${field.specName}`;
      const path = linuxName(spec) === spec ? field.specName : linuxName(spec);
      const linux = `offsetof(struct ${linuxName(specName)}, ${path})`;
      if (field.offset !== null)
        asked.push({ what: `${spec} offset`, model: field.offset, linux, names: [specName, spec] });
    }
  }
  for (const struct of [...device.structs, ...(device.config ? [device.config] : [])]) {
    const { specName, size } = struct;
    if (specName === "") continue;
    const type = `struct ${linuxName(specName)}`;
    const ask = (path: string, what: string, model: number, linux: (field: string) => string): void => {
      const spec = `${specName}.${path}`;
      const field = linuxName(spec);
      asked.push({
        what: `${spec} ${what}`,
        model,
        linux: linux(field === spec ? path : field),
        names: [specName, spec],
      });
    };
    if (size !== null)
      asked.push({ what: `sizeof ${specName}`, model: size, linux: `sizeof(${type})`, names: [specName] });
    for (const [path, [offset, length, shift]] of layoutOf(struct.fields, [device, theModel().shared])) {
      if (shift !== undefined) continue;
      if (offset !== null) ask(path, "offset", offset, (field) => `offsetof(${type}, ${field})`);
      if (length !== null) ask(path, "size", length, (field) => `sizeof(((${type} *)0)->${field})`);
    }
  }
  return asked;
}
