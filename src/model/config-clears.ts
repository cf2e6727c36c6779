import type { FieldModel } from "./device-model.js";
import { reportUnknown, type Facts } from "./facts.js";
import { isScalarType } from "./field-types.js";
import type { Placement } from "./placement.js";
import type { Scope } from "./symbols.js";

/**
 * The fields of a configuration, those that `clears` names being fields whose bits can be cleared. What is wrong with a
 * clause is reported, and the field is left as if it had none.
 */
export function checkClears({ fields, names }: Placement, scope: Scope, facts: Facts): readonly FieldModel[] {
  if (fields.every(({ clears }) => clears === null)) return fields;
  return fields.map((field) => {
    if (field.clears === null) return field;
    const clauses = names.get(field.name)?.clauses ?? [];
    const name = clauses.flatMap((clause) => (clause.word === "clears" ? [clause.name] : []))[0];
    const target = fields.find((candidate) => candidate.name === field.clears);
    if (name === undefined) return { ...field, clears: null };
    if (!isScalarType(field.type)) {
      const values = { word: "clears", what: "a field that is no number" };
      facts.bag.report("clause-not-here", name.span, values);
      return { ...field, clears: null };
    }
    if (target === undefined) {
      reportUnknown(facts, scope, "config field", name, () => fields.map((candidate) => candidate.name));
      return { ...field, clears: null };
    }
    const found = whyNot(target, field);
    if (found === undefined) return field;
    const expected = `a field of type ${field.type} that the driver can read`;
    facts.bag.report("wrong-kind", name.span, { expected, name: name.text, found });
    return { ...field, clears: null };
  });
}

/** What is wrong with a field that is to be cleared. */
function whyNot(target: FieldModel, field: FieldModel): string | undefined {
  if (target === field) return "the field itself, whose bits are cleared without the clause";
  if (target.reserved) return "reserved";
  if (target.access === "wo") return "a field that it can only write";
  if (target.clears !== null) return "a field that clears another one";
  if (target.bits !== null) return "a bit-field";
  if (!isScalarType(target.type)) return "no number";
  return target.type === field.type ? undefined : `of type ${target.type}`;
}
