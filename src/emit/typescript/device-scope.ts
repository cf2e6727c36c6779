import type {
  DeviceModel,
  EnumModel,
  ExternalModel,
  FeatureModel,
  FieldModel,
  FieldType,
  Formula,
  Model,
  StructModel,
} from "../../model/device-model.js";
import { typesIn, type ModelTypes } from "../../model/request-failures.js";
import { EmitError } from "./emit-error.js";
import { constantCase, NameScope, pascalCase, snakeCase, withoutPrefix } from "./names.js";

/** What a struct's codec has to be given beside the bytes. */
export interface Needs {
  readonly features: boolean;
  /** First names of the config fields, as in the definition. */
  readonly config: readonly string[];
  readonly parameters: readonly string[];
}

/** Everything that one generated file is made from: the device, what it shares with others, and the names handed out. */
export class DeviceScope {
  readonly device: DeviceModel;
  /** In front of every type name: `Blk`. */
  readonly prefix: string;
  /** In front of every constant: `BLK`. */
  readonly constantPrefix: string;
  readonly enums: readonly EnumModel[];
  readonly structs: readonly StructModel[];
  readonly names: NameScope;
  /** All that the definition may mention, also what nothing is generated for. */
  readonly types: ModelTypes;
  readonly #enums = new Map<string, EnumModel>();
  readonly #structs = new Map<string, StructModel>();
  readonly #externals = new Map<string, ExternalModel>();
  readonly #features = new Map<string, FeatureModel>();
  readonly #typeNames = new Map<EnumModel | StructModel, string>();
  readonly #needs = new Map<StructModel, Needs>();

  constructor(device: DeviceModel, model: Model, reserved: readonly string[]) {
    this.device = device;
    this.prefix = pascalCase(device.name);
    this.constantPrefix = constantCase(device.name);
    this.names = new NameScope();
    for (const name of reserved) this.names.claim(name);
    const used = referenced(device, model);
    this.enums = [...model.shared.enums.filter((item) => used.has(item.name)), ...device.enums];
    const listings = requestListings(device);
    this.structs = [...model.shared.structs, ...device.structs].filter(
      (item) => used.has(item.name) || (device.structs.includes(item) && !listings.has(item.specName)),
    );
    for (const item of this.enums) this.#enums.set(item.name, item);
    for (const item of this.structs) this.#structs.set(item.name, item);
    for (const item of [...model.shared.externals, ...device.externals]) this.#externals.set(item.name, item);
    this.types = typesIn([model.shared, device]);
    for (const feature of device.features)
      if (!this.#features.has(feature.name)) this.#features.set(feature.name, feature);
    // What the definition names itself goes before what has the specification's name.
    const items: readonly (EnumModel | StructModel)[] = [...this.enums, ...this.structs];
    for (const item of items.filter((item) => !isSpecName(item.name))) this.#nameType(item);
    for (const item of items.filter((item) => isSpecName(item.name))) this.#nameType(item);
  }

  enum(name: string): EnumModel | undefined {
    return this.#enums.get(name);
  }
  struct(name: string): StructModel | undefined {
    return this.#structs.get(name);
  }
  requireStruct(name: string): StructModel {
    const struct = this.#structs.get(name);
    if (struct === undefined) throw new EmitError(`the unknown struct ${name}`, this.device.name);
    return struct;
  }
  external(name: string): ExternalModel | undefined {
    return this.#externals.get(name);
  }
  feature(name: string): FeatureModel | undefined {
    return this.#features.get(name);
  }

  /** The TypeScript name of an enum, flags or struct. */
  typeName(item: EnumModel | StructModel): string {
    const name = this.#typeNames.get(item);
    if (name === undefined)
      throw new EmitError(`${item.name}, which has no name in the generated file`, this.device.name);
    return name;
  }

  /** Features, config fields and parameters that the codec of a struct depends on, with those of what it contains. */
  needs(struct: StructModel): Needs {
    const known = this.#needs.get(struct);
    if (known !== undefined) return known;
    const found = { features: false, config: new Set<string>() };
    for (const formula of fieldFormulas(struct.fields)) collect(formula, found);
    if (struct.sizedTree !== null) collect(struct.sizedTree, found);
    for (const name of containedStructs(struct.fields)) {
      const inner = this.#structs.get(name);
      if (inner === undefined) continue;
      const needs = this.needs(inner);
      found.features ||= needs.features;
      for (const field of needs.config) found.config.add(field);
    }
    const needs: Needs = { features: found.features, config: [...found.config], parameters: struct.parameters };
    this.#needs.set(struct, needs);
    return needs;
  }

  #nameType(item: EnumModel | StructModel): void {
    const short = this.prefix + pascalCase(withoutPrefix(snakeCase(item.name), this.device.name));
    const name = this.names.claim(short, pascalCase(item.name), `${short}Struct`);
    if (name === undefined) throw new EmitError(`two types with the name ${short}`, this.device.name);
    this.#typeNames.set(item, name);
  }
}

