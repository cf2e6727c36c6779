import { code, nothing, paragraphs, quoted, type Code } from "./code.js";
import { configAccesses } from "./config-accesses.js";
import { writableConfig } from "./config-device.js";
import { configFields, configSize, configSizeName, isWritable } from "./config-fields.js";
import type { DeviceScope } from "./device-scope.js";
import { featureRuleProperties, featureRules, offeredRequirements } from "./features.js";
import { runtimeType } from "./imports.js";

export function definitionName(scope: DeviceScope): string {
  return `${scope.constantPrefix}_DEFINITION`;
}

/** What the runtime has to know of the device type. */
export function definition(scope: DeviceScope): Code {
  const writable = configFields(scope).some(isWritable);
  return paragraphs([
    featureRules(scope),
    code`/** What the runtime has to know of the ${scope.device.name} device. */
    const ${definitionName(scope)}: ${runtimeType("DeviceDefinition")} & ${runtimeType("DriverDefinition")} = {
      name: ${quoted(scope.device.name)},
      id: ${scope.constantPrefix}_DEVICE_ID,
      ${featureRuleProperties(scope)}
      offers: ${offeredRequirements(scope)},
      configSize: ${configSizeName(scope)},
      configAccesses: ${configAccesses(scope)},
      writableConfig: ${writable ? writableConfig(scope) : "[]"},
    };`,
  ]);
}

/** Size of the configuration space. */
export function configSizeConstant(scope: DeviceScope): Code {
  if (scope.device.id === null) return nothing;
  return code`/** Bytes of the configuration space. */
      export const ${configSizeName(scope)} = ${configSize(scope)};`;
}
