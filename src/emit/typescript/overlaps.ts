import type { FieldModel } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { fixedSize, shapeOf } from "./shapes.js";

/** Is the next field a member of the same anonymous union? */
export function continuesOverlap(fields: readonly FieldModel[], index: number): boolean {
  const field = fields[index];
  const next = fields[index + 1];
  return (
    field?.overlaps === true &&
    next?.overlaps === true &&
    next.offset === field.offset &&
    next.condition === field.condition
  );
}

/** Bytes of the anonymous union that begins with a field. */
export function overlapSize(fields: readonly FieldModel[], first: number, scope: DeviceScope, place: string): number {
  let size = 0;
  for (let index = first; ; index++) {
    const field = fields[index];
    const own = field === undefined ? null : (field.size ?? fixedSize(shapeOf(field, scope)));
    if (own === null) throw new EmitError("an anonymous union with members of variable size", place);
    size = Math.max(size, own);
    if (!continuesOverlap(fields, index)) return size;
  }
}

/** Behind an anonymous union comes what is behind its largest member. */
export function endOverlap(
  overlap: { readonly start: string; readonly end: number } | undefined,
  reader: string,
  statements: Code[],
): void {
  if (overlap !== undefined)
    statements.push(code`${reader}.offset = ${overlap.start};`, code`${reader}.skip(${overlap.end});`);
}
