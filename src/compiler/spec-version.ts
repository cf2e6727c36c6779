import type {
  ConfigModel,
  DeviceModel,
  EnumModel,
  FeatureModel,
  FieldModel,
  FieldType,
  Formula,
  Model,
  ProtocolModel,
  QueueModel,
  RegistersModel,
  ReplyModel,
  RequestModel,
  SharedModel,
  SpecVersion,
  StructModel,
  VariantModel,
} from "../model/device-model.js";
import { subdivided, withEarlierNames } from "./earlier-names.js";
import { replaceLeaves } from "../model/formula-building.js";
import { formulaText } from "../model/formula-text.js";
import { constantOf, numberFormula } from "../model/formula-values.js";
import { constantsOf } from "./superseded.js";
import { isReservedName } from "../model/spec-names.js";
import { compareVersions } from "../model/versions.js";

/** What is left out, as far as what stays may mention it. */
interface Removed {
  readonly version: SpecVersion;
  readonly features: ReadonlySet<string>;
  readonly structs: ReadonlySet<string>;
  /** Later structs that only subdivide a number: an earlier release has the number. */
  readonly numbers: ReadonlyMap<string, FieldType>;
  /** `enum member`. */
  readonly members: ReadonlySet<string>;
}

/**
 * The model as an earlier release of the specification had it: without what came later, and without what was gone by then.
 * A feature that is left out counts as not negotiated wherever a formula asks for it.
 */
export function restrictToVersion(model: Model, version: SpecVersion): Model {
  const restricted: Model = {
    ...model,
    devices: model.devices
      .filter((device) => compareVersions(device.since, version) <= 0)
      .map((device) => restrictDevice(device, model.shared, version)),
    shared: restrictShared(model.shared, removedFrom([model.shared], version)),
  };
  return withEarlierNames(keepUsedStructs(restricted, version), version);
}

/**
 * Takes away the structs that came later, but for those that a field of today is made of: a field may have got a struct for
 * its type in a later release, with the same layout.
 */
function keepUsedStructs(model: Model, version: SpecVersion): Model {
  const present = isIn(version);
  const used = new Set<string>();
  const waiting: FieldModel[] = [];
  const rooms: readonly SharedModel[] = [model.shared, ...model.devices];
  const structs = new Map<string, StructModel[]>();
  for (const struct of rooms.flatMap((room) => room.structs)) {
    structs.set(struct.name, [...(structs.get(struct.name) ?? []), struct]);
    if (present(struct)) waiting.push(...struct.fields);
  }
  for (const device of model.devices) {
    waiting.push(...(device.config?.fields ?? []));
    for (const { variants } of device.requests) {
      for (const { readable, replies } of variants) {
        waiting.push(...readable, ...replies.flatMap((reply) => reply.writable));
      }
    }
  }
  for (let field = waiting.pop(); field; field = waiting.pop()) {
    for (const name of structsOf(field.type)) {
      if (used.has(name)) continue;
      used.add(name);
      waiting.push(...(structs.get(name) ?? []).flatMap((struct) => struct.fields));
    }
  }
  const keep = <Room extends SharedModel>(room: Room): Room => ({
    ...room,
    structs: room.structs.filter((struct) => present(struct) || used.has(struct.name)),
  });
  return { ...model, devices: model.devices.map(keep), shared: keep(model.shared) };
}

/** Names of what a type is made of. */
function structsOf(type: FieldType): readonly string[] {
  if (typeof type === "string") return [type];
  if ("of" in type) return structsOf(type.of);
  if ("struct" in type) return [type.struct];
  return type.arms.map((arm) => arm.struct);
}

interface Dated {
  readonly since: SpecVersion;
  readonly until?: SpecVersion | null;
}

function isIn(version: SpecVersion): (item: Dated) => boolean {
  return ({ since, until }) => compareVersions(since, version) <= 0 && (!until || compareVersions(until, version) >= 0);
}

