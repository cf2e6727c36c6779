import type { FieldModel } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import { formulaContext, type CodecContext } from "./codec-parameters.js";
import { referredFields, type DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { memberAtPath, valueAtPath } from "./field-paths.js";
import { shapeOf } from "./shapes.js";
import { isVisible } from "./struct-types.js";

/** Fields of the configuration space that have a name and a meaning. */
export function configFields(scope: DeviceScope): readonly FieldModel[] {
  return (scope.device.config?.fields ?? []).filter((field) => isVisible(field) && field.name !== "");
}

/** The field on its own, whatever is beside it and whenever it is there. */
export function plainField(field: FieldModel): FieldModel {
  return { ...field, conditionTree: null, overlaps: false, union: null };
}

/** Fields that share an integer with this one, itself included; reserved ones too. */
export function configWord(field: FieldModel, scope: DeviceScope): readonly FieldModel[] {
  if (field.bits === null) return [field];
  const fields = scope.device.config?.fields ?? [];
  const at = fields.indexOf(field);
  let first = at;
  while (first > 0 && (fields[first]?.bits?.shift ?? 0) > 0) first--;
  let end = at + 1;
  while ((fields[end]?.bits?.shift ?? 0) > 0) end++;
  return fields.slice(first, end);
}

/** The driver can read it. */
export function isReadable(field: FieldModel): boolean {
  return field.access !== "wo";
}
/** The driver can write it. */
export function isWritable(field: FieldModel): boolean {
  return field.access !== "ro";
}
/** The device can change it while the driver runs. */
export function isChangeable(field: FieldModel): boolean {
  return field.volatile || field.access === "rw" || field.access === "w1c";
}

/** The field whose bits ones clear that the driver writes to this one; undefined where they are stored. */
export function clearedField(field: FieldModel, scope: DeviceScope): FieldModel | undefined {
  if (field.access !== "w1c") return undefined;
  return field.clears === null ? field : scope.device.config?.fields.find(({ name }) => name === field.clears);
}

/** Is the field an answer of a window, which the device makes from what is selected? */
export function isAnswer(field: FieldModel, scope: DeviceScope): boolean {
  return scope.device.config?.window?.answers.includes(field.name) ?? false;
}
/** Does the driver choose with it what a window shows? */
export function isSelector(field: FieldModel, scope: DeviceScope): boolean {
  return scope.device.config?.window?.selectors.includes(field.name) ?? false;
}

/** Names of fields that layouts and conditions of others depend on. */
export function referredConfig(scope: DeviceScope): ReadonlySet<string> {
  const fields = configFields(scope);
  return referredFields(
    fields,
    ...fields.flatMap((field) => {
      const shape = shapeOf(field, scope);
      return [field.conditionTree, field.validTree, shape.kind === "match" ? shape.subject : null];
    }),
  );
}

/**
 * Context of codecs that are used on configuration fields; `access` gives the values of other fields, which are there
 * whatever was negotiated.
 */
export function configContext(scope: DeviceScope, features: Code, access?: (field: FieldModel) => Code): CodecContext {
  const fields = configFields(scope).map(plainField);
  const place = `${scope.device.name}.config`;
  const noConfig = (): never => {
    throw new EmitError("a config field whose layout depends on other config fields", place);
  };
  return {
    scope,
    place,
    owner: `${scope.prefix}Config`,
    features: () => features,
    config: noConfig,
    formulas: {
      ...formulaContext(scope, place, { features: () => features, config: noConfig }),
      ...(access === undefined
        ? {}
        : {
            field: (_, path) => valueAtPath(fields, path, access, scope, place),
            config: (path) => valueAtPath(fields, path, access, scope, place),
            member: (_, path) => memberAtPath(fields, path, access, scope),
          }),
    },
    tailOf: () => 0,
  };
}

export const configSizeName = (scope: DeviceScope): Code => code`${scope.constantPrefix}_CONFIG_SIZE`;
