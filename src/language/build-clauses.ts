import type { CstNode } from "chevrotain";
import type { Span } from "../diagnostics/source.js";
import type { BuildContext } from "./build-context.js";
import { buildExpression } from "./build-expressions.js";
import { nodeOf, nodesOf, tokenOf, tokensOf } from "./cst.js";
import { parseText } from "./literals.js";
import type {
  Clause,
  ExpressionClause,
  Name,
  NameClause,
  NamesClause,
  NamedType,
  TextClause,
  TypeContent,
  VersionClause,
  WordClause,
} from "./syntax-tree.js";

/** The spelling of a clause by the word that it starts with. */
const expressionWords: ReadonlyMap<string, ExpressionClause["word"]> = new Map<string, ExpressionClause["word"]>([
  ...(
    [
      "if",
      "valid",
      "requires",
      "offers",
      "where",
      "default",
      "sized",
      "stride",
      "ends",
      "merged",
      "holds",
      "posted",
      "per",
      "learnt",
      "implied",
      "native",
    ] as const
  ).map((word) => [word, word] as const),
  ["@", "at"],
]);

const nameWords = ["as", "phase", "before", "only", "by", "members", "clears"] as const;
const wordsAlone = [
  "mandatory",
  "expected",
  "persists",
  "constant",
  "unannounced",
  "terminated",
  "strings",
  "alias",
  "unnamed",
] as const;

/** The clauses of a declaration, in the order in which they stand. */
export function buildClauses(context: BuildContext, node: CstNode): Clause[] {
  return nodesOf(node, "clauses").flatMap((list) =>
    nodesOf(list, "clause").flatMap((clause) => buildClause(context, clause)),
  );
}

function buildClause(context: BuildContext, node: CstNode): Clause[] {
  const span = context.span(node);
  const form =
    nodeOf(node, "expressionClause") ??
    nodeOf(node, "versionClause") ??
    nodeOf(node, "nameClause") ??
    nodeOf(node, "formerNameClause") ??
    nodeOf(node, "textClause") ??
    nodeOf(node, "wordClause") ??
    nodeOf(node, "namesClause");
  if (form === undefined) return [];
  const image = tokenOf(form, "word")?.image ?? "";
  switch (form.name) {
    case "expressionClause": {
      const word = expressionWords.get(image);
      const expression = buildExpression(context, nodeOf(form, "expression"), span.end);
      return word === undefined ? [] : [{ kind: "clause", word, expression, span }];
    }
    case "versionClause": {
      const word: VersionClause["word"] = image === "until" ? "until" : "since";
      const version = buildVersion(form, word, span);
      return version === undefined ? [] : [version];
    }
    case "nameClause":
    case "formerNameClause": {
      const word = form.name === "nameClause" ? nameWords.find((known) => known === image) : "was";
      const text = tokenOf(form, "StringLiteral");
      // In quotes: a name that has gaps.
      const name = text ? { text: parseText(text.image), span: context.tokenSpan(text) } : buildSpecName(context, form);
      const until = tokenOf(form, "until") ? buildVersion(form, "until", span) : undefined;
      return word === undefined || name.text === ""
        ? []
        : [{ kind: "clause", word, name, ...(until ? { until } : {}), span } satisfies NameClause];
    }
    case "textClause": {
      const word: TextClause["word"] = image === "unit" ? "unit" : "spec";
      const text = tokenOf(form, "StringLiteral");
      return text === undefined ? [] : [{ kind: "clause", word, text: parseText(text.image), span }];
    }
    case "namesClause": {
      const names = tokensOf(form, "names").map((token) => context.name(token, form));
      return names.length === 0 ? [] : [{ kind: "clause", word: "window", names, span } satisfies NamesClause];
    }
    default: {
      const word = wordsAlone.find((known) => known === image);
      return word === undefined ? [] : [{ kind: "clause", word, span } satisfies WordClause];
    }
  }
}

function buildVersion(form: CstNode, word: VersionClause["word"], span: Span): VersionClause | undefined {
  const node = nodeOf(form, "version");
  const version = node && tokenOf(node, "version")?.image;
  return version === undefined ? undefined : { kind: "clause", word, version, span };
}

function buildSpecName(context: BuildContext, clause: CstNode): Name {
  const node = nodeOf(clause, "specName");
  if (node === undefined) return context.name(undefined, clause);
  return context.joinedName(tokensOf(node, "pieces"), node);
}

/** `(Only if A negotiated)` behind a field is another way to write `if A`. */
export function buildRemark(context: BuildContext, node: CstNode | undefined): Clause[] {
  if (node === undefined) return [];
  const span = context.span(node);
  const expression = buildExpression(context, nodeOf(node, "expression"), span.end);
  return [{ kind: "clause", word: "if", expression, span }];
}

/** The name of a declaration, hyphens included. */
export function buildDeclaredName(context: BuildContext, node: CstNode | undefined): Name | undefined {
  if (node === undefined) return undefined;
  const pieces = tokensOf(node, "pieces");
  return pieces.length === 0 ? undefined : context.joinedName(pieces, node);
}

const typeKeywords = ["struct", "union", "enum"] as const;

/** A type by its name; `undefined` if even that is missing. */
export function buildNamedType(context: BuildContext, node: CstNode | undefined): NamedType | undefined {
  const name = node === undefined ? undefined : tokenOf(node, "Identifier");
  if (node === undefined || name === undefined) return undefined;
  const span = context.span(node);
  const content = nodeOf(node, "typeContent");
  const keyword = tokenOf(node, "keyword")?.image;
  const typeArguments = nodeOf(node, "typeArguments");
  return {
    kind: "named-type",
    keyword: typeKeywords.find((known) => known === keyword),
    name: context.name(name, node),
    contents: content === undefined ? [] : nodesOf(content, "typeMeaning").flatMap((one) => buildMeaning(context, one)),
    arguments:
      typeArguments === undefined
        ? []
        : nodesOf(typeArguments, "expression").map((argument) => buildExpression(context, argument, span.end)),
    span,
  };
}

function buildMeaning(context: BuildContext, node: CstNode): TypeContent[] {
  const name = tokenOf(node, "Identifier");
  if (name === undefined) return [];
  const span = context.span(node);
  const expression = (label: string) => {
    const found = nodeOf(node, label);
    return found && buildExpression(context, found, span.end);
  };
  const space = tokenOf(node, "space");
  return [
    {
      bitset: tokenOf(node, "Word_bitset") !== undefined,
      name: context.name(name, node),
      from: expression("from"),
      scale: expression("scale"),
      space: space && context.name(space, node),
      condition: expression("condition"),
      span,
    },
  ];
}
