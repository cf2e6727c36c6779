import { blockComment } from "./comments.js";
import type { CField, CMember, CStruct } from "./members.js";
import { macroName } from "./names.js";

/** A struct, the masks of its bit-fields, and the assertions that hold its layout. */
export function printStruct(struct: CStruct): string {
  const { kind, tag, comment, members, rest } = struct;
  const masks = printMasks(tag, members);
  if (members.length === 0) {
    const lines = rest.map((line) => `- ${line}`);
    return blockComment([`${kind} ${tag} has nothing at a fixed place. ${comment}`, ...lines].join("\n"));
  }
  const body = members.map((member) => printMember(member, "\t", struct.size === 0)).join("");
  return `${blockComment(comment)}${kind} ${tag} {\n${body}${restComment(rest, "\t")}};\n${printAsserts(struct)}${masks}`;
}

function restComment(rest: readonly string[], indent: string): string {
  if (rest.length === 0) return "";
  return blockComment(["Then, at no fixed place:", ...rest.map((line) => `- ${line}`)].join("\n"), indent);
}

/** `alone`: C has no flexible array with nothing in front of it; compilers have arrays of length 0. */
function printMember(member: CMember, indent: string, alone: boolean): string {
  const comment = blockComment(member.comment, indent);
  const dimensions = member.dimensions.map((length) => `[${length ?? (alone ? "0" : "")}]`).join("");
  if (member.kind === "field") {
    return `${comment}${indent}${member.type} ${member.name}${dimensions};\n`;
  }
  const inner = member.members.map((each) => printMember(each, `${indent}\t`, alone)).join("");
  const name = member.name === null ? "" : ` ${member.name}${dimensions}`;
  return `${comment}${indent}${member.kind} {\n${inner}${indent}}${name};\n`;
}

function printAsserts({ kind, tag, members, size }: CStruct): string {
  const type = `${kind} ${tag}`;
  const lines = [`_Static_assert(sizeof(${type}) == ${size}, "size of ${tag}");\n`];
  for (const { path, member, offset } of placesOf(members, "", 0)) {
    lines.push(`_Static_assert(offsetof(${type}, ${path}) == ${offset}, "${tag}.${path}");\n`);
    if (member.size === null || member.dimensions.includes(null)) continue;
    lines.push(`_Static_assert(sizeof(((${type} *)0)->${path}) == ${member.size}, "size of ${tag}.${path}");\n`);
  }
  return lines.join("");
}

interface Place {
  readonly path: string;
  readonly member: CMember;
  readonly offset: number;
}

/** Everything that has a name, with its path; elements of arrays have none. */
function placesOf(members: readonly CMember[], prefix: string, base: number): readonly Place[] {
  return members.flatMap((member): readonly Place[] => {
    const offset = base + member.offset;
    const own = member.name === null ? [] : [{ path: `${prefix}${member.name}`, member, offset }];
    if (member.kind === "field" || member.dimensions.length > 0) return own;
    const path = member.name === null ? prefix : `${prefix}${member.name}.`;
    return [...own, ...placesOf(member.members, path, offset)];
  });
}

function printMasks(prefix: string, members: readonly CMember[]): string {
  return members.map((member) => memberMasks(prefix, member)).join("");
}

function memberMasks(prefix: string, member: CMember): string {
  if (member.kind !== "field") {
    return printMasks(member.name === null ? prefix : `${prefix}_${member.name}`, member.members);
  }
  const single = member.bits.length === 1 && member.bits[0]?.name === member.name;
  const path = single || member.name.startsWith("bits_at_") ? prefix : `${prefix}_${member.name}`;
  return member.bits.map((bits) => maskMacros(`${macroName(path)}_${macroName(bits.name)}`, bits)).join("");
}

function maskMacros(name: string, { shift, width, comment }: CField["bits"][number]): string {
  const mask = ((1n << BigInt(width)) - 1n) << BigInt(shift);
  const suffix = mask > 0xffffffffn ? "ULL" : "U";
  return (
    `${blockComment(comment)}#define ${name}_SHIFT ${shift}\n` +
    `#define ${name}_MASK 0x${mask.toString(16)}${suffix}\n`
  );
}

/** Whether it has arrays that only compilers know, not the languages. */
export function usesExtensions(members: readonly CMember[]): boolean {
  return members.some((member) => {
    if (member.kind !== "field") return true;
    return member.dimensions.includes(null) || member.size === null;
  });
}
