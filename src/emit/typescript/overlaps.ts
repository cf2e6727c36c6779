import type { FieldModel } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import { EmitError } from "./emit-error.js";
import { condition, type FormulaContext } from "./formulas.js";

/** Is the next field in the same anonymous union? */
export function continuesOverlap(fields: readonly FieldModel[], index: number): boolean {
  const group = fields[index]?.union?.group;
  return group !== undefined && fields[index + 1]?.union?.group === group && fields[index]?.overlaps === true;
}

/** Bytes of the anonymous union that a field is in. */
export function overlapSize(field: FieldModel, place: string): number {
  if (field.union === null) throw new EmitError("an anonymous union with members of variable size", place);
  return field.union.size;
}

/** The members of the anonymous union that begins at `first`: fields that are there together. */
export function overlapMembers(fields: readonly FieldModel[], first: number): readonly (readonly FieldModel[])[] {
  const members: FieldModel[][] = [];
  for (let index = first; ; index++) {
    const field = fields[index];
    if (field?.union) (members[field.union.member] ??= []).push(field);
    if (!continuesOverlap(fields, index)) return members.filter((member) => member.length > 0);
  }
}

/** An anonymous union that is being read. */
export interface OpenOverlap {
  /** Variable with the reader's offset at its start. */
  readonly start: string;
  readonly size: number;
  readonly field: FieldModel;
}

/** Moves the reader to a field of an anonymous union. */
export function moveTo(field: FieldModel, overlap: OpenOverlap, reader: string): Code {
  const offset = field.union?.offset ?? 0;
  return offset === 0
    ? code`${reader}.offset = ${overlap.start};`
    : code`${reader}.offset = ${overlap.start} + ${offset};`;
}

/** Behind an anonymous union comes what is behind its largest member. */
export function endOverlap({ start, size, field }: OpenOverlap, reader: string, formulas: FormulaContext): Code[] {
  const test = field.moves && field.conditionTree !== null ? condition(field.conditionTree, formulas) : undefined;
  const skip = code`${reader}.skip(${size});`;
  return [code`${reader}.offset = ${start};`, test === undefined ? skip : code`if (${test}) ${skip}`];
}
