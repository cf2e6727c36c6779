import type { QueueModel } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import { formulaContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { condition, count, type FormulaContext } from "./formulas.js";
import { camelCase } from "./names.js";
import { messageShape, requestShape, type RequestShape } from "./request-shapes.js";
import { fixedSize, shapeOf } from "./shapes.js";

/** A queue with what travels on it. */
export interface QueueShape {
  readonly model: QueueModel;
  /** `requestq`, and `requestqs` for all of an array. */
  readonly name: string;
  readonly plural: string;
  /** Who puts messages in: the device with a `receive` queue, the driver with all others. */
  readonly direction: "toDriver" | "toDevice";
  /** For `toDevice`: how the device meets the message. */
  readonly request: RequestShape | undefined;
  /** Name of the struct, if the message is one. */
  readonly struct: string | undefined;
}

/** The queues of a device; queues with the same message share its types. */
export function queueShapes(scope: DeviceScope): readonly QueueShape[] {
  const known = new Map<string, RequestShape>();
  return scope.device.queues.map((model) => {
    const struct = scope.struct(model.message);
    const toDriver = model.role === "receive";
    const name = camelCase(model.name);
    const request = toDriver ? undefined : messageOf(model, scope, known);
    if (toDriver && struct === undefined)
      throw new EmitError("a receive queue whose message is a request", `${scope.device.name}.${model.name}`);
    return {
      model,
      name,
      plural: `${name}s`,
      direction: toDriver ? "toDriver" : "toDevice",
      request,
      struct: struct?.name,
    };
  });
}

function messageOf(model: QueueModel, scope: DeviceScope, known: Map<string, RequestShape>): RequestShape {
  const shape = known.get(model.message);
  if (shape !== undefined) return shape;
  const struct = scope.struct(model.message);
  const request = scope.device.requests.find((candidate) => candidate.name === model.message);
  if (struct === undefined && request === undefined) {
    throw new EmitError(`a queue with the unknown message ${model.message}`, `${scope.device.name}.${model.name}`);
  }
  const made =
    request !== undefined ? requestShape(request, scope) : messageShape(scope.requireStruct(model.message), scope);
  known.set(model.message, made);
  return made;
}

/** Messages that go to the device, each once. */
export function requestsOf(queues: readonly QueueShape[]): readonly RequestShape[] {
  return [...new Set(queues.flatMap((queue) => (queue.request === undefined ? [] : [queue.request])))];
}

/** Formulas over features, config and the position `k`. */
export function queueContext(scope: DeviceScope, config: Code, wholeConfig: boolean): FormulaContext {
  return {
    ...formulaContext(scope, `${scope.device.name}.queues`, {
      features: () => code`features`,
      config: () => config,
      wholeConfig,
    }),
    index: () => ({ code: code`k`, type: "number" }),
  };
}

/** Statements that add a queue to `plan`; `add` gives the entry of position k. */
export function planStatements(
  queue: QueueShape,
  context: FormulaContext,
  add: (position: Code, index: Code) => Code,
): Code {
  const { model } = queue;
  const index = count(model.indexTree, context);
  const present = model.conditionTree === null ? undefined : condition(model.conditionTree, context);
  if (!model.many) {
    const statement = add(code`0`, index);
    return present === undefined ? statement : code`if (${present}) { ${statement} }`;
  }
  const number = count(model.countTree, context);
  const total = `${queue.name}Count`;
  const amount = present === undefined ? number : code`${present} ? ${number} : 0`;
  return code`const ${total} = Math.min(${amount}, MOST_QUEUES);
    for (let k = 0; k < ${total}; k++) { ${add(code`k`, index)} }`;
}

/** Where in the message the number of its buffers is. */
export function mergedOffset(queue: QueueShape, scope: DeviceScope): number | undefined {
  const { merged } = queue.model;
  if (merged === null || queue.struct === undefined) return undefined;
  const place = `${scope.device.name}.${queue.model.name}`;
  let fields = scope.requireStruct(queue.struct).fields;
  let offset = 0;
  for (const [depth, name] of merged.field.entries()) {
    const field = fields.find((candidate) => candidate.name === name);
    if (field === undefined || field.offset === null)
      throw new EmitError("a number of merged buffers at a variable place", place);
    offset += field.offset;
    const shape = shapeOf(field, scope);
    if (shape.kind === "struct") fields = shape.struct.fields;
    else if (depth < merged.field.length - 1 || fixedSize(shape) !== 2)
      throw new EmitError("a number of merged buffers that is no le16", place);
  }
  return offset;
}
