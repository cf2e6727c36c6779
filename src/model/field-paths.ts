import type { FieldDeclaration, MatchFields, Name, StructMember } from "../language/syntax-tree.js";
import { reportUnknown, reportWrongKind, type Facts } from "./facts.js";
import { resolveType, type ResolvedType } from "./field-types.js";
import type { EnumSymbol, Scope } from "./symbols.js";

export type NamedMember = FieldDeclaration | MatchFields;

const fieldsByMembers = new WeakMap<readonly StructMember[], ReadonlyMap<string, NamedMember>>();

/** The fields of a struct by name, those of anonymous structs and unions inside of it among them (as in C). */
export function fieldsOf(members: readonly StructMember[]): ReadonlyMap<string, NamedMember> {
  const known = fieldsByMembers.get(members);
  if (known) return known;
  const fields = new Map<string, NamedMember>();
  collect(members, fields);
  fieldsByMembers.set(members, fields);
  return fields;
}

function collect(members: readonly StructMember[], fields: Map<string, NamedMember>): void {
  for (const member of members) {
    switch (member.kind) {
      case "field":
        if (isHoisted(member)) {
          if (member.type.kind === "struct") collect(member.type.members, fields);
        } else if (member.name && !fields.has(member.name.text)) {
          fields.set(member.name.text, member);
        }
        break;
      case "conditional-fields":
        collect(member.whenTrue, fields);
        collect(member.whenFalse, fields);
        break;
      case "match-fields":
        if (member.name && !fields.has(member.name.text)) fields.set(member.name.text, member);
        break;
      case "constant":
      case "macro":
        break;
    }
  }
}

/** `struct { ... };` inside of a struct: its fields belong to the outer one. */
export function isHoisted(field: FieldDeclaration): boolean {
  return field.name === undefined && field.type.kind === "struct" && field.type.name === undefined;
}

/** `struct x { ... };` inside of a struct: declares a type, takes no place. */
export function isTypeOnly(field: FieldDeclaration): boolean {
  return field.name === undefined && field.type.kind === "struct" && field.type.name !== undefined;
}

/** Where a path leads. */
export interface FoundField {
  readonly member: NamedMember;
  readonly type: ResolvedType;
}

/**
 * Follows a path from field to field. Undefined if no field has its first name; `broken` if it goes wrong later, which is
 * reported. External types travel as bytes: only with `inExternals` does a path lead to what a definition says of them.
 */
export function findPath(
  members: readonly StructMember[],
  path: readonly Name[],
  scope: Scope,
  facts: Facts,
  inExternals = false,
): FoundField | "broken" | undefined {
  let fields = fieldsOf(members);
  let at: Scope = scope;
  let found: FoundField | undefined;
  for (const [index, name] of path.entries()) {
    const member = fields.get(name.text);
    if (!member) {
      if (index === 0) return undefined;
      const candidates = fields;
      reportUnknown(facts, scope, "field", name, () => candidates.keys());
      return "broken";
    }
    const type: ResolvedType = member.kind === "field" ? resolveType(member.type, at, facts) : { kind: "broken" };
    found = { member, type };
    if (index === path.length - 1) break;
    if (member.kind === "field" && member.dimensions.length === 0 && type.kind === "struct") {
      fields = fieldsOf(type.symbol.declaration.members);
      at = type.symbol.scope;
    } else if (member.kind === "field" && member.dimensions.length === 0 && type.kind === "inline") {
      fields = fieldsOf(type.declaration.members);
    } else if (inExternals && isKnownInside(member, type)) {
      fields = fieldsOf(type.symbol.declaration.members);
      at = type.symbol.scope;
    } else if (member.kind === "match-fields") {
      fields = fieldsOfArms(member, path[index + 1]);
    } else {
      if (type.kind !== "broken") {
        reportWrongKind(facts, scope, name, { expected: "a struct", found: memberText(member, type) });
      }
      return "broken";
    }
  }
  return found;
}

/** An external type of which the definition says something. */
function isKnownInside(member: NamedMember, type: ResolvedType): type is ResolvedType & { readonly kind: "external" } {
  if (member.kind !== "field" || member.dimensions.length > 0 || type.kind !== "external") return false;
  return type.symbol.declaration.members.length > 0;
}

/** The fields of the arm that has the one that is looked for: which arm is taken is for the tag to say. */
function fieldsOfArms(match: MatchFields, wanted: Name | undefined): ReadonlyMap<string, NamedMember> {
  const all = new Map<string, NamedMember>();
  for (const arm of match.arms) {
    const fields = fieldsOf(arm.body);
    if (wanted !== undefined && fields.has(wanted.text)) return fields;
    for (const [name, field] of fields) all.set(name, field);
  }
  return all;
}

/** Checks that a field is a number, as formulas need; reports if not. */
export function isNumber(found: FoundField, name: Name, facts: Facts): boolean {
  const { member, type } = found;
  if (member.kind === "field" && type.kind === "broken") return false;
  if (member.kind === "field" && type.kind === "scalar" && member.dimensions.length === 0) return true;
  facts.bag.report("wrong-operand", name.span, { expected: "a number", found: memberText(member, type) });
  return false;
}

/** The enum whose members a field's value can be. */
export function enumOfField(found: FoundField): EnumSymbol | null {
  if (found.type.kind !== "scalar" || found.type.content === null) return null;
  const { content } = found.type;
  return content.kind === "enum" || content.kind === "flags" ? content.symbol : null;
}

function memberText(member: NamedMember, type: ResolvedType): string {
  if (member.kind === "match-fields") return "a match";
  if (member.dimensions.length > 0) return "an array";
  switch (type.kind) {
    case "scalar":
      return "a number";
    case "struct":
    case "inline":
      return "a struct";
    case "external":
      return "an external type";
    case "broken":
      return "broken";
  }
}
