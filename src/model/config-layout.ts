import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { ConfigModel, FieldModel, RegistersModel } from "./device-model.js";
import { readClauses, type ClauseTable } from "./clauses.js";
import { checkClears } from "./config-clears.js";
import type { RegistersBlock } from "../language/syntax-tree.js";
import { reportUnknown, type Facts } from "./facts.js";
import { checkLateUses, newFieldTable } from "./field-table.js";
import { compileConstant } from "./formulas.js";
import { finishFields } from "./layout-finish.js";
import { placeMembers } from "./member-placement.js";
import { hex, newPlacement, type Placement } from "./placement.js";
import { pascalCase } from "./spec-names.js";
import { blockSpecName } from "./declared-names.js";
import type { Scope } from "./symbols.js";
import { originOf, type Encloser } from "./versions.js";

/** The configuration space: fields that may not be read under some features keep their places. */
export function configModel(scope: Scope, facts: Facts): ConfigModel | null {
  const { config } = scope;
  if (!config) return null;
  const { bag } = facts;
  const clauses = readClauses(config.clauses, "a config block", bag);
  const origin = originOf(clauses, "config", scope.encloser, bag);
  const encloser: Encloser = { label: "config", ...origin };
  const table = newFieldTable({ facts, scope, members: config.members });
  const placement = newPlacement({ table, place: "config", owner: "Config", encloser });
  const end = placeMembers(config.members, placement, false);
  checkLateUses(table, placement.fields, end.unsure);
  const fields = checkClears(placement, scope, facts);
  let size = end.unsure ? null : end.offset;
  const sized = clauses.expressions.get("sized");
  if (sized) {
    const given = compileConstant(sized.expression, { facts, scope });
    if (given !== undefined && BigInt(end.least) > given) {
      bag.report("size-overrun", sized.span, { name: "config", actual: end.least, allowed: given });
    } else if (given !== undefined) size = Number(given);
  }
  return {
    specName: blockSpecName(config.clauses, "config", scope.naming),
    doc: config.documentation.join("\n"),
    spec: origin.spec,
    size,
    fields: finishFields(fields, placement.restIndex),
    window: configWindow(clauses, placement.fields, scope, facts),
  };
}

/** `window`: the fields behind the selectors are what the device answers. */
function configWindow(
  clauses: ClauseTable,
  fields: readonly FieldModel[],
  scope: Scope,
  facts: Facts,
): ConfigModel["window"] {
  const clause = clauses.lists.get("window");
  if (!clause) return null;
  const selectors: FieldModel[] = [];
  for (const name of clause.names) {
    const field = fields.find((candidate) => candidate.name === name.text);
    if (!field) reportUnknown(facts, scope, "config field", name, () => fields.map((candidate) => candidate.name));
    else if (typeof field.type !== "string" || field.access === "ro" || field.reserved) {
      facts.bag.report("wrong-kind", name.span, {
        expected: "a number that the driver can write",
        name: name.text,
        found: field.access === "ro" ? "a field that it can only read" : "something else",
      });
    } else selectors.push(field);
  }
  const last = Math.max(-1, ...selectors.map((field) => fields.indexOf(field)));
  const answers = fields.filter((field, index) => index > last && !field.reserved);
  return { selectors: selectors.map(({ name }) => name), answers: answers.map(({ name }) => name) };
}

/** Registers: a field lies where its `@` says. */
export function registersModel(block: RegistersBlock, scope: Scope, facts: Facts): RegistersModel {
  const { bag } = facts;
  const clauses = readClauses(block.clauses, "a registers block", bag);
  const name = block.name.text;
  const origin = originOf(clauses, name, scope.encloser, bag);
  const table = newFieldTable({ facts, scope, members: block.members });
  const owner = pascalCase(name);
  const placement = newPlacement({ table, place: "registers", owner, encloser: { label: name, ...origin } });
  placeMembers(block.members, placement, false);
  checkLateUses(table, placement.fields, true);
  reportCollisions(placement, bag);
  const size = placement.fields.reduce((most, field) => Math.max(most, (field.offset ?? 0) + (field.size ?? 0)), 0);
  const sized = clauses.expressions.get("sized");
  const given = sized && compileConstant(sized.expression, { facts, scope });
  if (sized && given !== undefined && BigInt(size) > given) {
    bag.report("size-overrun", sized.span, { name, actual: size, allowed: given });
  }
  return {
    name,
    specName: blockSpecName(block.clauses, name, scope.naming),
    doc: block.documentation.join("\n"),
    ...origin,
    size: given === undefined ? size : Math.max(size, Number(given)),
    fields: finishFields(placement.fields, null),
  };
}

function reportCollisions(placement: Placement, bag: DiagnosticBag): void {
  const byPlace = [...placement.fields].sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0));
  for (const [index, field] of byPlace.entries()) {
    // Registers are short: what lies further in front does not reach here, and the nearest ones tell the story.
    const other = byPlace.slice(Math.max(0, index - 16), index).find((earlier) => collides(earlier, field));
    if (!other) continue;
    const members = [field, other].flatMap((each) => placement.names.get(each.name) ?? []);
    const [first, second] = members.sort((a, b) => a.span.start - b.span.start);
    if (!first || !second) continue;
    const [late, early] = second === placement.names.get(field.name) ? [field, other] : [other, field];
    const labels = [{ span: first.name?.span ?? first.span, message: `${early.name} lies here` }];
    const from = late.offset ?? 0;
    const values = { name: late.name, from: hex(from), to: hex(from + (late.size ?? 0) - 1), other: early.name };
    bag.report("register-overlap", second.name?.span ?? second.span, values, { labels });
  }
}

/** Two registers may share a place if one is only read and the other only written, or if they belong together. */
function collides(a: FieldModel, b: FieldModel): boolean {
  if (a.offset === null || b.offset === null || a.size === null || b.size === null) return false;
  if (a.offset + a.size <= b.offset || b.offset + b.size <= a.offset) return false;
  if (a.bits && b.bits && a.offset === b.offset) return false;
  if (a.overlaps && b.overlaps) return false;
  return !((a.access === "ro" && b.access === "wo") || (a.access === "wo" && b.access === "ro"));
}
