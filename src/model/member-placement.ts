import type { ConditionalFields, FieldDeclaration, MatchFields, StructMember } from "../language/syntax-tree.js";
import type { Formula } from "./device-model.js";
import { checkFull, type BitContainer } from "./bit-fields.js";
import { readClauses, type ClauseHolder, type ClauseTable } from "./clauses.js";
import { isHoisted, isTypeOnly, type NamedMember } from "./field-paths.js";
import { environmentOf } from "./field-table.js";
import { fieldMeaning, placedField, plainMeaning } from "./field-models.js";
import { resolveType, type ResolvedType } from "./field-types.js";
import { bothConditions, notFormula } from "./formula-building.js";
import { constantOf } from "./formula-values.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileCondition, compileConstant, compileNumber } from "./formulas.js";
import { placeBits } from "./bit-placement.js";
import { matchShape } from "./match-fields.js";
import {
  fieldName,
  freeName,
  hex,
  holderOf,
  noteName,
  ownCondition,
  type Around,
  type Cursor,
  type Placement,
} from "./placement.js";
import { pascalCase } from "./spec-names.js";
import { capturedValues, layoutInline, type StructLayout } from "./struct-layout.js";
import { arrayShape, baseShape, brokenShape, largestSize, type Shape } from "./type-shapes.js";
import { originOf, type Origin } from "./versions.js";

const start: Cursor = { offset: 0, least: 0, rest: null, unsure: false };

/** Places members from offset 0 on: one after the other, or all at the same place. */
export function placeMembers(members: readonly StructMember[], placement: Placement, union: boolean): Cursor {
  const around: Around = { condition: null, moves: false, overlaps: union, encloser: placement.encloser };
  return union ? placeUnion(members, start, around, placement) : placeSequence(members, start, around, placement);
}

function placeUnion(members: readonly StructMember[], from: Cursor, around: Around, placement: Placement): Cursor {
  const ends: Cursor[] = [];
  const starts: number[] = [];
  // Where the union itself has no fixed place, its fields still have one in it.
  const inner = from.offset === null ? { ...from, offset: 0, least: 0 } : from;
  for (const member of members) {
    if (member.kind === "constant" || member.kind === "macro") continue;
    starts.push(placement.fields.length);
    ends.push(placeSequence([member], inner, { ...around, overlaps: true }, placement));
  }
  const end = longest(inner, ends);
  noteUnion(starts, inner.offset ?? 0, end, from.offset === null, placement);
  if (from.offset !== null) return end;
  return { ...end, offset: null, least: Math.min(from.least + end.least, largestSize) };
}

/** Tells fields where they are in the union that begins at `start`. */
function noteUnion(starts: readonly number[], start: number, end: Cursor, varies: boolean, placement: Placement): void {
  const { fields } = placement;
  const group = placement.unions++;
  const size = end.offset === null ? null : end.offset - start;
  for (let index = starts[0] ?? fields.length; index < fields.length; index += 1) {
    const field = fields[index];
    if (field === undefined) continue;
    const member = starts.filter((first) => first <= index).length - 1;
    const known = size !== null && field.offset !== null && field.size !== null;
    const union = known ? { group, member, offset: field.offset - start, size } : null;
    fields[index] = { ...field, offset: varies ? null : field.offset, union };
  }
}

/** After alternatives at the same place, all of which are given room. */
function longest(from: Cursor, ends: readonly Cursor[]): Cursor {
  let { offset, rest, unsure } = from;
  let least: number | null = null;
  for (const end of ends) {
    offset = offset === null || end.offset === null ? null : Math.max(offset, end.offset);
    rest ??= end.rest;
    unsure ||= end.unsure;
    least = least === null ? end.least : Math.min(least, end.least);
  }
  const fewest = offset === null || from.offset === null ? (least ?? from.least) : from.least + (offset - from.offset);
  return { offset, least: fewest, rest, unsure };
}

