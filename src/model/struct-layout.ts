import type { Span } from "../diagnostics/source.js";
import type { Name, StructDeclaration } from "../language/syntax-tree.js";
import type { FieldModel, Formula, StructModel } from "./device-model.js";
import { readClauses } from "./clauses.js";
import type { Facts } from "./facts.js";
import { checkLateUses, environmentOf, newFieldTable } from "./field-table.js";
import { constantOf } from "./formula-values.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileNumber } from "./formulas.js";
import { finishFields } from "./layout-finish.js";
import { placeMembers } from "./member-placement.js";
import { newPlacement } from "./placement.js";
import { lowerPrefix, snakeCase, uniqueName } from "./spec-names.js";
import type { Scope, StructSymbol } from "./symbols.js";
import { originOf, type Encloser } from "./versions.js";

/** A struct with its fields in place. */
export interface StructLayout {
  readonly model: StructModel;
  /** It takes all that is left of the stream that it stands in. */
  readonly rest: boolean;
  readonly broken: boolean;
  /** For structs without a name: the fields around it that its parameters stand for, own parameters excluded. */
  readonly captured: readonly (readonly Name[])[];
  readonly span: Span;
}

/** Lays a struct out; all that it consists of must have been laid out before. */
export function layoutStruct(
  symbol: StructSymbol,
  facts: Facts,
  outer: FormulaEnvironment | null = null,
  anonymous = false,
): StructLayout {
  const { declaration, scope } = symbol;
  const { bag } = facts;
  const clauses = readClauses(declaration.clauses, "a struct", bag);
  const origin = originOf(clauses, symbol.name, symbol.encloser, bag);
  const encloser: Encloser = { label: symbol.name, ...origin };
  const parameters = parameterNames(declaration, facts);
  const table = newFieldTable({ facts, scope, members: declaration.members, outer, parameters });
  const place = declaration.keyword === "header" ? "header" : symbol.place;
  const placement = newPlacement({ table, place, owner: symbol.name, encloser });
  const union = declaration.keyword === "union";
  const end = placeMembers(declaration.members, placement, union);
  checkLateUses(table, placement.fields, end.unsure);
  let size = end.offset;
  let least = end.least;
  if (declaration.keyword === "header") least = prefixSize(placement.fields);
  let rest = end.rest !== null;
  const sizedClause = clauses.expressions.get("sized");
  let sizedTree: Formula | null = null;
  if (sizedClause) {
    sizedTree = compileNumber(sizedClause.expression, environmentOf(table, "rule")) ?? null;
    const fixed = sizedTree === null ? null : constantOf(sizedTree);
    if (fixed !== null && BigInt(least) > fixed) {
      bag.report("size-overrun", sizedClause.span, { name: symbol.name, actual: least, allowed: fixed });
    }
    size = fixed === null ? null : Number(fixed);
    // A size that is not known yet cannot cut off what is always there.
    least = size ?? least;
    rest = false;
  }
  const model: StructModel = {
    name: symbol.name,
    specName: symbol.specName,
    doc: declaration.documentation.join("\n"),
    ...origin,
    kind: declaration.keyword,
    size: end.unsure ? null : size,
    minSize: least,
    parameters: [...parameters, ...table.captured.keys()],
    fields: finishFields(placement.fields, sizedTree === null ? placement.restIndex : null),
    sizedTree,
    anonymous,
    message: null,
  };
  return { model, rest, broken: end.unsure, captured: [...table.captured.values()], span: declaration.span };
}

/** The part of a header that is always there. */
function prefixSize(fields: readonly FieldModel[]): number {
  return fields.reduce(
    (most, field) => (field.conditionTree === null ? Math.max(most, (field.offset ?? 0) + (field.size ?? 0)) : most),
    0,
  );
}

function parameterNames(declaration: StructDeclaration, facts: Facts): ReadonlySet<string> {
  const names = new Map<string, Span>();
  for (const { text, span } of declaration.parameters) {
    const first = names.get(text);
    if (first === undefined) names.set(text, span);
    else {
      const labels = [{ span: first, message: "declared here first" }];
      facts.bag.report("duplicate-name", span, { what: "parameter", name: text }, { labels });
    }
  }
  return new Set(names.keys());
}

/** Lays out a struct that has no name of its own, once, under a name made from where it stands. */
export function layoutInline(
  declaration: StructDeclaration,
  options: {
    readonly wanted: string;
    readonly specName: string | undefined;
    readonly scope: Scope;
    readonly place: "config" | "message";
    readonly encloser: Encloser;
    readonly outer: FormulaEnvironment;
  },
): StructLayout {
  const { scope, place, encloser, outer } = options;
  const { facts } = outer;
  const known = facts.inline.get(declaration);
  const knownLayout = known && facts.structs.get(known);
  if (knownLayout) return knownLayout;
  const taken = facts.typeNames.get(scope) ?? new Set(scope.typesByName.keys());
  facts.typeNames.set(scope, taken);
  const name = uniqueName(options.wanted, taken);
  const specName = options.specName ?? lowerPrefix(scope.naming) + snakeCase(name);
  const { span } = declaration;
  const symbol: StructSymbol = { kind: "struct", name, specName, scope, span, encloser, declaration, place };
  const layout = layoutStruct(symbol, facts, outer, true);
  facts.inline.set(declaration, symbol);
  facts.structs.set(symbol, layout);
  return layout;
}

/** What a use of such a struct passes in. */
export function capturedValues(layout: StructLayout, outer: FormulaEnvironment): readonly Formula[] {
  return layout.captured.map((path): Formula => {
    const [first] = path;
    const last = path.at(-1);
    if (first === undefined || last === undefined) return { op: "number", value: 0 };
    const span = { ...first.span, end: last.span.end };
    return compileNumber({ kind: "path", segments: path, span }, outer) ?? { op: "number", value: 0 };
  });
}
