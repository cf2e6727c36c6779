import type { Span } from "../diagnostics/source.js";
import type { Expression, Name } from "../language/syntax-tree.js";
import type { FeatureModel, FeatureRuleModel, Formula } from "./device-model.js";
import { dependencyOrder } from "./dependency-order.js";
import { reportUnknown, type Facts } from "./facts.js";
import type { FeatureWithBit } from "./feature-bits.js";
import { notFormula } from "./formula-building.js";
import { formulaText } from "./formula-text.js";
import { constantOf, formulasIn } from "./formula-values.js";
import { compileCondition } from "./formulas.js";
import { satisfiable, type Clause, type Problem } from "./satisfiability.js";
import { featureNamesIn, findFeature, type Scope } from "./symbols.js";

/** And of ors of feature names. */
export type Requirement = readonly (readonly string[])[];

// Distribution multiplies: a requirement that needs more alternatives than this is a mistake.
const mostClauses = 256;

/** Works out what each feature requires and offers, and checks that it can be had. */
export function featureRequirements(
  features: readonly FeatureWithBit[],
  scope: Scope,
  facts: Facts,
): { readonly features: readonly FeatureModel[]; readonly rules: readonly FeatureRuleModel[] } {
  const models = features.map((feature): FeatureModel => {
    const requires = requirement(feature, "requires", scope, facts);
    const offers = requirement(feature, "offers", scope, facts);
    return { ...feature.model, requires, offers };
  });
  const rules: { readonly model: FeatureRuleModel; readonly span: Span }[] = [];
  for (const rule of scope.featureRules) {
    const conditionTree = compileCondition(rule.condition, { facts, scope });
    if (conditionTree === undefined) continue;
    const doc = rule.documentation.join("\n");
    rules.push({ model: { doc, condition: formulaText(conditionTree), conditionTree }, span: rule.span });
  }
  if (!reportCycles(features, models, facts)) reportImpossible(features, models, rules, facts);
  return { features: models, rules: rules.map(({ model }) => model) };
}

function requirement(feature: FeatureWithBit, word: "requires" | "offers", scope: Scope, facts: Facts): Requirement {
  const clause = feature.clauses.expressions.get(word);
  if (!clause) return [];
  const found = conjunctiveForm(clause.expression, word, scope, facts, 0);
  return found ? unique(found) : [];
}

function unique(clauses: Requirement): Requirement {
  const seen = new Set<string>();
  return clauses.flatMap((clause) => {
    const names = [...new Set(clause)];
    const key = names.join(" ");
    if (seen.has(key)) return [];
    seen.add(key);
    return [names];
  });
}

function conjunctiveForm(
  expression: Expression,
  word: "requires" | "offers",
  scope: Scope,
  facts: Facts,
  depth: number,
): Requirement | undefined {
  const { bag } = facts;
  if (expression.kind === "missing") return undefined;
  if (expression.kind === "path") {
    const [name, more] = expression.segments;
    if (name && !more) return featureClause(name, scope, facts);
  }
  if (expression.kind === "binary" && (expression.operator === "&&" || expression.operator === "||") && depth < 400) {
    const left = conjunctiveForm(expression.left, word, scope, facts, depth + 1);
    const right = conjunctiveForm(expression.right, word, scope, facts, depth + 1);
    if (!left || !right) return undefined;
    if (expression.operator === "&&") return [...left, ...right];
    if (left.length * right.length > mostClauses) {
      bag.report("expression-too-large", expression.span, { reason: "it has too many alternatives" });
      return undefined;
    }
    return left.flatMap((one) => right.map((other) => [...one, ...other]));
  }
  bag.report("requires-form", expression.span, { word });
  return undefined;
}

function featureClause(name: Name, scope: Scope, facts: Facts): Requirement | undefined {
  const feature = findFeature(scope, name.text);
  if (feature) return [[feature.name]];
  reportUnknown(facts, scope, "feature", name, () => featureNamesIn(scope));
  return undefined;
}

