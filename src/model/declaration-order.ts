import type { Expression, FieldDeclaration, Name, StructMember } from "../language/syntax-tree.js";
import { dependencyOrder } from "./dependency-order.js";
import type { Facts } from "./facts.js";
import { isTypeOnly } from "./field-paths.js";
import {
  findFeature,
  findMembers,
  findTypes,
  findValue,
  type EnumSymbol,
  type ExternalSymbol,
  type Scope,
  type StructSymbol,
  type ValueSymbol,
} from "./symbols.js";

/** What has a value or a layout that others may be made of. */
export type OrderedSymbol = ValueSymbol | EnumSymbol | ExternalSymbol | StructSymbol;

/** The declarations of a scope, each after all that it is made of; reports those that are made of themselves. */
export function declarationOrder(
  scope: Scope,
  facts: Facts,
): { readonly order: readonly OrderedSymbol[]; readonly cyclic: ReadonlySet<OrderedSymbol> } {
  const cyclic = new Set<OrderedSymbol>();
  const own: readonly OrderedSymbol[] = [
    ...scope.constants,
    ...scope.macros,
    ...scope.enums,
    ...scope.anonymousEnums,
    ...scope.lets,
    ...scope.externals,
    ...scope.structs,
  ];
  const present = new Set<OrderedSymbol>(own);
  const order = dependencyOrder(
    own,
    (symbol) =>
      [...neededBy(symbol, facts)]
        .filter((needed) => needed !== symbol || isSelfUseWrong(symbol))
        .filter((needed) => present.has(needed)),
    (path) => {
      const [first] = path;
      if (!first) return;
      for (const symbol of path) cyclic.add(symbol);
      const shown = [...path.map((symbol) => symbol.name), first.name];
      const text = shown.length > 8 ? [...shown.slice(0, 6), "...", first.name] : shown;
      facts.bag.report("cycle", first.span, { what: first.kind, name: first.name, path: text.join(" -> ") });
    },
  );
  return { order, cyclic };
}

/** Members of an enum may use the ones before them; anything else that mentions itself is a cycle. */
function isSelfUseWrong(symbol: OrderedSymbol): boolean {
  return symbol.kind !== "enum";
}

function neededBy(symbol: OrderedSymbol, facts: Facts): ReadonlySet<OrderedSymbol> {
  const needed = new Set<OrderedSymbol>();
  const { scope } = symbol;
  const hidden = new Set<string>();
  const mention = (name: Name): void => {
    const { text } = name;
    if (hidden.has(text)) return;
    const value = findValue(scope, text);
    if (value) needed.add(value);
    else if (!findFeature(scope, text)) for (const { of } of findMembers(scope, text)) needed.add(of);
  };
  const mentionType = (name: Name): void => {
    const [type] = findTypes(scope, name.text);
    if (type && type.kind !== "request") needed.add(type);
  };
  const inExpression = (expression: Expression | undefined): void => {
    if (expression) mentionedNames(expression, mention, mentionType);
  };
  switch (symbol.kind) {
    case "constant":
      inExpression(symbol.declaration.value);
      break;
    case "macro":
      for (const parameter of symbol.declaration.parameters) hidden.add(parameter.text);
      inExpression(symbol.declaration.value);
      break;
    case "let":
      inExpression(symbol.declaration.value);
      break;
    case "enum":
      for (const member of symbol.members) {
        hidden.add(member.name);
        hidden.add(member.specName);
      }
      for (const member of symbol.declaration.members) {
        if (member.kind === "masked-enum") inExpression(member.mask);
        for (const one of member.kind === "masked-enum" ? member.members : [member]) {
          inExpression(one.value);
          inExpression(one.rangeEnd);
          for (const clause of one.clauses) if (clause.word === "at") inExpression(clause.expression);
        }
      }
      break;
    case "external":
      for (const clause of symbol.declaration.clauses) if (clause.word === "sized") inExpression(clause.expression);
      break;
    case "struct": {
      const { declaration } = symbol;
      for (const parameter of declaration.parameters) hidden.add(parameter.text);
      hideFields(declaration.members, hidden);
      for (const clause of declaration.clauses) if (clause.word === "sized") inExpression(clause.expression);
      inMembers(declaration.members, inExpression, mentionType, (nested) => {
        const own = facts.structOf.get(nested);
        if (own) needed.add(own);
        return own !== undefined;
      });
      break;
    }
  }
  return needed;
}

