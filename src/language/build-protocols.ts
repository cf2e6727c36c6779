import type { CstNode } from "chevrotain";
import type { BuildContext } from "./build-context.js";
import { buildClauses, buildNamedType } from "./build-clauses.js";
import { buildExpression, buildPath } from "./build-expressions.js";
import { nodeOf, nodesOf, tokenOf, tokensOf } from "./cst.js";
import { answerWords } from "./keywords.js";
import { parseText } from "./literals.js";
import type { AnswerRule, AnswersBlock, ProtocolBlock, ProtocolEvent, ProtocolMember } from "./syntax-tree.js";

export function buildProtocol(context: BuildContext, node: CstNode): ProtocolBlock {
  return {
    kind: "protocol",
    documentation: context.documentation(node),
    name: context.name(tokenOf(node, "Identifier"), node),
    clauses: buildClauses(context, node),
    members: nodesOf(node, "protocolMember").flatMap((member) => {
      const inner = nodeOf(member, "node");
      return inner === undefined ? [] : buildMember(context, inner);
    }),
    span: context.span(node),
  };
}

function buildMember(context: BuildContext, node: CstNode): ProtocolMember[] {
  const span = context.span(node);
  const documentation = context.documentation(node);
  const name = context.name(tokenOf(node, "Identifier"), node);
  const clauses = buildClauses(context, node);
  const expression = () => buildExpression(context, nodeOf(node, "expression"), span.end);
  const names = (label: string) => tokensOf(node, label).map((token) => context.name(token, node));
  switch (node.name) {
    case "state":
      return [{ kind: "state", documentation, name, clauses, span }];
    case "transition": {
      const to = tokenOf(node, "to");
      return [
        {
          kind: "transition",
          documentation,
          events: buildEvents(context, node),
          clauses,
          from: names("from"),
          to: to && context.name(to, node),
          span,
        },
      ];
    }
    case "counter": {
      const type = buildNamedType(context, nodeOf(node, "namedType"));
      const events = buildEvents(context, node);
      return [{ kind: "counter", documentation, name, type, value: expression(), events, clauses, span }];
    }
    case "invariant":
      return [{ kind: "invariant", documentation, condition: expression(), span }];
    case "lesson":
      return [{ kind: "lesson", documentation, fields: names("fields"), events: buildEvents(context, node), span }];
    default:
      return [];
  }
}

function buildEvents(context: BuildContext, node: CstNode): ProtocolEvent[] {
  const list = nodeOf(node, "events");
  if (list === undefined) return [];
  return nodesOf(list, "event").flatMap((event): ProtocolEvent[] => {
    const span = context.span(event);
    const text = tokenOf(event, "StringLiteral");
    if (text !== undefined) return [{ kind: "text-event", text: parseText(text.image), span }];
    const path = nodeOf(event, "path");
    return path === undefined ? [] : [{ kind: "path-event", path: buildPath(context, path), span }];
  });
}

export function buildAnswers(context: BuildContext, node: CstNode): AnswersBlock {
  return {
    kind: "answers",
    documentation: context.documentation(node),
    message: context.name(tokenOf(node, "Identifier"), node),
    clauses: buildClauses(context, node),
    rules: nodesOf(node, "answerMember").flatMap((member) => {
      const inner = nodeOf(member, "node");
      return inner === undefined ? [] : [buildRule(context, inner)];
    }),
    span: context.span(node),
  };
}

function buildRule(context: BuildContext, node: CstNode): AnswerRule {
  const span = context.span(node);
  const strength = tokenOf(node, "strength")?.image;
  const verb = tokenOf(node, "verb")?.image;
  const target = nodeOf(node, "path");
  const value = nodeOf(node, "expression");
  return {
    kind: "answer-rule",
    documentation: context.documentation(node),
    strength: strength === "may" || strength === "should" ? strength : "must",
    verb: answerWords.find((known) => known === verb) ?? "status",
    target: target && buildPath(context, target),
    value: value && buildExpression(context, value, span.end),
    kinds: nodesOf(node, "kinds").map((kind) => buildPath(context, kind)),
    clauses: buildClauses(context, node),
    span,
  };
}
