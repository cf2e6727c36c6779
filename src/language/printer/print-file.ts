import type { CstNode, IToken } from "chevrotain";
import type { Doc } from "prettier";
import { builders } from "prettier/doc";
import { nodeOf, nodesOf, tokenOf, tokensOf } from "../cst.js";
import { tokenEnd, type Tokens } from "../lexer.js";
import { Define, EndOfDefine, LeftBrace, RightBrace } from "../tokens.js";
import { Phrase } from "./phrase.js";
import { printArguments, printExpression } from "./print-expressions.js";
import { childrenOf, firstToken, TokenPrinter } from "./token-printer.js";

const { dedent, group, hardline, ifBreak, indent, line } = builders;

/** Rules that are a member of a block and consist of one `;` that means nothing. */
const wrappers: ReadonlySet<string> = new Set([
  "declaration",
  "member",
  "entry",
  "part",
  "queueMember",
  "bitMember",
  "protocolMember",
  "answerMember",
]);
/** Prints a file that has no errors. */
export function printFile(text: string, file: CstNode, tokens: Tokens): Doc {
  const printer = new TokenPrinter(text, tokens);
  const body = printMembers(printer, nodesOf(file, "declaration"));
  const rest = printer.atEnd(text.length + 1, printer.isEmpty);
  return printer.isEmpty ? [] : [body, rest, hardline];
}

function printMembers(printer: TokenPrinter, members: readonly CstNode[]): Doc[] {
  const parts: Doc[] = [];
  let isFirst = true;
  for (const member of members) {
    const first = firstToken(member);
    if (first === undefined) continue;
    // With documentation in front of it, it keeps that from the member behind it.
    if (isEmptyStatement(member) && !printer.comments.hasDocumentation(first.startOffset)) {
      printer.skip(first);
      continue;
    }
    parts.push(printer.between(first.startOffset, isFirst), printPhrase(printer, member));
    isFirst = false;
  }
  return parts;
}

function isEmptyStatement(member: CstNode): boolean {
  const isStatement = tokenOf(member, "Semicolon") !== undefined && tokenOf(member, "pieces") === undefined;
  return wrappers.has(member.name) && isStatement && nodeOf(member, "node") === undefined;
}

function printPhrase(printer: TokenPrinter, member: CstNode): Doc {
  const phrase = new Phrase();
  printNode(printer, member, phrase, "free");
  return group(phrase.finish());
}

/**
 * How the braces of a node are laid out. `free`: on one line if the author wrote them so and they fit. `tall`: with lines
 * of their own. `together`: like the other branches of an `if` that the author wrote on one line.
 */
type BlockLayout = "free" | "tall" | "together";

/** Adds a node to a phrase. */
function printNode(printer: TokenPrinter, node: CstNode, phrase: Phrase, layout: BlockLayout): void {
  if (node.name === "define") {
    phrase.add(printDefine(printer, node));
    return;
  }
  const children = childrenOf(node);
  let block: { readonly open: IToken; readonly members: CstNode[] } | undefined;
  for (const child of children) {
    if ("token" in child) {
      const { token } = child;
      if (token.tokenType === LeftBrace) {
        phrase.add(printer.token(token, node.name));
        block = { open: token, members: [] };
      } else if (token.tokenType === RightBrace && block !== undefined) {
        phrase.block(printBlock(printer, node, layout, { ...block, close: token }));
        block = undefined;
      } else phrase.add(printer.token(token, node.name));
    } else if (block !== undefined) block.members.push(child.node);
    else if (child.node.name === "expression") printExpressionIn(printer, node, child.node, phrase);
    else if (child.node.name === "typeArguments") phrase.add(dedent(printArguments(printer, child.node)));
    else if (child.node.name === "clauses") {
      for (const clause of nodesOf(child.node, "clause")) {
        phrase.breakable(printer.separator(clause, line));
        printNode(printer, clause, phrase, "free");
      }
    } else printNode(printer, child.node, phrase, branchLayout(printer, node));
  }
}

