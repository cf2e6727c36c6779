import type { FieldModel } from "../../model/device-model.js";
import { code, joined, type Code } from "./code.js";
import { argumentList, formulaContext, type CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { memberAtPath, valueAtPath } from "./field-paths.js";
import { count, type FormulaContext, type Value } from "./formulas.js";
import { runtime } from "./imports.js";
import { memberName } from "./names.js";
import { readFields } from "./read-fields.js";
import { isTag, isWindow, type VariantShape } from "./request-shapes.js";
import { fixedSize, isWide, shapeOf, type Shape } from "./shapes.js";
import { plus, sizeCode, sizeFunction, type Size } from "./size-fields.js";
import { numberAt, tailSize } from "./structs-read.js";
import { isVisible, propertyName } from "./struct-types.js";

/** Bytes of a message that are copied as its head, at most. */
const HEAD_LIMIT = 256;

/** Members of the runtime's request class, and of the generated one. */
const SLOT_MEMBERS: ReadonlySet<string> = new Set(
  (
    "slot head headBytes headLength readable writable queueIndex position features live serial load decode finish abandon " +
    "toJSON replyToJSON complete readerFrom tooSmall"
  ).split(" "),
);

/** Name of a field as a member of a request. */
export function requestMember(field: FieldModel): string {
  return memberName(propertyName(field), SLOT_MEMBERS);
}

/** Where the readable fields of a variant are. */
export interface ReadableLayout {
  /** Numbers at known places of the head, except tags. */
  readonly head: readonly HeadField[];
  /** Structs in the head, which are looked at and not copied. */
  readonly views: readonly {
    readonly field: FieldModel;
    readonly offset: number;
    readonly shape: Shape & { kind: "struct" };
  }[];
  /** Fields that decoding gives a value to. */
  readonly assigned: readonly FieldModel[];
  /** Bytes of the head that must be there. */
  readonly headSize: number;
  /** Bytes of the head to copy. */
  readonly copied: number;
  /** Statements that point windows and decode what is not in the head. */
  readonly statements: readonly Code[];
}

export interface HeadField {
  readonly field: FieldModel;
  readonly offset: number;
  readonly shape: Shape & { kind: "scalar" };
}

/** Context of code inside a request class. */
export function slotContext(variant: VariantShape, scope: DeviceScope): CodecContext {
  const place = `${scope.device.name}.${variant.name}`;
  const features = (): Code => code`this.features`;
  const config = (): Code => code`this.#config`;
  const base = formulaContext(scope, place, { features, config, wholeConfig: true });
  return {
    scope,
    place,
    owner: variant.owner,
    features,
    config,
    formulas: {
      ...base,
      field: (_, path) => readableValue(variant, path, scope, place),
      member: (_, path) => {
        // Structs in the head are looked at where they are; what is decoded may be missing.
        const first = variant.readable.find((field) => field.name === path[0]);
        if (first === undefined || path.length < 2 || !isView(first, variant, scope)) return undefined;
        return memberAtPath(variant.readable, path, (field) => code`this.${requestMember(field)}`, scope);
      },
    },
    tailOf: (field) => tailSize(variant.readable, field, scope, place),
  };
}

/** A readable field for a formula: straight from the head where it is there. */
export function readableValue(
  variant: VariantShape,
  path: readonly string[],
  scope: DeviceScope,
  place: string,
): Value {
  const field = variant.readable.find((candidate) => candidate.name === path[0]);
  const shape = field === undefined ? undefined : shapeOf(field, scope);
  if (
    path.length === 1 &&
    field !== undefined &&
    field.offset !== null &&
    shape?.kind === "scalar" &&
    field.bits === null &&
    field.offset + 8 <= HEAD_LIMIT
  ) {
    return {
      code: numberAt(code`this.head`, code`${field.offset}`, shape),
      type: isWide(shape, field) ? "bigint" : "number",
    };
  }
  const maybeMissing = field === undefined || !isView(field, variant, scope);
  return valueAtPath(variant.readable, path, (each) => code`this.${requestMember(each)}`, scope, place, maybeMissing);
}

export function readableLayout(variant: VariantShape, scope: DeviceScope): ReadableLayout {
  const context = slotContext(variant, scope);
  const { place } = context;
  const head: HeadField[] = [];
  const views: { field: FieldModel; offset: number; shape: Shape & { kind: "struct" } }[] = [];
  const assigned: FieldModel[] = [];
  const statements: Code[] = [];
  let position: Size = { fixed: 0, varying: [] };
  let copied = 0;
  let headSize = 0;
  const fields = variant.readable;
  for (const [index, field] of fields.entries()) {
    const shape = shapeOf(field, scope);
    const size = fixedSize(shape);
    const isStatic = position.varying.length === 0 && field.conditionTree === null;
    const at = position.fixed;
    if (isStatic && size !== null && at + size <= HEAD_LIMIT && (shape.kind === "scalar" || field.reserved)) {
      if (shape.kind === "scalar" && isVisible(field) && !isTag(variant, field))
        head.push({ field, offset: at, shape });
      if (field.bits === null || !sharesWord(fields, index)) position = { fixed: at + size, varying: [] };
      copied = at + size;
      headSize = at + size;
      continue;
    }
    if (
      isStatic &&
      shape.kind === "struct" &&
      isView(field, variant, scope) &&
      at + (shape.struct.size ?? 0) <= HEAD_LIMIT
    ) {
      views.push({ field, offset: at, shape });
      copied = at + (shape.struct.size ?? 0);
      if (size === null) {
        const end = `${propertyName(field)}End`;
        const dynamic = code`${sizeFunction(shape.struct, scope)}(${argumentList(shape.struct, shape.arguments, context)})`;
        statements.push(
          code`const ${end} = ${sizeCode({ fixed: at, varying: [dynamic] })};`,
          code`if (this.readable.length < ${end}) return ${truncated("readable")};`,
        );
        position = { fixed: 0, varying: [code`${end}`] };
      } else {
        position = { fixed: at + size, varying: [] };
        headSize = at + size;
      }
      continue;
    }
    if (shape.kind === "bytes" && isWindow(field, scope) && field.conditionTree === null && field.sizedTree === null) {
      const tail = shape.length.kind === "rest" ? tailSize(fields, field, scope, place) : 0;
      statements.push(...windowStatements(variant, field, shape, sizeCode(position), tail, context.formulas));
      assigned.push(field);
      if (shape.length.kind === "formula") {
        position = plus(position, { fixed: 0, varying: [code`this.${requestMember(field)}.length`] });
        continue;
      }
      const behind = fields.slice(index + 1);
      if (behind.length > 0) statements.push(...parsed(variant, behind, code`this.readable.length - ${tail}`, context));
      assigned.push(...behind.filter(isVisible));
      break;
    }
    // From here on the fields are decoded one after the other.
    const behind = fields.slice(index);
    statements.push(...parsed(variant, behind, sizeCode(position), context));
    assigned.push(...behind.filter(isVisible));
    break;
  }
  return { head, views, assigned, headSize, copied, statements };
}

export function truncated(part: "readable" | "writable"): Code {
  const rule = part === "readable" ? "truncated" : "too-small";
  return code`new ${runtime("CodecError")}("${rule}", this.${part}.length)`;
}

function sharesWord(fields: readonly FieldModel[], index: number): boolean {
  const field = fields[index];
  const next = fields[index + 1];
  if (field === undefined || next === undefined || field.bits === null || next.bits === null) return false;
  return next.bits.shift > field.bits.shift && next.type === field.type;
}

/** Is the field a struct that is looked at in the head? Where there are variants, structs are decoded at once. */
function isView(field: FieldModel, variant: VariantShape, scope: DeviceScope): boolean {
  const shape = shapeOf(field, scope);
  return (
    variant.model.tags.length === 0 && field.sizedTree === null && shape.kind === "struct" && isViewable(shape, scope)
  );
}

/** A struct of numbers at fixed places, or a header of them. */
function isViewable(shape: Shape & { kind: "struct" }, scope: DeviceScope): boolean {
  const { struct } = shape;
  if (struct.kind === "union" || struct.size === null || struct.parameters.length > 0 || struct.sizedTree !== null)
    return false;
  if (scope.needs(struct).config.length > 0) return false;
  return struct.fields.every((field) => {
    if (!isVisible(field)) return field.counts === null;
    const inner = shapeOf(field, scope);
    if (field.offset === null || (struct.kind === "struct" && field.conditionTree !== null)) return false;
    return (
      inner.kind === "scalar" || (inner.kind === "struct" && fixedSize(inner) !== null && inner.arguments.length === 0)
    );
  });
}

/** The call that points a window; where there are variants, the member is set to it. */
export function pointed(variant: VariantShape, member: string, direction: "In" | "Out"): Code {
  return variant.isPlain ? code`this.${member}.window` : code`this.${member} = this.#${member}${direction}.window`;
}

function windowStatements(
  variant: VariantShape,
  field: FieldModel,
  shape: Shape & { kind: "bytes" },
  from: Code,
  tail: number,
  formulas: FormulaContext,
): Code[] {
  const member = requestMember(field);
  if (shape.length.kind === "formula") {
    const length = code`${member}Length`;
    return [
      code`const ${length} = ${count(shape.length.formula, formulas)};`,
      code`if (this.readable.length < ${from} + ${length}) return ${truncated("readable")};`,
      code`${pointed(variant, member, "In")}(this.readable, ${from}, ${length});`,
    ];
  }
  const check =
    tail === 0 ? [] : [code`if (this.readable.length < ${from} + ${tail}) return ${truncated("readable")};`];
  const before = [
    ...(from.parts[0] === "0" && from.parts.length === 1 ? [] : [from]),
    ...(tail === 0 ? [] : [code`${tail}`]),
  ];
  const length =
    before.length === 0 ? code`this.readable.length` : code`this.readable.length - (${joined(before, " + ")})`;
  return [...check, code`${pointed(variant, member, "In")}(this.readable, ${from}, ${length});`];
}

/** Statements that decode fields with a reader; the last one may be bytes, which are not copied. */
function parsed(variant: VariantShape, fields: readonly FieldModel[], start: Code, context: CodecContext): Code[] {
  const { scope, place } = context;
  const last = fields.at(-1);
  const window = last !== undefined && isWindow(last, scope) && last.conditionTree === null ? last : undefined;
  const decoded = window === undefined ? fields : fields.slice(0, -1);
  for (const field of decoded) {
    if (isWindow(field, scope))
      throw new EmitError("bytes of variable size between other parts", `${place}.${field.name}`);
  }
  const { statements, properties, formulas } = readFields(decoded, context);
  const assignments = decoded
    .filter(isVisible)
    .map((field, index) => code`this.${requestMember(field)} = ${localOf(properties[index])};`);
  const shape = window === undefined ? undefined : shapeOf(window, scope);
  const windows =
    window === undefined || shape?.kind !== "bytes"
      ? []
      : windowStatements(variant, window, shape, code`${start} + reader.offset`, 0, formulas);
  return [
    code`const reader = this.readerFrom(${start});`,
    ...statements,
    code`if (reader.error !== undefined) return reader.error;`,
    ...assignments,
    ...windows,
  ];
}

/** The variable in a property such as `name` or `name: variable`. */
function localOf(property: Code | undefined): string {
  const text = property?.parts.map((part) => (typeof part === "string" ? part : "")).join("") ?? "";
  const colon = text.indexOf(": ");
  return colon < 0 ? text : text.slice(colon + 2);
}
