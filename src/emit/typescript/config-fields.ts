import type { FieldModel } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import { formulaContext, type CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { isVisible } from "./struct-types.js";

/** Fields of the configuration space that have a name and a meaning. */
export function configFields(scope: DeviceScope): readonly FieldModel[] {
  return (scope.device.config?.fields ?? []).filter((field) => isVisible(field) && field.name !== "");
}

/** Where a field is; those of the configuration never move. */
export function configOffset(field: FieldModel, scope: DeviceScope): number {
  if (field.offset === null)
    throw new EmitError("a config field of variable place", `${scope.device.name}.config.${field.name}`);
  return field.offset;
}

export function configSize(scope: DeviceScope): number {
  const { config } = scope.device;
  if (config === null) return 0;
  if (config.size === null) throw new EmitError("a configuration space of variable size", scope.device.name);
  return config.size;
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

/** Context of codecs that are used on configuration fields. */
export function configContext(scope: DeviceScope, features: Code): CodecContext {
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
    formulas: formulaContext(scope, place, { features: () => features, config: noConfig }),
    tailOf: () => 0,
  };
}

export const configSizeName = (scope: DeviceScope): Code => code`${scope.constantPrefix}_CONFIG_SIZE`;
