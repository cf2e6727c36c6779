import type { CstNode } from "chevrotain";
import type { Doc } from "prettier";
import { builders } from "prettier/doc";
import { nodesOf, tokensOf } from "../cst.js";
import { precedenceOfSpelling } from "../operators.js";
import { Comma, RightParenthesis } from "../tokens.js";
import { childrenOf, type TokenPrinter } from "./token-printer.js";

const { group, indent, line, softline } = builders;

/** Prints expressions. In a `#define` nothing may break, as a line end would end it. */
export function printExpression(printer: TokenPrinter, node: CstNode, mayBreak: boolean, separator?: Doc): Doc {
  const space = mayBreak ? line : " ";
  const [condition, ...others] = childrenOf(node);
  if (condition === undefined || !("node" in condition)) return "";
  const first = printChain(printer, condition.node, mayBreak, separator);
  const rest: Doc[] = [];
  for (const child of others) {
    if ("token" in child) rest.push(printer.token(child.token, "expression", space));
    else if (child.label === "whenTrue") rest.push(printExpression(printer, child.node, mayBreak));
    else rest.push(printChain(printer, child.node, mayBreak));
  }
  return rest.length === 0 ? first : group([first, indent(rest)]);
}

function printChain(printer: TokenPrinter, node: CstNode, mayBreak: boolean, separator?: Doc): Doc {
  const operands = nodesOf(node, "operand");
  const operators = tokensOf(node, "operators");
  const space = mayBreak ? line : " ";

  /** Operands `from` to `to`, grouped at the operators that bind loosest. */
  const print = (from: number, to: number, gap: Doc | undefined): Doc => {
    const operand = operands[from];
    if (operand === undefined) return "";
    if (from === to) return printOperand(printer, operand, mayBreak, gap);
    let loosest = Infinity;
    for (let index = from; index < to; index++) {
      loosest = Math.min(loosest, precedenceOfSpelling(operators[index]?.image ?? ""));
    }
    const rest: Doc[] = [];
    let first: Doc = "";
    let start = from;
    for (let index = from; index <= to; index++) {
      const operator = operators[index];
      const splits = index < to && operator !== undefined && precedenceOfSpelling(operator.image) === loosest;
      if (!splits && index < to) continue;
      const piece = print(start, index, start === from ? gap : undefined);
      if (start === from) first = piece;
      else rest.push(piece);
      if (splits) rest.push(printer.token(operator, "chain", space));
      start = index + 1;
    }
    return group([first, indent(rest)]);
  };
  return print(0, operands.length - 1, separator);
}

function printOperand(printer: TokenPrinter, node: CstNode, mayBreak: boolean, separator?: Doc): Doc {
  const parts: Doc[] = [];
  let gap = separator;
  const visit = (current: CstNode): void => {
    for (const child of childrenOf(current)) {
      if ("token" in child) parts.push(printer.token(child.token, current.name, gap));
      else if (mayBreak && child.node.name === "call") parts.push(printArguments(printer, child.node, gap));
      else if (child.node.name === "expression") parts.push(printExpression(printer, child.node, mayBreak, gap));
      else {
        visit(child.node);
        continue;
      }
      gap = undefined;
    }
  };
  visit(node);
  return parts;
}

/** `f(a, b)`, or the same behind the name of a type; one argument a line if they do not fit on one. */
export function printArguments(printer: TokenPrinter, node: CstNode, separator?: Doc): Doc {
  const head: Doc[] = [];
  const body: Doc[] = [];
  let close: Doc = "";
  let gap = separator;
  for (const child of childrenOf(node)) {
    if ("node" in child) {
      const gap = printer.separator(child.node, body.length === 0 ? softline : line);
      body.push(gap, printArgument(printer, child.node));
    } else if (child.token.tokenType === RightParenthesis) {
      close = printer.token(child.token, node.name, body.length === 0 ? "" : softline);
    } else if (child.token.tokenType === Comma) body.push(printer.token(child.token, node.name));
    else head.push(printer.token(child.token, node.name, gap));
    gap = undefined;
  }
  return group([head, indent(body), close]);
}

function printArgument(printer: TokenPrinter, node: CstNode): Doc {
  if (node.name === "expression") return printExpression(printer, node, true);
  return childrenOf(node).map((child) =>
    "token" in child ? printer.token(child.token, node.name) : printExpression(printer, child.node, true),
  );
}
