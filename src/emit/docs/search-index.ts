import type { Page, Site } from "./site.js";
import { ownStructs } from "../byte-map/type-scope.js";
import { fieldsOfVariant, listingsOf } from "./anchors.js";

/** A name, what it is, and its id on the page if that is another text. */
type Entry = readonly [name: string, kind: string] | readonly [name: string, kind: string, anchor: string];

/** A script that holds all names, by page. It is loaded when somebody begins to search. */
export function searchIndex(site: Site): string {
  const pages = site.pages.map((page) => [page.title, page.path, entriesOf(page)]);
  // A page a line, so that a change of one device changes one line.
  const lines = pages.map((page) => JSON.stringify(page).replaceAll("<", "\\u003c"));
  return `virtioNames([\n${lines.join(",\n")}\n]);\n`;
}

function entriesOf({ anchors, items, device }: Page): readonly Entry[] {
  const entries: Entry[] = [];
  const add = (item: { readonly specName: string }, kind: string): void => {
    entries.push(entry(item.specName, kind, anchors.of(item)));
  };
  const addFields = (container: object, place: string, fields: readonly { readonly specName: string }[]): void => {
    const ids = anchors.fieldsOf(container);
    for (const [index, { specName }] of fields.entries()) {
      entries.push(entry(`${place}.${specName}`, "field", ids[index] ?? ""));
    }
  };
  if (device) {
    for (const feature of device.features) add(feature, `feature ${feature.bit}`);
    const { config } = device;
    if (config) {
      add(config, "config");
      addFields(config, config.specName, config.fields);
    }
    for (const queue of device.queues) add(queue, "queue");
    for (const request of device.requests) {
      add(request, "request");
      for (const variant of request.variants) {
        const name = `${request.specName}.${variant.name}`;
        entries.push(entry(name, variant.specName ?? "message", anchors.of(variant)));
        addFields(variant, name, fieldsOfVariant(variant));
      }
      for (const listing of listingsOf(device, request)) add(listing, "message");
    }
    for (const registers of device.registers) {
      add(registers, "registers");
      addFields(registers, registers.specName, registers.fields);
    }
    for (const memory of device.sharedMemory) add(memory, "shared memory");
    for (const { table, entries: own } of device.tables) for (const item of own) add(item, table.replace(/s$/, ""));
  }
  for (const struct of ownStructs(items)) {
    add(struct, struct.kind);
    addFields(struct, struct.specName, struct.fields);
  }
  for (const declaration of items.enums) {
    add(declaration, declaration.kind);
    const masked = declaration.masked.flatMap(({ members }) => members);
    for (const member of [...declaration.members, ...masked]) add(member, `= ${member.value}`);
  }
  for (const constant of items.constants) if (constant.of === null) add(constant, `= ${constant.value}`);
  for (const external of items.externals) add(external, "type");
  return entries;
}

function entry(name: string, kind: string, anchor: string): Entry {
  return anchor === name ? [name, kind] : [name, kind, anchor];
}
