import type {
  AnswerRuleModel,
  AnswersModel,
  EnumModel,
  ExternalModel,
  FieldModel,
  FieldType,
  Formula,
  RequestModel,
  ScalarType,
  SharedModel,
  StructModel,
  VariantModel,
} from "./device-model.js";
import { builtinScalar, scalarSize } from "./field-types.js";

/**
 * What the device writes where it could not do what it was asked for: these bytes, with zeros where no field is. They are at
 * the start of what it writes, or at the end with nothing but zeros in front of them.
 */
export interface FailureAnswer {
  readonly anchor: "start" | "end";
  readonly size: number;
  readonly fields: readonly FailureField[];
}
export interface FailureField {
  readonly path: readonly string[];
  /** Within these bytes. */
  readonly offset: number;
  readonly type: ScalarType;
  /** Name of the enum that the value is of. */
  readonly enum: string | null;
  /** Over constants and fields of the request. */
  readonly valueTree: Formula;
}

/** How types are looked up. */
export interface StructTypes {
  struct(name: string): StructModel | undefined;
  external(name: string): Pick<ExternalModel, "size" | "fields"> | undefined;
}
export interface ModelTypes extends StructTypes {
  enum(name: string): EnumModel | undefined;
}

/** Types by name, from several lists of declarations; those of later ones go before. */
export function typesIn(rooms: readonly Pick<SharedModel, "enums" | "structs" | "externals">[]): ModelTypes {
  const byName = <Item extends { readonly name: string }>(items: readonly Item[]): ReadonlyMap<string, Item> =>
    new Map(items.map((item) => [item.name, item]));
  const structs = byName(rooms.flatMap((room) => room.structs));
  const externals = byName(rooms.flatMap((room) => room.externals));
  const enums = byName(rooms.flatMap((room) => room.enums));
  return {
    struct: (name) => structs.get(name),
    external: (name) => externals.get(name),
    enum: (name) => enums.get(name),
  };
}

/** Where a number is in what the device writes. */
export interface AnswerPlace {
  readonly type: ScalarType;
  readonly enum: string | null;
  /** Bytes from the start; null if that varies. */
  readonly fromStart: number | null;
  /** Bytes to the end; null if that varies. */
  readonly fromEnd: number | null;
  /** Bytes from the start up to the end of the field of the answer that it is in, and of what is reserved behind that. */
  readonly reach: number;
}
/** Why a number cannot be set: for people. */
export interface NoPlace {
  readonly reason: string;
  /** A name of the path that a struct does not have, and those that it has. */
  readonly unknown?: { readonly name: string; readonly known: readonly string[] };
}

/** What is written whatever the answer is: all of it, or what several answers have in common. */
export function certainAnswer({ replies }: VariantModel): readonly FieldModel[] {
  const [first, ...others] = replies.map(({ writable }) => writable);
  if (first === undefined) return [];
  const end = first.findIndex((field, index) =>
    others.some((other) => {
      const same = other[index];
      return same?.name !== field.name || JSON.stringify(same.type) !== JSON.stringify(field.type);
    }),
  );
  return end < 0 ? first : first.slice(0, end);
}

/** Finds a number in the answer to a kind of request. Undefined: the answer has no such field. */
export function findInAnswer(
  path: readonly string[],
  variant: VariantModel,
  types: StructTypes,
): AnswerPlace | NoPlace | undefined {
  const [first, ...inner] = path;
  const fields = certainAnswer(variant);
  const index = fields.findIndex(({ name }) => name === first);
  const field = fields[index];
  if (field === undefined) {
    const isSomewhere = variant.replies.some(({ writable }) => writable.some(({ name }) => name === first));
    return isSomewhere ? { reason: "not every answer has it" } : undefined;
  }
  const found = numberIn(field, inner, types);
  if ("reason" in found) return found;
  const behind = wholeFields(fields.slice(index + 1));
  const isFree = restElement(field) !== undefined;
  // What varies in size goes as far as the number.
  const size = field.size ?? (isFree ? found.size : null) ?? found.offset + scalarSize(found.type);
  const isWhole = variant.replies.length === 1;
  const sizes = [field.size, ...behind.map((whole) => (whole.every(isAlways) ? sizeOf(whole) : null))];
  const toEnd = sizes.reduce<number | null>((sum, each) => (sum === null || each === null ? null : sum + each), 0);
  const fromStart = field.offset === null ? null : field.offset + found.offset;
  const fromEnd = toEnd === null || !isWhole ? null : toEnd - found.offset;
  if (fromStart === null && fromEnd === null) return { reason: "where it is varies" };
  const reach = (field.offset ?? 0) + size + (field.size === null ? 0 : paddingSize(behind));
  return { type: found.type, enum: found.enum, fromStart, fromEnd, reach };
}

