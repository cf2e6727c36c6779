import type { FieldModel } from "../../model/device-model.js";
import { code, joined, propertyKey, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { DEFAULT_NOTE, hasDefault } from "./flat-requests.js";
import { replyTagType } from "./reply-variants.js";
import { isWindow, patternsOf, type VariantShape } from "./request-shapes.js";
import { shapeOf } from "./shapes.js";
import { fieldDoc, isOptional, isVisible, propertyName } from "./struct-types.js";

/**
 * Union of the replies to a request, told apart by their tags. `read` is what a driver gets, `written` what a device gives:
 * bytes that it writes through windows are not among that.
 */
export function replyUnion(
  variant: VariantShape,
  direction: "read" | "written",
  fieldType: (field: FieldModel) => Code,
  scope: DeviceScope,
): Code {
  const isGiven = (field: FieldModel): boolean => isVisible(field) && (direction === "read" || !isWindow(field, scope));
  const members = variant.replies.map((reply) => {
    const properties = reply.writable.filter(isGiven).map((field) => property(field, reply));
    return code`{ ${properties} ${direction === "read" ? absent(reply) : []} }`;
  });
  return joined(members, " | ");

  function property(field: FieldModel, reply: VariantShape): Code {
    const key = propertyKey(propertyName(field));
    if (patternsOf(reply, field.name) !== undefined) {
      const type = replyTagType(reply, field.name, variant.replies, direction, scope);
      return code`${fieldDoc(field, scope, reply.model.since)}readonly ${key}: ${type};`;
    }
    const isZero = direction === "written" && hasDefault(field);
    const missing = isZero || isOptional(field, shapeOf(field, scope));
    const doc = fieldDoc(field, scope, reply.model.since, ...(isZero ? [DEFAULT_NOTE] : []));
    return code`${doc}readonly ${key}${missing ? "?" : ""}: ${fieldType(field)}${missing ? " | undefined" : ""};`;
  }

  /** Where the type of a tag cannot leave out the numbers of others, what only those have tells the replies apart. */
  function absent(reply: VariantShape): Code[] {
    const isTold = reply.model.tags.every(({ field: name, patterns }) => {
      const field = reply.writable.find((each) => each.name === name);
      const shape = field === undefined ? undefined : shapeOf(field, scope);
      return patterns.length > 0 || (shape?.kind === "scalar" && shape.meaning.kind === "enum");
    });
    if (isTold) return [];
    const own = new Set(reply.writable.map((field) => field.name));
    const others = variant.replies
      .flatMap((other) => other.writable)
      .filter((field) => isVisible(field) && !own.has(field.name));
    return [...new Set(others.map(propertyName))].map((name) => code`readonly ${propertyKey(name)}?: undefined;`);
  }
}
