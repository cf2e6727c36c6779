import type { FieldDeclaration } from "../language/syntax-tree.js";
import type { FieldModel, Formula } from "./device-model.js";
import type { ClauseHolder, ClauseTable } from "./clauses.js";
import { alternativeName, areExclusive } from "./alternative-fields.js";
import { fieldsOf, type NamedMember } from "./field-paths.js";
import { environmentOf, type FieldTable } from "./field-table.js";
import { bothConditions } from "./formula-building.js";
import { compileCondition } from "./formulas.js";
import type { Encloser } from "./versions.js";

/** Where the next field goes. */
export interface Cursor {
  /** In bytes from the start; null if that depends on what comes before. */
  readonly offset: number | null;
  /** The fewest bytes that lie before it. */
  readonly least: number;
  /** Name of the field that takes all that is left of the stream. */
  readonly rest: string | null;
  /** Something before it is broken, so nothing is said about offsets. */
  readonly unsure: boolean;
}

/** A struct, stream or block whose members are being placed. */
export interface Placement {
  readonly table: FieldTable;
  /** In messages an absent field takes no place; elsewhere it keeps it. In registers `@` says where a field lies. */
  readonly place: "message" | "config" | "header" | "registers";
  /** Name for structs that have none. */
  readonly owner: string;
  readonly encloser: Encloser;
  readonly fields: FieldModel[];
  /** Declared names, for duplicates. */
  readonly names: Map<string, NamedMember>;
  /** Conditions of the blocks around the fields with a name. */
  readonly conditions: Map<string, readonly (Formula | null)[]>;
  /** How many fields without a name got a made up one, by its beginning. */
  readonly freeNames: Map<string, number>;
  /** How many unions without a name there are so far. */
  unions: number;
  /** Which of the fields takes the rest. */
  restIndex: number | null;
}

/** What holds for all the members of a block. */
export interface Around {
  readonly condition: Formula | null;
  /** Members that are absent take no place. */
  readonly moves: boolean;
  readonly overlaps: boolean;
  readonly encloser: Encloser;
}

/** Ready for `placeMembers`. */
export function newPlacement(options: Pick<Placement, "table" | "place" | "owner" | "encloser">): Placement {
  return {
    ...options,
    fields: [],
    names: new Map(),
    conditions: new Map(),
    freeNames: new Map(),
    unions: 0,
    restIndex: null,
  };
}

export function ownCondition(
  clauses: ClauseTable,
  around: Around,
  placement: Placement,
  user: string,
): { readonly own: boolean; readonly both: Formula | null; readonly broken: boolean } {
  const clause = clauses.expressions.get("if");
  if (!clause) return { own: false, both: around.condition, broken: false };
  placement.table.placing = { ...placement.table.placing, user };
  const own = compileCondition(clause.expression, environmentOf(placement.table, "layout"));
  return { own: true, both: bothConditions(around.condition, own ?? null), broken: own === undefined };
}

export function holderOf(placement: Placement): ClauseHolder {
  switch (placement.place) {
    case "message":
    case "header":
      return "a field of a message";
    case "config":
      return "a config field";
    case "registers":
      return "a register";
  }
}

/** The name of a field; reports a second field of that name. Fields without a name get one. */
export function fieldName(field: FieldDeclaration, placement: Placement, around: Around): string {
  if (!field.name || field.name.text === "") {
    const reserved = field.modifiers.some((modifier) => modifier.word === "reserved");
    return freeName(reserved ? "reserved" : "unnamed", field, placement);
  }
  return noteName(field.name.text, field, placement, around);
}

/** Notes a name that the author gave, and returns the name in the model. */
export function noteName(name: string, member: NamedMember, placement: Placement, around: Around): string {
  const earlier = placement.conditions.get(name) ?? [];
  placement.conditions.set(name, [...earlier, around.condition]);
  const first = placement.names.get(name);
  if (!first) {
    placement.names.set(name, member);
    return name;
  }
  const { members } = placement.table;
  const other = alternativeName(members, member);
  const isFree = other !== name && !placement.names.has(other) && !fieldsOf(members).has(other);
  if (isFree && earlier.every((condition) => areExclusive(condition, around.condition))) {
    placement.names.set(other, member);
    return other;
  }
  const span = member.name?.span ?? member.span;
  const labels = [{ span: first.name?.span ?? first.span, message: "declared here first" }];
  placement.table.facts.bag.report("duplicate-name", span, { what: "field", name }, { labels });
  return name;
}

export function freeName(wanted: string, member: NamedMember, placement: Placement): string {
  let name = wanted;
  let number = placement.freeNames.get(wanted) ?? 1;
  // Names that authors gave come first, even those of later fields.
  const declared = fieldsOf(placement.table.members);
  while (placement.names.has(name) || declared.has(name)) {
    number += 1;
    name = `${wanted}${String(number)}`;
  }
  placement.freeNames.set(wanted, number);
  placement.names.set(name, member);
  return name;
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
