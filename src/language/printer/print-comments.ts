import type { IToken } from "chevrotain";
import type { Doc } from "prettier";
import { builders } from "prettier/doc";
import { endsItsLine } from "../lexer.js";

const { hardline, join, lineSuffix, literalline } = builders;

/** The text of a comment. Lines of a block that all start with `*` are lined up below the first. */
export function printComment(comment: IToken): Doc {
  const lines = comment.image.split(/\r\n|\n|\r/).map((text) => text.trimEnd());
  if (lines.length === 1) return lines[0] ?? "";
  const [first = "", ...others] = lines;
  if (others.every((text) => text.trimStart().startsWith("*"))) {
    return join(hardline, [first, ...others.map((text) => ` ${text.trimStart()}`)]);
  }
  return join(literalline, [first, ...others]);
}

/** A comment behind something on the same line. */
export function printTrailingComment(comment: IToken): Doc {
  const printed: Doc = [" ", printComment(comment)];
  return endsItsLine(comment) ? lineSuffix(printed) : printed;
}
