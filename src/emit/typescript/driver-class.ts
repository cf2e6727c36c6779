import { code, joined, nothing, parameterNames, paragraphs, type Code } from "./code.js";
import { codecArguments, formulaContext, type CodecContext } from "./codec-parameters.js";
import { driverConfigName, queryField, writeConfigMethod } from "./config-driver.js";
import { queueNameName } from "./device-class.js";
import { definitionName } from "./definition.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { EmitError } from "./emit-error.js";
import { featureNames } from "./features.js";
import { condition, count } from "./formulas.js";
import { runtime, runtimeType } from "./imports.js";
import { constantCase } from "./names.js";
import { mergedOffset, planStatements, queueContext, type QueueShape } from "./queues.js";
import { codecName, codecNeedsDriver } from "./request-codec.js";
import { inputName, queueTypeName, replyUnionName } from "./request-inputs.js";
import { fixedSize } from "./shapes.js";
import { sizeOfShape } from "./size-fields.js";

/** Bytes of a buffer for messages of any size, where the definition does not say. */
const DEFAULT_BUFFER = 4096;

/** The driver: a class that a program starts on a transport. */
export function driverClass(queues: readonly QueueShape[], scope: DeviceScope): Code {
  return paragraphs([optionsType(queues, scope), driverBody(queues, scope)]);
}

function optionsType(queues: readonly QueueShape[], scope: DeviceScope): Code {
  const handlers = queues
    .filter((queue) => queue.direction === "toDriver")
    .map((queue) => {
      const message = scope.typeName(scope.requireStruct(queue.struct ?? ""));
      const position = queue.model.many ? ", position: number" : "";
      return code`${docComment({ doc: queue.model.doc, spec: queue.model.spec }, "Called for each message.")}readonly ${queue.name}?: (message: ${message}${position}) => void | Promise<void>;
        /** Buffers to post on ${queue.model.many ? "each" : "that"} queue: how many, and of how many bytes. */
        readonly ${queue.name}Buffers?: { readonly count?: number; readonly size?: number };`;
    });
  return code`/** How a {@link ${scope.prefix}Driver} is started. */
    export interface ${scope.prefix}DriverOptions extends ${runtimeType("VirtioDriverOptions")} {
      /** Features to ask for, besides those of the ring. Those that the device does not offer are left out. */
      readonly features?: readonly ${featureNames(scope)}[];
      ${handlers}
    }`;
}

function driverBody(queues: readonly QueueShape[], scope: DeviceScope): Code {
  const name = `${scope.prefix}Driver`;
  const sending = queues.filter((queue) => queue.direction === "toDevice");
  const config = driverConfigName(scope);
  const usesOptions = queues.some((queue) => queue.direction === "toDriver");
  const decode =
    config === "undefined"
      ? code`protected override decodeConfig(): undefined { return undefined; }`
      : code`protected override decodeConfig(bytes: Uint8Array, features: ${runtimeType("FeatureSet")}): ${config} { return read${config}(bytes, features); }`;
  return code`${docComment({ doc: scope.device.doc, spec: scope.device.spec }, "The driver side.")}export class ${name} extends ${runtime("VirtioDriver")}<${config}, ${queueNameName(scope)}> {
      ${sending.map(queueFields)}
      ${usesOptions && code`readonly #options: ${scope.prefix}DriverOptions;`}
      ${queryField(scope)}

      private constructor(transport: ${runtimeType("DriverTransport")}, options: ${scope.prefix}DriverOptions) {
        super(${definitionName(scope)}, transport, options);
        ${usesOptions && "this.#options = options;"}
        ${sending.map(queueInit)}
      }

      /** Resets and initializes the device. Rejects, with the reason, if it cannot be used. */
      static async start(transport: ${runtimeType("DriverTransport")}, options: ${scope.prefix}DriverOptions = {}): Promise<${name}> {
        const driver = new ${name}(transport, options);
        await driver.initialize(options.features ?? []);
        return driver;
      }

      ${paragraphs([
        ...sending.map((queue) => queueGetter(queue, scope)),
        writeConfigMethod(scope),
        decode,
        planMethod(queues, scope),
        ...queues.map((queue) => factory(queue, scope)),
      ])}
    }`;
}

/** Class of the runtime behind a queue to the device. */
function handlerType(queue: QueueShape): Code {
  const request = requireRequest(queue);
  if (queue.struct !== undefined) return code`${runtimeType("DriverTransmitQueue")}<${messageType(queue)}>`;
  return code`${runtimeType("DriverRequestQueue")}<${inputName(request)}, ${replyUnionName(request)}>`;
}

/** What a program sees of it: with the reply that belongs to each request. */
function publicType(queue: QueueShape): Code {
  const request = requireRequest(queue);
  if (queue.struct !== undefined || request.discriminators.length === 0) return handlerType(queue);
  return code`${queueTypeName(request)}`;
}

function messageType(queue: QueueShape): string {
  return inputName(requireRequest(queue));
}

function requireRequest(queue: QueueShape): NonNullable<QueueShape["request"]> {
  if (queue.request === undefined) throw new EmitError("a queue without a message", queue.name);
  return queue.request;
}

function isCast(queue: QueueShape): boolean {
  return queue.struct === undefined && requireRequest(queue).discriminators.length > 0;
}

/** The queue as a program sees it, and the handler behind it where that is something else. */
function queueFields(queue: QueueShape): Code {
  const type = handlerType(queue);
  if (queue.model.many) {
    const doc = docComment({ doc: queue.model.doc, spec: queue.model.spec }, "The first one.");
    return code`${doc}readonly ${queue.name}: ${publicType(queue)}; readonly #${queue.plural}: ${type}[];`;
  }
  if (queue.model.conditionTree !== null) return code`readonly #${queue.name}: ${type};`;
  const doc = docComment({ doc: queue.model.doc, spec: queue.model.spec });
  const handler = isCast(queue) ? code`readonly #${queue.name}: ${type};` : nothing;
  return code`${doc}readonly ${queue.name}: ${publicType(queue)}; ${handler}`;
}

