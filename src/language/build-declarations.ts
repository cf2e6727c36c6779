import type { CstNode } from "chevrotain";
import type { BuildContext } from "./build-context.js";
import { buildClauses, buildNamedType } from "./build-clauses.js";
import { buildExpression } from "./build-expressions.js";
import { buildConstant, buildDefine, buildDimension, buildField, buildMembers, buildStruct } from "./build-layout.js";
import { buildAnswers, buildProtocol } from "./build-protocols.js";
import { buildRequest } from "./build-requests.js";
import { nodeOf, nodesOf, tokenOf } from "./cst.js";
import { tableWords } from "./keywords.js";
import { parseText } from "./literals.js";
import type {
  Declaration,
  DeviceDeclaration,
  EnumDeclaration,
  EnumMember,
  FeatureRule,
  MaskedEnum,
  QueueDeclaration,
  TopLevel,
} from "./syntax-tree.js";

/** A declaration at the top of a file; nothing if it could not be read at all. */
export function buildTopLevel(context: BuildContext, declaration: CstNode): TopLevel[] {
  const node = nodeOf(declaration, "node");
  switch (node?.name) {
    case "device":
      return [buildDevice(context, node)];
    case "import": {
      const path = tokenOf(node, "StringLiteral");
      return path === undefined ? [] : [{ kind: "import", path: parseText(path.image), span: context.span(node) }];
    }
    default:
      return buildDeclaration(context, declaration);
  }
}

function buildDevice(context: BuildContext, node: CstNode): DeviceDeclaration {
  const span = context.span(node);
  const id = nodeOf(node, "expression");
  const members = nodesOf(node, "declaration");
  for (const member of members) {
    const inner = nodeOf(member, "node");
    if (inner?.name !== "device" && inner?.name !== "import") continue;
    const what = inner.name === "import" ? "`import`" : "`device`";
    context.bag.report("unexpected-token", context.span(inner), { expected: "a declaration", found: what });
  }
  return {
    kind: "device",
    documentation: context.documentation(node),
    keyword: tokenOf(node, "keyword")?.image === "core" ? "core" : "device",
    name: context.name(tokenOf(node, "Identifier"), node),
    id: id && buildExpression(context, id, span.end),
    clauses: buildClauses(context, node),
    members: members.flatMap((member) => buildDeclaration(context, member)),
    span,
  };
}

function buildDeclaration(context: BuildContext, declaration: CstNode): Declaration[] {
  const node = nodeOf(declaration, "node");
  if (node === undefined) return [];
  const span = context.span(node);
  const documentation = context.documentation(node);
  const clauses = () => buildClauses(context, node);
  const name = () => context.name(tokenOf(node, "Identifier"), node);
  switch (node.name) {
    case "specSection": {
      const text = tokenOf(node, "StringLiteral");
      return text === undefined ? [] : [{ kind: "spec-section", text: parseText(text.image), span }];
    }
    case "features":
      return [{ kind: "features", clauses: clauses(), members: buildEntries(context, node).filter(isFeature), span }];
    case "config":
      return [{ kind: "config", documentation, clauses: clauses(), members: buildMembers(context, node), span }];
    case "registers":
      return [
        {
          kind: "registers",
          documentation,
          name: name(),
          clauses: clauses(),
          members: buildMembers(context, node),
          span,
        },
      ];
    case "queues":
      return [{ kind: "queues", members: buildQueues(context, node), span }];
    case "structDeclaration": {
      const layout = nodeOf(node, "layout");
      return layout === undefined ? [] : [buildStruct(context, layout, node)];
    }
    case "enumeration":
      return [buildEnum(context, node)];
    case "define":
      return [buildDefine(context, node)];
    case "constant":
      return [buildConstant(context, node)];
    case "letDeclaration": {
      const value = buildExpression(context, nodeOf(node, "expression"), span.end);
      return [{ kind: "let", documentation, name: name(), value, span }];
    }
    case "request":
      return [buildRequest(context, node)];
    case "protocol":
      return [buildProtocol(context, node)];
    case "answers":
      return [buildAnswers(context, node)];
    case "table": {
      const keyword = tokenOf(node, "keyword")?.image;
      const table = tableWords.find((known) => known === keyword) ?? "memory";
      const members = buildEntries(context, node).filter(isMember);
      return [{ kind: "table", documentation, table, clauses: clauses(), members, span }];
    }
    case "external":
      return [
        {
          kind: "external",
          documentation,
          name: name(),
          clauses: clauses(),
          members: buildMembers(context, node),
          span,
        },
      ];
    case "field":
      return [buildField(context, node)];
    default:
      return [];
  }
}

