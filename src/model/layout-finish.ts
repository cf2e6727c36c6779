import type { FieldModel, Formula } from "./device-model.js";
import { constantOf } from "./formula-values.js";

/** Adds what can be told only once all the fields of a struct or stream are in place. */
export function finishFields(fields: readonly FieldModel[], restIndex: number | null): readonly FieldModel[] {
  return withCounts(restIndex === null ? fields : withDistances(fields, restIndex));
}

/** Fixed fields behind the part that takes the rest are found from the end. */
function withDistances(fields: readonly FieldModel[], restIndex: number): readonly FieldModel[] {
  const result = [...fields];
  let distance = 0;
  for (let index = fields.length - 1; index > restIndex; index -= 1) {
    const field = fields[index];
    // Only what is always there and always as long has a known distance.
    if (field === undefined) break;
    if (field.size === null || field.overlaps || field.moves) break;
    // Bits share the integer that they are cut from.
    let start = index;
    while (start > restIndex + 1 && (fields[start]?.bits?.shift ?? 0) > 0) start -= 1;
    distance += field.size;
    for (; index > start; index -= 1) result[index] = { ...(fields[index] ?? field), fromEnd: distance };
    result[start] = { ...(fields[start] ?? field), fromEnd: distance };
  }
  return result;
}

/** A number that is nothing but the length of an array is filled in by whoever writes the array. */
function withCounts(fields: readonly FieldModel[]): readonly FieldModel[] {
  const counted = new Map<string, { field: string; plus: number } | null>();
  for (const field of fields) {
    if (typeof field.type === "string" || !("of" in field.type) || field.type.lengthTree === null) continue;
    if (field.reserved) continue;
    const plain = plainCount(field.type.lengthTree);
    if (plain === null) continue;
    const [name, plus] = plain;
    // Two arrays of the same length: which one to count is the author's choice.
    counted.set(name, counted.has(name) ? null : { field: field.name, plus });
  }
  if (counted.size === 0) return fields;
  return fields.map((field) => {
    const counts = counted.get(field.name) ?? null;
    if (counts === null || typeof field.type !== "string" || field.enum !== null || field.flags !== null) return field;
    const array = fields.find((other) => other.name === counts.field);
    return array?.condition === field.condition ? { ...field, counts } : field;
  });
}

/** `n`, `n + 1` or `n - 1`: the field, and what to add to the length to get the field's value. */
function plainCount(length: Formula): readonly [string, number] | null {
  if (length.op === "field")
    return length.scope === "self" && length.path.length === 1 ? [length.path[0] ?? "", 0] : null;
  if (length.op !== "binary" || (length.operator !== "+" && length.operator !== "-")) return null;
  const constant = constantOf(length.right);
  const inner = plainCount(length.left);
  if (constant === null || inner?.[1] !== 0) return null;
  return [inner[0], length.operator === "+" ? -Number(constant) : Number(constant)];
}
