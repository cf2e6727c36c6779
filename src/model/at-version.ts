import type {
  ConfigModel,
  DeviceModel,
  EnumModel,
  FeatureModel,
  FieldModel,
  FieldType,
  Formula,
  Model,
  QueueModel,
  RequestModel,
  SharedModel,
  SpecVersion,
  StructModel,
} from "./device-model.js";
import { plainMeaning, placedField } from "./field-models.js";
import { replaceLeaves } from "./formula-building.js";
import { formulaText, textOrNull } from "./formula-text.js";
import { constantOf, numberFormula } from "./formula-values.js";
import { finishFields } from "./layout-finish.js";
import { compareVersions } from "./versions.js";

/**
 * The model as an earlier release of the specification has it: without what came later or had ended by then. Fields that
 * came later at the end of a struct or of the config go; those in between stay as reserved bytes. Conditions on features
 * that are not there yet are worked out.
 */
export function atVersion(model: Model, version: SpecVersion): Model {
  const there = (item: { readonly since: SpecVersion; readonly until?: SpecVersion | null }): boolean =>
    compareVersions(item.since, version) <= 0 &&
    (item.until === undefined || item.until === null || compareVersions(version, item.until) <= 0);
  const devices = model.devices.filter((device) => there(device));
  const features = new Set<string>();
  const known = new Set<string>();
  for (const device of devices) {
    for (const feature of device.features) {
      known.add(key(device, feature.name));
      if (there(feature)) features.add(key(device, feature.name));
    }
  }
  return {
    ...model,
    devices: devices.map((device) =>
      deviceAt(device, { there, gone: (name) => known.has(key(device, name)) && !features.has(key(device, name)) }),
    ),
    shared: sharedAt(model.shared, { there, gone: () => false }),
  };
}

function key(device: DeviceModel, feature: string): string {
  return `${device.name}\0${feature}`;
}

interface Release {
  readonly there: (item: { readonly since: SpecVersion; readonly until?: SpecVersion | null }) => boolean;
  /** A feature that this release does not have. */
  readonly gone: (feature: string) => boolean;
}

function deviceAt(device: DeviceModel, release: Release): DeviceModel {
  const { there } = release;
  return {
    ...device,
    ...sharedAt(device, release),
    features: device.features.filter(there).map((feature) => featureAt(feature, release)),
    featureRules: device.featureRules.flatMap((rule) => {
      const conditionTree = formulaAt(rule.conditionTree, release);
      if (constantOf(conditionTree) !== null) return [];
      return [{ ...rule, condition: formulaText(conditionTree), conditionTree }];
    }),
    config: device.config === null ? null : configAt(device.config, release),
    requests: device.requests.filter(there).map((request) => requestAt(request, release)),
    queues: device.queues.filter(there).flatMap((queue) => queueAt(queue, release)),
    sharedMemory: device.sharedMemory.filter(there).flatMap((region) => {
      const condition = conditionAt(region.conditionTree, release);
      return condition === "never" ? [] : [{ ...region, condition: textOrNull(condition), conditionTree: condition }];
    }),
    tables: device.tables.map((table) => ({ ...table, entries: table.entries.filter(there) })),
    registers: device.registers.filter(there).map((block) => {
      const fields = fieldsAt(block.fields, true, release);
      return { ...block, fields };
    }),
  };
}

function sharedAt(shared: SharedModel, release: Release): SharedModel {
  const { there } = release;
  return {
    enums: shared.enums.filter(there).map((each) => enumAt(each, release)),
    structs: shared.structs.filter(there).map((struct) => structAt(struct, release)),
    externals: shared.externals.filter(there),
    constants: shared.constants.filter(there),
  };
}

function enumAt(model: EnumModel, { there }: Release): EnumModel {
  return {
    ...model,
    members: model.members.filter(there),
    masked: model.masked.map((masked) => ({ ...masked, members: masked.members.filter(there) })),
  };
}

function featureAt(feature: FeatureModel, { gone }: Release): FeatureModel {
  const left = (choices: FeatureModel["requires"]): FeatureModel["requires"] =>
    choices.map((choice) => choice.filter((name) => !gone(name))).filter((choice) => choice.length > 0);
  return { ...feature, requires: left(feature.requires), offers: left(feature.offers) };
}

function configAt(config: ConfigModel, release: Release): ConfigModel {
  const fields = fieldsAt(config.fields, true, release);
  return { ...config, fields, size: config.size === null ? null : endOf(fields) };
}

function structAt(struct: StructModel, release: Release): StructModel {
  const fields = fieldsAt(struct.fields, struct.size !== null, release).map((field) => ({ ...field }));
  if (struct.size === null || struct.sizedTree !== null) return { ...struct, fields };
  const size = endOf(fields);
  return { ...struct, fields, size, minSize: Math.min(struct.minSize, size) };
}

function endOf(fields: readonly FieldModel[]): number {
  return fields.reduce((end, field) => Math.max(end, (field.offset ?? 0) + (field.size ?? 0)), 0);
}

