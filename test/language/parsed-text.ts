import { DiagnosticBag, type Diagnostic } from "../../src/diagnostics/diagnostic.js";
import { positionAt } from "../../src/diagnostics/source.js";
import { parse } from "../../src/language/parse.js";
import type { Declaration, Expression, SourceFile, StructMember } from "../../src/language/syntax-tree.js";

/** A text that was read, and what was wrong with it. */
export interface Reading {
  readonly file: SourceFile;
  readonly diagnostics: readonly Diagnostic[];
  /** `2:7 VG1002 expected ..., found ...` for each, with the help if there is one. */
  readonly errors: readonly string[];
}

export function read(text: string): Reading {
  const bag = new DiagnosticBag();
  const file = parse({ name: "input.virtio", text }, bag);
  const diagnostics = bag.sorted();
  return { file, diagnostics, errors: diagnostics.map(showDiagnostic) };
}

export function showDiagnostic({ span, code, message, help }: Diagnostic): string {
  const { line, column } = positionAt(span.source, span.start);
  return `${String(line)}:${String(column)} ${code} ${message}${help === undefined ? "" : ` (${help})`}`;
}

/** Reads a text that must have no mistakes. */
export function readClean(text: string): SourceFile {
  const { file, errors } = read(text);
  if (errors.length > 0) throw new Error(`expected no errors, found\n${errors.join("\n")}`);
  return file;
}

/** The declarations of a device that has these lines in its block. */
export function declarations(text: string): readonly Declaration[] {
  const [device] = readClean(`device sample = 60 {\n${text}\n}\n`).items;
  if (device?.kind !== "device") throw new Error("expected a device");
  return device.members;
}

/** The one declaration of this kind in a text. */
export function declaration<Kind extends Declaration["kind"]>(
  kind: Kind,
  text: string,
): Extract<Declaration, { kind: Kind }> {
  const found = declarations(text).find((item): item is Extract<Declaration, { kind: Kind }> => item.kind === kind);
  if (found === undefined) throw new Error(`expected a declaration of kind ${kind}`);
  return found;
}

/** The members of a struct that has these lines in its block. */
export function members(text: string): readonly StructMember[] {
  return declaration("struct", `struct sample {\n${text}\n}`).members;
}

/** The only member of a struct. */
export function member<Kind extends StructMember["kind"]>(
  kind: Kind,
  text: string,
): Extract<StructMember, { kind: Kind }> {
  const [only, ...others] = members(text);
  const matches = (item: StructMember): item is Extract<StructMember, { kind: Kind }> => item.kind === kind;
  if (only === undefined || others.length > 0 || !matches(only)) throw new Error(`expected one member of kind ${kind}`);
  return only;
}

/** The expression that a text is, with all parentheses that it could have. */
export function expression(text: string): string {
  return showExpression(declaration("let", `let x = ${text};`).value);
}

export function showExpression(node: Expression | undefined): string {
  switch (node?.kind) {
    case undefined:
      return "none";
    case "number":
      return node.value.toString();
    case "text":
      return JSON.stringify(node.value);
    case "path":
      return node.segments.map((segment) => segment.text).join(".");
    case "unary":
      return `(${node.operator}${showExpression(node.operand)})`;
    case "binary":
      return `(${showExpression(node.left)} ${node.operator} ${showExpression(node.right)})`;
    case "conditional":
      return `(${showExpression(node.condition)} ? ${showExpression(node.whenTrue)} : ${showExpression(node.whenFalse)})`;
    case "sizeof":
      return `sizeof(${node.type.text})`;
    case "call":
      return `${node.callee.text}(${node.arguments.map(showExpression).join(", ")})`;
    case "missing":
      return "missing";
  }
}

/** A tree without places, and without what is empty or missing; names are their texts, expressions are shown. */
export function plain(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(plain);
  if (typeof node !== "object" || node === null) return node;
  if (isExpression(node)) return showExpression(node);
  const entries = Object.entries(node).filter(([key]) => key !== "span");
  const [only] = entries;
  if (entries.length === 1 && only?.[0] === "text") return only[1];
  return Object.fromEntries(
    entries
      .map(([key, value]): [string, unknown] => [key, plain(value)])
      .filter(([, value]) => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)),
  );
}

const expressionKinds: readonly unknown[] = ["number", "path", "unary", "binary", "conditional", "sizeof", "call", "missing"] satisfies Expression["kind"][]; // prettier-ignore

function isExpression(node: object): node is Expression {
  return "kind" in node && (expressionKinds.includes(node.kind) || (node.kind === "text" && "value" in node));
}

/** Fields and constants of a tree, one line each, indented by depth: enough to see that a listing was understood. */
export function outline(members: readonly (StructMember | Declaration)[], indent = ""): string[] {
  return members.flatMap((node): string[] => {
    switch (node.kind) {
      case "field": {
        const name = node.name?.text ?? "-";
        const type = node.type.kind === "struct" ? node.type.keyword : node.type.name.text;
        const sizes = node.dimensions.map(({ length }) => `[${length === undefined ? "" : showExpression(length)}]`);
        const bits = node.bits === undefined ? "" : `:${showExpression(node.bits)}`;
        const condition = node.clauses.find((clause) => clause.word === "if");
        const when = condition?.word === "if" ? ` if ${showExpression(condition.expression)}` : "";
        const inner = node.type.kind === "struct" ? outline(node.type.members, `${indent}  `) : [];
        return [`${indent}${type} ${name}${sizes.join("")}${bits}${when}`, ...inner];
      }
      case "struct":
        return [`${indent}${node.keyword} ${node.name?.text ?? "-"}`, ...outline(node.members, `${indent}  `)];
      case "constant":
        return [`${indent}${node.syntax} ${node.name.text} ${showExpression(node.value)}`];
      case "macro": {
        const parameters = node.parameters.map((parameter) => parameter.text).join(", ");
        return [`${indent}define ${node.name.text}(${parameters}) ${showExpression(node.value)}`];
      }
      case "enum":
        return [
          `${indent}enum ${node.name?.text ?? "-"}`,
          ...node.members.map((entry) => {
            const value = entry.kind === "enum-member" ? entry.value : entry.mask;
            return `${indent}  ${entry.name.text}${value === undefined ? "" : ` = ${showExpression(value)}`}`;
          }),
        ];
      default:
        return [`${indent}${node.kind}`];
    }
  });
}
