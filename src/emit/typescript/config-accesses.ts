import type { FieldModel } from "../../model/device-model.js";
import { code, nothing, type Code } from "./code.js";
import { configFields, isReadable } from "./config-fields.js";
import { configOffset, existence } from "./config-places.js";
import type { DeviceScope } from "./device-scope.js";
import { fixedSize, scalarSize, shapeOf, type Shape } from "./shapes.js";

/** Neighbours of one width, which are read one after the other. */
interface Run {
  readonly offset: number;
  readonly width: 1 | 2 | 4;
  count: number;
}

/**
 * How the driver reads the configuration: each field with its own width (VIRTIO 1.4, 4.1.3.1 and 4.2.2.2), and only where
 * its feature was negotiated.
 */
export function configAccesses(scope: DeviceScope): Code {
  const groups: { readonly gate: FieldModel["conditionTree"]; readonly runs: Run[] }[] = [];
  for (const field of configFields(scope).filter((each) => isReadable(each) && isLargest(each, scope))) {
    const gate = field.conditionTree;
    const last = groups.at(-1);
    const sharesGate = last !== undefined && JSON.stringify(last.gate) === JSON.stringify(gate);
    const runs = sharesGate ? last.runs : [];
    if (!sharesGate) groups.push({ gate, runs });
    addField(runs, field, configOffset(field, scope), scope);
  }
  const accesses = groups.flatMap(({ gate, runs }) => {
    const exists = gate === null ? nothing : code`, exists: ${existence(gate, scope)}`;
    return runs.map(
      ({ offset, width, count }) => code`{ offset: ${offset}, width: ${width}, count: ${count}${exists} },`,
    );
  });
  return code`[${accesses}]`;
}

/** Of a union without a name, the largest member has all the bytes. */
function isLargest(field: FieldModel, scope: DeviceScope): boolean {
  const { union } = field;
  if (union === null) return true;
  const ends = new Map<number, number>();
  for (const other of scope.device.config?.fields ?? []) {
    if (other.union?.group !== union.group) continue;
    const { member, offset } = other.union;
    ends.set(member, Math.max(ends.get(member) ?? 0, offset + (other.size ?? 0)));
  }
  const [largest] = [...ends].sort(([, left], [, right]) => right - left)[0] ?? [];
  return union.member === largest;
}

function addField(runs: Run[], field: FieldModel, offset: number, scope: DeviceScope): void {
  addShape(runs, shapeOf(field, scope), offset, field.size, scope);
}

function addShape(runs: Run[], shape: Shape, offset: number, size: number | null, scope: DeviceScope): void {
  switch (shape.kind) {
    case "scalar": {
      const bytes = scalarSize(shape.scalar);
      // The halves of 64 bits are accessed by themselves.
      add(runs, offset, bytes === 8 ? 4 : bytes, bytes === 8 ? 2 : 1);
      return;
    }
    case "struct":
      for (const field of shape.struct.fields) {
        if (field.offset !== null) addField(runs, field, offset + field.offset, scope);
      }
      return;
    case "array": {
      const each = fixedSize(shape.of);
      if (shape.length.kind !== "fixed" || each === null) break;
      for (let index = 0; index < shape.length.count; index++)
        addShape(runs, shape.of, offset + index * each, each, scope);
      return;
    }
    case "bytes":
    case "text":
    case "match":
      break;
  }
  // What it is depends on more than the layout: byte by byte is what every device allows.
  const bytes = size ?? fixedSize(shape) ?? 0;
  if (bytes > 0) add(runs, offset, 1, bytes);
}

function add(runs: Run[], offset: number, width: 1 | 2 | 4, count: number): void {
  const last = runs.at(-1);
  // Bit-fields share their container.
  if (last !== undefined && offset < last.offset + last.width * last.count) return;
  if (last?.width === width && offset === last.offset + width * last.count) last.count += count;
  else runs.push({ offset, width, count });
}
