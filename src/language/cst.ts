import type { CstElement, CstNode, IToken } from "chevrotain";

/** Access to concrete syntax nodes in which anything may be missing. */

function isToken(element: CstElement): element is IToken {
  return "image" in element;
}

function isNode(element: CstElement): element is CstNode {
  return !("image" in element);
}

const nothing: readonly never[] = [];

/** The tokens of a node under a label, in order. */
export function tokensOf(node: CstNode, label: string): readonly IToken[] {
  return node.children[label]?.filter(isToken) ?? nothing;
}

/** The nodes of a node under a label, in order. */
export function nodesOf(node: CstNode, label: string): readonly CstNode[] {
  return node.children[label]?.filter(isNode) ?? nothing;
}

/** The first token of a node under a label. */
export function tokenOf(node: CstNode, label: string): IToken | undefined {
  const first = node.children[label]?.[0];
  return first !== undefined && isToken(first) ? first : undefined;
}

/** The first node of a node under a label. */
export function nodeOf(node: CstNode, label: string): CstNode | undefined {
  const first = node.children[label]?.[0];
  return first !== undefined && isNode(first) ? first : undefined;
}