function placeSequence(members: readonly StructMember[], from: Cursor, around: Around, placement: Placement): Cursor {
  const { bag } = placement.table.facts;
  let cursor = from;
  let open: BitContainer | null = null;
  for (const member of members) {
    if (member.kind === "field" && member.bits) {
      const placed = placeBits(member, open, cursor, around, placement);
      cursor = placed.cursor;
      open = placed.open;
      continue;
    }
    if (member.kind === "constant" || member.kind === "macro") continue;
    if (open) checkFull(open, bag);
    open = null;
    switch (member.kind) {
      case "field":
        cursor = placeField(member, cursor, around, placement);
        break;
      case "conditional-fields":
        cursor = placeConditional(member, cursor, around, placement);
        break;
      case "match-fields":
        cursor = placeMatch(member, cursor, around, placement);
        break;
    }
  }
  if (open) checkFull(open, bag);
  return cursor;
}

function placeConditional(block: ConditionalFields, from: Cursor, around: Around, placement: Placement): Cursor {
  const { table } = placement;
  table.placing = { member: null, user: "this condition" };
  const condition = compileCondition(block.condition, environmentOf(table, "layout"));
  const moves = placement.place !== "header";
  const branch = (members: readonly StructMember[], own: Formula | undefined): Cursor => {
    const inner = { ...around, condition: bothConditions(around.condition, own ?? null), moves };
    return placeSequence(members, from, inner, placement);
  };
  const first = branch(block.whenTrue, condition);
  const restIndex = placement.restIndex;
  const second = branch(block.whenFalse, condition && notFormula(condition));
  placement.restIndex = placement.restIndex ?? restIndex;
  const unsure = first.unsure || second.unsure || condition === undefined;
  if (!moves) return { ...longest(from, [first, second]), unsure };
  const offset = first.offset === second.offset ? first.offset : null;
  return { offset, least: Math.min(first.least, second.least), rest: first.rest ?? second.rest, unsure };
}

function placeField(field: FieldDeclaration, from: Cursor, around: Around, placement: Placement): Cursor {
  if (isTypeOnly(field)) return from;
  const { table } = placement;
  const { facts } = table;
  const holder = holderOf(placement);
  const clauses = readClauses(field.clauses, holder, facts.bag);
  if (isHoisted(field) && field.type.kind === "struct" && field.dimensions.length === 0) {
    const { members, keyword } = field.type;
    const condition = ownCondition(clauses, around, placement, "this part");
    const origin = originOf(clauses, "this part", around.encloser, facts.bag);
    const moves = around.moves || (condition.own && placement.place === "message");
    const encloser = { label: around.encloser.label, ...origin };
    const inner: Around = { ...around, condition: condition.both, moves, encloser };
    const end =
      keyword === "union"
        ? placeUnion(members, from, inner, placement)
        : placeSequence(members, from, inner, placement);
    return afterCondition(from, end, condition.own && moves);
  }
  const name = fieldName(field, placement, around);
  const origin = originOf(clauses, name, around.encloser, facts.bag);
  table.placing = { member: field, user: name };
  const environment = environmentOf(table, "layout");
  const resolved = resolveType(field.type, table.scope, facts);
  const base = shapeOf(name, resolved, origin, clauses, placement, environment);
  const sized = sizedShape(name, arrayShape(field, name, base, resolved, clauses, environment), clauses, environment);
  const { sizedTree } = sized;
  const shape = optionalShape(field, name, sized, holder, environment);
  const meaning = fieldMeaning({
    field,
    name,
    type: shape.type,
    resolved,
    clauses,
    holder,
    origin,
    facts,
    rules: environmentOf(table, "rule"),
  });
  const at = placeOf(name, from, clauses, placement);
  return finishField(field, name, at, shape, sizedTree, meaning, clauses, around, placement, field.modifiers);
}

