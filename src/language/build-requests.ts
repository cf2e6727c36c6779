import type { CstNode } from "chevrotain";
import type { BuildContext } from "./build-context.js";
import { buildClauses, buildDeclaredName } from "./build-clauses.js";
import { buildExpression } from "./build-expressions.js";
import { buildArm, buildMembers } from "./build-layout.js";
import { nodeOf, nodesOf, tokenOf } from "./cst.js";
import { maximumNesting } from "./limits.js";
import type { ConditionalPart, MatchPart, RequestDeclaration, RequestPart } from "./syntax-tree.js";

export function buildRequest(context: BuildContext, node: CstNode): RequestDeclaration {
  return {
    kind: "request",
    documentation: context.documentation(node),
    name: context.name(tokenOf(node, "Identifier"), node),
    clauses: buildClauses(context, node),
    parts: buildParts(context, nodeOf(node, "partBlock")),
    span: context.span(node),
  };
}

function buildParts(context: BuildContext, block: CstNode | undefined): RequestPart[] {
  if (block === undefined) return [];
  return nodesOf(block, "part").flatMap((part) => buildPart(context, part));
}

function buildPart(context: BuildContext, part: CstNode): RequestPart[] {
  const node = nodeOf(part, "node");
  switch (node?.name) {
    case "stream":
      return [
        {
          kind: "stream",
          direction: tokenOf(node, "direction")?.image === "writable" ? "writable" : "readable",
          clauses: buildClauses(context, node),
          members: buildMembers(context, node),
          span: context.span(node),
        },
      ];
    case "matchPart":
      return [buildMatchPart(context, node)];
    case "structPart":
      return [
        {
          kind: "struct-part",
          name: context.name(tokenOf(node, "Identifier"), node),
          clauses: buildClauses(context, node),
          parts: buildParts(context, nodeOf(node, "partBlock")),
          field: buildDeclaredName(context, nodeOf(node, "declaredName")),
          span: context.span(node),
        },
      ];
    case "conditionalPart":
      return [buildConditionalPart(context, node)];
    default:
      return [];
  }
}

function buildMatchPart(context: BuildContext, node: CstNode): MatchPart {
  const span = context.span(node);
  return {
    kind: "match-part",
    subject: buildExpression(context, nodeOf(node, "expression"), span.end),
    arms: nodesOf(node, "partArm").map((arm) => {
      const single = nodeOf(arm, "part");
      const body = single === undefined ? buildParts(context, nodeOf(arm, "partBlock")) : buildPart(context, single);
      return buildArm(context, arm, body);
    }),
    span,
  };
}

function buildConditionalPart(context: BuildContext, node: CstNode): ConditionalPart {
  const span = context.span(node);
  const conditions = nodesOf(node, "expression");
  const blocks = nodesOf(node, "partBlock");
  if (conditions.length > maximumNesting) context.bag.report("nesting-too-deep", span, { limit: maximumNesting });
  let whenFalse = buildParts(context, nodeOf(node, "otherwise"));
  let result: ConditionalPart | undefined;
  for (let index = Math.min(conditions.length, maximumNesting) - 1; index >= 0; index--) {
    const condition = buildExpression(context, conditions[index], span.end);
    const start = index === 0 ? span.start : condition.span.start;
    const whenTrue = buildParts(context, blocks[index]);
    result = { kind: "conditional-part", condition, whenTrue, whenFalse, span: { ...span, start } };
    whenFalse = [result];
  }
  const condition = buildExpression(context, undefined, span.end);
  return result ?? { kind: "conditional-part", condition, whenTrue: [], whenFalse, span };
}
