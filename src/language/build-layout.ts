import type { CstNode } from "chevrotain";
import type { Span } from "../diagnostics/source.js";
import type { BuildContext } from "./build-context.js";
import { buildClauses, buildDeclaredName, buildNamedType, buildRemark } from "./build-clauses.js";
import { buildExpression } from "./build-expressions.js";
import { nodeOf, nodesOf, tokenOf, tokensOf } from "./cst.js";
import { modifierWords } from "./keywords.js";
import { maximumNesting } from "./limits.js";
import type {
  ArrayDimension,
  ConditionalFields,
  ConstantDeclaration,
  FieldDeclaration,
  FieldType,
  MacroDeclaration,
  MatchArm,
  MatchFields,
  NamedType,
  Pattern,
  StructDeclaration,
  StructMember,
} from "./syntax-tree.js";

/** The members in the block of a node. */
export function buildMembers(context: BuildContext, node: CstNode | undefined): StructMember[] {
  const block = node?.name === "memberBlock" ? node : node && nodeOf(node, "memberBlock");
  if (block === undefined) return [];
  return nodesOf(block, "member").flatMap((member) => buildMember(context, member));
}

function buildMember(context: BuildContext, member: CstNode): StructMember[] {
  const node = nodeOf(member, "node");
  switch (node?.name) {
    case "field":
      return [buildField(context, node)];
    case "define":
      return [buildDefine(context, node)];
    case "constant":
      return [buildConstant(context, node)];
    case "conditionalFields":
      return [buildConditionalFields(context, node)];
    case "matchFields":
      return [buildMatchFields(context, node)];
    default:
      return [];
  }
}

export function buildField(context: BuildContext, node: CstNode): FieldDeclaration {
  const span = context.span(node);
  const layout = nodeOf(node, "layout");
  const fieldName = nodeOf(node, "fieldName");
  const bits = nodeOf(node, "bits");
  const end = nodeOf(node, "fieldEnd");
  const container = nodeOf(node, "bitContainer");
  const type: FieldType =
    container !== undefined
      ? buildBitContainer(context, container)
      : layout !== undefined
        ? buildStruct(context, layout)
        : (buildNamedType(context, nodeOf(node, "namedType")) ?? missingType(span));
  const modifiers = nodesOf(node, "modifier").flatMap((modifier): FieldDeclaration["modifiers"] => {
    const token = tokenOf(modifier, "word");
    const word = modifierWords.find((known) => known === token?.image);
    return token === undefined || word === undefined ? [] : [{ word, span: context.tokenSpan(token) }];
  });
  return {
    kind: "field",
    documentation: context.documentation(node),
    modifiers: fieldName === undefined && bits !== undefined ? withReserved(modifiers, type.span) : modifiers,
    type,
    name: fieldName && buildDeclaredName(context, nodeOf(fieldName, "declaredName")),
    dimensions: nodesOf(node, "dimension").map((dimension) => buildDimension(context, dimension)),
    bits: bits && buildExpression(context, nodeOf(bits, "expression"), context.span(bits).end),
    clauses: [
      ...buildClauses(context, node),
      ...buildRemark(context, nodeOf(node, "remark")),
      ...buildRemark(context, end && nodeOf(end, "remark")),
    ],
    span,
  };
}

/** Bits without a name mean nothing. */
function withReserved(modifiers: FieldDeclaration["modifiers"], span: Span): FieldDeclaration["modifiers"] {
  return modifiers.some(({ word }) => word === "reserved") ? modifiers : [{ word: "reserved", span }, ...modifiers];
}

/** `le16 { a : 12; b : 4; }` is another way to write a struct of bit-fields of `le16`. */
function buildBitContainer(context: BuildContext, node: CstNode): StructDeclaration {
  const span = context.span(node);
  const name = context.name(tokenOf(node, "container"), node);
  const type: NamedType = {
    kind: "named-type",
    keyword: undefined,
    name,
    contents: [],
    arguments: [],
    span: name.span,
  };
  return {
    kind: "struct",
    documentation: [],
    keyword: "struct",
    name: undefined,
    parameters: [],
    clauses: [],
    members: nodesOf(node, "bitMember").flatMap((member): FieldDeclaration[] => {
      const declaredName = buildDeclaredName(context, nodeOf(member, "declaredName"));
      if (declaredName === undefined) return [];
      const bits = nodeOf(member, "bits");
      return [
        {
          kind: "field",
          documentation: context.documentation(member),
          modifiers: [],
          type,
          name: declaredName,
          dimensions: [],
          bits: bits && buildExpression(context, nodeOf(bits, "expression"), context.span(bits).end),
          clauses: buildClauses(context, member),
          span: context.span(member),
        },
      ];
    }),
    span,
  };
}

function missingType({ source, start }: Span): FieldType {
  const span = { source, start, end: start };
  return { kind: "named-type", keyword: undefined, name: { text: "", span }, contents: [], arguments: [], span };
}

