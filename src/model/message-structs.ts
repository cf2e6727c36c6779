import type { StructPart } from "../language/syntax-tree.js";
import type { FieldModel, MessageOrigin, Model, StructModel } from "./device-model.js";
import { asName } from "./declared-names.js";
import type { Facts } from "./facts.js";
import { placedField, plainMeaning } from "./field-models.js";
import { mergedFields } from "./message-merging.js";
import { typeNames, uniqueName } from "./spec-names.js";
import type { Scope } from "./symbols.js";
import { compareVersions, type Encloser, type Origin } from "./versions.js";

/** The specification lists messages as structs, too. This makes those structs from the requests. */

/** A field of a stream, with the structs in both streams that it belongs to, outermost first. */
export interface StreamField {
  readonly field: FieldModel;
  readonly within: readonly { readonly part: StructPart; readonly encloser: Encloser }[];
}

/** One way in which a message can look, under one of its names. */
export interface Listing {
  readonly specName: string;
  readonly doc: string;
  readonly origin: Origin;
  readonly request: string;
  readonly variant: string;
  readonly streams: MessageOrigin["streams"];
  readonly readable: readonly StreamField[];
  readonly writable: readonly StreamField[];
}

/** A struct for each name, from all the ways in which what has that name can look. */
export function messageStructs(listings: readonly Listing[], scope: Scope, facts: Facts): readonly StructModel[] {
  const declared = new Set(
    [...facts.structs.keys()].flatMap((symbol) => (symbol.scope === scope ? [symbol.specName] : [])),
  );
  const taken = facts.typeNames.get(scope) ?? new Set(scope.typesByName.keys());
  facts.typeNames.set(scope, taken);
  const names = new Map<string, string>();
  const nameOf = (specName: string): string => {
    const known = names.get(specName);
    if (known !== undefined) return known;
    const name = uniqueName(typeNames(specName, undefined, scope.naming).name, taken);
    names.set(specName, name);
    return name;
  };
  const bySpecName = new Map<string, Listing[]>();
  for (const listing of [...listings, ...listings.flatMap(innerListings)]) {
    if (declared.has(listing.specName)) continue;
    const others = bySpecName.get(listing.specName);
    if (others) others.push(listing);
    else bySpecName.set(listing.specName, [listing]);
  }
  return [...bySpecName].flatMap(([specName, group]) => {
    const [first] = group;
    return first ? [structOf(nameOf(specName), first, group, nameOf)] : [];
  });
}

/** The model with only the structs that are laid out somewhere: for code, where requests stand for their messages. */
export function withoutMessageStructs(model: Model): Model {
  const devices = model.devices.map((device) => ({
    ...device,
    structs: device.structs.filter(({ message }) => message === null),
  }));
  return { ...model, devices };
}

function structOf(
  name: string,
  first: Listing,
  group: readonly Listing[],
  nameOf: (specName: string) => string,
): StructModel {
  const layouts = group.map((listing) => listedFields(listing, nameOf));
  const sizes = new Set(layouts.map(endOf));
  const [size] = sizes;
  const least = layouts.map((fields) =>
    fields.reduce((sum, field) => sum + (field.conditionTree === null && !field.bits ? (field.size ?? 0) : 0), 0),
  );
  const fixed = sizes.size === 1 ? (size ?? null) : null;
  const [oldest] = [...group].sort((a, b) => compareVersions(a.origin.since, b.origin.since));
  return {
    name,
    specName: first.specName,
    doc: first.doc,
    since: oldest?.origin.since ?? first.origin.since,
    until: first.origin.until,
    spec: first.origin.spec,
    kind: "struct",
    size: fixed,
    minSize: fixed ?? Math.min(...least),
    parameters: [],
    fields: mergedFields(layouts),
    sizedTree: null,
    anonymous: false,
    message: {
      request: first.request,
      variants: [...new Set(group.map(({ variant }) => variant))],
      streams: first.streams,
    },
  };
}

