import type { ConditionalFields, Name, StructMember } from "../language/syntax-tree.js";
import type { Formula } from "./device-model.js";
import { isHoisted, type NamedMember } from "./field-paths.js";
import { bothConditions, conditionalFormula, notFormula } from "./formula-building.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileCondition } from "./formulas.js";

/*
 * Fields of the same name in branches of which only one exists: `if WIDE { le64 size; } else { le32 size; }`. The model
 * tells them apart, `size` and `size_2`; a formula that says `size` means whichever is there.
 */

/** A block around a field, and which of its branches the field is in. */
interface Guard {
  readonly block: ConditionalFields;
  readonly holds: boolean;
}

interface Alternative {
  readonly member: NamedMember;
  readonly guards: readonly Guard[];
}

const known = new WeakMap<readonly StructMember[], ReadonlyMap<string, readonly Alternative[]>>();

function alternativesIn(members: readonly StructMember[]): ReadonlyMap<string, readonly Alternative[]> {
  const found = known.get(members);
  if (found) return found;
  const all = new Map<string, Alternative[]>();
  collect(members, [], all);
  known.set(members, all);
  return all;
}

function collect(members: readonly StructMember[], guards: readonly Guard[], all: Map<string, Alternative[]>): void {
  const add = (member: NamedMember): void => {
    const name = member.name?.text ?? "";
    if (name !== "") all.set(name, [...(all.get(name) ?? []), { member, guards }]);
  };
  for (const member of members) {
    switch (member.kind) {
      case "field":
        if (isHoisted(member) && member.type.kind === "struct") collect(member.type.members, guards, all);
        else add(member);
        break;
      case "match-fields":
        add(member);
        break;
      case "conditional-fields":
        collect(member.whenTrue, [...guards, { block: member, holds: true }], all);
        collect(member.whenFalse, [...guards, { block: member, holds: false }], all);
        break;
      case "constant":
      case "macro":
        break;
    }
  }
}

/** The name that a field has in the model: its own, with a number if it is not the first one. */
export function alternativeName(members: readonly StructMember[], member: NamedMember): string {
  const name = member.name?.text ?? "";
  const index = (alternativesIn(members).get(name) ?? []).findIndex((each) => each.member === member);
  return index < 1 ? name : `${name}_${String(index + 1)}`;
}

/** Can two conditions not hold at the same time, because one of their parts is the opposite of one of the others? */
export function areExclusive(left: Formula | null, right: Formula | null): boolean {
  if (left === null || right === null) return false;
  const others = new Set(partsOf(right).map((part) => JSON.stringify(part)));
  return partsOf(left).some((part) => others.has(JSON.stringify(notFormula(part))));
}

function partsOf(condition: Formula): readonly Formula[] {
  if (condition.op !== "binary" || condition.operator !== "&&") return [condition];
  return [...partsOf(condition.left), ...partsOf(condition.right)];
}

/**
 * What a path means whose first name several fields have: the one in the branch that the formula is in, otherwise
 * whichever is there. `formula` makes the formula for a path. Undefined if only one field has the name.
 */
export function formulaOfAlternatives(
  members: readonly StructMember[],
  path: readonly Name[],
  user: NamedMember | null,
  environment: FormulaEnvironment,
  formula: (path: readonly string[]) => Formula,
): Formula | undefined {
  const [first, ...rest] = path.map(({ text }) => text);
  const alternatives = alternativesIn(members).get(first ?? "") ?? [];
  if (alternatives.length < 2) return undefined;
  const pathOf = ({ member }: Alternative): Formula => formula([alternativeName(members, member), ...rest]);
  const around = guardsOf(members, user);
  const isAround = (guard: Guard): boolean =>
    around.some(({ block, holds }) => block === guard.block && holds === guard.holds);
  const own = alternatives.find(({ guards }) => guards.length > 0 && guards.every(isAround));
  if (own !== undefined) return pathOf(own);
  let result: Formula | undefined;
  for (const alternative of [...alternatives].reverse()) {
    const here = pathOf(alternative);
    const when = conditionOf(alternative.guards, environment);
    result = result === undefined || when === null ? here : conditionalFormula(when, here, result);
  }
  return result;
}

function guardsOf(members: readonly StructMember[], user: NamedMember | null): readonly Guard[] {
  if (user === null) return [];
  const all = alternativesIn(members).get(user.name?.text ?? "") ?? [];
  return all.find(({ member }) => member === user)?.guards ?? [];
}

function conditionOf(guards: readonly Guard[], environment: FormulaEnvironment): Formula | null {
  let all: Formula | null = null;
  for (const { block, holds } of guards) {
    const condition = compileCondition(block.condition, environment);
    if (condition !== undefined) all = bothConditions(all, holds ? condition : notFormula(condition));
  }
  return all;
}
