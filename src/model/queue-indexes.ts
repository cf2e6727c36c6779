import type { Expression, QueueDeclaration } from "../language/syntax-tree.js";
import type { FeatureModel, Formula, QueueModel } from "./device-model.js";
import { readClauses, type ClauseTable } from "./clauses.js";
import { reportUnknown, type Facts } from "./facts.js";
import { fieldsOf, findPath, isNumber } from "./field-paths.js";
import { findTypeSymbol } from "./field-types.js";
import { binaryFormula, replaceLeaves } from "./formula-building.js";
import { formulaText, textOrNull } from "./formula-text.js";
import { numberFormula } from "./formula-values.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileCondition, compileNumber } from "./formulas.js";
import { messageEnvironment } from "./protocol-messages.js";
import { checkQueueNumbers } from "./queue-numbers.js";
import { kindText, type Scope, type TypeSymbol } from "./symbols.js";
import { originOf } from "./versions.js";

const roles = ["request", "transmit", "receive", "held", "deferred"] as const;

/** The queues of a device; those without `@` follow each other. */
export function queueModels(scope: Scope, features: readonly FeatureModel[], facts: Facts): readonly QueueModel[] {
  const models: { readonly model: QueueModel; readonly declaration: QueueDeclaration; readonly sure: boolean }[] = [];
  const names = new Map<string, QueueDeclaration>();
  let next: Formula = numberFormula(0n);
  for (const declaration of scope.queues) {
    const { text } = declaration.name;
    if (text === "") continue;
    const first = names.get(text);
    if (first) {
      const labels = [{ span: first.name.span, message: "declared here first" }];
      facts.bag.report("duplicate-name", declaration.name.span, { what: "queue", name: text }, { labels });
      continue;
    }
    names.set(text, declaration);
    const made = queueModel(declaration, next, scope, facts);
    models.push({ ...made, declaration });
    // One more than the last of these.
    const last = binaryFormula("-", made.model.countTree, numberFormula(1n));
    const lastIndex = replaceLeaves(made.model.indexTree, (leaf) => (leaf.op === "index" ? last : undefined));
    next = made.plain ?? binaryFormula("+", lastIndex, numberFormula(1n));
  }
  checkQueueNumbers(
    models.filter(({ sure }) => sure),
    features,
    facts,
  );
  return models.map(({ model }) => model);
}

function queueModel(
  declaration: QueueDeclaration,
  next: Formula,
  scope: Scope,
  facts: Facts,
): { readonly model: QueueModel; readonly sure: boolean; readonly plain: Formula | null } {
  const { bag } = facts;
  const name = declaration.name.text;
  const clauses = readClauses(declaration.clauses, "a queue", bag);
  const origin = originOf(clauses, name, scope.encloser, bag);
  const plain: FormulaEnvironment = { facts, scope };
  const indexed: FormulaEnvironment = { facts, scope, index: true };
  const countTree = declaration.count ? compileNumber(declaration.count, plain) : numberFormula(1n);
  const at = clauses.expressions.get("at");
  const given = at && compileNumber(at.expression, indexed);
  const many = declaration.count !== undefined;
  const running = many ? binaryFormula("+", next, { op: "index" }) : next;
  const indexTree = at ? (given ?? running) : running;
  const condition = clauses.expressions.get("if");
  const conditionTree = (condition && compileCondition(condition.expression, plain)) ?? null;
  const symbol = messageOf(declaration, scope, facts);
  const role = roleOf(declaration, symbol, facts);
  const model: QueueModel = {
    name,
    specName: clauses.names.get("as")?.name.text ?? name,
    doc: declaration.documentation.join("\n"),
    ...origin,
    index: formulaText(indexTree),
    indexTree,
    count: formulaText(countTree ?? numberFormula(1n)),
    countTree: countTree ?? numberFormula(1n),
    many,
    role: role ?? "request",
    message: symbol?.name ?? "",
    condition: textOrNull(conditionTree),
    conditionTree,
    merged: mergedBy(clauses, symbol, scope, facts),
    holdsTree: numberClause(clauses, "holds", indexed),
    postedTree: numberClause(clauses, "posted", indexed),
    postedPer: postedPer(clauses, symbol, scope, facts),
  };
  const sure = countTree !== undefined && (!at || given !== undefined) && (!condition || conditionTree !== null);
  return { model, sure, plain: at ? null : binaryFormula("+", next, model.countTree) };
}

