import type { FeatureModel } from "./device-model.js";
import { readClauses, type ClauseTable } from "./clauses.js";
import type { Facts } from "./facts.js";
import { textOrNull } from "./formula-text.js";
import { compileCondition, compileConstant } from "./formulas.js";
import type { FeatureSymbol, Scope } from "./symbols.js";
import { compareVersions, originOf, type Origin } from "./versions.js";

/** A feature with its number; what it requires is found out later. */
export interface FeatureWithBit {
  readonly symbol: FeatureSymbol;
  readonly clauses: ClauseTable;
  readonly model: Omit<FeatureModel, "requires" | "offers">;
}

/** Finds the bits of the features of a device, and checks that they may be used and are used once. */
export function featureBits(scope: Scope, facts: Facts): readonly FeatureWithBit[] {
  const found: FeatureWithBit[] = [];
  const users = new Map<number, FeatureWithBit[]>();
  for (const block of scope.featureBlocks) readClauses(block.clauses, "a features block", facts.bag);
  for (const symbol of scope.features) {
    const { declaration, name, specName } = symbol;
    const clauses = readClauses(declaration.clauses, "a feature", facts.bag);
    const origin = originOf(clauses, name, symbol.encloser, facts.bag);
    const bit = bitOf(symbol, scope, clauses, facts);
    if (bit === undefined) continue;
    const { legacy } = declaration;
    const implied = clauses.expressions.get("implied");
    const impliedTree = (implied && compileCondition(implied.expression, { facts, scope, literal: true })) ?? null;
    const model = {
      name,
      specName,
      doc: declaration.documentation.join("\n"),
      ...origin,
      bit,
      legacy,
      mandatory: clauses.words.has("mandatory"),
      expected: clauses.words.has("expected"),
      implied: textOrNull(impliedTree),
      impliedTree,
      only: clauses.names.get("only")?.name.text ?? null,
    };
    const feature: FeatureWithBit = { symbol, clauses, model };
    const earlier = users.get(bit)?.find((other) => other.model.legacy === legacy && together(other.model, origin));
    if (earlier) {
      const span = declaration.value?.span ?? symbol.span;
      const first = earlier.symbol.declaration.value?.span ?? earlier.symbol.span;
      facts.bag.report(
        "duplicate-feature-bit",
        span,
        { name, bit, other: earlier.model.name },
        { labels: [{ span: first, message: `${earlier.model.name} has it here` }] },
      );
    }
    users.set(bit, [...(users.get(bit) ?? []), feature]);
    found.push(feature);
  }
  return found;
}

function together(a: Origin, b: Origin): boolean {
  const ends = (first: Origin, second: Origin): boolean =>
    first.until !== null && compareVersions(first.until, second.since) < 0;
  return !ends(a, b) && !ends(b, a);
}

function bitOf(symbol: FeatureSymbol, scope: Scope, clauses: ClauseTable, facts: Facts): number | undefined {
  const { declaration, name } = symbol;
  const expression = declaration.value ?? clauses.expressions.get("at")?.expression;
  if (!expression) {
    facts.bag.report("missing-value", symbol.span, { what: "feature", name, needed: "a bit number" });
    return undefined;
  }
  const bit = compileConstant(expression, { facts, scope });
  if (bit === undefined) return undefined;
  const core = scope.naming.kind === "core";
  const problem = wrongBit(bit, declaration.legacy, core);
  if (problem !== undefined) {
    facts.bag.report(
      "reserved-feature-bit",
      expression.span,
      { name, bit, what: problem.what },
      { help: problem.help },
    );
    if (bit < 0n || bit > 127n) return undefined;
  }
  return Number(bit);
}

/** Which numbers are whose: section "Feature Bits" of the specification. */
function wrongBit(bit: bigint, legacy: boolean, core: boolean): { what: string; help: string } | undefined {
  if (legacy) {
    return bit >= 0n && bit <= 63n ? undefined : { what: "legacy features", help: "legacy features have bits 0 to 63" };
  }
  if (core) {
    return bit >= 24n && bit <= 43n ? undefined : { what: "features of all devices", help: "these have bits 24 to 43" };
  }
  const free = (bit >= 0n && bit <= 23n) || (bit >= 50n && bit <= 127n);
  return free ? undefined : { what: "device features", help: "device features have bits 0 to 23 and 50 to 127" };
}