function removedFrom(
  rooms: readonly SharedModel[],
  version: SpecVersion,
  features: readonly FeatureModel[] = [],
): Removed {
  const gone = (item: Dated): boolean => !isIn(version)(item);
  const enums = rooms.flatMap((room) => room.enums);
  return {
    version,
    features: new Set(features.filter(gone).map(({ name }) => name)),
    structs: new Set(rooms.flatMap((room) => room.structs.filter(gone).map(({ name }) => name))),
    numbers: new Map(
      rooms.flatMap((room) =>
        room.structs.filter(gone).flatMap((struct) => {
          const number = subdivided(struct);
          return number === undefined ? [] : [[struct.name, number] as const];
        }),
      ),
    ),
    members: new Set(
      enums.flatMap(({ name, members }) => members.filter(gone).map((member) => `${name} ${member.name}`)),
    ),
  };
}

function restrictDevice(device: DeviceModel, shared: SharedModel, version: SpecVersion): DeviceModel {
  const removed = removedFrom([shared, device], version, device.features);
  const present = isIn(version);
  const groups = (all: FeatureModel["requires"]): FeatureModel["requires"] =>
    all.map((group) => group.filter((name) => !removed.features.has(name))).filter((group) => group.length > 0);
  return {
    ...device,
    ...restrictShared(device, removed),
    features: device.features
      .filter(present)
      .map((feature) => ({ ...feature, requires: groups(feature.requires), offers: groups(feature.offers) })),
    featureRules: device.featureRules.flatMap((rule) => {
      const conditionTree = without(rule.conditionTree, removed);
      return constantOf(conditionTree) === null
        ? [{ ...rule, conditionTree, condition: formulaText(conditionTree) }]
        : [];
    }),
    config: device.config && restrictConfig(device.config, removed),
    requests: device.requests.filter(present).map((request) => restrictRequest(request, removed)),
    queues: device.queues.filter(present).flatMap((queue) => restrictQueue(queue, removed)),
    sharedMemory: device.sharedMemory.filter(present).flatMap((region) => conditional(region, removed)),
    tables: device.tables.map((table) => ({ ...table, entries: table.entries.filter(present) })),
    registers: device.registers.filter(present).map((registers) => restrictRegisters(registers, removed)),
    protocols: device.protocols.filter(present).flatMap((protocol) => restrictProtocol(protocol, removed)),
    answers: device.answers.filter(present).map((answers) => ({
      ...answers,
      rules: answers.rules.filter(present).flatMap((rule) => conditional(rule, removed)),
    })),
  };
}

function restrictShared(room: SharedModel, removed: Removed): SharedModel {
  const present = isIn(removed.version);
  const enums = room.enums.filter(present).map((declared) => restrictEnum(declared, present));
  return {
    enums,
    // Those that are not present may still be what a field is made of: see keepUsedStructs.
    structs: room.structs.map((struct) => restrictStruct(struct, removed)),
    externals: room.externals
      .filter(present)
      .map((external) => ({ ...external, fields: restrictFields(external.fields, removed) })),
    constants: constantsOf(room.constants.filter(present), room.enums, enums),
  };
}

function restrictEnum(declared: EnumModel, present: (item: Dated) => boolean): EnumModel {
  return {
    ...declared,
    members: declared.members.filter(present),
    masked: declared.masked.map((masked) => ({ ...masked, members: masked.members.filter(present) })),
  };
}

function restrictConfig(config: ConfigModel, removed: Removed): ConfigModel {
  const left = restrictFields(config.fields, removed);
  const names = new Set(left.map(({ name }) => name));
  const fields = left.map((field) =>
    field.clears === null || names.has(field.clears) ? field : { ...field, clears: null },
  );
  return { ...config, fields, size: sizeOf(config.fields, fields, config.size) };
}

function restrictRegisters(registers: RegistersModel, removed: Removed): RegistersModel {
  const fields = restrictFields(registers.fields, removed);
  return { ...registers, fields, size: sizeOf(registers.fields, fields, registers.size) ?? registers.size };
}