function isAlways(field: FieldModel): boolean {
  return field.conditionTree === null && !field.overlaps && !field.optional;
}

/** Fields, with those together that an integer is divided into: each of them has the size of all of it. */
function wholeFields(fields: readonly FieldModel[]): readonly (readonly FieldModel[])[] {
  const wholes: FieldModel[][] = [];
  for (const field of fields) {
    const whole = wholes.at(-1);
    if (whole !== undefined && field.bits !== null && field.bits.shift > 0) whole.push(field);
    else wholes.push([field]);
  }
  return wholes;
}

function sizeOf([first]: readonly FieldModel[]): number | null {
  return first?.size ?? null;
}

function paddingSize(wholes: readonly (readonly FieldModel[])[]): number {
  const isPadding = (field: FieldModel): boolean => isAlways(field) && (field.reserved || field.validTree !== null);
  let total = 0;
  for (const whole of wholes) {
    const size = sizeOf(whole);
    if (size === null || !whole.every(isPadding)) break;
    total += size;
  }
  return total;
}

interface NumberPlace {
  readonly type: ScalarType;
  readonly enum: string | null;
  readonly signed: boolean;
  readonly offset: number;
  /** Of the outermost struct. */
  readonly size: number | null;
}

/** What an array that takes the rest is made of: there may be none, as of what is optional. */
function restElement({ type }: FieldModel): FieldType | undefined {
  return typeof type === "object" && "of" in type && type.length === null ? type.of : undefined;
}

/** The number that a path leads to inside of a field; of an array that takes the rest, inside of its first element. */
function numberIn(field: FieldModel, path: readonly string[], types: StructTypes): NumberPlace | NoPlace {
  const [first, ...rest] = path;
  if (field.conditionTree !== null) return { reason: "it is there only sometimes" };
  if (field.overlaps) return { reason: "it is in a union" };
  if (field.bits !== null) return { reason: "it is a part of a number" };
  const type = (first !== undefined || field.optional ? restElement(field) : undefined) ?? field.type;
  if (first === undefined) {
    const scalar = typeof type === "string" ? builtinScalar(type) : undefined;
    if (scalar === undefined) return { reason: "it is no number" };
    return { type: scalar, enum: field.enum, signed: field.signed, offset: 0, size: scalarSize(scalar) };
  }
  const name = typeof type === "string" ? type : "struct" in type ? type.struct : "";
  const struct = types.struct(name) ?? types.external(name);
  if (struct === undefined) return { reason: "it is no struct" };
  const inner = struct.fields.find(({ name }) => name === first);
  if (inner === undefined) {
    const known = struct.fields.map((each) => each.name);
    return { reason: "it has no such field", unknown: { name: first, known } };
  }
  if (inner.offset === null) return { reason: "where it is varies" };
  const found = numberIn(inner, rest, types);
  return "reason" in found ? found : { ...found, offset: inner.offset + found.offset, size: struct.size };
}

/** What a device looks at at once of a request, in bytes: a failure can repeat what is in there. */
export const knownHead = 256;

/** A number that a request has at a known place, not far from its start. */
export function findInRequest(
  path: readonly string[],
  variant: VariantModel,
  types: StructTypes,
): { readonly type: ScalarType; readonly signed: boolean; readonly offset: number } | NoPlace {
  const [first, ...inner] = path;
  const field = variant.readable.find(({ name }) => name === first);
  if (field === undefined) return { reason: "not every kind of request has it" };
  if (field.offset === null) return { reason: "where it is varies" };
  const found = numberIn(field, inner, types);
  if ("reason" in found) return found;
  const offset = field.offset + found.offset;
  return offset + scalarSize(found.type) > knownHead
    ? { reason: `it is not in the first ${knownHead} bytes` }
    : { ...found, offset };
}

/** The `failed` rules of a request. */
export function failureRules(request: RequestModel, answers: readonly AnswersModel[]): readonly AnswerRuleModel[] {
  return answers
    .filter(({ message }) => message === request.name)
    .flatMap((block) => block.rules.filter(({ verb }) => verb === "failed"));
}

