import type { ConstantModel, ExternalModel } from "./device-model.js";
import { externalFields } from "./external-fields.js";
import { readClauses } from "./clauses.js";
import { declarationOrder } from "./declaration-order.js";
import { evaluateMembers } from "./enum-members.js";
import type { Facts } from "./facts.js";
import { modelNumber } from "./formula-values.js";
import { compileConstant, compileFormula } from "./formulas.js";
import { layoutStruct } from "./struct-layout.js";
import type { ConstantSymbol, EnumSymbol, ExternalSymbol, Scope } from "./symbols.js";
import { largestSize } from "./type-shapes.js";
import { originOf } from "./versions.js";

/** Works out constants, enum members, `let`s and struct layouts of a scope, each after what it is made of. */
export function evaluateDeclarations(scope: Scope, facts: Facts): void {
  for (const symbol of scope.structs) facts.structOf.set(symbol.declaration, symbol);
  const { order, cyclic } = declarationOrder(scope, facts);
  for (const symbol of order) {
    // What is made of itself has no value; that has been said. Structs still show their fields.
    if (symbol.kind === "macro" && cyclic.has(symbol)) facts.endlessMacros.add(symbol);
    if (cyclic.has(symbol) && symbol.kind !== "struct" && symbol.kind !== "enum") continue;
    switch (symbol.kind) {
      case "constant": {
        const { value } = symbol.declaration;
        const found = value && compileConstant(value, { facts, scope });
        if (found !== undefined) facts.constants.set(symbol, found);
        break;
      }
      case "enum":
        evaluateMembers(symbol, facts);
        break;
      case "let":
        facts.lets.set(symbol, compileFormula(symbol.declaration.value, { facts, scope }));
        break;
      case "external":
        evaluateExternal(symbol, facts);
        break;
      case "struct":
        facts.structs.set(symbol, layoutStruct(symbol, facts));
        break;
      case "macro":
        break;
    }
  }
}

function evaluateExternal(symbol: ExternalSymbol, facts: Facts): void {
  const sized = symbol.declaration.clauses.find((clause) => clause.word === "sized");
  if (sized?.word !== "sized") {
    facts.externals.set(symbol, null);
    return;
  }
  const size = compileConstant(sized.expression, { facts, scope: symbol.scope });
  if (size === undefined) return;
  if (size < 0n || size > BigInt(largestSize)) {
    const what = `the size of ${symbol.name}`;
    facts.bag.report("value-out-of-range", sized.expression.span, { what, value: size, low: 0, high: largestSize });
    return;
  }
  facts.externals.set(symbol, Number(size));
}

export function externalModel(symbol: ExternalSymbol, facts: Facts): ExternalModel {
  const { declaration, name, specName } = symbol;
  const clauses = readClauses(declaration.clauses, "an external type", facts.bag);
  const origin = originOf(clauses, name, symbol.encloser, facts.bag);
  const size = facts.externals.get(symbol) ?? null;
  const fields = externalFields(symbol, facts);
  return { name, specName, doc: declaration.documentation.join("\n"), ...origin, size, fields };
}

/** A constant that has a value; `#define A` alone has none. */
export function constantModel(symbol: ConstantSymbol, facts: Facts): readonly ConstantModel[] {
  const { declaration, name, specName } = symbol;
  const clauses = readClauses(declaration.clauses, "a constant", facts.bag);
  const { since } = originOf(clauses, name, symbol.encloser, facts.bag);
  const value = facts.constants.get(symbol);
  if (value === undefined) return [];
  return [{ name, specName, value: modelNumber(value), doc: declaration.documentation.join("\n"), since, of: null }];
}

/** The members of an enum as constants, with the numbers that the specification gives: a bit number stays one. Ranges are none. */
export function memberConstants(symbol: EnumSymbol, facts: Facts): readonly ConstantModel[] {
  const clauses = readClauses(symbol.declaration.clauses, "an enum", facts.bag);
  const origin = originOf(clauses, symbol.name, symbol.encloser, facts.bag);
  const holder = symbol.declaration.keyword === "flags" ? "a flag" : "an enum member";
  const of = symbol.declaration.name ? symbol.name : null;
  return symbol.members.flatMap((member) => {
    const value = facts.members.get(member);
    // A range is room for numbers, not a number.
    if (value?.last !== null) return [];
    const own = readClauses(member.declaration.clauses, holder, facts.bag);
    const { since } = originOf(own, member.name, { label: symbol.name, ...origin }, facts.bag);
    const { name, specName } = member;
    const doc = member.declaration.documentation.join("\n");
    return [{ name, specName, value: value.bit ?? modelNumber(value.value), doc, since, of }];
  });
}
