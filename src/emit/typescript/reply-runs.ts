import type { FieldModel } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import type { CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { valueFunction } from "./enums.js";
import { givenFields } from "./flat-requests.js";
import { runtime } from "./imports.js";
import { commonReplySize, fixedTotal } from "./reply-room.js";
import { isSettled, settledSize } from "./reply-places.js";
import { isTagged } from "./reply-variants.js";
import { replyMember, slotContext } from "./request-layout.js";
import {
  isOptionalReply,
  isWindow,
  replyPadding,
  replyParts,
  statusField,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import { hasAnswerType } from "./request-types.js";
import { fixedSize, scalarSize, shapeOf } from "./shapes.js";
import { plus, sizeCode, sizeOfFields, type Size } from "./size-fields.js";
import { isVisible } from "./struct-types.js";
import { writeFields } from "./write-fields.js";

/** Values of a reply that are next to each other. */
export interface Run {
  readonly fields: readonly FieldModel[];
  /** Where it starts, from the start of the writable part. */
  readonly at: Code;
  /** Bytes, if that is always the same. */
  readonly size: number | null;
  /** Behind it are fields that are found from the end. */
  readonly limit: number;
}

export function runsOf(variant: VariantShape, request: RequestShape, scope: DeviceScope): Run[] {
  const { front, rest, tail } = replyParts(variant, request, scope);
  const tailBytes = fixedTotal(tail, scope);
  const context = slotContext(variant, scope);
  const padding = replyPadding(request, variant, scope);
  const runs: Run[] = [];
  let fields: FieldModel[] = [];
  let start: Size = { fixed: 0, varying: [] };
  const end = (): void => {
    const isKnown = fields.every(
      (field) => isSettled(field, scope) && (padding.includes(field) || !isOptionalReply(field, request, variant)),
    );
    const known = isKnown ? settledSize(fields, context) : undefined;
    if (fields.some(isVisible)) {
      const size = known?.varying.length === 0 ? known.fixed : null;
      runs.push({ fields, at: sizeCode(start), size, limit: tailBytes });
    }
    // Behind what is not known there are no windows.
    if (known !== undefined) start = plus(start, known);
    fields = [];
  };
  // Reserved bytes up to the end are not written.
  const middle = rest === undefined || rest.reserved || isWindow(rest, scope) ? front : [...front, rest];
  for (const field of middle) {
    if (!isWindow(field, scope)) {
      fields.push(field);
      continue;
    }
    end();
    const member = code`this.${replyMember(field, variant)}`;
    const length = variant.isPlain ? code`${member}.length` : code`(${member}?.length ?? 0)`;
    start = plus(start, { fixed: 0, varying: [length] });
  }
  end();
  if (tail.length > 0)
    runs.push({ fields: tail, at: code`this.writable.length - ${tailBytes}`, size: tailBytes, limit: 0 });
  return runs;
}

/** Room that a slot keeps for encoding replies of fixed size. */
export function replyScratchSize(variant: VariantShape, request: RequestShape, scope: DeviceScope): number {
  const status = statusField(request, scope);
  const statusSize = status === undefined ? 0 : commonReplySize(request, scope);
  const isStatusAlone = status !== undefined && !hasAnswerType(variant, scope);
  const layouts = isTagged(variant) ? variant.replies : isStatusAlone ? [] : [variant];
  const runs = layouts.flatMap((layout) => runsOf(layout, request, scope));
  const sizes = runs.map((run) => (isByte(run, scope) ? 0 : (run.size ?? 0)));
  return Math.max(0, statusSize > 1 ? statusSize : 0, ...sizes);
}

/** A single number of one byte, which needs no encoder. */
export function isByte(run: Run, scope: DeviceScope): boolean {
  const [field] = run.fields;
  return run.size === 1 && run.fields.length === 1 && field?.bits === null && shapeOf(field, scope).kind === "scalar";
}

/** Bytes of the writable part that are valid. */
export function written(variant: VariantShape, request: RequestShape, scope: DeviceScope): Code {
  const { tail } = replyParts(variant, request, scope);
  if (variant.writable.length === 0) return code`0`;
  return tail.length > 0 ? code`this.writable.length` : code`this.writable.written`;
}

export function writeRun(
  run: Run,
  access: (field: FieldModel) => Code,
  context: CodecContext,
  scope: DeviceScope,
  padding = 0,
): Code {
  const [field] = run.fields;
  const fields = givenFields(run.fields);
  if (padding === 0 && isByte(run, scope) && field !== undefined) {
    return code`this.writable.setByte(${run.at}, ${byteValue(field, access(field), scope)});`;
  }
  if (run.size !== null) {
    const size = run.size + padding;
    return code`const writer = this.#replyWriter.reset(this.#replyBytes, 0, ${size});
      ${writeOrZero(fields, access, context, scope)}
      ${padding > 0 && code`writer.zero(${padding});`}
      if (writer.error !== undefined) throw writer.error;
      this.writable.write(this.#replyBytes, 0, ${run.at}, ${size});`;
  }
  return writeVarying(
    run,
    sizeCode(sizeOfFields(fields, access, context)),
    code`${writeFields(fields, access, context)}`,
  );
}

/** What means something only sometimes is zero where it is not given. */
function writeOrZero(
  fields: readonly FieldModel[],
  access: (field: FieldModel) => Code,
  context: CodecContext,
  scope: DeviceScope,
): Code {
  const first = fields.findIndex(
    (field) => field.validTree !== null && isVisible(field) && field.conditionTree === null,
  );
  const field = fields[first];
  if (field === undefined) return code`${writeFields(fields, access, context)}`;
  const size = fixedSize(shapeOf(field, scope)) ?? 0;
  return code`${writeFields(fields.slice(0, first), access, context)}
    if (${access(field)} === undefined) writer.zero(${size}); else { ${writeFields([field], access, context)} }
    ${writeOrZero(fields.slice(first + 1), access, context, scope)}`;
}

function writeVarying(run: Run, size: Code, body: Code): Code {
  const room = run.limit === 0 ? code`this.writable.length` : code`this.writable.length - ${run.limit}`;
  return code`const size = ${size};
    if (${run.at.parts[0] === "0" ? code`size` : code`${run.at} + size`} > ${room}) return this.tooSmall(size);
    const bytes = new Uint8Array(size);
    const writer = new ${runtime("ByteWriter")}(bytes);
    ${body}
    if (writer.error !== undefined) throw writer.error;
    this.writable.write(bytes, 0, ${run.at});`;
}

/** What a failure leaves out is not written. */
export function writeOptionalRun(
  run: Run,
  optional: readonly FieldModel[],
  access: (field: FieldModel) => Code,
  context: CodecContext,
): Code {
  const always = run.fields.filter((field) => !optional.includes(field));
  const given = optional.filter(isVisible).map((field) => code`${access(field)} !== undefined`);
  const test = given.map((each, index) => code`${index > 0 ? " && " : ""}${each}`);
  const fixed = sizeOfFields(always, access, context);
  const more = sizeOfFields(optional, access, context);
  const size = code`${sizeCode(fixed)} + (${test} ? ${sizeCode(more)} : 0)`;
  return writeVarying(
    run,
    size,
    code`${writeFields(always, access, context)} if (${test}) { ${writeFields(optional, access, context)} }`,
  );
}

export function byteValue(field: FieldModel, value: Code, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  if (shape.kind !== "scalar") return value;
  switch (shape.meaning.kind) {
    case "enum":
      return code`${valueFunction(shape.meaning.enum, scope)}(${value})`;
    case "boolean":
      return code`Number(${value})`;
    case "signed":
      return code`${runtime("unsignedBits")}(${value}, ${scalarSize(shape.scalar) * 8})`;
    case "number":
      return value;
  }
}