function printExpressionIn(printer: TokenPrinter, node: CstNode, expression: CstNode, phrase: Phrase): void {
  const isValue = node.name === "letDeclaration" || node.name === "constant";
  const gap = isValue ? printer.separator(expression, line) : "";
  const printed = printExpression(printer, expression, true);
  if (isValue) phrase.add(group([gap, group(printed)]));
  else phrase.add(node.name === "dimension" ? dedent(printed) : printed);
}

interface Block {
  readonly open: IToken;
  readonly members: readonly CstNode[];
  readonly close: IToken;
}

function printBlock(printer: TokenPrinter, node: CstNode, layout: BlockLayout, block: Block): Doc {
  const { open, members, close } = block;
  const isEmpty = members.every(isEmptyStatement);
  const hasComments = printer.comments.peek(close.startOffset) !== undefined;
  if (isEmpty && !hasComments) {
    printer.lastEnd = close.startOffset;
    return printer.token(close, node.name, "");
  }
  const isOneLine = printer.comments.lineBreaks(open.startOffset, close.startOffset) === 0;
  if (isEmpty && isOneLine && !printer.comments.hasDocumentation(close.startOffset)) {
    return printer.token(close, node.name, " ");
  }
  const isShort = layout !== "tall" && node.name !== "device" && !hasComments && !members.some(isDefine);
  if (isShort && isOneLine) {
    const short: Doc = [indent(printShortMembers(printer, members)), printer.token(close, node.name, line)];
    return layout === "together" ? short : group(short);
  }
  const body = printMembers(printer, members);
  body.push(printer.atEnd(close.startOffset, isEmpty));
  return [indent(body), printer.token(close, node.name, hardline)];
}

/** Members that the author wrote on one line, without comments. */
function printShortMembers(printer: TokenPrinter, members: readonly CstNode[]): Doc {
  return members
    .filter((member) => !isEmptyStatement(member))
    .map((member) => {
      printer.beginLine();
      return [line, printPhrase(printer, member)];
    });
}

/** The layout of the blocks of an `if` with an `else`; other blocks go by themselves. */
function branchLayout(printer: TokenPrinter, node: CstNode): BlockLayout {
  if (tokenOf(node, "Word_else") === undefined) return "free";
  const { startOffset, endOffset } = node.location ?? { startOffset: 0, endOffset: 0 };
  return printer.comments.lineBreaks(startOffset, endOffset ?? startOffset) === 0 ? "together" : "tall";
}

function isDefine(member: CstNode): boolean {
  return firstToken(member)?.tokenType === Define;
}

/** `#define` stays on one line, or goes on behind a `\` if it is too long. */
function printDefine(printer: TokenPrinter, node: CstNode): Doc {
  const head: Doc[] = [];
  const value: Doc[] = [];
  const prose = tokensOf(node, "prose");
  const [firstProse, lastProse] = [prose[0], prose.at(-1)];
  const gap: Doc = [ifBreak(" \\"), line];
  printer.staysOnLine = true;
  for (const child of childrenOf(node)) {
    if (child.label === "prose" || ("token" in child && child.token.tokenType === EndOfDefine)) continue;
    if ("token" in child) head.push(printer.token(child.token, node.name));
    else if (child.node.name === "expression") value.push(printExpression(printer, child.node, false, gap));
    else head.push(printParameters(printer, child.node));
  }
  if (firstProse !== undefined && lastProse !== undefined) {
    const start = printer.comments.peek(firstProse.startOffset) ?? firstProse;
    const text = printer.verbatim(start.startOffset, tokenEnd(lastProse));
    value.push(" ", text.replace(/\s*\\\s*\n\s*/g, " "));
  }
  printer.staysOnLine = false;
  return group([head, value]);
}

function printParameters(printer: TokenPrinter, node: CstNode): Doc {
  return childrenOf(node).flatMap((child) => ("token" in child ? [printer.token(child.token, node.name)] : []));
}