/** Called for what a rule sets and what has no place in the answer to a kind of request: the rule has not been checked. */
export type Misplaced = (variant: VariantModel, path: readonly string[]) => void;

/** What a request's kinds are answered with where the device fails. Kinds that are missing have no such answer. */
export function failureAnswers(
  request: RequestModel,
  answers: readonly AnswersModel[],
  types: ModelTypes,
  onMisplaced: Misplaced,
): ReadonlyMap<VariantModel, FailureAnswer> {
  const rules = failureRules(request, answers);
  const places = new Map<VariantModel, readonly PlacedField[]>();
  for (const variant of request.variants) {
    const found = rules.length > 0 ? ruledFields(variant, rules, types, onMisplaced) : usualField(variant, types);
    if (found.length > 0) places.set(variant, found);
  }
  // What one kind has to look for from the end is looked for from there in all of them: there is one place less to know.
  const all = [...places.values()].flat();
  const fromEnd = all.some(({ place }) => place.fromStart === null) && all.every(({ place }) => place.fromEnd !== null);
  const result = new Map<VariantModel, FailureAnswer>();
  for (const [variant, fields] of places) {
    const answer = answerOf(fields, fromEnd);
    if (answer !== undefined) result.set(variant, answer);
    else for (const { path } of fields) onMisplaced(variant, path);
  }
  return result;
}

/** Whether a rule is for a kind of request. */
export function isFor(
  { kinds, variants }: Pick<AnswerRuleModel, "kinds" | "variants">,
  { name }: VariantModel,
): boolean {
  return kinds.length === 0 || variants.includes(name);
}

export interface PlacedField {
  readonly path: readonly string[];
  readonly place: AnswerPlace;
  readonly valueTree: Formula;
}

function ruledFields(
  variant: VariantModel,
  rules: readonly AnswerRuleModel[],
  types: StructTypes,
  onMisplaced: Misplaced,
): readonly PlacedField[] {
  return rules.flatMap(({ field: path, valueTree, variants, kinds }) => {
    if (path === null || valueTree === null) return [];
    if (!isFor({ kinds, variants }, variant)) return [];
    const place = findInAnswer(path, variant, types);
    if (place !== undefined && !("reason" in place)) return [{ path, place, valueTree }];
    if (place !== undefined) onMisplaced(variant, path);
    return [];
  });
}

function answerOf(fields: readonly PlacedField[], fromEnd: boolean): FailureAnswer | undefined {
  const anchor = fromEnd || fields.some(({ place }) => place.fromStart === null) ? "end" : "start";
  const distances = fields.map(({ place }) => (anchor === "end" ? place.fromEnd : place.reach));
  if (distances.includes(null)) return undefined;
  const size = Math.max(...distances.map((distance) => distance ?? 0));
  return {
    anchor,
    size,
    fields: fields.map(({ path, place, valueTree }) => ({
      path,
      type: place.type,
      enum: place.enum,
      offset: anchor === "end" ? size - (place.fromEnd ?? 0) : (place.fromStart ?? 0),
      valueTree,
    })),
  };
}

/** What a status calls a success. Not every 0 is one. */
const success = /(^|_)(OK|ACK)$/;

/**
 * Where a definition does not say what a failure is: the first status whose 0 is a success gets the smallest of its other
 * values. A driver may take the 0 that happens to be in its buffer for a success.
 */
export function usualField(variant: VariantModel, types: ModelTypes): readonly PlacedField[] {
  const paths = certainAnswer(variant).flatMap((field) => {
    const struct = typeof field.type === "string" ? types.struct(field.type) : undefined;
    return [[field.name], ...(struct?.fields ?? []).map((inner) => [field.name, inner.name])];
  });
  for (const path of paths) {
    const place = findInAnswer(path, variant, types);
    if (place === undefined || "reason" in place || place.enum === null) continue;
    const { members } = types.enum(place.enum) ?? { members: [] };
    const isSuccess = members.some(
      ({ name, value, last }) => last === null && Number(value) === 0 && success.test(name),
    );
    const errors = members.flatMap(({ value, last, alias }) =>
      last === null && !alias && Number(value) > 0 ? [Number(value)] : [],
    );
    if (isSuccess && errors.length > 0) {
      return [{ path, place, valueTree: { op: "number", value: Math.min(...errors) } }];
    }
  }
  return [];
}
