import type { FieldModel, Formula, RequestModel } from "../../model/device-model.js";
import { code } from "./code.js";
import type { CodecContext } from "./codec-parameters.js";
import { visitFormula, type DeviceScope } from "./device-scope.js";
import { fixedSize, shapeOf } from "./shapes.js";
import { sizeOfFields, type Size } from "./size-fields.js";

/*
 * Where the parts of a reply are before its values are known. Bytes whose place and length are known then are windows, which
 * the device fills in whenever it likes; other bytes are given with the values.
 */

/** A field of bytes that is given as a value, although its length varies. */
interface ValueField extends FieldModel {
  readonly asValue: true;
}

export function isGivenAsValue(field: FieldModel): boolean {
  return "asValue" in field;
}

/** The request, with those bytes marked that cannot be windows. */
export function withValueBytes(request: RequestModel, scope: DeviceScope): RequestModel {
  return {
    ...request,
    variants: request.variants.map((variant) => ({
      ...variant,
      replies: variant.replies.map((reply) => ({ ...reply, writable: marked(reply.writable, scope) })),
    })),
  };
}

function marked(fields: readonly FieldModel[], scope: DeviceScope): readonly (FieldModel | ValueField)[] {
  let isPlaced = true;
  return fields.map((field): FieldModel | ValueField => {
    const shape = shapeOf(field, scope);
    if (shape.kind !== "bytes" || shape.length.kind === "fixed") {
      isPlaced &&= isSettled(field, scope);
      return field;
    }
    const isOwn = shape.length.kind === "formula" && refersToSelf(shape.length.formula);
    const depends = isOwn || (field.conditionTree !== null && refersToSelf(field.conditionTree));
    if (depends || field.sizedTree !== null) isPlaced = false;
    return isPlaced ? field : { ...field, asValue: true };
  });
}

/** Does the size of a field of a reply follow from features, configuration and the request? */
export function isSettled(field: FieldModel, scope: DeviceScope): boolean {
  if (field.optional) return false;
  if (field.moves && field.conditionTree !== null && refersToSelf(field.conditionTree)) return false;
  if (field.sizedTree !== null) return !refersToSelf(field.sizedTree);
  const shape = shapeOf(field, scope);
  return fixedSize(shape) !== null || (shape.kind === "struct" && shape.struct.kind === "header");
}

/** Bytes of settled fields, and of reserved ones. */
export function settledSize(fields: readonly FieldModel[], context: CodecContext): Size {
  return sizeOfFields(fields, () => code`undefined`, context);
}

export function refersToSelf(formula: Formula): boolean {
  let found = false;
  visitFormula(formula, (part) => {
    if (part.op === "field" && part.scope === "self") found = true;
  });
  return found;
}
