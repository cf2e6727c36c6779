import type { ArrayType, FieldModel } from "./device-model.js";

/**
 * One list of fields from several that are alternatives. A field lies where all that have it have it; where they differ,
 * nothing is said. Those that some do not have overlap with what these have instead.
 */
export function mergedFields(layouts: readonly (readonly FieldModel[])[]): readonly FieldModel[] {
  const order: string[] = [];
  const found = new Map<string, { field: FieldModel; count: number }>();
  for (const layout of layouts) {
    const seen = new Set<string>();
    const keyed = layout.flatMap((field) => {
      const key = field.specName === "" ? field.name : field.specName;
      // Under a condition a field may lie in the one stream or in the other.
      if (seen.has(key) && field.conditionTree !== null) return [];
      const own = seen.has(key) ? `${key}\0again` : key;
      seen.add(own);
      return [{ key: own, field }];
    });
    keyed.forEach(({ key, field }, index) => {
      const known = found.get(key);
      if (known) {
        found.set(key, { field: bothFields(known.field, field), count: known.count + 1 });
        return;
      }
      found.set(key, { field, count: 1 });
      const next = keyed.slice(index + 1).find((other) => order.includes(other.key));
      order.splice(next ? order.indexOf(next.key) : order.length, 0, key);
    });
  }
  return order.flatMap((key) => {
    const entry = found.get(key);
    if (!entry) return [];
    return [entry.count === layouts.length ? entry.field : { ...entry.field, overlaps: true }];
  });
}

const bytes: ArrayType = {
  of: "u8",
  length: null,
  lengthTree: null,
  unit: "elements",
  strideTree: null,
  endsTree: null,
};

/** What two fields of the same name have in common. */
function bothFields(a: FieldModel, b: FieldModel): FieldModel {
  const same = JSON.stringify([a.type, a.enum, a.flags, a.bits]) === JSON.stringify([b.type, b.enum, b.flags, b.bits]);
  const size = a.size === b.size ? a.size : null;
  const sameCondition = a.condition === b.condition;
  return {
    ...a,
    type: same ? a.type : size === null ? bytes : { ...bytes, length: size },
    offset: a.offset === b.offset ? a.offset : null,
    size,
    fromEnd: a.fromEnd === b.fromEnd ? a.fromEnd : null,
    reserved: a.reserved && b.reserved,
    enum: same ? a.enum : null,
    flags: same ? a.flags : null,
    text: same ? a.text : null,
    condition: sameCondition ? a.condition : null,
    conditionTree: sameCondition ? a.conditionTree : null,
    moves: sameCondition && a.moves,
    validTree: same ? a.validTree : null,
    constraint: a.constraint === b.constraint ? a.constraint : null,
    constraintTree: a.constraint === b.constraint ? a.constraintTree : null,
  };
}