function placeMatch(match: MatchFields, from: Cursor, around: Around, placement: Placement): Cursor {
  const { table } = placement;
  const { facts } = table;
  const clauses = readClauses(match.clauses, "a match", facts.bag);
  const name = match.name ? noteName(match.name.text, match, placement, around) : freeName("body", match, placement);
  const origin = originOf(clauses, name, around.encloser, facts.bag);
  table.placing = { member: match, user: name };
  const environment = environmentOf(table, "layout");
  const found = matchShape(match, {
    name,
    owner: placement.owner,
    place: placement.place === "message" ? "message" : "config",
    encloser: { label: name, ...origin },
    environment,
  });
  const { shape, sizedTree } = sizedShape(name, found, clauses, environment);
  const validClause = clauses.expressions.get("valid");
  const validTree = validClause && compileCondition(validClause.expression, environmentOf(table, "rule"));
  const meaning = {
    ...plainMeaning(name, shape.type, origin, match.documentation.join("\n")),
    specName: clauses.names.get("as")?.name.text ?? match.name?.text ?? name,
    validTree: validTree ?? null,
  };
  return finishField(match, name, from, shape, sizedTree, meaning, clauses, around, placement, []);
}

function finishField(
  member: NamedMember,
  name: string,
  from: Cursor,
  shape: Shape,
  sizedTree: Formula | null,
  meaning: ReturnType<typeof plainMeaning>,
  clauses: ClauseTable,
  around: Around,
  placement: Placement,
  modifiers: FieldDeclaration["modifiers"],
): Cursor {
  const { table } = placement;
  const condition = ownCondition(clauses, around, placement, name);
  const moves = around.moves || (condition.own && placement.place === "message");
  table.placed.add(member);
  // Parts that only legacy interfaces have are no part of the layout.
  if (modifiers.some((modifier) => modifier.word === "legacy")) return from;
  const fixedOnly = placement.place === "header" || placement.place === "registers";
  if (fixedOnly && shape.size === null && !shape.broken) {
    const where = placement.place === "header" ? "a `header`" : "`registers`";
    table.facts.bag.report("varying-size", member.name?.span ?? member.span, { name, where });
  }
  if (shape.rest && from.rest !== null) {
    const span = member.name?.span ?? member.span;
    table.facts.bag.report("two-rest-parts", span, { name, other: from.rest });
  }
  if (shape.rest) placement.restIndex ??= placement.fields.length;
  const { overlaps } = around;
  const position = { offset: from.offset, size: shape.size, overlaps, conditionTree: condition.both, moves };
  placement.fields.push(placedField(meaning, { ...position, bits: null, sizedTree }));
  const offset = from.offset === null || shape.size === null ? null : from.offset + shape.size;
  const tooLarge = (offset ?? 0) > largestSize;
  if (tooLarge) {
    table.facts.bag.report("too-large", member.span, { name: placement.owner, size: offset ?? 0, limit: largestSize });
  }
  const end: Cursor = {
    offset: tooLarge ? null : offset,
    least: Math.min(from.least + shape.least, largestSize),
    rest: from.rest ?? (shape.rest ? name : null),
    unsure: from.unsure || shape.broken || tooLarge || condition.broken,
  };
  return afterCondition(from, end, condition.own && moves);
}

/** Behind a field that may be absent and then takes no place. */
function afterCondition(from: Cursor, end: Cursor, mayBeAbsent: boolean): Cursor {
  if (!mayBeAbsent) return end;
  return { ...end, offset: end.offset === from.offset ? end.offset : null, least: from.least };
}

function shapeOf(
  name: string,
  resolved: ResolvedType,
  origin: Origin,
  clauses: ClauseTable,
  placement: Placement,
  environment: FormulaEnvironment,
): Shape {
  const { facts, scope } = placement.table;
  let layout: StructLayout | undefined;
  let values: readonly Formula[] = [];
  if (resolved.kind === "struct") {
    layout = facts.structs.get(resolved.symbol);
    const compiled = resolved.arguments.map((argument) => compileNumber(argument, environment));
    values = compiled.filter((value) => value !== undefined);
    if (values.length < compiled.length) return brokenShape;
  } else if (resolved.kind === "inline") {
    const specName = clauses.names.get("as")?.name.text;
    const wanted = placement.owner + pascalCase(name);
    const place = placement.place === "message" || placement.place === "header" ? "message" : "config";
    const encloser = { label: name, ...origin };
    layout = layoutInline(resolved.declaration, { wanted, specName, scope, place, encloser, outer: environment });
    values = capturedValues(layout, environment);
  }
  return baseShape(resolved, layout, values, facts);
}

