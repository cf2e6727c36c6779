import type { MatchArm, MatchFields, StructDeclaration, StructMember } from "../language/syntax-tree.js";
import type { MatchArmModel } from "./device-model.js";
import { readClauses } from "./clauses.js";
import type { Facts } from "./facts.js";
import { formulaText } from "./formula-text.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileNumber } from "./formulas.js";
import { armName, checkArms } from "./match-arms.js";
import { capturedValues, layoutInline } from "./struct-layout.js";
import { brokenShape, type Shape } from "./type-shapes.js";
import { originOf, type Encloser } from "./versions.js";

/** The shape of a union with a tag: each arm is a struct of its own. */
export function matchShape(
  match: MatchFields,
  options: {
    readonly name: string;
    readonly owner: string;
    readonly place: "config" | "message";
    readonly encloser: Encloser;
    readonly environment: FormulaEnvironment;
  },
): Shape {
  const { environment, owner, place } = options;
  const { facts, scope } = environment;
  const matchTree = compileNumber(match.subject, environment);
  // Without the subject, the names in the patterns mean nothing; what is wrong with it has been said.
  const checked = matchTree === undefined ? [] : checkArms(match.subject, match.arms, environment);
  const arms: MatchArmModel[] = [];
  let size: number | null | undefined;
  let least: number | undefined;
  let rest = false;
  let broken = matchTree === undefined;
  for (const arm of checked) {
    const clauses = readClauses(arm.arm.clauses, "a match arm", facts.bag);
    const ifClause = clauses.expressions.get("if");
    if (ifClause) facts.bag.report("clause-not-here", ifClause.span, { word: "if", what: "an arm inside of a struct" });
    const name = armName(arm);
    const origin = originOf(clauses, name, options.encloser, facts.bag);
    const layout = layoutInline(armStruct(arm.arm, facts), {
      wanted: owner + name,
      specName: clauses.names.get("as")?.name.text,
      scope,
      place,
      encloser: { label: name, ...origin },
      outer: environment,
    });
    const { model } = layout;
    arms.push({ patterns: arm.patterns, struct: model.name, arguments: capturedValues(layout, environment) });
    rest ||= layout.rest;
    broken ||= layout.broken;
    least = least === undefined ? model.minSize : Math.min(least, model.minSize);
    if (size === undefined) size = model.size;
    else if (place === "config") size = size === null || model.size === null ? null : Math.max(size, model.size);
    else if (size !== model.size) size = null;
  }
  const tree = matchTree ?? brokenTree;
  const type = { match: formulaText(tree), matchTree: tree, arms };
  if (broken) return { ...brokenShape, type };
  return { type, size: size ?? null, least: least ?? 0, rest, broken };
}

const brokenTree = { op: "number", value: 0 } as const;

function armStruct(arm: MatchArm<StructMember>, facts: Facts): StructDeclaration {
  const known = facts.armStructs.get(arm);
  if (known) return known;
  const declaration: StructDeclaration = {
    kind: "struct",
    documentation: arm.documentation,
    keyword: "struct",
    name: undefined,
    parameters: [],
    clauses: [],
    members: arm.body,
    span: arm.span,
  };
  facts.armStructs.set(arm, declaration);
  return declaration;
}
