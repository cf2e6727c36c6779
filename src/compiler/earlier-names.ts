import type { ExternalModel, FieldModel, FieldType, Model, SpecVersion, StructModel } from "../model/device-model.js";
import { compareVersions } from "../model/versions.js";

/** What an earlier release called by another name, or wrote as a plain number. */

/**
 * Gives the fields the names that they had in a release. Where something else mentions a field - a formula, a tag, a window -
 * only its name of the specification changes.
 */
export function withEarlierNames(model: Model, version: SpecVersion): Model {
  const mentioned = new Set<string>();
  collectMentions(model, mentioned);
  const renamed = (fields: readonly FieldModel[]): readonly FieldModel[] =>
    fields.map((field) => {
      if (field.was === null || field.wasUntil === null || compareVersions(version, field.wasUntil) > 0) return field;
      const specName = field.was;
      const isName = /^[A-Za-z_]\w*$/.test(specName) && fields.every((other) => other.name !== specName);
      const name = isName && !mentioned.has(field.name) ? specName : field.name;
      return { ...field, name, specName, was: null, wasUntil: null };
    });
  const inItem = <Item extends StructModel | ExternalModel>(item: Item): Item => ({
    ...item,
    fields: renamed(item.fields),
  });
  return {
    ...model,
    shared: {
      ...model.shared,
      structs: model.shared.structs.map(inItem),
      externals: model.shared.externals.map(inItem),
    },
    devices: model.devices.map((device) => ({
      ...device,
      structs: device.structs.map(inItem),
      externals: device.externals.map(inItem),
      config: device.config && { ...device.config, fields: renamed(device.config.fields) },
      registers: device.registers.map((block) => ({ ...block, fields: renamed(block.fields) })),
      requests: device.requests.map((request) => ({
        ...request,
        variants: request.variants.map((variant) => ({
          ...variant,
          readable: renamed(variant.readable),
          replies: variant.replies.map((reply) => ({ ...reply, writable: renamed(reply.writable) })),
        })),
      })),
    })),
  };
}

/** The members that hold names of fields, wherever they are in the model. */
const mentions: ReadonlySet<string> = new Set(["path", "field", "selectors", "answers", "clears"]);

function collectMentions(value: unknown, found: Set<string>, isMention = false): void {
  if (typeof value === "string") {
    if (isMention) found.add(value);
  } else if (Array.isArray(value)) {
    for (const item of value) collectMentions(item, found, isMention);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) collectMentions(item, found, mentions.has(key));
  }
}

/** The number that a struct of nothing but bit-fields subdivides. */
export function subdivided({ fields, size }: StructModel): FieldType | undefined {
  const [first] = fields;
  if (first?.size !== size) return undefined;
  return fields.every(({ bits, type, offset }) => bits !== null && type === first.type && offset === 0)
    ? first.type
    : undefined;
}
