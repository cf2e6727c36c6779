import type { FieldDeclaration, StructMember } from "../language/syntax-tree.js";
import type { FieldModel, ReplyModel, RequestModel, StructModel, VariantModel } from "./device-model.js";
import { readClauses } from "./clauses.js";
import { asName } from "./declared-names.js";
import type { Facts } from "./facts.js";
import { checkLateUses, newFieldTable, type FieldTable } from "./field-table.js";
import { finishFields } from "./layout-finish.js";
import { textOrNull } from "./formula-text.js";
import { compileCondition } from "./formulas.js";
import { placeMembers } from "./member-placement.js";
import { newPlacement } from "./placement.js";
import { messageEnvironment } from "./protocol-messages.js";
import type { RequestPath } from "./request-path.js";
import { requestPaths, type SubjectSpans } from "./request-paths.js";
import { requestListings, type ListedVariant } from "./request-listings.js";
import type { Listing } from "./message-structs.js";
import { isSpecStyle, uniqueName } from "./spec-names.js";
import { findTypes, type RequestSymbol } from "./symbols.js";
import { originOf, type Encloser } from "./versions.js";

/** The variants of a request: one for each combination of tag values, with both of its streams laid out. */
export function requestModel(
  symbol: RequestSymbol,
  facts: Facts,
): { readonly model: RequestModel; readonly listings: readonly Listing[] } {
  const { declaration, name, specName } = symbol;
  const clauses = readClauses(declaration.clauses, "a request", facts.bag);
  const origin = originOf(clauses, name, symbol.encloser, facts.bag);
  const { paths, subjects } = requestPaths(symbol, { label: name, ...origin }, facts);
  const taken = new Set<string>();
  const variants = paths.map((path) => variantModel(path, symbol, subjects, taken, facts));
  const named = asName(declaration.clauses) !== undefined || isSpecStyle(declaration.name.text) ? specName : null;
  const doc = declaration.documentation.join("\n");
  const native = clauses.expressions.get("native");
  const context = { scope: symbol.scope, facts, requests: [] };
  const nativeTree =
    (native && compileCondition(native.expression, messageEnvironment(symbol, context, "readable"))) ?? null;
  const discriminators = new Set(paths.flatMap((path) => path.tags.map((tag) => tag.field)));
  return {
    model: {
      name,
      specName,
      doc,
      ...origin,
      discriminators: [...discriminators],
      native: textOrNull(nativeTree),
      nativeTree,
      variants: variants.map(({ model }) => model),
    },
    listings: requestListings({ request: name, specName: named, doc, origin, variants }),
  };
}

function variantModel(
  path: RequestPath,
  symbol: RequestSymbol,
  subjects: SubjectSpans,
  taken: Set<string>,
  facts: Facts,
): ListedVariant {
  const wanted = path.names.join("");
  const readable = layoutStream(path.readable, null, "readable", path, symbol, facts);
  checkSubjects(path, readable.fields, subjects, symbol, facts);
  const replies = path.replies.map((reply): ReplyModel => {
    const encloser = reply.encloser ?? path.encloser;
    const stream = layoutStream(reply.members, readable.table, "writable", { ...path, encloser }, symbol, facts);
    return {
      name: reply.ownName ?? (reply.names.length === 0 ? null : reply.names.join("")),
      specName: reply.streamName?.specName ?? null,
      doc: reply.doc,
      since: encloser.since,
      conditionTree: reply.condition,
      tags: reply.tags.map(({ field, patterns }) => ({ field, patterns })),
      writable: stream.fields,
    };
  });
  const model: VariantModel = {
    name: uniqueName(path.ownName ?? (wanted === "" ? symbol.name : wanted), taken),
    specName: path.specName,
    readableSpecName: path.readableName?.specName ?? null,
    doc: path.doc,
    since: path.encloser.since,
    spec: path.encloser.spec,
    tags: path.tags.map(({ field, patterns }) => ({ field, patterns })),
    conditionTree: path.condition,
    readable: readable.fields,
    replies,
  };
  return { model, path };
}

function layoutStream(
  members: readonly StructMember[],
  before: FieldTable | null,
  direction: "readable" | "writable",
  path: RequestPath,
  symbol: RequestSymbol,
  facts: Facts,
): { readonly fields: readonly FieldModel[]; readonly table: FieldTable } {
  const first = placeStream(members, before, path.encloser, symbol, facts);
  const at = path.unknownAt[direction];
  if (at === null || first.takesRest) return first;
  const rest = restField(direction, symbol);
  return placeStream([...members.slice(0, at), rest, ...members.slice(at)], before, path.encloser, symbol, facts);
}

function placeStream(
  members: readonly StructMember[],
  before: FieldTable | null,
  encloser: Encloser,
  symbol: RequestSymbol,
  facts: Facts,
): { readonly fields: readonly FieldModel[]; readonly table: FieldTable; readonly takesRest: boolean } {
  const table = newFieldTable({ facts, scope: symbol.scope, members, before });
  const placement = newPlacement({ table, place: "message", owner: symbol.name, encloser });
  const end = placeMembers(members, placement, false);
  checkLateUses(table, placement.fields, end.unsure);
  return { fields: finishFields(placement.fields, placement.restIndex), table, takesRest: end.rest !== null };
}

/** What stands in a message whose tag nobody has described. */
function restField(direction: "readable" | "writable", symbol: RequestSymbol): FieldDeclaration {
  const { span } = symbol;
  return {
    kind: "field",
    documentation: ["What a message with an unknown tag holds here."],
    modifiers: [],
    type: {
      kind: "named-type",
      keyword: undefined,
      name: { text: "u8", span },
      contents: [],
      arguments: [],
      span,
    },
    name: { text: `${direction}_rest`, span },
    dimensions: [{ length: undefined, unit: "elements", span }],
    bits: undefined,
    clauses: [],
    span,
  };
}

/** Tags are read before anything else is known, so they need a fixed place. */
function checkSubjects(
  path: RequestPath,
  fields: readonly FieldModel[],
  subjects: SubjectSpans,
  symbol: RequestSymbol,
  facts: Facts,
): void {
  for (const { field } of path.tags) {
    const span = subjects.get(field);
    if (!span) continue;
    const found = fieldAt(field.split("."), fields, symbol, facts);
    if (!found) continue;
    const reason =
      found.offset === null
        ? "its place depends on what comes before it"
        : found.moves && found.conditionTree
          ? "it is not always there"
          : undefined;
    if (reason !== undefined) facts.bag.report("unusable-tag", span, { name: field, reason });
  }
}

function fieldAt(
  path: readonly string[],
  fields: readonly FieldModel[],
  symbol: RequestSymbol,
  facts: Facts,
): FieldModel | undefined {
  let at: readonly FieldModel[] | undefined = fields;
  let found: FieldModel | undefined;
  for (const name of path) {
    const field: FieldModel | undefined = at?.find((candidate) => candidate.name === name);
    if (!field) return found;
    // A field without a fixed place on the way is the answer: nothing behind it has one either.
    if (field.offset === null) return field;
    found = field;
    at = structNamed(field.type, symbol, facts)?.fields;
  }
  return found;
}

function structNamed(type: FieldModel["type"], symbol: RequestSymbol, facts: Facts): StructModel | undefined {
  const name = typeof type === "string" ? type : "struct" in type ? type.struct : undefined;
  if (name === undefined) return undefined;
  const [found] = findTypes(symbol.scope, name);
  return found?.kind === "struct" ? facts.structs.get(found)?.model : undefined;
}