function hideFields(members: readonly StructMember[], hidden: Set<string>): void {
  for (const member of members) {
    switch (member.kind) {
      case "field":
        if (member.name) hidden.add(member.name.text);
        if (member.type.kind === "struct") hideFields(member.type.members, hidden);
        break;
      case "conditional-fields":
        hideFields(member.whenTrue, hidden);
        hideFields(member.whenFalse, hidden);
        break;
      case "match-fields":
        for (const arm of member.arms) hideFields(arm.body, hidden);
        break;
      case "constant":
      case "macro":
        break;
    }
  }
}

type OnExpression = (expression: Expression | undefined) => void;

/** Visits what the layout of some members depends on. `isOwn`: a nested struct that is a node of its own. */
function inMembers(
  members: readonly StructMember[],
  onExpression: OnExpression,
  onType: (name: Name) => void,
  isOwn: (declaration: Extract<FieldDeclaration["type"], { kind: "struct" }>) => boolean,
): void {
  for (const member of members) {
    switch (member.kind) {
      case "field":
        for (const dimension of member.dimensions) onExpression(dimension.length);
        onExpression(member.bits);
        for (const clause of member.clauses) if ("expression" in clause) onExpression(clause.expression);
        if (member.type.kind === "named-type") {
          onType(member.type.name);
          for (const content of member.type.contents) {
            onType(content.name);
            onExpression(content.from);
            onExpression(content.scale);
            onExpression(content.condition);
          }
          for (const argument of member.type.arguments) onExpression(argument);
        } else if (isTypeOnly(member) || !isOwn(member.type)) {
          if (!isTypeOnly(member)) inMembers(member.type.members, onExpression, onType, isOwn);
        }
        break;
      case "conditional-fields":
        onExpression(member.condition);
        inMembers(member.whenTrue, onExpression, onType, isOwn);
        inMembers(member.whenFalse, onExpression, onType, isOwn);
        break;
      case "match-fields":
        onExpression(member.subject);
        for (const clause of member.clauses) if ("expression" in clause) onExpression(clause.expression);
        for (const arm of member.arms) {
          for (const pattern of arm.patterns) {
            if (pattern.kind === "value-pattern") onExpression(pattern.value);
            else if (pattern.kind === "range-pattern") {
              onExpression(pattern.low);
              onExpression(pattern.high);
            }
          }
          inMembers(arm.body, onExpression, onType, isOwn);
        }
        break;
      case "constant":
      case "macro":
        break;
    }
  }
}

// Trees that were made by hand may be deeper than the parser allows; formulas refuse those with a message.
const deepest = 1000;

function mentionedNames(
  expression: Expression,
  onName: (name: Name) => void,
  onType: (name: Name) => void,
  depth = 0,
): void {
  if (depth > deepest) return;
  const inside = (part: Expression): void => {
    mentionedNames(part, onName, onType, depth + 1);
  };
  switch (expression.kind) {
    case "missing":
    case "number":
    case "text":
      break;
    case "path": {
      const [first] = expression.segments;
      if (first && expression.segments.length === 1) onName(first);
      else if (first) onType(first);
      break;
    }
    case "unary":
      inside(expression.operand);
      break;
    case "binary":
      inside(expression.left);
      inside(expression.right);
      break;
    case "conditional":
      inside(expression.condition);
      inside(expression.whenTrue);
      inside(expression.whenFalse);
      break;
    case "sizeof":
      onType(expression.type);
      break;
    case "call":
      onName(expression.callee);
      expression.arguments.forEach(inside);
      break;
  }
}
