import type fc from "fast-check";
import * as arbitrary from "fast-check";
import { render } from "../../src/emit/typescript/code.js";
import { lengthFormulas, visitFormula } from "../../src/emit/typescript/device-scope.js";
import { isWideEnum, memberOf } from "../../src/emit/typescript/enums.js";
import { camelCase } from "../../src/emit/typescript/names.js";
import { fixedSize, goesToEnd, scalarSize, shapeOf, takesRest, type ArmShape, type Length, type Shape } from "../../src/emit/typescript/shapes.js";
import { isVisible, patternKind, propertyName } from "../../src/emit/typescript/struct-types.js";
import type { FieldModel, Formula, PatternModel, StructModel } from "../../src/model/device-model.js";
import { numberAt, setNumberAt, valueIn, type Agreement, type Numbers, type Surroundings } from "./message-formulas.js";

export type Value = Record<string, unknown>;
type Scalar = Shape & { kind: "scalar" };

/** Fields with values: as generated code has them, as numbers for formulas, and how many bytes they take. */
export interface Made {
  readonly value: Value;
  readonly numbers: Numbers;
  readonly size: number;
  /** Bytes of each field that is there, by name. */
  readonly sizes: ReadonlyMap<string, number>;
}
interface Part {
  /** Undefined: left out. */
  readonly value: unknown;
  readonly number: bigint | Numbers | undefined;
  readonly size: number;
}
/** What a message must be like. */
export interface Wishes {
  /** Tags, by path: one of these. */
  readonly tags?: ReadonlyMap<string, readonly PatternModel[]>;
  readonly readable?: Numbers | undefined;
  readonly outer?: Numbers | undefined;
  readonly parameters?: ReadonlyMap<string, bigint | undefined>;
  /** Bytes that there are; what goes to the end takes all that is left. */
  readonly room?: number | undefined;
  /** Values that matches look for, by path: some of the time one of these. */
  readonly hints?: ReadonlyMap<string, readonly PatternModel[]>;
  /** Least values of numbers that say how large the elements of an array are, by path. */
  readonly least?: ReadonlyMap<string, number>;
  /** Paths of numbers that have to be small, because something is as long as they say. */
  readonly small?: ReadonlySet<string>;
}

/** The generator cannot make such a message; the text says why. */
export class NotBuilt extends Error {}

const LONGEST = 2048;

/** Makes the values of messages as the model describes them. */
export class MessageMaker {
  readonly #g: fc.GeneratorValue;
  readonly #agreed: Agreement;

  constructor(g: fc.GeneratorValue, agreed: Agreement) {
    this.#g = g;
    this.#agreed = agreed;
  }

  number(min: number, max: number): number {
    return this.#g(arbitrary.integer, { min, max });
  }
  bytes(length: number): Uint8Array {
    return this.#g(arbitrary.uint8Array, { minLength: length, maxLength: length });
  }