function queueInit(queue: QueueShape): Code {
  const make = code`this.#new${capital(queue.name)}()`;
  const cast = isCast(queue) ? code` as ${publicType(queue)}` : nothing;
  if (queue.model.many) {
    return code`const first${capital(queue.name)} = ${make};
      this.${queue.name} = first${capital(queue.name)}${cast};
      this.#${queue.plural} = [first${capital(queue.name)}];`;
  }
  if (queue.model.conditionTree !== null) return code`this.#${queue.name} = ${make};`;
  if (!isCast(queue)) return code`this.${queue.name} = ${make};`;
  return code`this.#${queue.name} = ${make}; this.${queue.name} = this.#${queue.name}${cast};`;
}

/** Where the queue's handler is. */
function handlerOf(queue: QueueShape): Code {
  return queue.model.conditionTree !== null || isCast(queue) ? code`this.#${queue.name}` : code`this.${queue.name}`;
}

/** All of an array of queues, and queues that are not always there. */
function queueGetter(queue: QueueShape, scope: DeviceScope): Code {
  const type = publicType(queue);
  const gate = queue.model.conditionTree;
  const cast = isCast(queue);
  if (queue.model.many) {
    const list = code`this.#${queue.plural}`;
    return code`/** All queues \`${queue.name}\` that there are. */
      get ${queue.plural}(): readonly ${type}[] { return ${cast ? code`${list} as readonly ${type}[]` : list}; }`;
  }
  if (gate === null) return nothing;
  const doc = docComment(
    { doc: queue.model.doc, spec: queue.model.spec },
    `Undefined unless ${queue.model.condition ?? ""}.`,
  );
  const context = formulaContext(scope, scope.device.name, {
    features: () => code`this.negotiated`,
    config: () => code`this.config`,
  });
  return code`${doc}get ${queue.name}(): ${type} | undefined {
      return ${condition(gate, context)} ? (this.#${queue.name}${cast && code` as ${type}`}) : undefined;
    }`;
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function planMethod(queues: readonly QueueShape[], scope: DeviceScope): Code {
  const config = driverConfigName(scope);
  const statements = queues.map((queue) =>
    planStatements(queue, queueContext(scope, code`config`, false), (position, index) => {
      const at = (handler: Code): Code =>
        code`plan.push({ name: "${queue.name}", index: ${index}, position: ${position}, handler: ${handler} });`;
      if (queue.direction === "toDriver") {
        const extra = receiveParameters(queue, scope);
        const values = [queue.model.many && position, extra.features && code`features`, extra.config && code`config`];
        return at(
          code`this.#new${capital(queue.name)}(${joined(
            values.filter((value) => value !== false),
            ", ",
          )})`,
        );
      }
      if (!queue.model.many) return at(handlerOf(queue));
      return code`const handler = (this.#${queue.plural}[k] ??= this.#new${capital(queue.name)}()); plan.push({ name: "${queue.name}", index: ${index}, position: k, handler });`;
    }),
  );
  const body = code`${statements}`;
  const used = parameterNames(["features", "config"], body);
  const types: Readonly<Record<string, Code>> = {
    features: code`${runtimeType("FeatureSet")}`,
    config: code`${config}`,
  };
  const parameters = used === "" ? [] : used.split(", ").map((name) => code`${name}: ${types[name.replace("_", "")]}`);
  return code`protected override queuePlan(${joined(parameters, ", ")}): readonly ${runtimeType("DriverQueuePlan")}[] {
    const plan: ${runtimeType("DriverQueuePlan")}[] = [];
    ${body}
    return plan;
  }`;
}

/** What making a receive queue depends on, besides its position. */
function receiveParameters(
  queue: QueueShape,
  scope: DeviceScope,
): { readonly features: boolean; readonly config: boolean } {
  const needs = scope.needs(scope.requireStruct(queue.struct ?? ""));
  const text = JSON.stringify([
    queue.model.holdsTree,
    queue.model.postedTree,
    queue.model.merged?.conditionTree ?? null,
  ]);
  return {
    features: text.includes('"op":"feature"') || needs.features,
    config: text.includes('"op":"config"') || needs.config.length > 0,
  };
}

function factory(queue: QueueShape, scope: DeviceScope): Code {
  if (queue.direction === "toDriver") return receiveFactory(queue, scope);
  const request = requireRequest(queue);
  const type = handlerType(queue);
  if (queue.struct !== undefined)
    return code`#new${capital(queue.name)}(): ${type} { return new ${runtime("DriverTransmitQueue")}(${transmitCodec(queue, scope)}); }`;
  const codec = codecNeedsDriver(request, scope) ? code`${codecName(request)}(this)` : code`${codecName(request)}`;
  return code`#new${capital(queue.name)}(): ${type} { return new ${runtime("DriverRequestQueue")}(${codec}); }`;
}

function transmitCodec(queue: QueueShape, scope: DeviceScope): Code {
  if (queue.struct === undefined) {
    const request = requireRequest(queue);
    const codec = codecNeedsDriver(request, scope) ? code`${codecName(request)}(this)` : code`${codecName(request)}`;
    return code`{
      size: (message) => ${codec}.readableSize(message),
      encode: (message, writer) => ${codec}.encode(message, writer),
    }`;
  }
  const struct = scope.requireStruct(queue.struct);
  const name = scope.typeName(struct);
  const context = messageContext(queue, scope, code`this.negotiated`, code`this.config`);
  const more = codecArguments(struct, [], context);
  const sizeExpression = sizeOfShape({ kind: "struct", struct, arguments: [] }, code`message`, context);
  const fixed = fixedSize({ kind: "struct", struct, arguments: [] });
  return code`{
    size: ${fixed === null ? code`(${parameterNames(["message"], sizeExpression)}) => ${sizeExpression}` : code`() => ${constantCase(name)}_SIZE`},
    encode: (message, writer) => write${name}(writer, message${more}),
  }`;
}

function messageContext(queue: QueueShape, scope: DeviceScope, features: Code, config: Code): CodecContext {
  const place = `${scope.device.name}.${queue.model.name}`;
  const sources = { features: () => features, config: () => config };
  return { scope, place, owner: "", ...sources, formulas: formulaContext(scope, place, sources) };
}

function receiveFactory(queue: QueueShape, scope: DeviceScope): Code {
  const struct = scope.requireStruct(queue.struct ?? "");
  const name = scope.typeName(struct);
  const context = queueContext(scope, code`config`, false);
  const { holdsTree, postedTree, merged, many } = queue.model;
  const fixed = fixedSize({ kind: "struct", struct, arguments: [] });
  const least = holdsTree === null ? undefined : count(holdsTree, context);
  const isPlain = holdsTree === null || holdsTree.op === "number";
  const size =
    least !== undefined && !isPlain
      ? least
      : fixed !== null
        ? code`${constantCase(name)}_SIZE`
        : code`${DEFAULT_BUFFER}`;
  const more = codecArguments(struct, [], messageContext(queue, scope, code`features`, code`config`));
  const offset = mergedOffset(queue, scope);
  const posted = postedTree === null ? undefined : count(postedTree, context);
  const extra = receiveParameters(queue, scope);
  const parameters = [
    many && code`position: number`,
    extra.features && code`features: ${runtimeType("FeatureSet")}`,
    extra.config && code`config: ${driverConfigName(scope)}`,
  ].filter((parameter) => parameter !== false);
  const gate = merged?.conditionTree ?? null;
  const active = gate === null ? nothing : code`${condition(gate, context)} ? `;
  return code`#new${capital(queue.name)}(${joined(parameters, ", ")}): ${runtimeType("DriverReceiveQueue")}<${name}> {
    const { ${queue.name}, ${queue.name}Buffers } = this.#options;
    ${posted !== undefined && code`const count = Math.min(${queue.name}Buffers?.count ?? ${posted}, ${posted});`}
    return new ${runtime("DriverReceiveQueue")}({
      bufferSize: ${queue.name}Buffers?.size ?? ${size},
      ${posted !== undefined ? code`count,` : code`...(${queue.name}Buffers?.count === undefined ? {} : { count: ${queue.name}Buffers.count }),`}
      decode: (bytes) => {
        const reader = new ${runtime("ByteReader")}(bytes);
        const message = read${name}(reader${more});
        return reader.error ?? message;
      },
      handler: (message) => ${queue.name}?.(message${many && ", position"}),
      ${offset !== undefined && code`merged: ${active.parts.length === 0 ? code`{ offset: ${offset} }` : code`${active} { offset: ${offset} } : undefined`},`}
    });
  }`;
}
