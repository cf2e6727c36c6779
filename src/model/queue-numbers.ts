import type { QueueDeclaration } from "../language/syntax-tree.js";
import type { FeatureModel, Formula, QueueModel } from "./device-model.js";
import type { Facts } from "./facts.js";
import { evaluate, formulasIn, type FormulaInputs } from "./formula-values.js";

interface NumberedQueue {
  readonly model: QueueModel;
  readonly declaration: QueueDeclaration;
}

// Enough to tell formulas apart that differ; all combinations of them are tried.
const configValues: readonly bigint[] = [1n, 2n, 3n, 8n];
const mostFeatures = 10;
const mostConfigFields = 3;
const mostQueuesOfAnArray = 20n;
/** Combinations times queues: keeps the time bounded for definitions that nobody would write by hand. */
const mostTrials = 100_000;
const highestIndex = 65534n;

/** Tries the formulas under combinations of features and config values: no two queues may have the same index. */
export function checkQueueNumbers(
  queues: readonly NumberedQueue[],
  features: readonly FeatureModel[],
  facts: Facts,
): void {
  const { names, paths } = inputsOf(queues);
  // What a feature requires matters only if the formulas mention both.
  const relevant = features.filter((feature) => names.includes(feature.name));
  let trials = 0;
  for (let bits = 0; bits < 2 ** names.length; bits += 1) {
    const negotiated = new Set(names.filter((_, index) => (bits >> index) & 1));
    if (!relevant.every((feature) => isPossible(feature, negotiated, names))) continue;
    for (let choice = 0; choice < configValues.length ** paths.length; choice += 1) {
      const config = new Map(
        paths.map((path, index) => [
          path,
          configValues[Math.floor(choice / configValues.length ** index) % configValues.length] ?? 1n,
        ]),
      );
      trials += queues.length;
      if (trials > mostTrials) return;
      if (!checkCombination(queues, negotiated, names, config, facts)) return;
    }
  }
}

function isPossible(feature: FeatureModel, negotiated: ReadonlySet<string>, names: readonly string[]): boolean {
  if (!negotiated.has(feature.name)) return !feature.mandatory;
  return feature.requires.every((choice) => choice.some((name) => negotiated.has(name) || !names.includes(name)));
}

function inputsOf(queues: readonly NumberedQueue[]): { names: readonly string[]; paths: readonly string[] } {
  const names = new Set<string>();
  const paths = new Set<string>();
  for (const { model } of queues) {
    const formulas: readonly (Formula | null)[] = [model.indexTree, model.countTree, model.conditionTree];
    for (const formula of formulas) {
      if (!formula) continue;
      for (const part of formulasIn(formula)) {
        if (part.op === "feature") names.add(part.feature);
        else if (part.op === "config") paths.add(part.path.join("."));
      }
    }
  }
  return { names: [...names].slice(0, mostFeatures), paths: [...paths].slice(0, mostConfigFields) };
}

/** False if something was found: one combination is enough to show. */
function checkCombination(
  queues: readonly NumberedQueue[],
  negotiated: ReadonlySet<string>,
  names: readonly string[],
  config: ReadonlyMap<string, bigint>,
  facts: Facts,
): boolean {
  const owners = new Map<bigint, NumberedQueue>();
  for (const queue of queues) {
    const { model, declaration } = queue;
    const inputs = (index: bigint): FormulaInputs => ({
      feature: (name) => negotiated.has(name),
      config: (path) => config.get(path.join(".")) ?? 1n,
      index,
    });
    if (model.conditionTree && evaluate(model.conditionTree, inputs(0n)) === 0n) continue;
    const count = evaluate(model.countTree, inputs(0n)) ?? 0n;
    for (let k = 0n; k < count && k < mostQueuesOfAnArray; k += 1n) {
      const index = evaluate(model.indexTree, inputs(k));
      if (index === null) continue;
      const name = model.many ? `${model.name}[${String(k)}]` : model.name;
      const at = declaration.clauses.find((clause) => clause.word === "at")?.span ?? declaration.name.span;
      if (index < 0n || index > highestIndex) {
        facts.bag.report("queue-index-range", at, { name, index, when: whenText(negotiated, names, config) });
        return false;
      }
      const owner = owners.get(index);
      if (owner) {
        const other = owner.model.name;
        const labels = [{ span: owner.declaration.name.span, message: `${other} is declared here` }];
        const when = whenText(negotiated, names, config);
        facts.bag.report("queue-index-overlap", at, { name, index, other, when }, { labels });
        return false;
      }
      owners.set(index, queue);
    }
  }
  return true;
}

function whenText(
  negotiated: ReadonlySet<string>,
  names: readonly string[],
  config: ReadonlyMap<string, bigint>,
): string {
  const parts = names.map((name) => `${negotiated.has(name) ? "with" : "without"} ${name}`);
  for (const [path, value] of config) parts.push(`with config.${path} = ${String(value)}`);
  return parts.length === 0 ? "always" : parts.join(", ");
}
