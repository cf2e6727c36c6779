import type { FieldModel, ScalarType } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import { camelCase } from "./names.js";
import { scalarSize } from "./shapes.js";

/** An integer that several bit-fields share. */
export interface Word {
  readonly name: string;
  holds(field: FieldModel): boolean;
  extract(field: FieldModel): Code;
}

export function newWord(first: FieldModel, scalar: ScalarType, fresh: (name: string) => string): Word {
  const name = fresh(`${camelCase(first.name)}Word`);
  let end = (first.bits?.shift ?? 0) + (first.bits?.width ?? 0);
  return {
    name,
    holds: (field) => {
      const sameWord = field.type === first.type && field.offset === first.offset && (field.bits?.shift ?? 0) >= end;
      if (sameWord) end = (field.bits?.shift ?? 0) + (field.bits?.width ?? 0);
      return sameWord;
    },
    extract: (field) => extractBits(code`${name}`, field, scalar),
  };
}

/** Bits of an integer, as a boolean, number or bigint. */
export function extractBits(word: Code, field: FieldModel, scalar: ScalarType): Code {
  const { shift, width } = field.bits ?? { shift: 0, width: 0 };
  const bits = scalarSize(scalar) * 8;
  if (bits === 64) {
    const part =
      shift === 0 ? code`BigInt.asUintN(${width}, ${word})` : code`BigInt.asUintN(${width}, ${word} >> ${shift}n)`;
    if (width === 1) return code`(${part} === 1n)`;
    return width > 32 ? part : code`Number(${part})`;
  }
  if (width === 1) return code`(${word} & ${hex(2 ** shift)}) !== 0`;
  const shifted = shift === 0 ? word : code`(${word} >>> ${shift})`;
  if (shift + width === bits) return shifted;
  return width === 32 ? code`${word}` : code`${shifted} & ${hex(2 ** width - 1)}`;
}

function hex(value: number): string {
  return value < 10 ? String(value) : `0x${value.toString(16)}`;
}
