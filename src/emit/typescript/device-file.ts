import type { DeviceModel, Model, StructModel } from "../../model/device-model.js";
import { code, nothing, paragraphs, type Code } from "./code.js";
import { configChecks, deviceConfig } from "./config-device.js";
import { driverConfig } from "./config-driver.js";
import { constantDeclarations, tableDeclarations } from "./constants.js";
import { configSizeConstant, definition } from "./definition.js";
import { deviceClass } from "./device-class.js";
import { DeviceScope } from "./device-scope.js";
import { driverClass } from "./driver-class.js";
import { enumDeclaration } from "./enums.js";
import { featureDeclarations } from "./features.js";
import { constantCase, pascalCase } from "./names.js";
import { protocolDeclarations, protocolNames } from "./protocols.js";
import { queuelessRequests } from "./queueless-requests.js";
import { queueShapes, requestsOf } from "./queues.js";
import { requestCodec } from "./request-codec.js";
import { inputTypes } from "./request-inputs.js";
import { readableLayout } from "./request-layout.js";
import { requestSlot } from "./request-slot.js";
import { requestTypes } from "./request-types.js";
import { fieldOffsets } from "./registers.js";
import { structReader } from "./structs-read.js";
import { structSize, structWriter } from "./structs-write.js";
import { structType } from "./struct-types.js";
import { structView } from "./struct-views.js";

/** Everything that one device's file declares. */
export function deviceFile(device: DeviceModel, model: Model): Code {
  const scope = new DeviceScope(device, model, reservedNames(device));
  const types = [
    device.id === null
      ? nothing
      : code`/** Device id of the ${device.name} device. */
      export const ${scope.constantPrefix}_DEVICE_ID = ${device.id};`,
    device.features.length === 0 && device.id === null ? nothing : featureDeclarations(scope),
    ...scope.enums.filter((item) => item.name !== "").map((item) => enumDeclaration(item, scope)),
    constantDeclarations(scope),
    tableDeclarations(scope),
    protocolDeclarations(scope),
    configSizeConstant(scope),
  ];
  // A match's arm without fields is nothing that could be read or written.
  const structs = scope.structs
    .filter((struct) => !struct.anonymous || struct.fields.length > 0)
    .map((struct) =>
      paragraphs([
        structType(struct, scope),
        structSize(struct, scope),
        device.kind === "core" ? fieldOffsets(struct, scope) : nothing,
        structReader(struct, scope),
        structWriter(struct, scope),
      ]),
    );
  if (device.id === null) return paragraphs([...types, ...structs, ...queuelessRequests(scope)]);
  const queues = queueShapes(scope);
  const requests = requestsOf(queues);
  const views = new Set<StructModel>(
    requests.flatMap((request) =>
      request.variants.flatMap((variant) => readableLayout(variant, scope).views.map((view) => view.shape.struct)),
    ),
  );
  const needsLimit = queues.some((queue) => queue.model.many);
  return paragraphs([
    ...types,
    ...structs,
    definition(scope),
    needsLimit
      ? code`/** A queue's index has 16 bits. */
      const MOST_QUEUES = 0x10000;`
      : nothing,
    section("The device side"),
    deviceConfig(scope),
    configChecks(scope),
    ...[...views].map((struct) => structView(struct, scope)),
    ...requests.flatMap((request) => [requestTypes(request, scope), requestSlot(request, scope).code]),
    deviceClass(queues, scope),
    section("The driver side"),
    driverConfig(scope),
    ...requests
      .filter((request) => request.struct === undefined)
      .flatMap((request) => [inputTypes(request, scope), requestCodec(request, scope)]),
    driverClass(queues, scope),
  ]);
}

function section(title: string): Code {
  return code`// ---- ${title} ----`;
}

/** Names that the file needs for itself. */
function reservedNames(device: DeviceModel): string[] {
  const prefix = pascalCase(device.name);
  const upper = constantCase(device.name);
  const types = [
    "Feature",
    "Device",
    "Driver",
    "DeviceConfig",
    "DriverConfig",
    "ConfigInit",
    "DeviceOptions",
    "DriverOptions",
    "Capability",
    "ResourceType",
    "DevicePart",
    "SharedMemory",
    ...protocolNames(device.protocols),
  ];
  const constants = ["DEVICE_ID", "CONFIG_SIZE", "DEFINITION", "REQUIRES", "MANDATORY", "RULES"];
  return [...types.map((name) => prefix + name), ...constants.map((name) => `${upper}_${name}`), "MOST_QUEUES"];
}
