import type { FieldModel, Formula, ScalarType } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import { camelCase } from "./names.js";
import { scalarSize } from "./shapes.js";

/** An integer that several bit-fields share. */
export interface Word {
  readonly name: string;
  /** Is the field in this word? `looks`: without taking it. */
  holds(field: FieldModel, looks?: boolean): boolean;
  extract(field: FieldModel): Code;
}

export function newWord(first: FieldModel, scalar: ScalarType, fresh: (name: string) => string): Word {
  const name = fresh(`${camelCase(first.name)}Word`);
  let end = (first.bits?.shift ?? 0) + (first.bits?.width ?? 0);
  return {
    name,
    holds: (field, looks = false) => {
      const sameWord = isWordOf(field, first) && (field.bits?.shift ?? 0) >= end;
      if (sameWord && !looks) end = (field.bits?.shift ?? 0) + (field.bits?.width ?? 0);
      return sameWord;
    },
    extract: (field) => extractBits(code`${name}`, field, scalar),
  };
}

/** Can two bit-fields be in one integer, as far as their places say? */
export function isWordOf(field: FieldModel, first: FieldModel): boolean {
  const samePlace = field.offset === first.offset && field.union?.offset === first.union?.offset;
  return field.bits !== null && field.type === first.type && samePlace && field.union?.member === first.union?.member;
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

/** Bit-fields that share the integer of the field at `index`. */
export function wordAt(fields: readonly FieldModel[], index: number): readonly FieldModel[] {
  const word: FieldModel[] = [];
  let end = 0;
  for (const field of fields.slice(index)) {
    const [first] = word;
    if (field.bits === null || field.bits.shift < end) break;
    if (first !== undefined && !isWordOf(field, first)) break;
    word.push(field);
    end = field.bits.shift + field.bits.width;
  }
  return word;
}

/** When the integer is there. A condition of a single bit-field adds to that of all and moves nothing. */
export function wordCondition(word: readonly FieldModel[]): Formula | null {
  const conditions = word.flatMap(({ moves, conditionTree }) =>
    moves && conditionTree !== null ? [conditionTree] : [],
  );
  const [shortest] = conditions
    .map((tree) => ({ tree, length: JSON.stringify(tree).length }))
    .sort((left, right) => left.length - right.length);
  return shortest?.tree ?? null;
}
