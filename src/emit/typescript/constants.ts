import type { DeviceModel, TableModel } from "../../model/device-model.js";
import { code, hexadecimal, nothing, paragraphs, propertyKey, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { constantCase } from "./names.js";
import { registerBlock } from "./registers.js";

/** Numbers that belong to no enum. */
export function constantDeclarations(scope: DeviceScope): Code {
  return paragraphs(
    scope.device.constants
      .filter((constant) => constant.of === null)
      .map((constant) => {
        const name = scope.names.claim(
          constantCase(constant.specName.replace(/^VIRTIO_/, "")),
          constantCase(constant.specName),
        );
        if (name === undefined) return nothing;
        const value = typeof constant.value === "number" ? code`${constant.value}` : code`${BigInt(constant.value)}`;
        return code`${docComment({ doc: constant.doc, specName: constant.specName, since: constant.since })}export const ${name} = ${value};`;
      }),
  );
}

const TABLE_NAMES: Readonly<Record<TableModel["table"], { readonly type: string; readonly doc: string }>> = {
  capabilities: { type: "Capability", doc: "Capabilities, by id." },
  resources: { type: "ResourceType", doc: "Types of resource objects." },
  parts: { type: "DevicePart", doc: "Types of device parts." },
};

/** Ids that admin commands use, shared memory regions, and places of registers. */
export function tableDeclarations(scope: DeviceScope): Code {
  return paragraphs([
    ...scope.device.tables.map((table) => tableDeclaration(table, scope)),
    sharedMemory(scope.device, scope),
    ...scope.device.registers.map((registers) => registerBlock(registers, scope)),
  ]);
}

function tableDeclaration(table: TableModel, scope: DeviceScope): Code {
  const { type, doc } = TABLE_NAMES[table.table];
  const entries = table.entries.map((entry) => {
    const struct = entry.type === null ? undefined : scope.struct(entry.type);
    const note = struct === undefined ? "" : `Its data is a {@link ${scope.typeName(struct)}}.`;
    const last = entry.last === null ? "" : ` Up to 0x${entry.last.toString(16)}.`;
    return code`${docComment({ doc: entry.doc, since: entry.since }, `${note}${last}`.trim())}${propertyKey(entry.name)}: ${hexadecimal(entry.id)},`;
  });
  return code`/** ${doc} */
      export const ${scope.prefix}${type} = { ${entries} } as const;`;
}

function sharedMemory(device: DeviceModel, scope: DeviceScope): Code {
  if (device.sharedMemory.length === 0) return nothing;
  const entries = device.sharedMemory.map((region) => {
    const note = region.condition === null ? "" : `Only if ${region.condition}.`;
    return code`${docComment({ doc: region.doc, since: region.since }, note)}${propertyKey(region.name)}: ${region.id},`;
  });
  return code`/** Shared memory regions, by id. */
      export const ${scope.prefix}SharedMemory = { ${entries} } as const;`;
}