/** A feature that requires itself by way of others, with no alternative anywhere. */
function reportCycles(features: readonly FeatureWithBit[], models: readonly FeatureModel[], facts: Facts): boolean {
  const byName = new Map(models.map((model) => [model.name, model]));
  const spans = new Map(features.map(({ symbol }) => [symbol.name, symbol.span]));
  let found = false;
  dependencyOrder(
    models,
    (model) =>
      model.requires.flatMap((clause) => {
        const only = clause.length === 1 ? byName.get(clause[0] ?? "") : undefined;
        return only ? [only] : [];
      }),
    (path) => {
      const [first] = path;
      const span = first && spans.get(first.name);
      if (!first || !span) return;
      found = true;
      const text = [...path, first].map((model) => model.name).join(" -> ");
      facts.bag.report("cycle", span, { what: "feature", name: first.name, path: text });
    },
  );
  return found;
}

function reportImpossible(
  features: readonly FeatureWithBit[],
  models: readonly FeatureModel[],
  rules: readonly { readonly model: FeatureRuleModel; readonly span: Span }[],
  facts: Facts,
): void {
  const numbers = new Map<string, number>();
  const literal = (name: string): number => {
    const known = numbers.get(name) ?? numbers.size + 1;
    numbers.set(name, known);
    return known;
  };
  const clauses: Clause[] = [];
  for (const model of models) {
    const own = literal(model.name);
    for (const choice of model.requires) clauses.push([-own, ...choice.map(literal)]);
    if (model.mandatory) clauses.push([own]);
    for (const other of models) {
      // Features of different transports never meet.
      if (model.only !== null && other.only !== null && model.only < other.only)
        clauses.push([-own, -literal(other.name)]);
    }
  }
  for (const { model, span } of rules) {
    const added = clausesOf(model.conditionTree, literal);
    if (!added) continue;
    clauses.push(...added);
    const problem: Problem = { variables: numbers.size, clauses };
    if (satisfiable(problem, []) === false) {
      facts.bag.report("contradictory-rules", span, {});
      return;
    }
  }
  // Without anything that forbids, all features together satisfy every requirement.
  if (!clauses.some((clause) => clause.every((each) => each < 0))) return;
  const problem: Problem = { variables: numbers.size, clauses };
  const spans = new Map(features.map(({ symbol }) => [symbol.name, symbol.span]));
  const impossible = new Set<string>();
  for (const model of models) {
    if (satisfiable(problem, [literal(model.name)]) === false) impossible.add(model.name);
  }
  for (const model of models) {
    const span = spans.get(model.name);
    if (!impossible.has(model.name) || !span) continue;
    // The one at fault is named, not all those that need it.
    if (model.requires.some((choice) => choice.every((name) => impossible.has(name)))) continue;
    facts.bag.report("feature-never-possible", span, { name: model.name });
  }
}

/** A rule over features as clauses; undefined if it is about more than features, or too large. */
function clausesOf(formula: Formula, literal: (name: string) => number): readonly Clause[] | undefined {
  for (const part of formulasIn(formula)) {
    const boolean =
      part.op === "feature" ||
      (part.op === "unary" && part.operator === "!") ||
      (part.op === "binary" && (part.operator === "&&" || part.operator === "||"));
    if (!boolean && part.op !== "number") return undefined;
  }
  return toClauses(formula, literal);
}

function toClauses(formula: Formula, literal: (name: string) => number): readonly Clause[] | undefined {
  switch (formula.op) {
    case "feature":
      return [[literal(formula.feature)]];
    case "number":
      return constantOf(formula) === 0n ? [[]] : [];
    case "unary": {
      const inner = formula.operand;
      if (inner.op === "feature") return [[-literal(inner.feature)]];
      if (inner.op === "binary") {
        const operator = inner.operator === "&&" ? "||" : "&&";
        return toClauses(
          { op: "binary", operator, left: notFormula(inner.left), right: notFormula(inner.right) },
          literal,
        );
      }
      return undefined;
    }
    case "binary": {
      const left = toClauses(formula.left, literal);
      const right = toClauses(formula.right, literal);
      if (!left || !right) return undefined;
      if (formula.operator === "&&") return [...left, ...right];
      if (left.length * right.length > mostClauses) return undefined;
      return left.flatMap((one) => right.map((other) => [...one, ...other]));
    }
    default:
      return undefined;
  }
}
