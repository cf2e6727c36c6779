import { code, nothing, quoted, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { memberOf } from "./enums.js";
import { runtimeType } from "./imports.js";
import { statusField, valueFields, type RequestShape } from "./request-shapes.js";
import type { LayoutGroup } from "./request-slot.js";
import { hasAnswerType } from "./request-types.js";
import { shapeOf } from "./shapes.js";

/** What a status calls a success. Not every 0 is one: of a GPIO interrupt it is INVALID. */
const SUCCESS = /(^|_)(OK|ACK)$/;

/**
 * `fail`: what the driver is told of a request whose handler failed. Drivers look at the status and hardly ever at the number of
 * bytes: a status that nobody has written reads as whatever was in the buffer, which mostly is the 0 of a success. The first error
 * of the status is as good as any.
 */
export function failMethod(
  request: RequestShape,
  groups: readonly LayoutGroup[],
  hasKinds: boolean,
  scope: DeviceScope,
): Code {
  const status = statusField(request, scope);
  if (status === undefined || request.replyTags.includes(status.name)) return nothing;
  const shape = shapeOf(status, scope);
  if (shape.kind !== "scalar" || shape.meaning.kind !== "enum" || !takesStatus(groups, hasKinds, status.name, scope)) {
    return nothing;
  }
  const { enum: model } = shape.meaning;
  const errors = model.members.filter(({ value, last, alias }) => last === null && !alias && Number(value) !== 0);
  const [first] = errors.sort((a, b) => Number(a.value) - Number(b.value));
  if (first === undefined || !SUCCESS.test(memberOf(model, 0)?.name ?? "")) return nothing;
  return code`override fail(): ${runtimeType("Completion")} { return this.complete(${quoted(first.name)}); }`;
}

/** Can `complete` be called with nothing but the status? */
function takesStatus(groups: readonly LayoutGroup[], hasKinds: boolean, status: string, scope: DeviceScope): boolean {
  const [only] = groups;
  if (groups.length !== 1 || only === undefined || hasKinds) return groups.length > 0;
  const values = valueFields(only.variant.writable, scope);
  return values.length === 1 && values[0]?.name === status && !hasAnswerType(only.variant, scope);
}
