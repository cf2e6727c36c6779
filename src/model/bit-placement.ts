import type { FieldDeclaration } from "../language/syntax-tree.js";
import { takeBits, type BitContainer } from "./bit-fields.js";
import { readClauses } from "./clauses.js";
import { environmentOf } from "./field-table.js";
import { fieldMeaning, placedField } from "./field-models.js";
import { resolveType } from "./field-types.js";
import { compileConstant } from "./formulas.js";
import { fieldName, holderOf, ownCondition, type Around, type Cursor, type Placement } from "./placement.js";
import { baseShape } from "./type-shapes.js";
import { originOf } from "./versions.js";

/** Places a bit-field in the integer at hand, or begins a new one. */
export function placeBits(
  field: FieldDeclaration,
  open: BitContainer | null,
  from: Cursor,
  around: Around,
  placement: Placement,
): { readonly cursor: Cursor; readonly open: BitContainer | null } {
  const { table } = placement;
  const { facts } = table;
  const clauses = readClauses(field.clauses, "a bit-field", facts.bag);
  const name = fieldName(field, placement, around);
  const origin = originOf(clauses, name, around.encloser, facts.bag);
  table.placing = { member: field, user: name };
  const environment = environmentOf(table, "layout");
  const resolved = resolveType(field.type, table.scope, facts);
  const unsure = { cursor: { ...from, unsure: true }, open: null };
  table.placed.add(field);
  if (resolved.kind === "broken" || !field.bits) return unsure;
  if (resolved.kind !== "scalar" || field.dimensions.length > 0) {
    const found = field.dimensions.length > 0 ? "an array" : "a struct";
    facts.bag.report("wrong-kind", field.type.span, { name, expected: "an integer type", found });
    return unsure;
  }
  const width = compileConstant(field.bits, environment);
  if (width === undefined) return unsure;
  if (width < 1n || width > 64n) {
    const what = `the width of ${name}`;
    facts.bag.report("value-out-of-range", field.bits.span, { what, value: width, low: 1, high: 64 });
    return unsure;
  }
  const taken = takeBits(open, resolved.scalar, Number(width), field.bits.span, facts.bag);
  const size = baseShape(resolved, undefined, [], facts).size ?? 0;
  const holder = placement.place === "message" ? "a bit-field" : holderOf(placement);
  const meaning = fieldMeaning({
    field,
    name,
    type: resolved.scalar,
    resolved,
    clauses,
    holder,
    origin,
    facts,
    rules: environmentOf(table, "rule"),
  });
  const condition = ownCondition(clauses, around, placement, name);
  // The container's place is that of its first bits.
  const offset = taken.opened || from.offset === null ? from.offset : from.offset - size;
  const { overlaps, moves } = around;
  const bits = { shift: taken.shift, width: Number(width) };
  const position = { offset, size, overlaps, conditionTree: condition.both, moves };
  placement.fields.push(placedField(meaning, { ...position, bits, sizedTree: null }));
  if (!taken.opened) return { cursor: from, open: taken.container };
  const next = from.offset === null ? null : from.offset + size;
  return { cursor: { ...from, offset: next, least: from.least + size }, open: taken.container };
}
