import fc from "fast-check";
import { render } from "../../src/emit/typescript/code.js";
import type { DeviceScope } from "../../src/emit/typescript/device-scope.js";
import { isWideEnum, memberOf } from "../../src/emit/typescript/enums.js";
import { shapeOf, scalarSize, type Shape } from "../../src/emit/typescript/shapes.js";
import { armKinds, isVisible, patternKind, propertyName } from "../../src/emit/typescript/struct-types.js";
import type { FieldModel, Formula, StructModel } from "../../src/model/device-model.js";
import type { FeatureSet } from "../../src/runtime/index.js";

type Value = Readonly<Record<string, unknown>>;

/** Values that a struct can have, as generated code has them. `sized` structs say how long they are themselves. */
export function valueOf(struct: StructModel, scope: DeviceScope, features: FeatureSet): fc.Arbitrary<Value> {
  const fields = struct.fields.filter((field) => isVisible(field) && isPresent(field, scope, features));
  const simple = fields.filter((field) => shapeOf(field, scope).kind !== "match");
  // Of a union, one member: the largest, which all others follow from.
  const chosen = struct.kind === "union" ? largest(simple) : withoutOverlaps(simple);
  let record = fc.record<Record<string, unknown>>(
    Object.fromEntries(chosen.map((field) => [propertyName(field), fieldValue(shapeOf(field, scope), field, scope, features)])),
  );
  for (const field of fields) {
    const shape = shapeOf(field, scope);
    if (shape.kind === "match") record = record.chain((value) => withMatch(value, field, shape, struct, scope, features));
  }
  const counted = record.map((value) => withLengths(value, struct, scope));
  return struct.sizedTree === null ? counted : counted.map((value) => withSize(value, struct, scope));
}

/** A length in a header in front of what it counts is that of what was chosen. */
function withLengths(value: Record<string, unknown>, struct: StructModel, scope: DeviceScope): Record<string, unknown> {
  let result = value;
  for (const field of struct.fields) {
    const shape = shapeOf(field, scope);
    if ((shape.kind !== "bytes" && shape.kind !== "array") || shape.length.kind !== "formula") continue;
    const { formula } = shape.length;
    const [first, second, more] = formula.op === "field" ? formula.path : [];
    const part = result[propertyName(field)];
    if (first === undefined || second === undefined || more !== undefined) continue;
    if (!(part instanceof Uint8Array) && !Array.isArray(part)) continue;
    const outer = result[first];
    if (typeof outer !== "object" || outer === null) continue;
    result = { ...result, [first]: { ...outer, [second]: part.length } };
  }
  return result;
}

function isPresent(field: FieldModel, scope: DeviceScope, features: FeatureSet): boolean {
  return field.conditionTree === null || holds(field.conditionTree, scope, features);
}

function holds(formula: Formula, scope: DeviceScope, features: FeatureSet): boolean {
  if (formula.op === "feature") return features.has(scope.feature(formula.feature)?.bit ?? -1);
  if (formula.op === "unary") return !holds(formula.operand, scope, features);
  if (formula.op !== "binary") throw new Error(`a condition over ${formula.op}`);
  const left = holds(formula.left, scope, features);
  return formula.operator === "||" ? left || holds(formula.right, scope, features) : left && holds(formula.right, scope, features);
}

function largest(fields: readonly FieldModel[]): FieldModel[] {
  return [...fields].sort((left, right) => (right.size ?? 0) - (left.size ?? 0)).slice(0, 1);
}

function withoutOverlaps(fields: readonly FieldModel[]): FieldModel[] {
  const kept = new Set(largest(fields.filter((field) => field.overlaps)));
  return fields.filter((field) => !field.overlaps || kept.has(field));
}

function fieldValue(shape: Shape, field: FieldModel, scope: DeviceScope, features: FeatureSet): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case "scalar":
      return scalar(shape, field);
    case "bytes": {
      const { length } = shape;
      return length.kind === "fixed" ? fc.uint8Array({ minLength: length.count, maxLength: length.count }) : fc.uint8Array({ maxLength: 9 });
    }
    case "text":
      return fc.string({ unit: "grapheme-ascii", maxLength: shape.length.kind === "fixed" ? shape.length.count : 9 });
    case "array": {
      const element = fieldValue(shape.of, field, scope, features);
      const { length } = shape;
      // The length of an RSS table is one more than a number that cannot be negative.
      return length.kind === "fixed" ? fc.array(element, { minLength: length.count, maxLength: length.count }) : fc.array(element, { minLength: 1, maxLength: 4 });
    }
    case "struct":
      return valueOf(shape.struct, scope, features);
    case "match":
      throw new Error("a match inside of an array");
  }
}