  fields(fields: readonly FieldModel[], wishes: Wishes = {}): Made {
    const numbers: Numbers = new Map();
    const value: Value = {};
    const around: Surroundings = {
      self: numbers,
      outer: wishes.outer,
      readable: wishes.readable,
      parameters: wishes.parameters ?? new Map(),
    };
    const small = new Set([...(wishes.small ?? []), ...lengthPaths(fields)]);
    const tags = wishes.tags ?? new Map<string, readonly PatternModel[]>();
    const hints = new Map([...(wishes.hints ?? []), ...matchPaths(fields, this.#agreed)]);
    const least = new Map([...(wishes.least ?? []), ...strides(fields, this.#agreed)]);
    const chosen = chosenMembers(fields);
    const early = this.#early(fields, around, { ...wishes, small, tags, hints, least });
    const sizes = new Map<string, number>();
    let size = 0;
    for (const field of fields) {
      if (field.conditionTree !== null && field.moves && this.#value(field.conditionTree, around, field) === 0n) continue;
      if (field.overlaps) {
        const { union } = field;
        if (union === null || chosen.get(union.group) !== union.member) continue;
        // The union takes its place whatever is in it.
        if (fields[fields.indexOf(field) - 1]?.union?.member !== union.member) size += union.size;
        if (!isVisible(field)) continue;
      }
      if (!isVisible(field)) {
        size += hiddenSize(field, this.#agreed, (length) => this.#value(length, around, field));
        continue;
      }
      const isThere = !field.optional || this.#g(arbitrary.boolean);
      if (!isThere || (field.conditionTree !== null && this.#value(field.conditionTree, around, field) === 0n)) continue;
      const room = wishes.room === undefined ? undefined : wishes.room - size;
      const part = early.get(field) ?? this.#field(field, fields, around, { ...wishes, room, small: below(small, field.name), tags: belowMap(tags, field.name), hints: belowMap(hints, field.name), least: belowMap(least, field.name) }, value);
      if (part.value !== undefined) value[propertyName(field)] = part.value;
      if (part.number !== undefined) numbers.set(field.name, part.number);
      for (const other of fields) {
        if (other.counts?.field !== field.name) continue;
        numbers.set(other.name, BigInt(lengthOf(part, shapeOf(field, this.#agreed.scope)) + other.counts.plus));
      }
      sizes.set(field.name, part.size);
      if (field.overlaps) continue;
      if (field.bits === null || field.bits.shift === 0) size += part.size;
    }
    return { value, numbers, size, sizes };
  }

  /** Numbers that a match in front of them looks at. */
  #early(fields: readonly FieldModel[], around: Surroundings, wishes: Wishes): ReadonlyMap<FieldModel, Part> {
    const found = new Map<FieldModel, Part>();
    for (const [index, field] of fields.entries()) {
      const shape = shapeOf(field, this.#agreed.scope);
      if (shape.kind !== "match") continue;
      visitFormula(shape.subject, (formula) => {
        if (formula.op !== "field" || formula.scope !== "self" || formula.path.length !== 1) return;
        const behind = fields.slice(index).find(({ name }) => name === formula.path[0]);
        if (behind === undefined || found.has(behind) || around.self.has(behind.name)) return;
        const scalar = shapeOf(behind, this.#agreed.scope);
        if (scalar.kind !== "scalar") return;
        const { name } = behind;
        const own: Wishes = { ...wishes, small: below(wishes.small ?? new Set(), name), tags: belowMap(wishes.tags ?? new Map(), name), hints: belowMap(wishes.hints ?? new Map(), name) };
        found.set(behind, this.#scalar(scalar, behind, around, own));
      });
    }
    return found;
  }

  struct(struct: StructModel, wishes: Wishes = {}): Made {
    const isApart = struct.kind === "union" && struct.fields.some(({ union }) => union === null);
    const fields = isApart ? [largest(struct.fields.filter(isVisible))].filter((field) => field !== undefined) : struct.fields;
    const { sizedTree } = struct;
    const canBePadded = !struct.fields.some((field) => goesToEnd(field, this.#agreed.scope));
    for (let attempt = 1; ; attempt++) {
      const made = this.fields(fields, wishes);
      const size = struct.kind === "union" || struct.kind === "header" ? (struct.size ?? made.size) : made.size;
      if (sizedTree === null) return { ...made, size };
      const around = { self: made.numbers, parameters: wishes.parameters ?? new Map<string, bigint>() };
      try {
        return { ...made, size: this.#fit(sizedTree, made.value, around, size, struct.name, canBePadded) };
      } catch (error) {
        if (attempt === 16) throw error;
      }
    }
  }

  #value(formula: Formula, around: Surroundings, field: FieldModel): bigint {
    const value = valueIn(formula, around, this.#agreed);
    if (value === undefined) throw new NotBuilt(`${field.name} depends on something that has no number`);
    return value;
  }

  #field(field: FieldModel, fields: readonly FieldModel[], around: Surroundings, wishes: Wishes, value: Value): Part {
    const shape = shapeOf(field, this.#agreed.scope);
    if (shape.kind === "scalar") return this.#scalar(shape, field, around, wishes);
    const tree = field.sizedTree;
    const given = tree === null ? undefined : ownPath(tree) === undefined ? Number(this.#value(tree, around, field)) : undefined;
    const isCounted = fields.some((other) => other.counts?.field === field.name);
    const part = this.#part(shape, field, around, { ...wishes, room: tree === null ? wishes.room : given }, isCounted);
    if (tree === null) return part;
    if (given !== undefined && part.size > given) throw new NotBuilt(`${field.name} is longer than ${String(given)} bytes`);
    const canBePadded = !takesRest(shape, this.#agreed.scope);
    return { ...part, size: this.#fit(tree, value, around, part.size, field.name, canBePadded) };
  }

  /**
   * Sets the number that says how long something is to what it is, if it is not so already. Returns the size with padding,
   * which there can be only if nothing in it goes on to its end.
   */
  #fit(tree: Formula, value: Value, around: Surroundings, size: number, place: string, canBePadded: boolean): number {
    const path = ownPath(tree);
    const given = valueIn(tree, around, this.#agreed);
    if (path === undefined) return Number(given ?? size);
    if (given !== undefined && (canBePadded ? Number(given) >= size && Number(given) < size + 64 : Number(given) === size)) return Number(given);
    let inner: unknown = value;
    for (const name of path.slice(0, -1)) inner = Reflect.get(Object(inner), camelCase(name));
    const last = camelCase(path.at(-1) ?? "");
    if (typeof inner !== "object" || inner === null || !(last in inner)) throw new NotBuilt(`${place} has a size that follows from its parts`);
    for (let number = 0; number <= LONGEST; number++) {
      setNumberAt(around.self, path, BigInt(number));
      if (valueIn(tree, around, this.#agreed) !== BigInt(size)) continue;
      Reflect.set(inner, last, number);
      return size;
    }
    throw new NotBuilt(`${place} has a size that no number gives`);
  }

  #part(shape: Shape, field: FieldModel, around: Surroundings, wishes: Wishes, isCounted: boolean): Part {
    switch (shape.kind) {
      case "scalar":
        return this.#scalar(shape, field, around, wishes);
      case "bytes": {
        const value = this.bytes(this.#length(shape.length, field, around, wishes, isCounted));
        return { value, number: undefined, size: value.length };
      }
      case "text":
        return this.#text(shape, field, around, wishes, isCounted);
      case "array":
        return this.#array(shape, field, around, wishes, isCounted);
      case "struct": {
        const parameters = new Map(shape.struct.parameters.map((name, index) => [name, argument(shape.arguments[index], around, this.#agreed)]));
        const { value, numbers, size } = this.struct(shape.struct, { ...wishes, outer: undefined, parameters });
        return { value, number: numbers, size };
      }
      case "match":
        return this.#match(shape, field, around, wishes);
    }
  }

  #length(length: Length, field: FieldModel, around: Surroundings, wishes: Wishes, isCounted: boolean): number {
    if (length.kind === "fixed") return length.count;
    if (length.kind === "rest") return wishes.room ?? this.number(0, 9);
    if (isCounted) return this.number(1, 5);
    const wanted = Number(this.#value(length.formula, around, field));
    if (wanted < 0 || wanted > LONGEST) throw new NotBuilt(`${field.name} would be ${String(wanted)} long`);
    return wanted;
  }

  #text(shape: Shape & { kind: "text" }, field: FieldModel, around: Surroundings, wishes: Wishes, isCounted: boolean): Part {
    const length = this.#length(shape.length, field, around, wishes, isCounted);
    const letters = (count: number): string => Array.from({ length: count }, () => String.fromCharCode(this.number(33, 126))).join("");
    const isFree = shape.length.kind === "rest" && wishes.room === undefined;
    switch (shape.form) {
      case "exact":
        return { value: letters(length), number: undefined, size: length };
      case "padded":
        return { value: letters(isFree ? length : this.number(0, length)), number: undefined, size: length };
      case "terminated":
        return { value: letters(isFree ? length : this.number(0, Math.max(0, length - 1))), number: undefined, size: isFree ? length + 1 : length };
      case "list": {
        const value = length === 0 ? [] : [letters(length - 1)];
        return { value, number: undefined, size: length };
      }
    }
  }

  #array(shape: Shape & { kind: "array" }, field: FieldModel, around: Surroundings, wishes: Wishes, isCounted: boolean): Part {
    if (shape.unit === "bytes" && isCounted) {
      const parts = Array.from({ length: this.number(0, 3) }, () => this.#part(shape.of, field, around, { ...wishes, room: undefined }, false));
      return { value: parts.map(({ value }) => value), number: undefined, size: parts.reduce((total, part) => total + part.size, 0) };
    }
    const bytes = shape.unit === "bytes" || (shape.length.kind === "rest" && wishes.room !== undefined);
    const stride = shape.stride === null ? undefined : Number(this.#value(shape.stride, around, field));
    const wanted = shape.length.kind === "rest" && wishes.room === undefined ? this.number(0, 4) : this.#length(shape.length, field, around, wishes, isCounted);
    const plain: Wishes = { ...wishes, room: stride };
    if (!bytes) {
      const all = Array.from({ length: wanted }, () => this.#part(shape.of, field, around, plain, false));
      // Nothing follows the one that ends them.
      const end = shape.ends === null ? undefined : equation(shape.ends);
      const last = end === undefined ? -1 : all.findIndex(({ number }) => number instanceof Map && numberAt(number, end.path) === BigInt(end.value));
      const parts = last < 0 ? all : all.slice(0, last + 1);
      if (parts.some(({ size }) => size > (stride ?? size))) throw new NotBuilt(`elements of ${field.name} are longer than their stride`);
      const own = parts.reduce((total, part) => total + part.size, 0);
      return { value: parts.map(({ value }) => value), number: undefined, size: stride === undefined ? own : stride * wanted };
    }
    return { value: this.#filling(shape, field, around, plain, wanted), number: undefined, size: wanted };
  }

  /** Elements that take so many bytes; if a last one can end them, zeroes follow it. */
  #filling(shape: Shape & { kind: "array" }, field: FieldModel, around: Surroundings, wishes: Wishes, bytes: number): unknown[] {
    const fixed = fixedSize(shape.of);
    if (shape.ends === null) {
      if (fixed === null || fixed === 0 || bytes % fixed !== 0) throw new NotBuilt(`no elements of ${field.name} take exactly ${String(bytes)} bytes`);
      return Array.from({ length: bytes / fixed }, () => this.#part(shape.of, field, around, wishes, false).value);
    }
    const end = equation(shape.ends);
    if (end === undefined) throw new NotBuilt(`what ends ${field.name} is not one number`);
    const last = this.#part(shape.of, field, around, { ...wishes, tags: new Map([[end.path.join("."), [exactly(end.value)]]]) }, false);
    if (last.size > bytes) throw new NotBuilt(`the last of ${field.name} does not fit into ${String(bytes)} bytes`);
    const elements: unknown[] = [];
    let used = last.size;
    for (let left = this.number(0, 3); left > 0; left--) {
      const part = this.#part(shape.of, field, around, wishes, false);
      const tag = part.number instanceof Map ? numberAt(part.number, end.path) : undefined;
      if (tag === BigInt(end.value) || used + part.size > bytes) continue;
      elements.push(part.value);
      used += part.size;
    }
    return [...elements, last.value];
  }

  #match(shape: Shape & { kind: "match" }, field: FieldModel, around: Surroundings, wishes: Wishes): Part {
    const tag = Number(this.#value(shape.subject, around, field));
    const hit = (arm: ArmShape): PatternModel | undefined => arm.model.patterns.find(({ low, high }) => tag >= low && tag <= high);
    const arm = shape.arms.find((each) => hit(each) !== undefined) ?? shape.arms.find(({ model }) => model.patterns.length === 0);
    if (arm === undefined || arm.struct.fields.length === 0) return { value: undefined, number: undefined, size: 0 };
    const pattern = hit(arm);
    const kind: unknown = pattern === undefined ? "default" : JSON.parse(render(patternKind(pattern)).text);
    const parameters = new Map(arm.struct.parameters.map((name, index) => [name, argument(arm.model.arguments[index], around, this.#agreed)]));
    const made = this.struct(arm.struct, { ...wishes, outer: around.self, parameters });
    return { value: { kind, ...made.value }, number: made.numbers, size: made.size };
  }

  #scalar(shape: Scalar, field: FieldModel, around: Surroundings, wishes: Wishes): Part {
    const size = scalarSize(shape.scalar);
    const tags = wishes.tags?.get("");
    for (let attempt = 0; attempt < 64; attempt++) {
      const hints = tags ?? (this.number(0, 3) === 0 ? undefined : wishes.hints?.get(""));
      const raw = hints === undefined || hints.length === 0 ? this.#raw(shape, field, wishes) : this.#tag(hints);
      around.self.set(field.name, raw);
      const allowed = field.constraintTree === null ? 1n : (valueIn(field.constraintTree, around, this.#agreed) ?? 1n);
      if (allowed !== 0n) return { value: this.#read(shape, field, raw), number: raw, size };
    }
    throw new NotBuilt(`no value of ${field.name} found that is allowed`);
  }

  #tag(patterns: readonly PatternModel[]): bigint {
    const pattern = patterns[this.number(0, patterns.length - 1)];
    if (pattern === undefined) throw new NotBuilt("a tag without a value");
    return BigInt(this.number(pattern.low, Math.min(pattern.high, pattern.low + 1000)));
  }

  #raw(shape: Scalar, field: FieldModel, wishes: Wishes): bigint {
    const width = field.bits?.width ?? scalarSize(shape.scalar) * 8;
    if (shape.meaning.kind === "enum") {
      const { members, open } = shape.meaning.enum;
      const values = members.map((member) => BigInt(member.value));
      const other = open && this.number(0, 3) === 0;
      const known = values[this.number(0, values.length - 1)];
      if (known !== undefined && !other) return known;
    }
    if (shape.meaning.kind === "signed") {
      return this.#g(arbitrary.bigInt, { min: -(2n ** BigInt(width - 1)), max: 2n ** BigInt(width - 1) - 1n });
    }
    const least = BigInt(wishes.least?.get("") ?? 0);
    return this.#g(arbitrary.bigInt, { min: least, max: wishes.small?.has("") === true ? least + 6n : 2n ** BigInt(width) - 1n });
  }

  /** The number as generated code gives it. */
  #read(shape: Scalar, field: FieldModel, raw: bigint): unknown {
    const width = field.bits?.width ?? scalarSize(shape.scalar) * 8;
    const isWide = scalarSize(shape.scalar) === 8 && width > 32;
    if (shape.meaning.kind === "boolean") return raw !== 0n;
    if (shape.meaning.kind !== "enum") return isWide ? raw : Number(raw);
    const member = shape.meaning.enum.members.find((each) => each.last === null && BigInt(each.value) === raw);
    return member?.name ?? (isWideEnum(shape.meaning.enum) ? raw : (memberOf(shape.meaning.enum, Number(raw))?.name ?? Number(raw)));
  }
}

function argument(formula: Formula | undefined, around: Surroundings, agreed: Agreement): bigint | undefined {
  return formula === undefined ? undefined : valueIn(formula, around, agreed);
}

/** The first field of its own that a formula reads. */
function ownPath(formula: Formula): readonly string[] | undefined {
  let path: readonly string[] | undefined;
  visitFormula(formula, (part) => {
    if (part.op === "field" && part.scope === "self") path ??= part.path;
  });
  return path;
}

/** `head.type == 0` */
function equation(formula: Formula): { readonly path: readonly string[]; readonly value: number } | undefined {
  if (formula.op !== "binary" || formula.operator !== "==") return undefined;
  const { left, right } = formula;
  return left.op === "field" && right.op === "number" ? { path: left.path, value: Number(right.value) } : undefined;
}

function exactly(value: number): PatternModel {
  return { name: null, low: value, high: value };
}

/** Of each union without a name, the member that says most. */
function chosenMembers(fields: readonly FieldModel[]): ReadonlyMap<number, number> {
  const chosen = new Map<number, number>();
  const sizes = new Map<number, number>();
  for (const { union, size } of fields.filter(isVisible)) {
    if (union === null) continue;
    const end = union.offset + (size ?? 0);
    if (end <= (sizes.get(union.group) ?? -1)) continue;
    sizes.set(union.group, end);
    chosen.set(union.group, union.member);
  }
  return chosen;
}

/** What is counted of a part: bytes, or elements. */
function lengthOf({ value, size }: Part, shape: Shape): number {
  if (shape.kind === "array" && shape.unit === "elements" && Array.isArray(value)) return value.length;
  return size;
}

function largest(fields: readonly FieldModel[]): FieldModel | undefined {
  return [...fields].sort((left, right) => (right.size ?? 0) - (left.size ?? 0))[0];
}

/** Paths of the numbers that lengths are made of, and of those that have to be within limits. */
export function lengthPaths(fields: readonly FieldModel[]): string[] {
  const paths: string[] = [];
  const limits = fields.flatMap(({ constraintTree }) => (constraintTree === null ? [] : [constraintTree]));
  for (const formula of [...lengthFormulas(fields.map((field) => ({ ...field, conditionTree: null }))), ...limits]) {
    visitFormula(formula, (part) => {
      if (part.op === "field") paths.push(part.path.join("."));
    });
  }
  return paths;
}

/** Numbers that say how many bytes an element takes, and the fewest that one takes. */
export function strides(fields: readonly FieldModel[], agreed: Agreement): [string, number][] {
  return fields.flatMap((field): [string, number][] => {
    const shape = shapeOf(field, agreed.scope);
    if (shape.kind !== "array" || shape.stride?.op !== "field") return [];
    return [[shape.stride.path.join("."), fixedSize(shape.of) ?? 0]];
  });
}

/** The values that matches look for, so that each arm has its turn. */
function matchPaths(fields: readonly FieldModel[], agreed: Agreement): [string, readonly PatternModel[]][] {
  return fields.flatMap((field): [string, readonly PatternModel[]][] => {
    const shape = shapeOf(field, agreed.scope);
    if (shape.kind !== "match" || shape.subject.op !== "field") return [];
    return [[shape.subject.path.join("."), shape.arms.flatMap(({ model }) => model.patterns)]];
  });
}

/** What is said of a field, and of what is in it. */
function below(paths: ReadonlySet<string>, name: string): ReadonlySet<string> {
  return new Set(belowMap(new Map([...paths].map((path) => [path, true])), name).keys());
}
function belowMap<T>(paths: ReadonlyMap<string, T>, name: string): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  for (const [path, what] of paths) {
    if (path === name) found.set("", what);
    else if (path.startsWith(`${name}.`)) found.set(path.slice(name.length + 1), what);
  }
  return found;
}

function hiddenSize(field: FieldModel, agreed: Agreement, length: (formula: Formula) => bigint): number {
  if (field.bits !== null && field.bits.shift !== 0) return 0;
  if (field.size !== null) return field.size;
  const shape = shapeOf(field, agreed.scope);
  if (shape.kind === "bytes" && shape.length.kind === "formula") return Number(length(shape.length.formula));
  return fixedSize(shape) ?? 0;
}
