import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type {
  Declaration,
  DeviceDeclaration,
  EnumDeclaration,
  EnumMember,
  FeaturesBlock,
  FieldDeclaration,
  MaskedEnum,
  RequestPart,
  StructDeclaration,
  StructMember,
} from "../language/syntax-tree.js";
import { asName, declarationText, memberNames, memberPattern, needsDevice, quietEncloser } from "./declared-names.js";
import { ScopeNames } from "./scope-names.js";
import { defaultMemberPattern, lowerPrefix, upperPrefix, type NamingScope } from "./spec-names.js";
import type { ConstantSymbol, EnumSymbol, FeatureSymbol, MemberSymbol, Scope, StructSymbol } from "./symbols.js";
import type { Encloser } from "./versions.js";

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] extends readonly (infer Item)[] ? Item[] : Type[Key] };

/** Everything that is declared in one device, or outside of all of them. */
export function collectSymbols(options: {
  readonly naming: NamingScope;
  readonly device: DeviceDeclaration | null;
  readonly encloser: Encloser;
  readonly parent: Scope | null;
  readonly core: Scope | null;
  readonly declarations: readonly Declaration[];
  readonly bag: DiagnosticBag;
}): Scope {
  const { naming, bag } = options;
  const names = new ScopeNames(naming, options.declarations, bag);
  const scope: Writable<Scope> = {
    naming,
    device: options.device,
    encloser: options.encloser,
    parent: options.parent,
    core: options.core,
    structs: [],
    enums: [],
    anonymousEnums: [],
    externals: [],
    requests: [],
    constants: [],
    macros: [],
    lets: [],
    features: [],
    featureBlocks: [],
    featureRules: [],
    config: null,
    queues: [],
    tables: [],
    registers: [],
    protocols: [],
    answers: [],
    looseFields: [],
    typesByName: names.types,
    valuesByName: names.values,
    featuresByName: names.features,
    membersByName: names.members,
  };

  const addStruct = (declaration: StructDeclaration, place: "config" | "message", encloser: Encloser): void => {
    const inner = quietEncloser(declaration.clauses, declaration.name?.text ?? encloser.label, encloser);
    if (declaration.name && declaration.name.text !== "") {
      const symbol: StructSymbol = {
        kind: "struct",
        ...names.ofType(declaration.name, declaration.clauses),
        scope,
        span: declaration.name.span,
        encloser,
        declaration,
        place,
      };
      names.addType(symbol);
      scope.structs.push(symbol);
    }
    addMembers(declaration.members, place, inner);
  };
  const addConstant = (declaration: ConstantSymbol["declaration"], encloser: Encloser): void => {
    if (declaration.name.text === "") return;
    const name = declaration.name.text;
    const symbol: ConstantSymbol = {
      kind: "constant",
      name,
      specName: asName(declaration.clauses) ?? name,
      scope,
      span: declaration.name.span,
      encloser,
      declaration,
    };
    names.addValue(symbol);
    scope.constants.push(symbol);
  };
  const addField = (field: FieldDeclaration, place: "config" | "message", encloser: Encloser): void => {
    if (field.type.kind !== "struct") return;
    addStruct(field.type, place, quietEncloser(field.clauses, field.name?.text ?? encloser.label, encloser));
  };
  const addMembers = (members: readonly StructMember[], place: "config" | "message", encloser: Encloser): void => {
    for (const member of members) {
      switch (member.kind) {
        case "field":
          addField(member, place, encloser);
          break;
        case "conditional-fields":
          addMembers(member.whenTrue, place, encloser);
          addMembers(member.whenFalse, place, encloser);
          break;
        case "match-fields":
          for (const arm of member.arms)
            addMembers(arm.body, place, quietEncloser(arm.clauses, encloser.label, encloser));
          break;
        case "constant":
          addConstant(member, encloser);
          break;
        case "macro":
          addMacro(member, encloser);
          break;
      }
    }
  };
  const addMacro = (declaration: Extract<Declaration, { kind: "macro" }>, encloser: Encloser): void => {
    const name = declaration.name.text;
    if (name === "") return;
    const span = declaration.name.span;
    const symbol = { kind: "macro", name, specName: name, scope, span, encloser, declaration } as const;
    names.addValue(symbol);
    scope.macros.push(symbol);
  };
  const addParts = (parts: readonly RequestPart[], encloser: Encloser): void => {
    for (const part of parts) {
      switch (part.kind) {
        case "stream":
          addMembers(part.members, "message", encloser);
          break;
        case "match-part":
          for (const arm of part.arms) addParts(arm.body, quietEncloser(arm.clauses, encloser.label, encloser));
          break;
        case "struct-part":
          addParts(part.parts, quietEncloser(part.clauses, part.name.text, encloser));
          break;
        case "conditional-part":
          addParts(part.whenTrue, encloser);
          addParts(part.whenFalse, encloser);
          break;
      }
    }
  };
  const addEnum = (declaration: EnumDeclaration, encloser: Encloser): void => {
    const pattern = memberPattern(declaration.clauses) ?? defaultMemberPattern(naming);
    const members: MemberSymbol[] = [];
    const seen = new Map<string, MemberSymbol>();
    const addMember = (member: EnumMember, own: string, masked: MaskedEnum | null): void => {
      if (member.name.text === "") return;
      const pair = memberNames(member, own);
      const symbol: MemberSymbol = { kind: "member", ...pair, declaration: member, span: member.name.span, masked };
      const known = seen.get(symbol.name);
      if (known) {
        names.duplicate(declaration.keyword === "flags" ? "flag" : "enum member", symbol.name, symbol.span, known.span);
        return;
      }
      seen.set(symbol.name, symbol);
      members.push(symbol);
    };
    for (const member of declaration.members) {
      if (member.kind === "enum-member") addMember(member, pattern, null);
      else for (const inner of member.members) addMember(inner, memberPattern(member.clauses) ?? pattern, member);
    }
    const named = declaration.name !== undefined && declaration.name.text !== "";
    const pair =
      declaration.name && named
        ? names.ofType(declaration.name, declaration.clauses)
        : { name: "", specName: lowerPrefix(naming) + "constants" };
    const symbol: EnumSymbol = {
      kind: "enum",
      ...pair,
      scope,
      span: declaration.name?.span ?? declaration.span,
      encloser,
      declaration,
      members,
    };
    names.addMembers(symbol);
    if (named) {
      names.addType(symbol);
      scope.enums.push(symbol);
    } else {
      scope.anonymousEnums.push(symbol);
    }
  };
  const addFeatures = (block: FeaturesBlock, encloser: Encloser): void => {
    scope.featureBlocks.push(block);
    const pattern = memberPattern(block.clauses) ?? `${upperPrefix(naming)}F_*`;
    const inner = quietEncloser(block.clauses, "features", encloser);
    for (const member of block.members) {
      if (member.kind === "feature-rule") {
        scope.featureRules.push(member);
        continue;
      }
      if (member.name.text === "") continue;
      const pair = memberNames(member, pattern);
      const symbol: FeatureSymbol = {
        kind: "feature",
        ...pair,
        scope,
        span: member.name.span,
        encloser: inner,
        declaration: member,
      };
      if (names.addFeature(symbol)) scope.features.push(symbol);
    }
  };

  for (const declaration of options.declarations) {
    const { encloser } = options;
    if (options.device === null && needsDevice(declaration)) {
      bag.report("only-in-device", declaration.span, { what: declarationText(declaration) });
      continue;
    }
    switch (declaration.kind) {
      case "spec-section":
        break;
      case "struct":
        addStruct(declaration, "message", encloser);
        break;
      case "enum":
        addEnum(declaration, encloser);
        break;
      case "external": {
        if (declaration.name.text === "") break;
        const pair = names.ofType(declaration.name, declaration.clauses);
        const specName = asName(declaration.clauses) ?? declaration.name.text;
        const symbol = {
          kind: "external",
          ...pair,
          specName,
          scope,
          span: declaration.name.span,
          encloser,
          declaration,
        } as const;
        names.addType(symbol);
        scope.externals.push(symbol);
        addMembers(declaration.members, "message", quietEncloser(declaration.clauses, declaration.name.text, encloser));
        break;
      }
      case "request": {
        const inner = quietEncloser(declaration.clauses, declaration.name.text, encloser);
        if (declaration.name.text !== "") {
          const pair = names.ofType(declaration.name, declaration.clauses);
          const symbol = {
            kind: "request",
            ...pair,
            scope,
            span: declaration.name.span,
            encloser,
            declaration,
          } as const;
          names.addType(symbol);
          scope.requests.push(symbol);
        }
        addParts(declaration.parts, inner);
        break;
      }
      case "constant":
        addConstant(declaration, encloser);
        break;
      case "macro":
        addMacro(declaration, encloser);
        break;
      case "let": {
        const name = declaration.name.text;
        if (name === "") break;
        const symbol = {
          kind: "let",
          name,
          specName: name,
          scope,
          span: declaration.name.span,
          encloser,
          declaration,
        } as const;
        names.addValue(symbol);
        scope.lets.push(symbol);
        break;
      }
      case "features":
        addFeatures(declaration, encloser);
        break;
      case "config":
        if (scope.config) names.duplicate("block", "config", declaration.span, scope.config.span);
        else scope.config = declaration;
        addMembers(declaration.members, "config", quietEncloser(declaration.clauses, "config", encloser));
        break;
      case "queues":
        scope.queues.push(...declaration.members);
        break;
      case "table":
        scope.tables.push(declaration);
        break;
      case "protocol":
        scope.protocols.push(declaration);
        break;
      case "answers":
        scope.answers.push(declaration);
        break;
      case "registers":
        scope.registers.push(declaration);
        addMembers(declaration.members, "config", quietEncloser(declaration.clauses, declaration.name.text, encloser));
        break;
      case "field":
        scope.looseFields.push(declaration);
        addField(declaration, "message", encloser);
        break;
    }
  }
  return scope;
}