// ---- entries of enums, features and tables ----

type Entry = EnumMember | MaskedEnum | FeatureRule;

function isMember(entry: Entry): entry is EnumMember {
  return entry.kind === "enum-member";
}
function isFeature(entry: Entry): entry is EnumMember | FeatureRule {
  return entry.kind !== "masked-enum";
}
function isEnumEntry(entry: Entry): entry is EnumMember | MaskedEnum {
  return entry.kind !== "feature-rule";
}

function buildEntries(context: BuildContext, node: CstNode): Entry[] {
  const block = nodeOf(node, "entryBlock");
  if (block === undefined) return [];
  return nodesOf(block, "entry").flatMap((entry) => {
    const inner = nodeOf(entry, "node");
    return inner === undefined ? [] : buildEntry(context, inner);
  });
}

function buildEntry(context: BuildContext, node: CstNode): Entry[] {
  const span = context.span(node);
  const documentation = context.documentation(node);
  const name = context.name(tokenOf(node, "Identifier"), node);
  const expression = nodeOf(node, "expression");
  switch (node.name) {
    case "enumMember": {
      const end = nodeOf(node, "end");
      return [
        {
          kind: "enum-member",
          documentation,
          legacy: tokenOf(node, "Word_legacy") !== undefined,
          name,
          value: expression && buildExpression(context, expression, span.end),
          rangeEnd: end && buildExpression(context, end, span.end),
          type: buildNamedType(context, nodeOf(node, "namedType")),
          clauses: buildClauses(context, node),
          span,
        },
      ];
    }
    case "maskedEnum":
      return [
        {
          kind: "masked-enum",
          documentation,
          name,
          mask: buildExpression(context, expression, span.end),
          clauses: buildClauses(context, node),
          members: buildEntries(context, node).filter(isMember),
          span,
        },
      ];
    case "featureRule":
      return [{ kind: "feature-rule", documentation, condition: buildExpression(context, expression, span.end), span }];
    default:
      return [];
  }
}

function buildEnum(context: BuildContext, node: CstNode): EnumDeclaration {
  const name = tokenOf(node, "Identifier");
  return {
    kind: "enum",
    documentation: context.documentation(node),
    keyword: tokenOf(node, "keyword")?.image === "flags" ? "flags" : "enum",
    open: tokenOf(node, "Word_open") !== undefined,
    name: name && context.name(name, node),
    type: buildNamedType(context, nodeOf(node, "namedType")),
    clauses: buildClauses(context, node),
    members: buildEntries(context, node).filter(isEnumEntry),
    span: context.span(node),
  };
}

// ---- queues ----

function buildQueues(context: BuildContext, node: CstNode): QueueDeclaration[] {
  return nodesOf(node, "queueMember").flatMap((member) => {
    const queue = nodeOf(member, "node");
    return queue === undefined ? [] : [buildQueue(context, queue)];
  });
}

function buildQueue(context: BuildContext, node: CstNode): QueueDeclaration {
  const dimension = nodeOf(node, "dimension");
  const role = tokenOf(node, "role");
  return {
    kind: "queue",
    documentation: context.documentation(node),
    name: context.name(tokenOf(node, "Identifier"), node),
    count: dimension && buildDimension(context, dimension).length,
    role: role && context.name(role, node),
    message: buildNamedType(context, nodeOf(node, "namedType")),
    clauses: buildClauses(context, node),
    span: context.span(node),
  };
}