function restrictStruct(struct: StructModel, removed: Removed): StructModel {
  // A later struct that a field of today is made of keeps the fields that it came with: see keepUsedStructs.
  const first = compareVersions(struct.since, removed.version) > 0 ? struct.since : removed.version;
  const fields = restrictFields(struct.fields, { ...removed, version: first });
  const sizedTree = struct.sizedTree && without(struct.sizedTree, removed);
  // `sized` says how large it is, whatever is in it.
  const size = sizedTree ? struct.size : sizeOf(struct.fields, fields, struct.size);
  return { ...struct, fields, sizedTree, size, minSize: Math.min(struct.minSize, size ?? struct.minSize) };
}

/** New fields come at the end, so what is left ends where its last field does. */
function sizeOf(all: readonly FieldModel[], left: readonly FieldModel[], size: number | null): number | null {
  if (size === null || left.length === all.length) return size;
  return Math.max(0, ...left.map((field) => (field.offset ?? 0) + (field.size ?? 0)));
}

function restrictRequest(request: RequestModel, removed: Removed): RequestModel {
  const variants = request.variants
    .filter(isIn(removed.version))
    .flatMap((variant) => restrictVariant(variant, removed));
  return { ...request, variants };
}

function restrictVariant(variant: VariantModel, removed: Removed): readonly VariantModel[] {
  const enumOf = new Map(variant.readable.map((field) => [field.name, field.enum ?? ""]));
  const tags = variant.tags.map((tag) => ({
    ...tag,
    patterns: tag.patterns.filter(({ name }) => !removed.members.has(`${enumOf.get(tag.field) ?? ""} ${name ?? ""}`)),
  }));
  // No patterns at all would mean "anything else".
  if (tags.some((tag, index) => tag.patterns.length === 0 && variant.tags[index]?.patterns.length !== 0)) return [];
  const conditionTree = variant.conditionTree && without(variant.conditionTree, removed);
  if (conditionTree && constantOf(conditionTree) === 0n) return [];
  return [
    {
      ...variant,
      tags,
      conditionTree: conditionTree && constantOf(conditionTree) === null ? conditionTree : null,
      readable: restrictFields(variant.readable, removed),
      replies: variant.replies.filter(isIn(removed.version)).flatMap((reply) => restrictReply(reply, removed)),
    },
  ];
}

function restrictReply(reply: ReplyModel, removed: Removed): readonly ReplyModel[] {
  const conditionTree = reply.conditionTree && without(reply.conditionTree, removed);
  const constant = conditionTree && constantOf(conditionTree);
  if (constant === 0n) return [];
  const writable = restrictFields(reply.writable, removed);
  return [{ ...reply, conditionTree: constant === null ? conditionTree : null, writable }];
}

function restrictQueue(queue: QueueModel, removed: Removed): readonly QueueModel[] {
  const indexTree = without(queue.indexTree, removed);
  const countTree = without(queue.countTree, removed);
  const mergedWhen = queue.merged?.conditionTree ? without(queue.merged.conditionTree, removed) : null;
  const never = mergedWhen !== null && constantOf(mergedWhen) === 0n;
  const restricted: QueueModel = {
    ...queue,
    indexTree,
    index: formulaText(indexTree),
    countTree,
    count: formulaText(countTree),
    merged: queue.merged && !never ? { ...queue.merged, conditionTree: mergedWhen } : null,
    holdsTree: queue.holdsTree && without(queue.holdsTree, removed),
    postedTree: queue.postedTree && without(queue.postedTree, removed),
  };
  return conditional(restricted, removed);
}

