import type { StructModel } from "./device-model.js";
import type { Facts } from "./facts.js";
import { pascalCase } from "./spec-names.js";
import { layoutInline } from "./struct-layout.js";
import type { StructDeclaration } from "../language/syntax-tree.js";
import type { Scope } from "./symbols.js";

/** A field outside of a struct, as some listings have it, is a message of that one field. */
export function looseStructs(scope: Scope, facts: Facts): readonly StructModel[] {
  return scope.looseFields.map((field) => {
    const declaration: StructDeclaration = {
      kind: "struct",
      documentation: field.documentation,
      keyword: "struct",
      name: undefined,
      parameters: [],
      clauses: [],
      members: [field],
      span: field.span,
    };
    const name = field.name?.text ?? "field";
    return layoutInline(declaration, {
      wanted: pascalCase(name),
      specName: name,
      scope,
      place: "message",
      encloser: scope.encloser,
      outer: { facts, scope },
    }).model;
  });
}
