import type {
  DeviceModel,
  EnumModel,
  FieldModel,
  ItemModel,
  RequestModel,
  SharedModel,
  StructModel,
  VariantModel,
} from "../../model/device-model.js";
import { ownStructs } from "../byte-map/type-scope.js";
import { UniqueNames } from "./unique-names.js";

/** The sections of a page, in order, with their headings. */
export const sections = {
  features: "Features",
  config: "Configuration",
  queues: "Queues",
  requests: "Requests",
  protocols: "Protocols",
  registers: "Registers",
  memory: "Shared memory",
  tables: "Capabilities, resources, parts",
  structs: "Structures",
  enums: "Enums and flags",
  constants: "Constants",
  externals: "Types from elsewhere",
} as const;
export type SectionId = keyof typeof sections;
export const sectionIds: readonly SectionId[] = [
  "features", "config", "queues", "requests", "protocols", "registers", "memory", "tables", "structs", "enums", "constants", "externals",
]; // prettier-ignore

/** Ids that the frame of every page uses. */
const frameIds = ["top", "search", "results"];

/** What can be linked to on a page: the specification's names are the ids, so that links can be guessed. */
export class Anchors {
  readonly #names = new UniqueNames([...frameIds, ...sectionIds]);
  readonly #items = new Map<object, string>();
  readonly #fields = new Map<object, readonly string[]>();

  constructor(page: SharedModel | DeviceModel) {
    if ("features" in page) this.#claimDevice(page);
    for (const struct of ownStructs(page))
      this.#claimFields(struct, this.#claim(struct, struct.specName), struct.fields);
    for (const declaration of page.enums) this.#claimEnum(declaration);
    for (const constant of page.constants) if (constant.of === null) this.#claim(constant, constant.specName);
    for (const external of page.externals)
      this.#claimFields(external, this.#claim(external, external.specName), external.fields);
  }

  /** Id of a declaration on this page. */
  of(item: object): string {
    const anchor = this.#items.get(item);
    if (anchor === undefined) throw new Error("this item is not on the page");
    return anchor;
  }

  /** Ids of the fields of a layout, in their order. For a variant: the readable ones, then those of each reply. */
  fieldsOf(container: object): readonly string[] {
    return this.#fields.get(container) ?? [];
  }

  #claimDevice(device: DeviceModel): void {
    for (const feature of device.features) this.#claim(feature, feature.specName);
    const { config } = device;
    if (config) this.#claimFields(config, this.#claim(config, config.specName), config.fields);
    for (const queue of device.queues) this.#claim(queue, queue.specName);
    for (const request of device.requests) this.#claimRequest(request);
    for (const listing of device.requests.flatMap((request) => listingsOf(device, request))) {
      this.#claim(listing, listing.specName);
    }
    for (const registers of device.registers) {
      this.#claimFields(registers, this.#claim(registers, registers.specName), registers.fields);
    }
    for (const memory of device.sharedMemory) this.#claim(memory, memory.specName);
    for (const entry of device.tables.flatMap((table): readonly ItemModel[] => table.entries)) {
      this.#claim(entry, entry.specName);
    }
  }

  #claimRequest(request: RequestModel): void {
    const name = this.#claim(request, request.specName);
    for (const variant of request.variants) {
      const place = this.#claim(variant, `${name}.${variant.name}`);
      this.#claimFields(variant, place, fieldsOfVariant(variant));
    }
  }

  #claimEnum(declaration: EnumModel): void {
    this.#claim(declaration, declaration.specName);
    for (const member of [...declaration.members, ...declaration.masked.flatMap(({ members }) => members)]) {
      this.#claim(member, member.specName);
    }
  }

  #claimFields(container: object, place: string, fields: readonly FieldModel[]): void {
    this.#fields.set(
      container,
      fields.map(({ specName }) => this.#names.claim(`${place}.${specName}`)),
    );
  }

  #claim(item: object, wanted: string): string {
    const name = this.#names.claim(wanted);
    this.#items.set(item, name);
    return name;
  }
}

/** Structs of the specification that list this request, or some of its variants, by other names than it has here. */
export function listingsOf(device: SharedModel, request: RequestModel): readonly StructModel[] {
  return device.structs.filter(
    ({ message, specName }) => message?.request === request.name && specName !== request.specName,
  );
}

export function fieldsOfVariant(variant: VariantModel): readonly FieldModel[] {
  return [...variant.readable, ...variant.replies.flatMap(({ writable }) => writable)];
}