function requestAt(request: RequestModel, release: Release): RequestModel {
  const variants = request.variants.filter(release.there).flatMap((variant) => {
    const condition = conditionAt(variant.conditionTree, release);
    if (condition === "never") return [];
    return [
      {
        ...variant,
        conditionTree: condition,
        readable: fieldsAt(variant.readable, false, release),
        replies: variant.replies.filter(release.there).flatMap((reply) => {
          const needed = conditionAt(reply.conditionTree, release);
          const writable = fieldsAt(reply.writable, false, release);
          return needed === "never" ? [] : [{ ...reply, conditionTree: needed, writable }];
        }),
      },
    ];
  });
  const used = new Set(variants.flatMap((variant) => variant.tags.map((tag) => tag.field)));
  return { ...request, variants, discriminators: request.discriminators.filter((name) => used.has(name)) };
}

function queueAt(queue: QueueModel, release: Release): readonly QueueModel[] {
  const conditionTree = conditionAt(queue.conditionTree, release);
  if (conditionTree === "never") return [];
  const indexTree = formulaAt(queue.indexTree, release);
  const countTree = formulaAt(queue.countTree, release);
  const merging = queue.merged ? conditionAt(queue.merged.conditionTree, release) : "never";
  return [
    {
      ...queue,
      indexTree,
      index: formulaText(indexTree),
      countTree,
      count: formulaText(countTree),
      condition: textOrNull(conditionTree),
      conditionTree,
      merged: queue.merged === null || merging === "never" ? null : { ...queue.merged, conditionTree: merging },
      holdsTree: queue.holdsTree && formulaAt(queue.holdsTree, release),
      postedTree: queue.postedTree && formulaAt(queue.postedTree, release),
    },
  ];
}

/** Later fields go from the end; with `fixed` places those in between leave reserved bytes behind. */
function fieldsAt(fields: readonly FieldModel[], fixed: boolean, release: Release): readonly FieldModel[] {
  const kept: FieldModel[] = [];
  let ended = true;
  for (const field of [...fields].reverse()) {
    const conditionTree = conditionAt(field.conditionTree, release);
    const there = release.there(field) && conditionTree !== "never";
    if (there) {
      kept.push(fieldAt(field, conditionTree, release));
      if (!field.moves) ended = false;
    } else if (!ended && fixed && !field.moves && !field.overlaps && field.size !== null) {
      kept.push(reservedIn(field));
    }
  }
  return finishFields(kept.reverse(), null).map((field, index) => ({ ...field, counts: kept[index]?.counts ?? null }));
}

function fieldAt(field: FieldModel, conditionTree: Formula | null, release: Release): FieldModel {
  const tree = (formula: Formula | null): Formula | null => formula && formulaAt(formula, release);
  const constraintTree = tree(field.constraintTree);
  return {
    ...field,
    type: typeAt(field.type, release),
    condition: textOrNull(conditionTree),
    conditionTree,
    moves: field.moves && conditionTree !== null,
    validTree: tree(field.validTree),
    constraint: textOrNull(constraintTree),
    constraintTree,
    sizedTree: tree(field.sizedTree),
  };
}

function reservedIn(field: FieldModel): FieldModel {
  const { name, since, until, spec, offset, size, overlaps, bits } = field;
  const type: FieldType =
    bits === null && size !== null
      ? { of: "u8", length: size, lengthTree: null, unit: "elements", strideTree: null, endsTree: null }
      : field.type;
  const meaning = { ...plainMeaning(name, type, { since, until, spec }, ""), specName: field.specName, reserved: true };
  return placedField(meaning, { offset, size, overlaps, conditionTree: null, moves: false, bits, sizedTree: null });
}

function typeAt(type: FieldType, release: Release): FieldType {
  if (typeof type === "string") return type;
  if ("of" in type) {
    const lengthTree = type.lengthTree && formulaAt(type.lengthTree, release);
    const constant = lengthTree && constantOf(lengthTree);
    const length = lengthTree === null ? type.length : constant === null ? formulaText(lengthTree) : Number(constant);
    return {
      ...type,
      of: typeAt(type.of, release),
      length,
      lengthTree: constant === null ? lengthTree : null,
      strideTree: type.strideTree && formulaAt(type.strideTree, release),
      endsTree: type.endsTree && formulaAt(type.endsTree, release),
    };
  }
  if ("match" in type) {
    const matchTree = formulaAt(type.matchTree, release);
    return { ...type, match: formulaText(matchTree), matchTree };
  }
  return { ...type, arguments: type.arguments.map((value) => formulaAt(value, release)) };
}

function formulaAt(formula: Formula, release: Release): Formula {
  return replaceLeaves(formula, (leaf) =>
    leaf.op === "feature" && release.gone(leaf.feature) ? numberFormula(0n) : undefined,
  );
}

/** Null: always. */
function conditionAt(condition: Formula | null, release: Release): Formula | null | "never" {
  if (condition === null) return null;
  const formula = formulaAt(condition, release);
  const constant = constantOf(formula);
  if (constant === null) return formula;
  return constant === 0n ? "never" : null;
}
