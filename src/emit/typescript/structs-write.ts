import type { FieldModel, StructModel } from "../../model/device-model.js";
import { code, joined, nothing, paragraphs, type Code } from "./code.js";
import { codecParameters, parameterList, type CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { condition, count } from "./formulas.js";
import { runtimeType } from "./imports.js";
import { constantCase } from "./names.js";
import { fixedSize, isWide, shapeOf } from "./shapes.js";
import { headerSizeArguments, sizeBody, sizeFunction, sizeNeeds, sizeUsesValue } from "./size-fields.js";
import { apart, headerSizeName, parameterFormulas, structContext } from "./structs-read.js";
import { isVisible, propertyName } from "./struct-types.js";
import { fieldsFormulas, sized, writeFields } from "./write-fields.js";

const ofValue = (field: FieldModel): Code => code`value.${propertyName(field)}`;

/** `BLK_LIFETIME_SIZE`: bytes of a struct of fixed size. */
export function sizeConstant(struct: StructModel, scope: DeviceScope): string {
  return `${constantCase(scope.typeName(struct))}_SIZE`;
}

/** `writeBlkLifetime(writer, value)`. */
export function structWriter(struct: StructModel, scope: DeviceScope): Code {
  const name = scope.typeName(struct);
  const context = structContext(struct, scope);
  const body = writerBody(struct, context);
  const first = [
    { name: "writer", type: runtimeType("ByteWriter") },
    { name: "value", type: code`${name}` },
  ];
  return code`/** Writes a {@link ${name}}. If it does not fit, \`writer.error\` tells why. */
    export function write${name}(${codecParameters(first, struct, scope, body)}): void {
      ${body}
    }`;
}

function writerBody(struct: StructModel, context: CodecContext): Code {
  switch (struct.kind) {
    case "struct": {
      const body = code`${writeFields(struct.fields, ofValue, context)}`;
      if (struct.sizedTree === null) return body;
      return sized(body, count(struct.sizedTree, fieldsFormulas(struct.fields, ofValue, context)), {
        writer: "writer",
      });
    }
    case "header":
      return headerBody(struct, context);
    case "union":
      return unionBody(struct, context);
  }
}

/** Fields up to where the header ends. */
function headerBody(struct: StructModel, context: CodecContext): Code {
  const steps = headerSteps(struct, context);
  const length = headerSizeName(struct);
  const size = code`${sizeFunction(struct, context.scope)}(${headerSizeArguments(struct, parameterFormulas(struct), context)})`;
  const groups = steps.map((step, index) => {
    const statements = stepWrites(step, context);
    return index === 0 ? code`${statements}` : code`if (${length} > ${steps[index - 1]?.end ?? 0}) { ${statements} }`;
  });
  return steps.length < 2 ? code`${groups}` : code`const ${length} = ${size}; ${groups}`;
}

/** Fields with the same condition; those that the value has not are zero. */
function stepWrites(step: HeaderStep, context: CodecContext): Code[] {
  const { scope } = context;
  const canBeMissing = new Set(
    step.fields.filter((field) => field.conditionTree !== null && !field.overlaps).map((field) => field.name),
  );
  const access = (field: FieldModel): Code => {
    if (!canBeMissing.has(field.name)) return ofValue(field);
    const shape = shapeOf(field, scope);
    return code`(${ofValue(field)} ?? ${shape.kind === "scalar" && isWide(shape, field) ? "0n" : "0"})`;
  };
  const statements: Code[] = [];
  let numbers: FieldModel[] = [];
  const end = (): void => {
    statements.push(...writeFields(numbers, access, context));
    numbers = [];
  };
  for (const each of step.fields) {
    const field = { ...each, conditionTree: null };
    const shape = shapeOf(field, scope);
    if (shape.kind === "scalar" || !isVisible(field) || !canBeMissing.has(field.name)) {
      numbers.push(field);
      continue;
    }
    end();
    const size = field.size ?? fixedSize(shape) ?? 0;
    const write = writeFields([field], ofValue, context);
    statements.push(code`if (${ofValue(field)} === undefined) writer.zero(${size}); else { ${write} }`);
  }
  end();
  return statements;
}

interface HeaderStep {
  readonly fields: readonly FieldModel[];
  /** Size of the header when this is its last step. */
  readonly end: number;
  /** When any field of this step is negotiated. */
  readonly condition: Code | undefined;
}

/** Runs of fields with the same condition. */
function headerSteps(struct: StructModel, context: CodecContext): HeaderStep[] {
  const steps: { fields: FieldModel[]; end: number; text: string | null; condition: Code | undefined }[] = [];
  for (const field of struct.fields) {
    const size = field.size ?? fixedSize(shapeOf(field, context.scope));
    if (field.offset === null || size === null)
      throw new EmitError("a header with a field of variable size", `${context.place}.${field.name}`);
    const last = steps.at(-1);
    const end = field.offset + size;
    if (last?.text === field.condition) {
      last.fields.push(field);
      last.end = end;
      continue;
    }
    const present = field.conditionTree === null ? undefined : condition(field.conditionTree, context.formulas);
    steps.push({ fields: [field], end, text: field.condition, condition: present });
  }
  return steps;
}

/** The member that says most: of variable size, or the largest one, that is there. */
function unionBody(union: StructModel, context: CodecContext): Code {
  // What a struct without a name holds is written together.
  const together = union.fields.some((field, index) => field.union?.member === union.fields[index + 1]?.union?.member);
  if (together && union.sizedTree === null) return code`${writeFields(union.fields, ofValue, context)}`;
  const struct = apart(union);
  const members = struct.fields.filter(isVisible);
  const sizeOf = (field: FieldModel): number => fixedSize(shapeOf(field, context.scope)) ?? Infinity;
  const order = [...members].sort((left, right) => sizeOf(right) - sizeOf(left));
  let body: Code = nothing;
  for (const field of [...order].reverse()) {
    const alone = { ...field, conditionTree: null };
    const access = (part: FieldModel): Code =>
      part.name === field.name ? code`value.${propertyName(field)}` : ofValue(part);
    const others = struct.fields.map((part) => (part === field ? alone : part));
    const write = writeFields([alone], access, { ...context, formulas: fieldsFormulas(others, ofValue, context) });
    body = code`if (value.${propertyName(field)} !== undefined) { ${write} } ${body.parts.length === 0 ? "" : code`else ${body}`}`;
  }
  const size =
    struct.sizedTree === null
      ? code`${struct.size ?? 0}`
      : count(struct.sizedTree, fieldsFormulas(struct.fields, ofValue, context));
  return sized(body, size, { writer: "writer" });
}

/** What the size depends on beside the value, as parameters. */
function sizeParameters(struct: StructModel, context: CodecContext): readonly Code[] {
  const needs = sizeNeeds(struct, context);
  return parameterList(struct, context.scope)
    .filter((_, index) => needs[index])
    .map(({ name, type }) => code`${name}: ${type}`);
}

/** Size of a struct: a constant, or a function of the value or of what was negotiated. */
export function structSize(struct: StructModel, scope: DeviceScope): Code {
  const name = scope.typeName(struct);
  const context = structContext(struct, scope);
  if (struct.kind === "header") return headerSize(struct, context);
  if (struct.size !== null) {
    return code`/** Bytes of a {@link ${name}}. */
      export const ${sizeConstant(struct, scope)} = ${struct.size};`;
  }
  const parameters = sizeParameters(struct, context);
  return code`/** Bytes that a {@link ${name}} takes. */
    export function ${sizeFunction(struct, scope)}(${joined(sizeUsesValue(struct, context) ? [code`value: ${name}`, ...parameters] : parameters, ", ")}): number {
      return ${sizeBody(struct, context)};
    }`;
}

function headerSize(struct: StructModel, context: CodecContext): Code {
  const { scope } = context;
  const steps = headerSteps(struct, context);
  // The last step that is there decides.
  const sizes = [...steps]
    .reverse()
    .map((step) =>
      step.condition === undefined ? code`return ${step.end};` : code`if (${step.condition}) return ${step.end};`,
    );
  const always = steps.findIndex((step) => step.condition === undefined);
  const zero = always < 0 ? code`return 0;` : nothing;
  const last = sizes.findIndex((_, index) => [...steps].reverse()[index]?.condition === undefined);
  return paragraphs([
    code`/** Bytes that are there of a {@link ${scope.typeName(struct)}}. */
    export function ${sizeFunction(struct, scope)}(${joined(sizeParameters(struct, context), ", ")}): number {
      ${last < 0 ? sizes : sizes.slice(0, last + 1)} ${zero}
    }`,
  ]);
}
