import type { CstNode, IToken } from "chevrotain";
import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Source } from "../diagnostics/source.js";
import { BuildContext } from "./build-context.js";
import { buildTopLevel } from "./build-declarations.js";
import { nodesOf } from "./cst.js";
import { endsItsLine, tokenSpan, type Tokens } from "./lexer.js";
import type { Comment, SourceFile } from "./syntax-tree.js";

/** Turns concrete syntax, however broken, into a tree. Never throws. */
export function buildTree(source: Source, file: CstNode | undefined, tokens: Tokens, bag: DiagnosticBag): SourceFile {
  const context = new BuildContext(source, bag, tokens);
  const declarations = file === undefined ? [] : nodesOf(file, "declaration");
  return {
    kind: "file",
    items: declarations.flatMap((declaration) => buildTopLevel(context, declaration)),
    comments: tokens.comments.map((comment) => buildComment(source, comment)),
    span: { source, start: 0, end: source.text.length },
  };
}

function buildComment(source: Source, token: IToken): Comment {
  const kind = endsItsLine(token) ? "line-comment" : "block-comment";
  return { kind, text: token.image, span: tokenSpan(source, token) };
}