function sizedShape(
  name: string,
  shape: Shape,
  clauses: ClauseTable,
  environment: FormulaEnvironment,
): { readonly shape: Shape; readonly sizedTree: Formula | null } {
  const clause = clauses.expressions.get("sized");
  if (!clause) return { shape, sizedTree: null };
  const tree = compileNumber(clause.expression, environment);
  if (tree === undefined) return { shape: { ...shape, rest: false, size: null, broken: true }, sizedTree: null };
  const fixed = constantOf(tree);
  if (fixed !== null && (BigInt(shape.size ?? shape.least) > fixed || fixed > BigInt(largestSize))) {
    const actual = shape.size ?? shape.least;
    if (BigInt(actual) > fixed) {
      environment.facts.bag.report("size-overrun", clause.span, { name, actual, allowed: fixed });
    } else {
      environment.facts.bag.report("too-large", clause.span, { name, size: fixed, limit: largestSize });
    }
    return { shape: { ...shape, rest: false, size: null, broken: true }, sizedTree: tree };
  }
  const size = fixed === null ? null : Number(fixed);
  return { shape: { ...shape, size, least: size ?? 0, rest: false }, sizedTree: tree };
}

/** `optional`: as much as one of it, if the stream has room for it. */
function optionalShape(
  field: FieldDeclaration,
  name: string,
  { shape, sizedTree }: { readonly shape: Shape; readonly sizedTree: Formula | null },
  holder: ClauseHolder,
  environment: FormulaEnvironment,
): Shape {
  const modifier = field.modifiers.find(({ word }) => word === "optional");
  if (!modifier) return shape;
  const { bag } = environment.facts;
  if (holder !== "a field of a message") {
    bag.report("clause-not-here", modifier.span, { word: "optional", what: holder });
    return shape;
  }
  if (sizedTree !== null || (shape.size === null && !shape.broken)) {
    bag.report("varying-size", field.name?.span ?? field.span, { name, where: "`optional`" });
    return { ...brokenShape, type: shape.type };
  }
  const type = {
    of: shape.type,
    length: null,
    lengthTree: null,
    unit: "elements",
    strideTree: null,
    endsTree: null,
  } as const;
  return { type, size: null, least: 0, rest: true, broken: shape.broken };
}

/** `@`: places a register, asserts the offset of any other field. */
function placeOf(name: string, from: Cursor, clauses: ClauseTable, placement: Placement): Cursor {
  const clause = clauses.expressions.get("at");
  if (!clause) return from;
  const { table } = placement;
  const value = compileConstant(clause.expression, environmentOf(table, "rule"));
  if (value === undefined) return { ...from, unsure: true };
  const asserted = Number(value);
  if (value < 0n || value > BigInt(largestSize)) {
    const what = `the offset of ${name}`;
    table.facts.bag.report("value-out-of-range", clause.span, { what, value, low: 0, high: largestSize });
    return from;
  }
  if (placement.place === "registers") return { ...from, offset: asserted, least: asserted };
  if (from.offset === asserted || from.unsure) return from;
  const actual = from.offset === null ? "an offset that varies" : hex(from.offset);
  const help = from.offset === null ? undefined : `expected offset ${hex(asserted)}, found ${hex(from.offset)}`;
  table.facts.bag.report("field-overlap", clause.span, { name, asserted: hex(asserted), actual }, { help });
  return { ...from, offset: asserted, least: asserted };
}
