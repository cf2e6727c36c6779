import type { FieldModel, Formula } from "../../model/device-model.js";
import { code, mentions, type Code } from "./code.js";
import { formulaContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { plainField } from "./config-fields.js";
import { valueAtPath } from "./field-paths.js";
import { condition, type Value } from "./formulas.js";
import { fixedSize, shapeOf } from "./shapes.js";
import { fieldAt } from "./structs-read.js";

/*
 * Where the fields of a configuration space are in memory. Mostly that is where they are for the driver. If the layout
 * depends on features, every field has a place of its own, and the runtime puts together the parts that exist.
 */

interface Part {
  size: number;
  /** Null: always there. */
  readonly condition: Formula | null;
}
interface Places {
  readonly size: number;
  readonly offsets: ReadonlyMap<string, number>;
  /** Undefined: nothing moves. */
  readonly parts: readonly Part[] | undefined;
}

const known = new WeakMap<DeviceScope, Places>();

function placesOf(scope: DeviceScope): Places {
  const found = known.get(scope) ?? findPlaces(scope);
  known.set(scope, found);
  return found;
}

function findPlaces(scope: DeviceScope): Places {
  const { config } = scope.device;
  const fields = config?.fields ?? [];
  const fixed = fields.flatMap(({ name, offset }): [string, number][] => (offset === null ? [] : [[name, offset]]));
  if (config === null) return { size: 0, offsets: new Map(), parts: undefined };
  const moves = fields.some((field) => field.moves && field.conditionTree !== null);
  if (!moves && config.size !== null && fixed.length === fields.length) {
    return { size: config.size, offsets: new Map(fixed), parts: undefined };
  }
  return spread(fields, config.size, scope);
}

/** One after the other, whatever their conditions. */
function spread(fields: readonly FieldModel[], whole: number | null, scope: DeviceScope): Places {
  const offsets = new Map<string, number>();
  const parts: Part[] = [];
  let end = 0;
  let start = 0;
  const grow = (size: number, field: FieldModel): void => {
    const when = field.moves ? field.conditionTree : null;
    const last = parts.at(-1);
    if (last !== undefined && JSON.stringify(last.condition) === JSON.stringify(when)) last.size += size;
    else parts.push({ size, condition: when });
    end += size;
  };
  for (const [index, field] of fields.entries()) {
    const size = configFieldSize(field, scope);
    const isInside = (field.bits !== null && field.bits.shift > 0) || (field.union !== null && field.union.offset > 0);
    if (!isInside && !(field.union !== null && fields[index - 1]?.union?.group === field.union.group)) {
      start = end;
      grow(field.union?.size ?? size, field);
    }
    offsets.set(field.name, start + (field.union?.offset ?? 0));
  }
  const places = { size: Math.max(end, whole ?? 0), offsets, parts };
  if (places.size > end) parts.push({ size: places.size - end, condition: null });
  return places;
}

/** In bytes. */
export function configFieldSize(field: FieldModel, scope: DeviceScope): number {
  const size = field.size ?? fixedSize(shapeOf(field, scope));
  if (size === null)
    throw new EmitError("a config field of variable size", `${scope.device.name}.config.${field.name}`);
  return size;
}

/** Where a field is in memory. */
export function configOffset(field: FieldModel, scope: DeviceScope): number {
  const offset = placesOf(scope).offsets.get(field.name);
  if (offset === undefined)
    throw new EmitError("a config field of variable place", `${scope.device.name}.config.${field.name}`);
  return offset;
}

export function configSize(scope: DeviceScope): number {
  return placesOf(scope).size;
}

/** `configParts` of the definition, if the layout depends on features. */
export function configParts(scope: DeviceScope): Code | undefined {
  const { parts } = placesOf(scope);
  if (parts === undefined) return undefined;
  const list = parts.map(({ size, condition: when }) => {
    return when === null ? code`{ size: ${size} },` : code`{ size: ${size}, exists: ${existence(when, scope)} },`;
  });
  return code`[${list}]`;
}

/** Whether something is there, as a function of features and of the bytes in memory. */
export function existence(when: Formula, scope: DeviceScope): Code {
  const place = `${scope.device.name}.config`;
  const fields = (scope.device.config?.fields ?? []).map(plainField);
  const value = (path: readonly string[]): Value =>
    valueAtPath(fields, path, (field) => readAt(field, scope), scope, place);
  const context = formulaContext(scope, place, { features: () => code`features`, config: () => code`` });
  const test = condition(when, { ...context, field: (_, path) => value(path), config: value });
  const features = JSON.stringify(when).includes('"op":"feature"') ? "features" : "_features";
  if (!mentions(test, "view")) return code`(${features}) => ${test}`;
  return code`(${features}, bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return ${test};
  }`;
}

function readAt(field: FieldModel, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  if (shape.kind !== "scalar") throw new EmitError("a condition on a field of a struct", `${scope.device.name}.config`);
  return fieldAt(code`view`, code`${configOffset(field, scope)}`, field, shape, scope);
}