function scalar(shape: Shape & { kind: "scalar" }, field: FieldModel): fc.Arbitrary<unknown> {
  const width = field.bits?.width ?? scalarSize(shape.scalar) * 8;
  const isWide = scalarSize(shape.scalar) === 8 && width > 32;
  switch (shape.meaning.kind) {
    case "boolean":
      return fc.boolean();
    case "signed": {
      const half = 2 ** (width - 1);
      return isWide ? fc.bigInt({ min: -(2n ** BigInt(width - 1)), max: 2n ** BigInt(width - 1) - 1n }) : fc.integer({ min: -half, max: half - 1 });
    }
    case "number":
      return isWide ? fc.bigInt({ min: 0n, max: 2n ** BigInt(width) - 1n }) : fc.integer({ min: 0, max: 2 ** width - 1 });
    case "enum": {
      const model = shape.meaning.enum;
      const names = model.members.filter((member) => member.last === null).map((member) => memberOf(model, Number(member.value))?.name ?? "");
      const other = fc.integer({ min: 0, max: 2 ** Math.min(width, 32) - 1 }).filter((value) => memberOf(model, value) === undefined);
      return isWideEnum(model) ? fc.constantFrom(...names) : fc.oneof(fc.constantFrom(...names), other);
    }
  }
}

/** Adds the arm that belongs to the tag. */
function withMatch(
  value: Value,
  field: FieldModel,
  shape: Shape & { kind: "match" },
  struct: StructModel,
  scope: DeviceScope,
  features: FeatureSet,
): fc.Arbitrary<Record<string, unknown>> {
  const tag = tagNumber(shape.subject, value, struct, scope);
  const fits = shape.arms.find(({ model }) => model.patterns.some(({ low, high }) => tag >= low && tag <= high));
  const arm = fits ?? shape.arms.find(({ model }) => model.patterns.length === 0);
  if (arm === undefined || arm.struct.fields.length === 0) return fc.constant({ ...value });
  const pattern = arm.model.patterns.find(({ low, high }) => tag >= low && tag <= high);
  const text = pattern === undefined ? '"default"' : render(patternKind(pattern)).text;
  const kind: unknown = JSON.parse(text);
  return valueOf(arm.struct, scope, features).map((body) => ({ ...value, [propertyName(field)]: { kind, ...body } }));
}

function tagNumber(subject: Formula, value: Value, struct: StructModel, scope: DeviceScope): number {
  if (subject.op !== "field") throw new Error("a match on something that is not a field");
  let fields = struct.fields;
  let part: unknown = value;
  let found: FieldModel | undefined;
  for (const name of subject.path) {
    found = fields.find((field) => field.name === name);
    if (found === undefined || typeof part !== "object" || part === null) throw new Error(`no field ${name}`);
    part = new Map<string, unknown>(Object.entries(part)).get(propertyName(found));
    const shape = shapeOf(found, scope);
    if (shape.kind === "struct") fields = shape.struct.fields;
    else if (typeof part === "string" && shape.kind === "scalar" && shape.meaning.kind === "enum") {
      return Number(shape.meaning.enum.members.find((member) => member.name === part)?.value);
    }
  }
  return Number(part);
}

/** Room for all that is in it. */
function withSize(value: Record<string, unknown>, struct: StructModel, scope: DeviceScope): Record<string, unknown> {
  const tree = struct.sizedTree;
  // A size that is always the same is nobody's to give.
  if (tree?.op === "number") return value;
  // `head.length + 4`: of what is behind the header, exactly.
  const isSum = tree?.op === "binary" && tree.operator === "+" && tree.right.op === "number";
  const length = isSum ? tree.left : tree;
  const [first, second] = length?.op === "field" ? length.path : [];
  const outer = struct.fields.find((field) => field.name === first);
  const shape = outer === undefined ? undefined : shapeOf(outer, scope);
  if (outer === undefined || shape?.kind !== "struct" || second === undefined) throw new Error("a size that is not in a header");
  const inner = value[propertyName(outer)];
  return { ...value, [propertyName(outer)]: { ...(typeof inner === "object" ? inner : {}), [second]: isSum ? bytesBehind(outer, value, struct, scope) : 64 } };
}

/** Bytes of the fields behind a header: those of fixed size, and what an arm of a match holds. */
function bytesBehind(header: FieldModel, value: Record<string, unknown>, struct: StructModel, scope: DeviceScope): number {
  let total = 0;
  for (const field of struct.fields.slice(struct.fields.indexOf(header) + 1)) {
    const shape = shapeOf(field, scope);
    if (shape.kind !== "match") {
      total += field.size ?? 0;
      continue;
    }
    const part = value[propertyName(field)];
    const kind: unknown = typeof part === "object" && part !== null && "kind" in part ? part.kind : undefined;
    const arm = shape.arms.find((each) => armKinds(each).some((name) => JSON.parse(render(name).text) === kind));
    if (arm === undefined) continue;
    total += arm.struct.size ?? 0;
    if (arm.struct.size === null)
      for (const each of Object.values(part ?? {})) if (each instanceof Uint8Array) total += each.length;
  }
  return total;
}
