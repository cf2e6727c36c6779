import { code, nothing, paragraphs, quoted, type Code } from "./code.js";
import { configAccesses } from "./config-accesses.js";
import { writableConfig } from "./config-device.js";
import { configFields, configSizeName, isWritable } from "./config-fields.js";
import { configParts, configSize } from "./config-places.js";
import type { DeviceScope } from "./device-scope.js";
import { featureRuleProperties, featureRules, offeredRequirements } from "./features.js";
import { runtimeType } from "./imports.js";

export function definitionName(scope: DeviceScope): string {
  return `${scope.constantPrefix}_DEFINITION`;
}

/** What the runtime has to know of the device type. */
export function definition(scope: DeviceScope): Code {
  const writable = configFields(scope).some(isWritable);
  const parts = configParts(scope);
  return paragraphs([
    featureRules(scope),
    code`/** What the runtime has to know of the ${scope.device.name} device. */
    const ${definitionName(scope)}: ${runtimeType("DeviceDefinition")} & ${runtimeType("DriverDefinition")} = {
      name: ${quoted(scope.device.name)},
      id: ${scope.constantPrefix}_DEVICE_ID,
      ${featureRuleProperties(scope)}
      offers: ${offeredRequirements(scope)},
      configSize: ${configSizeName(scope)},
      ${parts !== undefined && code`configParts: ${parts},`}
      configAccesses: ${configAccesses(scope)},
      writableConfig: ${writable ? writableConfig(scope) : "[]"},
    };`,
  ]);
}

/** Size of the configuration space. */
export function configSizeConstant(scope: DeviceScope): Code {
  if (scope.device.id === null) return nothing;
  const note =
    configParts(scope) === undefined ? "" : " All parts together: which of them there are depends on features.";
  return code`/** Bytes of the configuration space.${note} */
      export const ${configSizeName(scope)} = ${configSize(scope)};`;
}
