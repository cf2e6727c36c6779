import type { ConstantModel, DeviceModel, EnumMemberModel, EnumModel, SharedModel } from "../../model/device-model.js";
import { blockComment, describe } from "./comments.js";
import { constantName, enumConstantName, macroName } from "./names.js";

/** Names of macros in one header. The specification has a few names twice, with different values. */
export class Macros {
  readonly #values = new Map<string, string>();

  /** A `#define`; nothing if it is there already, and under a longer name if that has another value. */
  define(specName: string, value: string, of: string | null, comment = ""): string {
    const wanted = constantName(specName);
    const known = this.#values.get(wanted);
    if (known === value) return "";
    const name = known === undefined ? wanted : `${wanted}_${macroName(of ?? "other")}`;
    if (this.#values.get(name) === value) return "";
    this.#values.set(name, value);
    return `${blockComment(comment)}#define ${name} ${value}\n`;
  }
}

/** A number in C: hexadecimal where it is a mask or has more than a byte, unsigned where it is large. */
export function literal(value: number | string, hexadecimal = false): string {
  const number = BigInt(value);
  const magnitude = number < 0n ? -number : number;
  const suffix = magnitude > 0xffffffffn ? "ULL" : magnitude > 0x7fffffffn ? "U" : "";
  const isHexadecimal = (hexadecimal && magnitude > 9n) || magnitude > 0xffn;
  const text = `${isHexadecimal ? `0x${magnitude.toString(16)}` : magnitude}${suffix}`;
  return number < 0n ? `(-${text})` : text;
}

/** Feature bits, as bit numbers. */
export function printFeatures({ features }: DeviceModel, macros: Macros): string {
  const lines = features.map((feature) => {
    const needs = feature.requires.map((group) => group.join(" or ")).join(" and ");
    const facts = [
      ...(feature.legacy ? ["Legacy"] : []),
      ...(needs === "" ? [] : [`Requires ${needs}`]),
      ...(feature.mandatory ? ["Mandatory"] : []),
    ];
    const comment = describe({ ...feature, spec: null }, ...facts);
    return macros.define(feature.specName, String(feature.bit), "feature", comment);
  });
  return titled("Feature bits", lines);
}

/** Enums, flags and other constants, in the order of the definition. */
export function printConstants(home: SharedModel, macros: Macros): string {
  const loose = home.constants.filter(({ of }) => of === null || !home.enums.some(({ name }) => name === of));
  const blocks = home.enums.map((each) => printEnum(each, home.constants, macros));
  const others = loose.map((each) => macros.define(each.specName, literal(each.value), each.of, describe(each)));
  return [...blocks, titled("Other constants", others)].filter((block) => block !== "").join("\n");
}

function printEnum(declared: EnumModel, constants: readonly ConstantModel[], macros: Macros): string {
  const members = [...declared.masked.flatMap((masked) => masked.members), ...declared.members];
  const bySpecName = new Map(members.map((member) => [member.specName, member]));
  const own = constants.filter(({ of }) => of === declared.name);
  const masks = declared.masked.map(({ name, doc, mask }) =>
    macros.define(`${macroName(declared.specName)}_${macroName(name)}_MASK`, literal(mask, true), null, doc),
  );
  const lines = own.map((constant) => {
    const member = bySpecName.get(constant.specName);
    const hexadecimal = declared.kind === "flags" && member?.bit === null;
    const comment = describe(
      { ...constant, doc: member?.doc ?? constant.doc, within: declared.since },
      ...memberFacts(member, constant),
    );
    return macros.define(
      enumConstantName(constant.specName, declared),
      literal(constant.value, hexadecimal),
      declared.name,
      comment,
    );
  });
  const heading = describe({
    ...declared,
    doc: declared.doc === "" ? declared.name : `${declared.name}: ${declared.doc}`,
  });
  return titled(heading, [...masks, ...lines]);
}

function memberFacts(member: EnumMemberModel | undefined, { value }: ConstantModel): readonly string[] {
  if (!member) return [];
  const facts: string[] = [];
  if (member.last !== null) facts.push(`Up to ${member.last}`);
  if (member.bit !== null && String(member.bit) === String(value) && String(member.value) !== String(value)) {
    facts.push("A bit number");
  }
  return facts;
}

/** Numbers of capabilities, resource objects and device parts; identifiers of shared memory. */
export function printTables({ tables, sharedMemory }: DeviceModel, macros: Macros): string {
  const blocks = tables.map(({ table, entries }) => {
    const lines = entries.map((entry) =>
      macros.define(entry.specName, literal(entry.id, true), table, describe({ ...entry, spec: null })),
    );
    return titled(tableTitles[table], lines);
  });
  const regions = sharedMemory.map((region) => {
    const isName = /^VIRT[A-Z0-9_]+$/.test(region.specName);
    return isName
      ? macros.define(region.specName, literal(region.id), "region", describe({ ...region, spec: null }))
      : "";
  });
  return [...blocks, titled("Shared memory regions", regions)].filter((block) => block !== "").join("\n");
}

const tableTitles = {
  capabilities: "Capabilities",
  resources: "Resource objects",
  parts: "Device parts",
} as const;

/** Offsets of registers. */
export function printRegisters({ registers }: DeviceModel, macros: Macros): string {
  const blocks = registers.map((block) => {
    const lines = block.fields.map((field) => {
      const name = `${macroName(block.specName)}_${macroName(field.specName)}`;
      return field.offset === null
        ? ""
        : macros.define(name, hex(field.offset), null, describe({ ...field, spec: null }));
    });
    return titled(describe({ ...block, doc: block.doc === "" ? "Registers" : block.doc }), lines);
  });
  return blocks.filter((block) => block !== "").join("\n");
}

function hex(offset: number): string {
  return `0x${offset.toString(16).padStart(3, "0")}`;
}

function titled(title: string, lines: readonly string[]): string {
  const text = lines.join("");
  return text === "" ? "" : `${blockComment(title)}${text}`;
}
