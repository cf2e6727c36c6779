import type { Span } from "../diagnostics/source.js";
import type { Name, StructMember } from "../language/syntax-tree.js";
import { formulaOfAlternatives } from "./alternative-fields.js";
import type { FieldModel, Formula } from "./device-model.js";
import type { Facts } from "./facts.js";
import { enumOfField, fieldsOf, findPath, isNumber, type NamedMember } from "./field-paths.js";
import type { FieldAnswer, FormulaEnvironment } from "./formula-environment.js";
import type { Scope } from "./symbols.js";

/** A formula that mentions a field which comes later: it works only if that field has a fixed place. */
export interface LateUse {
  readonly path: readonly Name[];
  readonly user: string;
  readonly span: Span;
}

/** The fields of one struct or stream while they are being placed. */
export interface FieldTable {
  readonly facts: Facts;
  readonly scope: Scope;
  readonly members: readonly StructMember[];
  /** For the writable part of a request: the readable part. */
  readonly before: FieldTable | null;
  /** For a struct without a name of its own: what is known where it stands. */
  readonly outer: FormulaEnvironment | null;
  readonly parameters: ReadonlySet<string>;
  /** Whether formulas see fields of external types. */
  readonly inExternals: boolean;
  readonly placed: Set<NamedMember>;
  readonly late: LateUse[];
  /** What such a struct takes over from where it stands, by the name of the parameter that this becomes. */
  readonly captured: Map<string, readonly Name[]>;
  /** The field being placed, and how messages name it. */
  placing: { readonly member: NamedMember | null; readonly user: string };
}

export function newFieldTable(
  options: Pick<FieldTable, "facts" | "scope" | "members"> &
    Partial<Pick<FieldTable, "before" | "outer" | "parameters" | "inExternals">>,
): FieldTable {
  return {
    before: null,
    outer: null,
    parameters: new Set(),
    inExternals: false,
    ...options,
    placed: new Set(),
    late: [],
    captured: new Map(),
    placing: { member: null, user: "" },
  };
}

/**
 * What formulas see among these fields. `layout`: they are needed to take the message apart, so they may use only what is
 * known by then. `rule`: they say something about the message as a whole.
 */
export function environmentOf(table: FieldTable, purpose: "layout" | "rule"): FormulaEnvironment {
  return {
    facts: table.facts,
    scope: table.scope,
    parameters: table.parameters,
    field: (path) => lookUp(table, path, purpose),
    fieldNames: () => namesIn(table),
  };
}

function* namesIn(table: FieldTable): Generator<string> {
  yield* fieldsOf(table.members).keys();
  if (table.before) yield* fieldsOf(table.before.members).keys();
  if (table.outer?.fieldNames) yield* table.outer.fieldNames();
}

function lookUp(table: FieldTable, path: readonly Name[], purpose: "layout" | "rule"): FieldAnswer | undefined {
  const own = answerFrom(table, path, "self");
  if (own) {
    const usable = own.answer.formula !== undefined;
    if (usable && purpose === "layout" && !table.placed.has(own.member)) noteLateUse(table, own.member, path);
    return own.answer;
  }
  if (table.before) {
    const before = answerFrom(table.before, path, "readable");
    if (before) return before.answer;
  }
  if (!table.outer) return undefined;
  const [first] = path;
  const parameter = path.length === 1 && first !== undefined && table.outer.parameters?.has(first.text) === true;
  const answer = parameter ? { formula: undefined, enum: null } : table.outer.field?.(path);
  if (answer === undefined) return undefined;
  if (!parameter && answer.formula === undefined) return answer;
  const name = path.map((segment) => segment.text).join("_");
  table.captured.set(name, path);
  return { formula: { op: "parameter", name }, enum: answer.enum };
}

function answerFrom(
  table: FieldTable,
  path: readonly Name[],
  scope: "self" | "readable",
): { answer: FieldAnswer; member: NamedMember } | undefined {
  const [first] = path;
  const last = path.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const member = fieldsOf(table.members).get(first.text);
  if (!member) return undefined;
  const found = findPath(table.members, path, table.scope, table.facts, table.inExternals);
  if (found === undefined || found === "broken" || !isNumber(found, last, table.facts)) {
    return { answer: { formula: undefined, enum: null }, member };
  }
  const at = (names: readonly string[]): Formula => ({ op: "field", scope, path: names });
  // Conditions of blocks see what formulas in them see.
  const environment: FormulaEnvironment = {
    facts: table.facts,
    scope: table.scope,
    parameters: table.parameters,
    field: (inner) => answerFrom(table, inner, scope)?.answer ?? table.outer?.field?.(inner),
  };
  const several = formulaOfAlternatives(table.members, path, table.placing.member, environment, at);
  const formula = several ?? at(path.map((name) => name.text));
  return { answer: { formula, enum: enumOfField(found) }, member };
}

function noteLateUse(table: FieldTable, member: NamedMember, path: readonly Name[]): void {
  const [first] = path;
  const last = path.at(-1);
  if (first === undefined || last === undefined) return;
  const { user } = table.placing;
  if (member === table.placing.member) {
    table.facts.bag.report("not-yet-known", first.span, { user, name: first.text });
    return;
  }
  table.late.push({ path, user, span: { ...first.span, end: last.span.end } });
}

/** Reports the uses of later fields that turned out to have no fixed place. `unsure`: something else is broken. */
export function checkLateUses(table: FieldTable, fields: readonly FieldModel[], unsure: boolean): void {
  if (unsure) return;
  const byName = new Map(fields.map((field) => [field.name, field]));
  for (const { path, user, span } of table.late) {
    const [first] = path;
    const field = first && byName.get(first.text);
    if (!first || !field) continue;
    // A field inside of a struct has a fixed place if the struct has one and does not vary.
    const fixed =
      field.offset !== null && !(field.moves && field.conditionTree) && (path.length === 1 || field.size !== null);
    if (fixed) continue;
    table.facts.bag.report(
      "not-yet-known",
      span,
      { user, name: path.map((name) => name.text).join(".") },
      { help: `move ${first.text} in front of it, or give what lies between a fixed size with \`sized\`` },
    );
  }
}
