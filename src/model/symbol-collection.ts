import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Span } from "../diagnostics/source.js";
import type {
  Clause,
  Declaration,
  DeviceDeclaration,
  EnumDeclaration,
  EnumMember,
  FeaturesBlock,
  FieldDeclaration,
  MaskedEnum,
  Name,
  RequestPart,
  StructDeclaration,
  StructMember,
} from "../language/syntax-tree.js";
import {
  asName,
  declarationText,
  memberNames,
  memberPattern,
  namesTakenByAuthors,
  needsDevice,
  quietEncloser,
} from "./declared-names.js";
import {
  defaultMemberPattern,
  isSpecStyle,
  lowerPrefix,
  pascalCase,
  typeNames,
  uniqueName,
  upperPrefix,
  type NamePair,
  type NamingScope,
} from "./spec-names.js";
import type {
  ConstantSymbol,
  EnumSymbol,
  FeatureSymbol,
  MemberSymbol,
  Scope,
  StructSymbol,
  TypeSymbol,
  ValueSymbol,
} from "./symbols.js";
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
  const typesByName = new Map<string, TypeSymbol[]>();
  const valuesByName = new Map<string, ValueSymbol>();
  const featuresByName = new Map<string, FeatureSymbol>();
  const membersByName = new Map<string, { member: MemberSymbol; of: EnumSymbol }[]>();
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
    typesByName,
    valuesByName,
    featuresByName,
    membersByName,
  };
  const written = namesTakenByAuthors(options.declarations);
  const specNames = new Set(written.specNames);

  const duplicate = (what: string, name: string, span: Span, first: Span): void => {
    bag.report("duplicate-name", span, { what, name }, { labels: [{ span: first, message: "declared here first" }] });
  };
  const addType = (symbol: TypeSymbol): void => {
    const sameName = typesByName.get(symbol.name)?.find((other) => other.name === symbol.name);
    if (sameName) {
      duplicate("type", symbol.name, symbol.span, sameName.span);
      return;
    }
    for (const name of new Set([symbol.name, symbol.specName])) {
      const known = typesByName.get(name);
      if (!known) typesByName.set(name, [symbol]);
      // A name written by its author comes before an identifier of the specification that happens to be the same.
      else if (name === symbol.name) known.unshift(symbol);
      else if (known[0]?.name !== name) known.push(symbol);
    }
  };
  const addValue = (symbol: ValueSymbol): void => {
    const known = valuesByName.get(symbol.name);
    if (known) duplicate("constant", symbol.name, symbol.span, known.span);
    else valuesByName.set(symbol.name, symbol);
    if (!valuesByName.has(symbol.specName)) valuesByName.set(symbol.specName, symbol);
  };
  /** Short names of types, which must not collide with names that authors chose. */
  const shortNames = new Map<string, string>();
  const namesOf = (name: Name, clauses: readonly Clause[]): NamePair => {
    const own = asName(clauses);
    const pair = typeNames(name.text, own?.includes("*") === true ? undefined : own, naming);
    if (!isSpecStyle(name.text)) {
      // An identifier that is made up keeps clear of those that were written.
      return own === undefined || own.includes("*")
        ? { ...pair, specName: uniqueName(pair.specName, specNames) }
        : pair;
    }
    const owner = shortNames.get(pair.name);
    if (written.names.has(pair.name) || (owner !== undefined && owner !== name.text)) {
      return { name: pascalCase(name.text), specName: pair.specName };
    }
    shortNames.set(pair.name, name.text);
    return pair;
  };

  const addStruct = (declaration: StructDeclaration, place: "config" | "message", encloser: Encloser): void => {
    const inner = quietEncloser(declaration.clauses, declaration.name?.text ?? encloser.label, encloser);
    if (declaration.name && declaration.name.text !== "") {
      const symbol: StructSymbol = {
        kind: "struct",
        ...namesOf(declaration.name, declaration.clauses),
        scope,
        span: declaration.name.span,
        encloser,
        declaration,
        place,
      };
      addType(symbol);
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
    addValue(symbol);
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
    addValue(symbol);
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
        duplicate(declaration.keyword === "flags" ? "flag" : "enum member", symbol.name, symbol.span, known.span);
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
        ? namesOf(declaration.name, declaration.clauses)
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
    for (const member of members) {
      for (const name of new Set([member.name, member.specName])) {
        const known = membersByName.get(name);
        if (known) known.push({ member, of: symbol });
        else membersByName.set(name, [{ member, of: symbol }]);
      }
    }
    if (named) {
      addType(symbol);
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
      const known = featuresByName.get(symbol.name);
      if (known) {
        duplicate("feature", symbol.name, symbol.span, known.span);
        continue;
      }
      featuresByName.set(symbol.name, symbol);
      featuresByName.set(symbol.specName, symbol);
      scope.features.push(symbol);
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
        const pair = namesOf(declaration.name, declaration.clauses);
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
        addType(symbol);
        scope.externals.push(symbol);
        break;
      }
      case "request": {
        const inner = quietEncloser(declaration.clauses, declaration.name.text, encloser);
        if (declaration.name.text !== "") {
          const pair = namesOf(declaration.name, declaration.clauses);
          const symbol = {
            kind: "request",
            ...pair,
            scope,
            span: declaration.name.span,
            encloser,
            declaration,
          } as const;
          addType(symbol);
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
        addValue(symbol);
        scope.lets.push(symbol);
        break;
      }
      case "features":
        addFeatures(declaration, encloser);
        break;
      case "config":
        if (scope.config) duplicate("block", "config", declaration.span, scope.config.span);
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
