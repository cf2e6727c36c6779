import type { EnumMemberModel, EnumModel } from "../../model/device-model.js";
import { code, hexadecimal, nothing, paragraphs, propertyKey, quoted, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { pascalCase } from "./names.js";
import { scalarSize } from "./shapes.js";

/** An enum as an object of its numbers, the type of its names, and the way from one to the other. */
export function enumDeclaration(model: EnumModel, scope: DeviceScope): Code {
  return model.kind === "flags" ? flagsDeclaration(model, scope) : namesDeclaration(model, scope);
}

export function isWideEnum(model: EnumModel): boolean {
  return model.type !== null && scalarSize(model.type) === 8;
}

/** `blkTypeName`: from a number to the member's name, or the number itself. */
export function nameFunction(model: EnumModel, scope: DeviceScope): string {
  return `${uncapitalised(scope.typeName(model))}Name`;
}

/** `blkTypeValue`: from a name to its number. */
export function valueFunction(model: EnumModel, scope: DeviceScope): string {
  return `${uncapitalised(scope.typeName(model))}Value`;
}

/** The name that a number is read as: that of the first member which has it. */
export function memberOf(model: EnumModel, value: number): EnumMemberModel | undefined {
  return model.members.find((member) => member.last === null && BigInt(member.value) === BigInt(value));
}

/** The type of a field with this enum: what may arrive is any number. */
export function readType(model: EnumModel, scope: DeviceScope): Code {
  return code`${scope.typeName(model)} | ${isWideEnum(model) ? "bigint" : "number"}`;
}

/** The type of what is sent: a member, or for an open enum any number. */
export function writeType(model: EnumModel, scope: DeviceScope): Code {
  return model.open || model.members.some((member) => member.last !== null)
    ? readType(model, scope)
    : code`${scope.typeName(model)}`;
}

function uncapitalised(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function namesDeclaration(model: EnumModel, scope: DeviceScope): Code {
  const name = scope.typeName(model);
  const wide = isWideEnum(model);
  const number = wide ? "bigint" : "number";
  const seen = new Set<string>();
  const cases = model.members.filter((member) => {
    const isFirst = !seen.has(String(member.value));
    seen.add(String(member.value));
    return isFirst && member.last === null;
  });
  return paragraphs([
    code`${docComment(model)}export const ${name} = {
      ${model.members.map((member) => memberEntries(member, wide))}
    } as const;
    ${docComment({ doc: `A member of {@link ${name}}, by name.` })}export type ${name} = keyof typeof ${name};`,
    code`/** The name of a number, or the number itself if ${model.open ? "it has none" : "it is not a member"}. */
    export function ${nameFunction(model, scope)}(value: ${number}): ${name} | ${number} {
      switch (value) {
        ${cases.map((member) => code`case ${literal(member.value, wide)}: return ${quoted(member.name)};`)}
        default: return value;
      }
    }`,
    code`/** The number of a name. */
    export function ${valueFunction(model, scope)}(name: ${name} | ${number}): ${number} {
      ${valueStatements(model, name, wide)}
    }`,
  ]);
}

/** A switch is faster than a lookup by name, which the data path would meet in each reply. */
function valueStatements(model: EnumModel, name: string, wide: boolean): Code {
  if (model.members.some((member) => member.last !== null)) {
    return code`return typeof name === ${quoted(wide ? "bigint" : "number")} ? name : ${name}[name];`;
  }
  return code`switch (name) {
    ${model.members.map((member) => code`case ${quoted(member.name)}: return ${literal(member.value, wide)};`)}
    default: return name;
  }`;
}

function literal(value: number | string, wide: boolean): Code {
  return wide ? code`${BigInt(value)}` : code`${Number(value)}`;
}

function memberEntries(member: EnumMemberModel, wide: boolean): Code {
  const doc = docComment({ ...member, spec: null, specName: null }, member.legacy ? "Legacy." : "");
  const first = code`${doc}${propertyKey(member.name)}: ${literal(member.value, wide)},`;
  if (member.last === null) return first;
  return code`${first}
    /** Last of the range that begins with \`${member.name}\`. */
    ${propertyKey(`${member.name}_LAST`)}: ${literal(member.last, wide)},`;
}

/** Flags as an object of their masks; numbers that share the word get an object each. */
function flagsDeclaration(model: EnumModel, scope: DeviceScope): Code {
  const name = scope.typeName(model);
  const wide = isWideEnum(model);
  const masked = model.masked.map((part) => {
    const partName = name + pascalCase(part.name);
    return code`${docComment({ doc: part.doc }, `Under the mask 0x${part.mask.toString(16)}.`)}export const ${partName} = {
      /** The bits that hold it. */
      MASK: ${mask(part.mask, wide)},
      ${part.members.map((member) => memberEntries(member, wide))}
    } as const;`;
  });
  const flags =
    model.members.length === 0 && model.masked.length > 0
      ? nothing
      : code`${docComment(model, "Bits that can be combined.")}export const ${name} = {
          ${model.members.map((member) => flagEntry(member, wide))}
        } as const;`;
  return paragraphs([flags, ...masked]);
}

function flagEntry(member: EnumMemberModel, wide: boolean): Code {
  const doc = docComment({ ...member, spec: null, specName: null }, member.legacy ? "Legacy." : "");
  return code`${doc}${propertyKey(member.name)}: ${mask(member.value, wide)},`;
}

/** Beyond 2^53 only a bigint is exact. */
function mask(value: number | string, wide: boolean): Code {
  return hexadecimal(wide ? BigInt(value) : Number(value));
}