function restrictProtocol(protocol: ProtocolModel, removed: Removed): readonly ProtocolModel[] {
  const present = isIn(removed.version);
  const states = protocol.states.filter(present);
  const left = new Set(["any", ...states.map(({ name }) => name)]);
  const transitions = protocol.transitions
    .filter(present)
    .filter(({ to }) => to === null || left.has(to))
    .map((step) => ({ ...step, from: step.from.filter((state) => left.has(state)) }))
    .filter(({ from }) => from.length > 0)
    .flatMap((step) => conditional(step, removed));
  const counters = protocol.counters.filter(present).flatMap((counter) => conditional(counter, removed));
  return conditional({ ...protocol, states, transitions, counters }, removed);
}

function restrictFields(fields: readonly FieldModel[], removed: Removed): readonly FieldModel[] {
  return fields
    .flatMap((field) => inVersion(field, removed.version))
    .flatMap((field) => conditional(restrictField(field, removed), removed));
}

/**
 * A field in an earlier release. `was reserved` on one that came later: the bytes were there before, without a meaning, and
 * so is what replaced them.
 */
function inVersion(field: FieldModel, version: SpecVersion): readonly FieldModel[] {
  if (isIn(version)(field)) return [field];
  const isLater = compareVersions(field.since, version) > 0;
  if (!isLater || field.was === null || !isReservedName(field.was) || field.size === null) return [];
  return [
    {
      ...field,
      name: field.was,
      specName: field.was,
      doc: "",
      since: version,
      reserved: true,
      was: null,
      conditionTree: null,
      condition: null,
      enum: null,
      flags: null,
      bitset: null,
      meanings: [],
      constraint: null,
      constraintTree: null,
      validTree: null,
      unit: null,
    },
  ];
}

function restrictField(field: FieldModel, removed: Removed): FieldModel {
  const constraintTree = field.constraintTree && without(field.constraintTree, removed);
  const constraint = constraintTree && constantOf(constraintTree) === null ? constraintTree : null;
  return {
    ...field,
    type: restrictType(field.type, removed),
    validTree: field.validTree && without(field.validTree, removed),
    sizedTree: field.sizedTree && without(field.sizedTree, removed),
    meanings: field.meanings.flatMap((meaning) => conditional(meaning, removed)),
    constraintTree: constraint,
    constraint: constraint && formulaText(constraint),
  };
}

function restrictType(type: FieldType, removed: Removed): FieldType {
  if (typeof type === "string") return removed.numbers.get(type) ?? type;
  if ("struct" in type) return { ...type, arguments: type.arguments.map((value) => without(value, removed)) };
  if ("match" in type) {
    const matchTree = without(type.matchTree, removed);
    return {
      ...type,
      matchTree,
      match: formulaText(matchTree),
      arms: type.arms
        .filter((arm) => !removed.structs.has(arm.struct))
        .map((arm) => ({ ...arm, arguments: arm.arguments.map((value) => without(value, removed)) })),
    };
  }
  const lengthTree = type.lengthTree && without(type.lengthTree, removed);
  return {
    ...type,
    of: restrictType(type.of, removed),
    lengthTree,
    length: typeof type.length === "string" && lengthTree ? formulaText(lengthTree) : type.length,
    strideTree: type.strideTree && without(type.strideTree, removed),
    endsTree: type.endsTree && without(type.endsTree, removed),
  };
}

/** Something that is there under a condition: gone if that cannot hold any more. */
function conditional<Item extends { readonly condition: string | null; readonly conditionTree: Formula | null }>(
  item: Item,
  removed: Removed,
): readonly Item[] {
  if (!item.conditionTree) return [item];
  const conditionTree = without(item.conditionTree, removed);
  const constant = constantOf(conditionTree);
  if (constant === 0n) return [];
  return constant === null
    ? [{ ...item, conditionTree, condition: formulaText(conditionTree) }]
    : [{ ...item, conditionTree: null, condition: null }];
}

function without(formula: Formula, removed: Removed): Formula {
  return replaceLeaves(formula, (leaf) =>
    leaf.op === "feature" && removed.features.has(leaf.feature) ? numberFormula(0n) : undefined,
  );
}