/** The fields one after the other: what the device reads, then what it writes. */
function listedFields(listing: Listing, nameOf: (specName: string) => string): readonly FieldModel[] {
  const readable = joined(listing.readable, nameOf);
  const writable = joined(listing.writable, nameOf);
  const start = listing.streams === "writable" ? 0 : endOf(readable.map(({ field }) => field));
  const first = readable.map(({ field, part }): FieldModel => {
    const fromEnd = listing.streams === "both" ? null : field.fromEnd;
    const rest = part && writable.find((other) => other.part === part);
    return rest ? { ...field, fromEnd, size: sum(field.size, rest.field.size) } : { ...field, fromEnd };
  });
  const second = writable.flatMap(({ field, part }): readonly FieldModel[] =>
    part !== null && readable.some((other) => other.part === part)
      ? []
      : [{ ...field, offset: sum(field.offset, start) }],
  );
  return [...first, ...second];
}

function sum(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

/** Where the last field ends; null if that varies. */
function endOf(fields: readonly FieldModel[]): number | null {
  let end: number | null = 0;
  for (const field of fields) {
    if (field.offset === null || field.size === null || (field.moves && field.conditionTree !== null)) return null;
    end = Math.max(end, field.offset + field.size);
  }
  return end;
}

/** The fields of a stream, with each struct in both streams as one field. */
function joined(
  fields: readonly StreamField[],
  nameOf: (specName: string) => string,
): readonly { readonly field: FieldModel; readonly part: StructPart | null }[] {
  const result: { field: FieldModel; readonly part: StructPart | null }[] = [];
  for (const { field, within } of fields) {
    const [outer] = within;
    const last = result.at(-1);
    if (!outer) result.push({ field, part: null });
    else if (last?.part === outer.part) last.field = { ...last.field, size: sum(last.field.size, field.size) };
    else result.push({ field: structField(outer, field, nameOf), part: outer.part });
  }
  return result;
}

function structField(
  { part, encloser }: StreamField["within"][number],
  first: FieldModel,
  nameOf: (specName: string) => string,
): FieldModel {
  const name = part.field?.text ?? part.name.text;
  const { since, until, spec } = encloser;
  const meaning = plainMeaning(name, nameOf(specNameOf(part)), { since, until, spec }, "");
  const { offset, size } = first;
  return placedField(meaning, {
    offset,
    size,
    overlaps: false,
    conditionTree: null,
    moves: false,
    bits: null,
    sizedTree: null,
  });
}

function specNameOf(part: StructPart): string {
  return asName(part.clauses) ?? part.name.text;
}

/** The structs in both streams, and those inside of them. */
function innerListings(listing: Listing): readonly Listing[] {
  const parts = new Map<StructPart, Encloser>();
  for (const { within } of [...listing.readable, ...listing.writable]) {
    for (const { part, encloser } of within) parts.set(part, encloser);
  }
  return [...parts].map(([part, encloser]): Listing => {
    const inside = (fields: readonly StreamField[]): readonly StreamField[] =>
      fields.flatMap(({ field, within }) => {
        const depth = within.findIndex((each) => each.part === part);
        return depth < 0 ? [] : [{ field, within: within.slice(depth + 1) }];
      });
    const { since, until, spec } = encloser;
    const [readable, writable] = [inside(listing.readable), inside(listing.writable)];
    return {
      specName: specNameOf(part),
      doc: "",
      origin: { since, until, spec },
      request: listing.request,
      variant: listing.variant,
      streams: writable.length === 0 ? "readable" : readable.length === 0 ? "writable" : "both",
      readable: fromZero(readable),
      writable: fromZero(writable),
    };
  });
}

/** Fields counted from the first one on. */
function fromZero(fields: readonly StreamField[]): readonly StreamField[] {
  const result: StreamField[] = [];
  for (const { field, within } of fields) {
    const last = result.at(-1)?.field;
    const offset = last === undefined ? 0 : endOf([last]);
    result.push({ field: { ...field, offset, fromEnd: null }, within });
  }
  return result;
}
