import type { FieldModel } from "../../model/device-model.js";
import { code, nothing, render, type Code } from "./code.js";
import type { CodecContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { count, type FormulaContext } from "./formulas.js";
import { isTagged } from "./reply-variants.js";
import { isSettled, settledSize } from "./reply-places.js";
import {
  lengthIfThere,
  lengthName,
  pointed,
  readableLayout,
  replyMember,
  slotContext,
  truncated,
} from "./request-layout.js";
import {
  isOptionalReply,
  isWindow,
  replyPadding,
  replyParts,
  type RequestShape,
  type VariantShape,
} from "./request-shapes.js";
import { fixedSize, minimumSize, shapeOf } from "./shapes.js";
import { plus, sizeCode, type Size } from "./size-fields.js";

/** What decoding does about the writable part. */
export interface WritableLayout {
  /** Statements that work lengths out. */
  readonly lengths: readonly Code[];
  /** Bytes that must be there. */
  readonly needed: Size;
  /** Statements that point windows. */
  readonly windows: readonly Code[];
}

/** Checks that the reply has room, and points the windows of what the device fills in. */
export function decodeWritable(variant: VariantShape, request: RequestShape, scope: DeviceScope): WritableLayout {
  if (!isTagged(variant)) return layoutOf(variant, variant, request, scope);
  // Which reply it will be is not known yet: only what all of them have must fit.
  const layouts = variant.replies.map((reply) => layoutOf(reply, variant, request, scope));
  const members = new Set<string>();
  const unique = (statements: readonly Code[]): Code[] =>
    statements.filter((statement) => {
      const { text } = render(statement);
      const isNew = !members.has(text);
      members.add(text);
      return isNew;
    });
  const least = Math.min(...layouts.map((layout) => layout.needed.fixed));
  return {
    lengths: unique(layouts.flatMap((layout) => layout.lengths)),
    needed: { fixed: least, varying: [] },
    windows: unique(layouts.flatMap((layout) => layout.windows)),
  };
}

function layoutOf(
  reply: VariantShape,
  variant: VariantShape,
  request: RequestShape,
  scope: DeviceScope,
): WritableLayout {
  // What was decoded is in variables.
  const { formulas: decoded } = readableLayout(variant, scope);
  const formulas: FormulaContext = { ...decoded, field: (_, path) => decoded.field("self", path) };
  const { front, rest, tail } = replyParts(reply, request, scope);
  const tailSize = fixedTotal(tail, scope);
  const context: CodecContext = { ...slotContext(variant, scope, true), formulas };
  const lengths: Code[] = [];
  const windows: Code[] = [];
  const padding = replyPadding(request, reply, scope);
  /** Lengths of the windows so far, and the fields beside them. */
  let filled: Size = { fixed: 0, varying: [] };
  const values: FieldModel[] = [];
  const position = (): Size => plus(settledSize(values, context), filled);
  let least: Size = { fixed: 0, varying: [] };
  for (const field of front) {
    const shape = shapeOf(field, scope);
    if (shape.kind === "bytes" && shape.length.kind === "formula" && isWindow(field, scope)) {
      const member = replyMember(field, variant);
      const known = lengthIfThere(field, count(shape.length.formula, formulas), formulas);
      const name = lengthName(member, variant);
      lengths.push(code`const ${name} = ${known};`);
      windows.push(code`${pointed(variant, member, "Out")}(this.writable, ${sizeCode(position())}, ${name});`);
      filled = plus(filled, { fixed: 0, varying: [code`${name}`] });
      continue;
    }
    if (isOptionalReply(field, request, reply) && !padding.includes(field)) break;
    if (field.optional) break;
    if (!isSettled(field, scope)) {
      const isThere = !(field.moves && field.conditionTree !== null);
      least = { fixed: isThere ? minimumSize(shape, scope) : 0, varying: [] };
      break;
    }
    values.push(field);
  }
  const needed = plus(plus(position(), least), { fixed: tailSize, varying: [] });
  if (rest !== undefined && isWindow(rest, scope)) {
    const member = replyMember(rest, variant);
    const length = plus(position(), { fixed: tailSize, varying: [] });
    const room =
      length.fixed === 0 && length.varying.length === 0
        ? code`this.writable.length`
        : code`this.writable.length - ${parenthesised(length)}`;
    const there = lengthIfThere(rest, room, formulas);
    windows.push(code`${pointed(variant, member, "Out")}(this.writable, ${sizeCode(position())}, ${there});`);
  }
  return { lengths, needed, windows };
}

/** Refuses a buffer that is too short for any reply. */
export function roomCheck(needed: Size): Code {
  if (needed.fixed === 0 && needed.varying.length === 0) return nothing;
  return code`if (this.writableLength < ${sizeCode(needed)}) return ${truncated("writable")};`;
}

/** Bytes that every reply has. */
export function commonReplySize(request: RequestShape, scope: DeviceScope): number {
  return fixedTotal(request.prefix.length > 0 ? request.prefix : request.suffix, scope) + commonPadding(request, scope);
}

/** Bytes of padding, if all replies have as much. */
export function commonPadding(request: RequestShape, scope: DeviceScope): number {
  const sizes = new Set(request.variants.map((variant) => fixedTotal(replyPadding(request, variant, scope), scope)));
  const [size] = sizes;
  return sizes.size === 1 ? (size ?? 0) : 0;
}

function parenthesised(size: Size): Code {
  return size.varying.length === 0 ? sizeCode(size) : code`(${sizeCode(size)})`;
}

export function fixedTotal(fields: readonly FieldModel[], scope: DeviceScope): number {
  let total = 0;
  for (const [index, field] of fields.entries()) {
    // Bit-fields share their integer.
    if (index > 0 && field.bits !== null && field.bits.shift > 0) continue;
    if (field.moves && field.conditionTree !== null)
      throw new EmitError("a reply whose end is of variable size", field.name);
    const size = field.optional ? null : (field.size ?? fixedSize(shapeOf(field, scope)));
    if (size === null) throw new EmitError("a reply whose end is of variable size", field.name);
    total += size;
  }
  return total;
}