function isSpecName(name: string): boolean {
  return /^virt(io|[a-z]+)_/.test(name);
}

/** Every formula in a list of fields. */
export function fieldFormulas(fields: readonly FieldModel[]): Formula[] {
  return formulasOf(fields, true);
}

/** Without the subjects of matches, which compare names. */
export function lengthFormulas(fields: readonly FieldModel[]): Formula[] {
  return formulasOf(fields, false);
}

function formulasOf(fields: readonly FieldModel[], withSubjects: boolean): Formula[] {
  const formulas: Formula[] = [];
  const add = (formula: Formula | null): void => {
    if (formula !== null) formulas.push(formula);
  };
  const addType = (type: FieldType): void => {
    if (typeof type === "string") return;
    if ("of" in type) {
      add(type.lengthTree);
      add(type.strideTree);
      add(type.endsTree);
      addType(type.of);
    } else if ("match" in type) {
      if (withSubjects) add(type.matchTree);
      for (const arm of type.arms) arm.arguments.forEach(add);
    } else type.arguments.forEach(add);
  };
  for (const field of fields) {
    if (field.moves || field.conditionTree !== null) add(field.conditionTree);
    add(field.sizedTree);
    addType(field.type);
  }
  return formulas;
}

/** Names of fields that formulas of the same list refer to. */
export function referredFields(
  fields: readonly FieldModel[],
  ...more: readonly (Formula | null)[]
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const formula of [...lengthFormulas(fields), ...more]) {
    if (formula === null) continue;
    visitFormula(formula, (part) => {
      if (part.op === "field" && part.scope === "self") names.add(part.path[0] ?? "");
    });
  }
  return names;
}

/** Names of the structs that fields contain directly. */
export function containedStructs(fields: readonly FieldModel[]): string[] {
  const names: string[] = [];
  const visit = (type: FieldType): void => {
    if (typeof type === "string") names.push(type);
    else if ("of" in type) visit(type.of);
    else if ("match" in type) for (const arm of type.arms) names.push(arm.struct);
    else names.push(type.struct);
  };
  for (const field of fields) visit(field.type);
  return names;
}

function collect(formula: Formula, found: { features: boolean; config: Set<string> }): void {
  visitFormula(formula, (part) => {
    if (part.op === "feature") found.features = true;
    if (part.op === "config") found.config.add(part.path[0] ?? "");
  });
}

/** Calls `visit` for a formula and all its parts. */
export function visitFormula(formula: Formula, visit: (part: Formula) => void): void {
  visit(formula);
  switch (formula.op) {
    case "unary":
      visitFormula(formula.operand, visit);
      break;
    case "binary":
      visitFormula(formula.left, visit);
      visitFormula(formula.right, visit);
      break;
    case "conditional":
      visitFormula(formula.condition, visit);
      visitFormula(formula.whenTrue, visit);
      visitFormula(formula.whenFalse, visit);
      break;
    case "call":
      for (const argument of formula.arguments) visitFormula(argument, visit);
      break;
    case "number":
    case "feature":
    case "config":
    case "field":
    case "parameter":
    case "index":
      break;
  }
}

/** Specification's names of structs that only list what a request is made of: requests have types of their own. */
function requestListings(device: DeviceModel): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (name: string | null): void => {
    if (name !== null) names.add(name);
  };
  for (const request of device.requests) {
    add(request.specName);
    for (const variant of request.variants) {
      add(variant.specName);
      add(variant.readableSpecName);
      for (const reply of variant.replies) add(reply.specName);
    }
  }
  return names;
}

/** Names of declarations that a device's layouts refer to, with what those use. */
function referenced(device: DeviceModel, model: Model): ReadonlySet<string> {
  const used = new Set<string>();
  const shared = new Map(model.shared.structs.map((struct) => [struct.name, struct]));
  const listings = requestListings(device);
  const pending: FieldModel[] = [...(device.config?.fields ?? [])];
  for (const struct of device.structs) if (!listings.has(struct.specName)) pending.push(...struct.fields);
  for (const request of device.requests) {
    for (const variant of request.variants) {
      pending.push(...variant.readable, ...variant.replies.flatMap((reply) => reply.writable));
    }
  }
  const structs = new Map([...shared, ...device.structs.map((struct) => [struct.name, struct] as const)]);
  const add = (name: string): void => {
    if (used.has(name)) return;
    used.add(name);
    pending.push(...(structs.get(name)?.fields ?? []));
  };
  for (const queue of device.queues) add(queue.message);
  for (const table of device.tables) for (const entry of table.entries) if (entry.type !== null) add(entry.type);
  for (let field = pending.pop(); field !== undefined; field = pending.pop()) {
    for (const name of [
      ...containedStructs([field]),
      field.enum,
      field.flags,
      field.bitset,
      ...field.meanings.map(({ type }) => type),
    ])
      if (name !== null) add(name);
  }
  return used;
}
