import type { FieldModel, Formula, StructModel } from "../../model/device-model.js";
import { isWordOf, wordAt, wordCondition } from "./bit-fields.js";
import { code, joined, parameterNames, usesVariable, type Code } from "./code.js";
import { argumentList, parameterList, type CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError, unreachable } from "./emit-error.js";
import { condition, count } from "./formulas.js";
import { runtime } from "./imports.js";
import { continuesOverlap, overlapSize } from "./overlaps.js";
import { fixedSize, shapeOf, type ArmShape, type Shape } from "./shapes.js";
import { structContext } from "./structs-read.js";
import { armKinds, isExhaustive, isOptional, isVisible, propertyName } from "./struct-types.js";
import { fieldsFormulas } from "./write-fields.js";

/** An amount of bytes: a number known now, and expressions to add to it. */
export interface Size {
  readonly fixed: number;
  readonly varying: readonly Code[];
}

export const noBytes: Size = { fixed: 0, varying: [] };

export function plus(left: Size, right: Size): Size {
  return { fixed: left.fixed + right.fixed, varying: [...left.varying, ...right.varying] };
}

/** As an expression. */
export function sizeCode(size: Size): Code {
  if (size.varying.length === 0) return code`${size.fixed}`;
  return joined([...(size.fixed === 0 ? [] : [code`${size.fixed}`]), ...size.varying], " + ");
}

/** Bytes that fields take; `access` gives the expression of a field's value. */
export function sizeOfFields(
  fields: readonly FieldModel[],
  access: (field: FieldModel) => Code,
  context: CodecContext,
): Size {
  let total = noBytes;
  let wordEnd: { readonly field: FieldModel; readonly bits: number } | undefined;
  for (const [index, field] of fields.entries()) {
    const shape = shapeOf(field, context.scope);
    // The first member of an anonymous union counts for all of them.
    if (field.overlaps && index > 0 && continuesOverlap(fields, index - 1)) continue;
    if (field.bits !== null) {
      const { shift, width } = field.bits;
      const sameWord = wordEnd !== undefined && shift >= wordEnd.bits && isWordOf(field, wordEnd.field);
      if (!sameWord) total = plus(total, sizeOfWord(wordAt(fields, index), fixedSize(shape) ?? 0, context));
      wordEnd = { field, bits: shift + width };
      continue;
    }
    wordEnd = undefined;
    const size = field.overlaps ? overlapSize(field, context.place) : undefined;
    total = plus(total, sizeOfField(size === undefined ? field : { ...field, size }, shape, access, context));
  }
  return total;
}

function sizeOfWord(word: readonly FieldModel[], size: number, context: CodecContext): Size {
  const when = wordCondition(word);
  if (when === null) return { fixed: size, varying: [] };
  return { fixed: 0, varying: [code`(${condition(when, context.formulas)} ? ${size} : 0)`] };
}

function sizeOfField(
  field: FieldModel,
  shape: Shape,
  access: (field: FieldModel) => Code,
  context: CodecContext,
): Size {
  const test = field.moves ? field.conditionTree : null;
  const size = fieldSize(field, shape, access, context, test !== null);
  if (field.optional) return { fixed: 0, varying: [code`(${access(field)} === undefined ? 0 : ${sizeCode(size)})`] };
  if (test === null) return size;
  return { fixed: 0, varying: [code`(${condition(test, context.formulas)} ? ${sizeCode(size)} : 0)`] };
}

function fieldSize(
  field: FieldModel,
  shape: Shape,
  access: (field: FieldModel) => Code,
  context: CodecContext,
  conditional: boolean,
): Size {
  if (field.sizedTree !== null) {
    if (field.sizedTree.op === "number") return { fixed: Number(field.sizedTree.value), varying: [] };
    return { fixed: 0, varying: [code`(${count(field.sizedTree, context.formulas)})`] };
  }
  const fixed = field.overlaps ? field.size : fixedSize(shape);
  if (fixed !== null) return { fixed, varying: [] };
  // Reserved bytes up to the end are what nobody needed.
  if (field.reserved && shape.kind === "bytes" && shape.length.kind === "rest") return noBytes;
  if (!isVisible(field)) return { fixed: 0, varying: [reservedBytes(field, shape, context)] };
  const value = access(field);
  if (shape.kind === "bytes" && conditional) return { fixed: 0, varying: [code`(${value}?.length ?? 0)`] };
  return {
    fixed: 0,
    varying: [sizeOfShape(shape, conditional && isOptional(field, shape) ? withDefault(value, shape) : value, context)],
  };
}

/** Bytes of a reserved part whose length is worked out from other fields. */
export function reservedBytes(field: FieldModel, shape: Shape, context: CodecContext): Code {
  const isRun = shape.kind === "bytes" || shape.kind === "array";
  const element = shape.kind === "array" && shape.unit === "elements" ? fixedSize(shape.of) : 1;
  if (!isRun || element === null || shape.length.kind !== "formula")
    throw new EmitError("reserved bytes of variable size", `${context.place}.${field.name}`);
  const length = count(shape.length.formula, context.formulas);
  return element === 1 ? code`(${length})` : code`(${length}) * ${element}`;
}

/** What an optional part that is missing is written as. */
export function withDefault(value: Code, shape: Shape): Code {
  switch (shape.kind) {
    case "array":
      return code`(${value} ?? [])`;
    case "text":
      return shape.form === "list" ? code`(${value} ?? [])` : code`(${value} ?? "")`;
    case "bytes":
      return code`(${value} ?? new Uint8Array(0))`;
    default:
      return value;
  }
}