export function buildDimension(context: BuildContext, node: CstNode): ArrayDimension {
  const span = context.span(node);
  const length = nodeOf(node, "expression");
  return {
    length: length && buildExpression(context, length, span.end),
    unit: tokenOf(node, "Word_bytes") === undefined ? "elements" : "bytes",
    span,
  };
}

const layoutKeywords = ["struct", "union", "header"] as const;

/** A struct, union or header; `outer` is the declaration around it, if it has one. */
export function buildStruct(context: BuildContext, node: CstNode, outer: CstNode = node): StructDeclaration {
  const name = tokenOf(node, "name");
  const keyword = tokenOf(node, "keyword")?.image;
  const parameters = nodeOf(node, "parameters");
  return {
    kind: "struct",
    documentation: context.documentation(node),
    keyword: layoutKeywords.find((known) => known === keyword) ?? "struct",
    name: name && context.name(name, node),
    parameters: parameters === undefined ? [] : buildParameters(context, parameters),
    clauses: buildClauses(context, node),
    members: buildMembers(context, node),
    span: context.span(outer),
  };
}

function buildParameters(context: BuildContext, node: CstNode): MacroDeclaration["parameters"] {
  return tokensOf(node, "names").map((name) => context.name(name, node));
}

export function buildConditionalFields(context: BuildContext, node: CstNode): ConditionalFields {
  const span = context.span(node);
  const conditions = nodesOf(node, "expression");
  const blocks = nodesOf(node, "memberBlock");
  let otherwise = buildMembers(context, nodeOf(node, "otherwise"));
  let result: ConditionalFields | undefined;
  if (conditions.length > maximumNesting) context.bag.report("nesting-too-deep", span, { limit: maximumNesting });
  for (let index = Math.min(conditions.length, maximumNesting) - 1; index >= 0; index--) {
    const condition = buildExpression(context, conditions[index], span.end);
    const start = index === 0 ? span.start : condition.span.start;
    result = {
      kind: "conditional-fields",
      condition,
      whenTrue: buildMembers(context, blocks[index]),
      whenFalse: otherwise,
      span: { ...span, start },
    };
    otherwise = [result];
  }
  return (
    result ?? {
      kind: "conditional-fields",
      condition: buildExpression(context, undefined, span.end),
      whenTrue: buildMembers(context, blocks[0]),
      whenFalse: otherwise,
      span,
    }
  );
}

function buildMatchFields(context: BuildContext, node: CstNode): MatchFields {
  const span = context.span(node);
  return {
    kind: "match-fields",
    documentation: context.documentation(node),
    subject: buildExpression(context, nodeOf(node, "expression"), span.end),
    arms: nodesOf(node, "fieldArm").map((arm) => buildArm(context, arm, buildFieldArmBody(context, arm))),
    name: buildDeclaredName(context, nodeOf(node, "declaredName")),
    clauses: buildClauses(context, node),
    span,
  };
}

function buildFieldArmBody(context: BuildContext, arm: CstNode): StructMember[] {
  const single = nodeOf(arm, "member");
  return single === undefined ? buildMembers(context, arm) : buildMember(context, single);
}

/** What arms have in common, around a body of either kind. */
export function buildArm<Body>(context: BuildContext, node: CstNode, body: readonly Body[]): MatchArm<Body> {
  const patterns = nodesOf(node, "patterns").flatMap((list) => nodesOf(list, "pattern"));
  return {
    documentation: context.documentation(node),
    patterns: patterns.map((pattern) => buildPattern(context, pattern)),
    clauses: buildClauses(context, node),
    body,
    span: context.span(node),
  };
}

function buildPattern(context: BuildContext, node: CstNode): Pattern {
  const span = context.span(node);
  if (tokenOf(node, "Word_default") !== undefined) return { kind: "default-pattern", span };
  const low = buildExpression(context, nodeOf(node, "expression"), span.end);
  const end = nodeOf(node, "end");
  if (end === undefined) return { kind: "value-pattern", value: low, span };
  return { kind: "range-pattern", low, high: buildExpression(context, end, span.end), span };
}

export function buildDefine(context: BuildContext, node: CstNode): ConstantDeclaration | MacroDeclaration {
  const span = context.span(node);
  const documentation = context.documentation(node);
  const name = context.name(tokenOf(node, "Identifier"), node);
  const value = nodeOf(node, "expression");
  const parameters = nodeOf(node, "parameters");
  if (parameters !== undefined) {
    return {
      kind: "macro",
      documentation,
      name,
      parameters: buildParameters(context, parameters),
      value: buildExpression(context, value, span.end),
      span,
    };
  }
  return {
    kind: "constant",
    documentation,
    syntax: "define",
    name,
    value: value && buildExpression(context, value, span.end),
    clauses: [],
    span,
  };
}

export function buildConstant(context: BuildContext, node: CstNode): ConstantDeclaration {
  const span = context.span(node);
  return {
    kind: "constant",
    documentation: context.documentation(node),
    syntax: "const",
    name: context.name(tokenOf(node, "Identifier"), node),
    value: buildExpression(context, nodeOf(node, "expression"), span.end),
    clauses: buildClauses(context, node),
    span,
  };
}
