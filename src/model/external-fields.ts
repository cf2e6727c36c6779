import type { FieldModel } from "./device-model.js";
import type { Facts } from "./facts.js";
import { checkLateUses, newFieldTable } from "./field-table.js";
import { finishFields } from "./layout-finish.js";
import { placeMembers } from "./member-placement.js";
import { newPlacement } from "./placement.js";
import type { ExternalSymbol } from "./symbols.js";

/** What of an external type the definition mentions, laid out from its start on. */
export function externalFields(symbol: ExternalSymbol, facts: Facts): readonly FieldModel[] {
  const known = facts.externalFields.get(symbol);
  if (known) return known;
  const { declaration, encloser, name, scope } = symbol;
  const { members } = declaration;
  const table = newFieldTable({ facts, scope, members });
  const placement = newPlacement({ table, place: "message", owner: name, encloser });
  placeMembers(members, placement, false);
  checkLateUses(table, placement.fields, false);
  const fields = finishFields(placement.fields, null);
  facts.externalFields.set(symbol, fields);
  const allowed = facts.externals.get(symbol) ?? null;
  const actual = fields.reduce((most, { offset, size }) => Math.max(most, (offset ?? 0) + (size ?? 0)), 0);
  if (allowed !== null && actual > allowed) facts.bag.report("size-overrun", symbol.span, { name, actual, allowed });
  return fields;
}