/** Bytes that a value of variable size takes. */
export function sizeOfShape(shape: Shape, value: Code, context: CodecContext): Code {
  switch (shape.kind) {
    case "scalar":
      return code`${fixedSize(shape) ?? 0}`;
    case "bytes":
      return code`${value}.length`;
    case "text":
      if (shape.length.kind === "fixed") return code`${shape.length.count}`;
      if (shape.form === "list") return code`${runtime("textListSize")}(${value})`;
      if (shape.form === "padded" && shape.length.kind === "formula")
        return code`(${count(shape.length.formula, context.formulas)})`;
      return code`${runtime("textSize")}(${value})${shape.form === "terminated" ? " + 1" : ""}`;
    case "array":
      return sizeOfArray(shape, value, context);
    case "struct":
      return code`${sizeFunction(shape.struct, context.scope)}(${sizeArguments(shape, value, context)})`;
    case "match":
      return sizeOfMatch(shape, value, context);
    default:
      return unreachable(shape);
  }
}

/** `sizeOfBlkZoneReport`. */
export function sizeFunction(struct: StructModel, scope: DeviceScope): string {
  return `sizeOf${scope.typeName(struct)}`;
}

function sizeArguments(shape: Shape & { kind: "struct" }, value: Code, context: CodecContext): Code {
  if (shape.struct.kind === "header") return headerSizeArguments(shape.struct, shape.arguments, context);
  const all = argumentList(shape.struct, shape.arguments, context);
  const needs = sizeNeeds(shape.struct, structContext(shape.struct, context.scope));
  const others = all.filter((_, index) => needs[index]);
  return joined(
    sizeUsesValue(shape.struct, structContext(shape.struct, context.scope)) ? [value, ...others] : others,
    ", ",
  );
}

/** What the size function of a header takes. */
export function headerSizeArguments(struct: StructModel, values: readonly Formula[], context: CodecContext): Code {
  const needs = sizeNeeds(struct, structContext(struct, context.scope));
  return joined(
    argumentList(struct, values, context).filter((_, index) => needs[index]),
    ", ",
  );
}

/** Which of a struct's parameters its size depends on. */
export function sizeNeeds(struct: StructModel, context: CodecContext): readonly boolean[] {
  const body = struct.kind === "header" ? headerConditions(struct, context) : sizeBody(struct, context);
  return parameterList(struct, context.scope).map(({ name }) => usesVariable(body, name));
}

/** Those that a header's size depends on: none in front of the last field that is always there. */
function headerConditions(struct: StructModel, context: CodecContext): Code {
  const last = struct.fields.findLastIndex((field) => field.conditionTree === null);
  return joined(
    struct.fields
      .slice(last + 1)
      .map((field) => (field.conditionTree === null ? undefined : condition(field.conditionTree, context.formulas))),
    "\n",
  );
}

/** Does a struct's size depend on its value, and not just on what was negotiated? */
export function sizeUsesValue(struct: StructModel, context: CodecContext): boolean {
  return usesVariable(sizeBody(struct, context), "value");
}

/** Size of a struct's value, as an expression over `value` and the struct's parameters. */
export function sizeBody(struct: StructModel, context: CodecContext): Code {
  const access = (field: FieldModel): Code => code`value.${propertyName(field)}`;
  const formulas = fieldsFormulas(struct.fields, access, context);
  if (struct.sizedTree !== null) return count(struct.sizedTree, formulas);
  return sizeCode(sizeOfFields(struct.fields, access, { ...context, formulas }));
}

function sizeOfArray(shape: Shape & { kind: "array" }, value: Code, context: CodecContext): Code {
  // What ends an array earlier leaves the rest of its bytes as zeroes.
  if (shape.unit === "bytes" && shape.ends !== null && shape.length.kind !== "rest")
    return shape.length.kind === "fixed"
      ? code`${shape.length.count}`
      : code`(${count(shape.length.formula, context.formulas)})`;
  if (shape.stride !== null) return code`${value}.length * (${count(shape.stride, context.formulas)})`;
  const element = fixedSize(shape.of);
  if (element !== null) return element === 1 ? code`${value}.length` : code`${value}.length * ${element}`;
  const size = sizeOfShape(shape.of, code`element`, context);
  return code`${value}.reduce((${parameterNames(["size", "element"], code`size + ${size}`)}) => size + ${size}, 0)`;
}

function sizeOfMatch(shape: Shape & { kind: "match" }, value: Code, context: CodecContext): Code {
  const always = isExhaustive(shape.arms);
  const dot = always ? "." : "?.";
  // Only tests for single kinds tell the compiler what the value is where they fail: arms of several kinds come last.
  const isMany = (arm: ArmShape): boolean => arm.model.patterns.length > 1;
  const isFixed = (arm: ArmShape): boolean => arm.struct.kind !== "header" && arm.struct.size !== null;
  const rank = (arm: ArmShape): number => (isMany(arm) ? (isFixed(arm) ? 2 : 1) : 0);
  const order = shape.arms.filter(isMany).length === 0 ? shape.arms : [...shape.arms].sort((a, b) => rank(a) - rank(b));
  const last = order.at(-1);
  const isTold = order.filter(isMany).length < 2 || (last !== undefined && isFixed(last));
  let result = always && isTold ? undefined : code`0`;
  for (const arm of [...order].reverse()) {
    if (arm.struct.fields.length === 0) continue;
    const fixed = isFixed(arm) ? arm.struct.size : null;
    const armShape: Shape = { kind: "struct", struct: arm.struct, arguments: arm.model.arguments };
    const size = fixed === null ? sizeOfShape(armShape, value, context) : code`${fixed}`;
    const tests = armKinds(arm).map((kind) => code`${value}${dot}kind === ${kind}`);
    result = result === undefined ? size : code`${joined(tests, " || ")} ? ${size} : ${result}`;
  }
  return code`(${result ?? "0"})`;
}