function numberClause(clauses: ClauseTable, word: "holds" | "posted", environment: FormulaEnvironment): Formula | null {
  const clause = clauses.expressions.get(word);
  return (clause && compileNumber(clause.expression, environment)) ?? null;
}

/** `posted 1 per line`: a field of the message. */
function postedPer(
  clauses: ClauseTable,
  symbol: TypeSymbol | undefined,
  scope: Scope,
  facts: Facts,
): QueueModel["postedPer"] {
  const clause = clauses.expressions.get("per");
  if (!clause || !symbol || (symbol.kind !== "request" && symbol.kind !== "struct")) return null;
  if (!clauses.expressions.has("posted")) {
    facts.bag.report("clause-not-here", clause.span, { word: "per", what: "a queue without `posted`" });
    return null;
  }
  const path = clause.expression.kind === "path" ? clause.expression.segments : [];
  const [first] = path;
  if (!first) return null;
  const environment = messageEnvironment(symbol, { scope, facts, requests: [] }, "readable");
  if (environment.field?.(path) === undefined) {
    reportUnknown(facts, scope, `field of ${symbol.name}`, first, () => environment.fieldNames?.() ?? []);
    return null;
  }
  return path.map(({ text }) => text);
}

function messageOf(declaration: QueueDeclaration, scope: Scope, facts: Facts): TypeSymbol | undefined {
  const { message, name } = declaration;
  if (message) return message.name.text === "" ? undefined : findTypeSymbol(message.name, scope, facts);
  const needed = "what travels on it, as in `: request Request`";
  facts.bag.report("missing-value", name.span, { what: "queue", name: name.text, needed });
  return undefined;
}

function roleOf(
  declaration: QueueDeclaration,
  symbol: TypeSymbol | undefined,
  facts: Facts,
): QueueModel["role"] | undefined {
  const written = declaration.role;
  const role = written
    ? roles.find((known) => known === written.text)
    : symbol?.kind === "request"
      ? "request"
      : undefined;
  if (written && role === undefined) {
    if (written.text === "") return undefined;
    facts.bag.report(
      "unknown-queue-role",
      written.span,
      { role: written.text },
      { help: `one of ${roles.join(", ")}` },
    );
    return undefined;
  }
  if (role === undefined) {
    if (symbol) {
      const { name } = declaration;
      facts.bag.report("missing-value", name.span, {
        what: "queue",
        name: name.text,
        needed: `a role: ${roles.join(", ")}`,
      });
    }
    return undefined;
  }
  if (!symbol || !declaration.message) return role;
  const answered = role === "request" || role === "deferred";
  if (answered ? symbol.kind !== "request" : symbol.kind !== "struct") {
    facts.bag.report("wrong-message", declaration.message.name.span, {
      role,
      expected: answered ? "a request" : "a struct",
      name: symbol.name,
      found: kindText(symbol),
    });
  }
  return role;
}

/** `merged by hdr.num_buffers`, or `merged by MRG_RXBUF ? hdr.num_buffers : 1`. */
function mergedBy(
  clauses: ClauseTable,
  symbol: TypeSymbol | undefined,
  scope: Scope,
  facts: Facts,
): QueueModel["merged"] {
  const clause = clauses.expressions.get("merged");
  if (!clause || symbol?.kind !== "struct") return null;
  const { members } = symbol.declaration;
  let path: Expression = clause.expression;
  let conditionTree: Formula | null = null;
  if (path.kind === "conditional") {
    conditionTree = compileCondition(path.condition, { facts, scope }) ?? null;
    path = path.whenTrue;
  }
  const last = path.kind === "path" ? path.segments.at(-1) : undefined;
  if (path.kind !== "path" || !last) {
    if (path.kind === "missing") return null;
    facts.bag.report("wrong-operand", path.span, { expected: "a field of the message", found: "an expression" });
    return null;
  }
  const [first] = path.segments;
  const found = findPath(members, path.segments, symbol.scope, facts);
  if (found === undefined && first) reportUnknown(facts, scope, "field", first, () => fieldsOf(members).keys());
  if (found === undefined || found === "broken" || !isNumber(found, last, facts)) return null;
  return { field: path.segments.map((segment) => segment.text), conditionTree };
}
