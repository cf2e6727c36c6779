import type { CstNode, IToken } from "chevrotain";
import { spanFrom } from "../diagnostics/source.js";
import type { BuildContext } from "./build-context.js";
import { nodeOf, nodesOf, tokenOf, tokensOf } from "./cst.js";
import { maximumExpressionDepth } from "./limits.js";
import { parseCharacter, parseNumber, parseText } from "./literals.js";
import { binaryOperator, precedenceOf, unaryOperator } from "./operators.js";
import type { BinaryOperator, Expression, PathExpression } from "./syntax-tree.js";

/** An expression where one has to be; `near` is where a missing one is said to be. */
export function buildExpression(context: BuildContext, node: CstNode | undefined, near: number): Expression {
  if (node === undefined) return missing(context, near);
  const [first, ...others] = nodesOf(node, "chain");
  const whenTrue = nodesOf(node, "whenTrue");
  const operands = [buildChain(context, first, near)];
  let depth = context.expressionDepth;
  const middles: Expression[] = [];
  others.forEach((other, index) => {
    middles.push(buildExpression(context, whenTrue[index], near));
    depth = Math.max(depth, context.expressionDepth);
    operands.push(buildChain(context, other, near));
    depth = Math.max(depth, context.expressionDepth);
  });
  let result = operands.pop() ?? missing(context, near);
  for (let condition = operands.pop(); condition !== undefined; condition = operands.pop()) {
    const middle = middles.pop() ?? missing(context, near);
    const span = spanFrom(condition.span, result.span);
    result = { kind: "conditional", condition, whenTrue: middle, whenFalse: result, span };
    depth++;
  }
  return limited(context, result, depth);
}

/** Refuses a tree that is too high for recursive passes. */
function limited(context: BuildContext, expression: Expression, depth: number): Expression {
  context.expressionDepth = depth;
  if (depth <= maximumExpressionDepth) return expression;
  context.bag.report("nesting-too-deep", expression.span, { limit: maximumExpressionDepth });
  context.expressionDepth = 1;
  return { kind: "missing", span: expression.span };
}

function missing(context: BuildContext, at: number): Expression {
  context.expressionDepth = 1;
  return { kind: "missing", span: { source: context.source, start: at, end: at } };
}

interface Partial {
  readonly expression: Expression;
  readonly depth: number;
}

/** Groups operands and operators by precedence, without recursion. */
function buildChain(context: BuildContext, node: CstNode | undefined, near: number): Expression {
  if (node === undefined) return missing(context, near);
  const operators = tokensOf(node, "operators");
  const operands: Partial[] = [];
  const pending: BinaryOperator[] = [];
  const reduce = (): void => {
    const operator = pending.pop();
    const right = operands.pop();
    const left = operands.pop();
    if (operator === undefined || left === undefined || right === undefined) return;
    const span = spanFrom(left.expression.span, right.expression.span);
    const depth = Math.max(left.depth, right.depth) + 1;
    const expression = limited(
      context,
      { kind: "binary", operator, left: left.expression, right: right.expression, span },
      depth,
    );
    operands.push({ expression, depth: context.expressionDepth });
  };
  let end = near;
  nodesOf(node, "operand").forEach((operand, index) => {
    const operator = index === 0 ? undefined : binaryOperator(operators[index - 1]?.image ?? "");
    if (operator !== undefined) {
      for (let last = pending.at(-1); last !== undefined; last = pending.at(-1)) {
        if (precedenceOf(last) < precedenceOf(operator)) break;
        reduce();
      }
      pending.push(operator);
    }
    const expression = buildOperand(context, operand, end);
    end = expression.span.end;
    operands.push({ expression, depth: context.expressionDepth });
  });
  while (pending.length > 0) reduce();
  const result = operands[0];
  if (result === undefined) return missing(context, near);
  context.expressionDepth = result.depth;
  return result.expression;
}

function buildOperand(context: BuildContext, node: CstNode, near: number): Expression {
  let result = buildPrimary(context, node, near);
  let depth = context.expressionDepth;
  const signs = [...nodesOf(node, "sign")];
  for (let sign = signs.pop(); sign !== undefined; sign = signs.pop()) {
    const token = tokenOf(sign, "operator");
    const operator = unaryOperator(token?.image ?? "");
    if (token === undefined || operator === undefined) continue;
    const span = spanFrom(context.tokenSpan(token), result.span);
    result = { kind: "unary", operator, operand: result, span };
    depth++;
  }
  return limited(context, result, depth);
}

function buildPrimary(context: BuildContext, node: CstNode, near: number): Expression {
  context.expressionDepth = 1;
  const number = tokenOf(node, "NumberLiteral") ?? tokenOf(node, "VersionNumber");
  if (number !== undefined) return buildNumber(context, number, parseNumber(number.image));
  const character = tokenOf(node, "CharacterLiteral");
  if (character !== undefined) return buildNumber(context, character, parseCharacter(character.image));
  const text = tokenOf(node, "StringLiteral");
  if (text !== undefined) return { kind: "text", value: parseText(text.image), span: context.tokenSpan(text) };
  const path = nodeOf(node, "path");
  if (path !== undefined) return buildPath(context, path);
  const call = nodeOf(node, "call");
  if (call !== undefined) return buildCall(context, call);
  const parenthesized = nodeOf(node, "parenthesized");
  if (parenthesized !== undefined) {
    const span = context.span(parenthesized);
    const inner = buildExpression(context, nodeOf(parenthesized, "expression"), span.start + 1);
    return { ...inner, span };
  }
  return missing(context, context.span(node, near).end);
}

export function buildPath(context: BuildContext, path: CstNode): PathExpression {
  const segments = tokensOf(path, "Identifier").map((name) => context.name(name, path));
  return { kind: "path", segments, span: context.span(path) };
}

function buildNumber(context: BuildContext, token: IToken, value: bigint | undefined): Expression {
  const span = context.tokenSpan(token);
  if (value !== undefined) return { kind: "number", value, text: token.image, span };
  context.bag.report("malformed-number", span, { text: `\`${token.image.slice(0, 40)}\`` });
  return { kind: "missing", span };
}

function buildCall(context: BuildContext, node: CstNode): Expression {
  const span = context.span(node);
  const callee = context.name(tokenOf(node, "callee"), node);
  let depth = 0;
  const built = nodesOf(node, "argument").map((argument) => {
    const expression = buildExpression(context, nodeOf(argument, "expression"), span.end);
    depth = Math.max(depth, context.expressionDepth);
    return expression;
  });
  context.expressionDepth = depth + 1;
  const only = built[0];
  const type = only?.kind === "path" && only.segments.length === 1 ? only.segments[0] : undefined;
  if (callee.text === "sizeof" && type !== undefined && built.length === 1) return { kind: "sizeof", type, span };
  return { kind: "call", callee, arguments: built, span };
}
