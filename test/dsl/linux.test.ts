import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { emitC } from "../../src/emit/c/index.js";
import { CommonFeature, DeviceStatus } from "../../src/runtime/index.js";
import { values as valuesIn } from "../interop/c-compiler.js";
import { requirePeer } from "../interop/peers.js";
import { modelOfAll } from "./definitions.js";
import { absences, additions, disagreements, renamings, type Difference } from "./linux-differences.js";
import { definedNames, missingHeaders, values } from "./linux-header.js";

/**
 * The C headers that come out of the definitions, beside Linux's: both are compiled, each in a program of its own, and
 * what both have must be the same but for the table in linux-differences.ts.
 */

const present = await requirePeer("a C compiler and Linux's virtio headers (linux-libc-dev)", missingHeaders);

/** One number that both sides may have. */
interface Comparison {
  /** As in `disagreements`. */
  readonly what: string;
  /** Expressions in C. */
  readonly ours: string;
  readonly linux: string;
  /** Names of the specification that lead to it, and so may be renamed. */
  readonly names: readonly string[];
}

type Renamer = (spec: string) => string;

/** Everything that the headers of a model have: their constants, and the places and sizes that they assert. */
function comparisonsOf(texts: readonly string[], linuxName: Renamer): readonly Comparison[] {
  const found: Comparison[] = [];
  for (const text of texts) {
    for (const [, name = ""] of text.matchAll(/^#define (VIRT\w+|SCSI_\w+|RING_\w+) \(?[-\d]/gm)) {
      if (!/_(SHIFT|MASK)$/.test(name)) found.push({ what: name, ours: name, linux: linuxName(name), names: [name] });
    }
    for (const [, tag = ""] of text.matchAll(/^_Static_assert\(sizeof\(struct (\w+)\) ==/gm)) {
      const linux = `sizeof(struct ${linuxName(tag)})`;
      found.push({ what: `sizeof ${tag}`, ours: `sizeof(struct ${tag})`, linux, names: [tag] });
    }
    for (const [, tag = "", path = ""] of text.matchAll(/^_Static_assert\(offsetof\(struct (\w+), ([\w.]+)\) ==/gm)) {
      const field = fieldName(tag, path, linuxName);
      const ours = `offsetof(struct ${tag}, ${path})`;
      const linux = `offsetof(struct ${linuxName(tag)}, ${field})`;
      found.push({ what: `${tag}.${path} offset`, ours, linux, names: namesOf(tag, path) });
    }
    for (const [, tag = "", path = ""] of text.matchAll(
      /^_Static_assert\(sizeof\(\(\(struct (\w+) \*\)0\)->([\w.]+)\)/gm,
    )) {
      const field = fieldName(tag, path, linuxName);
      const ours = `sizeof(((struct ${tag} *)0)->${path})`;
      const linux = `sizeof(((struct ${linuxName(tag)} *)0)->${field})`;
      found.push({ what: `${tag}.${path} size`, ours, linux, names: namesOf(tag, path) });
    }
  }
  return [...found, ...nestedPlaces(texts, linuxName)];
}

/** The struct, and each beginning of the path. */
function namesOf(tag: string, path: string): readonly string[] {
  const parts = path.split(".");
  return [tag, ...parts.map((_, index) => `${tag}.${parts.slice(0, index + 1).join(".")}`)];
}

/** Members of structs that are members themselves: `virtio_blk_config.topology.min_io_size`. */
function nestedPlaces(texts: readonly string[], linuxName: Renamer): readonly Comparison[] {
  const structs = new Map<string, readonly { readonly type: string | undefined; readonly name: string }[]>();
  for (const text of texts) {
    for (const [, tag = "", body = ""] of text.matchAll(/^struct (\w+) \{\n([\s\S]*?)^\};/gm)) {
      const members = [...body.matchAll(/^\t(?:struct (\w+)|\w+) (\w+)((?:\[\d+\])*);/gm)];
      structs.set(
        tag,
        // Elements of arrays have no path.
        members.map(([, type, name = "", length]) => ({ type: length === "" ? type : undefined, name })),
      );
    }
  }
  interface Path {
    readonly ours: string;
    readonly linux: string;
  }
  const pathsOf = (tag: string): readonly Path[] =>
    (structs.get(tag) ?? []).flatMap(({ type, name }) => {
      const linux = fieldName(tag, name, linuxName);
      const inner = type === undefined ? [] : pathsOf(type);
      return [
        { ours: name, linux },
        ...inner.map((path) => ({ ours: `${name}.${path.ours}`, linux: `${linux}.${path.linux}` })),
      ];
    });
  return [...structs.keys()].flatMap((tag) =>
    pathsOf(tag)
      .filter((path) => path.ours.includes("."))
      .map((path) => {
        const whole = linuxName(`${tag}.${path.ours}`);
        const field = whole === `${tag}.${path.ours}` ? path.linux : whole;
        const linux = `offsetof(struct ${linuxName(tag)}, ${field})`;
        const what = `${tag}.${path.ours} offset`;
        return { what, ours: `offsetof(struct ${tag}, ${path.ours})`, linux, names: namesOf(tag, path.ours) };
      }),
  );
}

/** A path in Linux's struct: the longest part of it that has another name there is replaced. */
function fieldName(tag: string, path: string, linuxName: Renamer): string {
  const parts = path.split(".");
  for (let count = parts.length; count > 0; count--) {
    const spec = `${tag}.${parts.slice(0, count).join(".")}`;
    const renamed = linuxName(spec);
    if (renamed !== spec) return [renamed, ...parts.slice(count)].join(".");
  }
  // A name that C++ reserves has a `_` in our headers.
  return path.replaceAll(/(\w)_(?=\.|$)/g, "$1");
}

describe.runIf(present)("the emitted C headers beside Linux's", () => {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-linux-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const headers = present ? emitC(modelOfAll(), { version: "0.0.0" }) : [];
  for (const { path, text } of headers) writeFileSync(join(folder, path), text);
  const texts = headers.map(({ text }) => text);

  // Entries that headers of this age need.
  const conditions = [...renamings, ...disagreements].flatMap(({ where, unless }: Difference) =>
    [where ?? [], unless ?? []].flat(),
  );
  const answers = present ? values(conditions) : [];
  const known = new Set(conditions.filter((_, index) => answers[index] !== undefined));
  const applies = ({ where, unless }: Difference): boolean =>
    (where === undefined || known.has(where)) && (unless === undefined || !known.has(unless));
  const renamed = new Map(renamings.filter(applies).map(({ spec, linux }) => [spec, linux]));
  const linuxName = (spec: string): string => renamed.get(spec) ?? spec;
  const comparisons = comparisonsOf(texts, linuxName);
  const includes = headers.map(({ path }) => `#include "${path}"\n`).join("");
  const ours = present
    ? valuesIn(
        comparisons.map((comparison) => comparison.ours),
        includes,
        ["-I", folder],
      )
    : [];
  const theirs = present ? values(comparisons.map(({ linux }) => linux)) : [];

  test("the compiler knows all of ours", () => {
    expect(comparisons.filter((_, index) => ours[index] === undefined)).toEqual([]);
    expect(comparisons.length).toBeGreaterThan(3000);
  });

  test("what both have is the same", () => {
    const expected = new Set(disagreements.filter(applies).map(({ what }) => what));
    const wrong = comparisons.flatMap(({ what, linux }, index) => {
      const value = theirs[index];
      return value === undefined || value === ours[index] || expected.has(what)
        ? []
        : [`${what}: ${ours[index] ?? "?"}, but ${linux} is ${value}`];
    });
    expect(wrong).toEqual([]);
  });

  test("most of what is old is there to be compared", () => {
    // A typing mistake in the probes would make everything "missing" and this file silent.
    expect(theirs.filter((value) => value !== undefined).length).toBeGreaterThan(1200);
  });

  test("no field of a struct that both have is missing there, but for the table", () => {
    const both = new Set(
      comparisons.flatMap(({ what, names }, index) =>
        what.startsWith("sizeof ") && theirs[index] !== undefined ? names : [],
      ),
    );
    const missing = new Set(
      comparisons.flatMap(({ what, names: [tag = "", field = ""] }, index) =>
        both.has(tag) && theirs[index] === undefined && what === `${field} offset` ? [field] : [],
      ),
    );
    const table = absences.filter(({ field, sometimes }) => sometimes !== true || missing.has(field));
    expect([...missing].sort()).toEqual(table.map(({ field }) => field).sort());
  });

  test("each disagreement makes a difference", () => {
    const idle = disagreements.filter(applies).filter(({ what }) => {
      const index = comparisons.findIndex((comparison) => comparison.what === what);
      return index < 0 || theirs[index] === undefined || theirs[index] === ours[index];
    });
    expect(idle).toEqual([]);
  });

  test("each renaming makes a difference", () => {
    // Without it, something that is found and agrees would not.
    const doubts = renamings.filter(applies).flatMap((renaming) => {
      const without = (spec: string): string => (spec === renaming.spec ? spec : linuxName(spec));
      const others = comparisonsOf(texts, without);
      return comparisons.flatMap(({ names }, index) => {
        const other = others[index];
        return names.includes(renaming.spec) && theirs[index] !== undefined && other
          ? [{ renaming, other, index }]
          : [];
      });
    });
    const otherwise = values(doubts.map(({ other }) => other.linux));
    const needed = new Set(
      doubts.filter(({ index }, at) => otherwise[at] !== theirs[index]).map(({ renaming }) => renaming),
    );
    expect(renamings.filter(applies).filter((renaming) => !needed.has(renaming))).toEqual([]);
  });

  test("features and status bits that all devices have", () => {
    const asked: readonly (readonly [string, number])[] = [
      ...Object.entries(CommonFeature).map(([name, bit]) => [`VIRTIO_F_${name}`, bit] as const),
      ...Object.entries(DeviceStatus).map(([name, bit]) => [`VIRTIO_CONFIG_S_${name}`, bit] as const),
    ];
    const linux = values(asked.map(([name]) => name));
    const both = asked.flatMap(([name, wanted], index) =>
      linux[index] === undefined ? [] : [[name, wanted, linux[index]]],
    );
    expect(both.filter(([, wanted, found]) => wanted !== found)).toEqual([]);
    expect(both.length).toBeGreaterThan(12);
  });

  describe("Linux has nothing else", () => {
    const { constants, structs } = present
      ? definedNames()
      : { constants: new Set<string>(), structs: new Set<string>() };
    const has = new Set(comparisons.flatMap(({ linux }) => [...linux.matchAll(/\w+/g)].map(([name]) => name)));
    for (const text of texts) for (const [name] of text.matchAll(/\b(virt|VIRT|vring)\w+/g)) has.add(name);
    const devices =
      "NET|BLK|CONSOLE|BALLOON|SCSI|GPU|INPUT|CRYPTO|VSOCK|FS|IOMMU|MEM|SND|I2C|GPIO|SCMI|PMEM|CAN|RTC|SPI|RPMB|MEDIA|ID|PCI|MMIO|F|RING|CONFIG|MSI|TRANSPORT";
    const isOurs = new RegExp(`^VIRTIO_(${devices})_|^virtio_(${devices})_|^vring`, "i");
    const added = [...constants, ...structs].filter(
      (name) => isOurs.test(name) && !name.endsWith("_H") && !has.has(name),
    );
    const matches = (name: string, { linux }: { readonly linux: string }): boolean =>
      new RegExp(`^(${linux})$`).test(name);

    test("but for the table", () => {
      expect(added.filter((name) => !additions.some((addition) => matches(name, addition))).sort()).toEqual([]);
    });

    test("and each entry of the table is needed", () => {
      const idle = additions.filter(
        (addition) => addition.sometimes !== true && !added.some((name) => matches(name, addition)),
      );
      expect(idle).toEqual([]);
    });
  });
});
