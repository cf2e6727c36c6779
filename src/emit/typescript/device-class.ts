import type { FieldModel } from "../../model/device-model.js";
import { code, joined, nothing, parameterNames, paragraphs, type Code } from "./code.js";
import { codecArguments, formulaContext, type CodecContext } from "./codec-parameters.js";
import {
  answersName,
  configBytesFunction,
  configInitName,
  clearsNote,
  configMember,
  hasInit,
  initialValue,
  isChecked,
  needsInit,
} from "./config-device.js";
import { clearedField, configFields, isSelector, isWritable } from "./config-fields.js";
import { configFieldSize, configOffset } from "./config-places.js";
import { definitionName } from "./definition.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { EmitError } from "./emit-error.js";
import { condition, count } from "./formulas.js";
import { featureNames } from "./features.js";
import { runtime, runtimeType } from "./imports.js";
import { constantCase } from "./names.js";
import { mergedOffset, planStatements, queueContext, type QueueShape } from "./queues.js";
import { needsCast, slotName, usesConfig } from "./request-slot.js";
import { fixedSize, shapeOf } from "./shapes.js";
import { fieldDoc, propertyName, typeOf } from "./struct-types.js";
import { sizeOfShape } from "./size-fields.js";

/** The device: a class that its author gives configuration and handlers to. */
export function deviceClass(queues: readonly QueueShape[], scope: DeviceScope): Code {
  return paragraphs([queueNameType(queues, scope), optionsType(queues, scope), deviceBody(queues, scope)]);
}

/** Names of the queues, for what is done to one of them. */
function queueNameType(queues: readonly QueueShape[], scope: DeviceScope): Code {
  const names = queues.map((queue) => code`"${queue.name}"`);
  return code`/** The queues, by name. */
    export type ${queueNameName(scope)} = ${names.length === 0 ? "never" : joined(names, " | ")};`;
}

/** `BlkQueueName`. */
export function queueNameName(scope: DeviceScope): string {
  return `${scope.prefix}QueueName`;
}

const hasConfig = (scope: DeviceScope): boolean => configFields(scope).length > 0;

function optionsType(queues: readonly QueueShape[], scope: DeviceScope): Code {
  const handlers = queues
    .filter((queue) => queue.request !== undefined)
    .map((queue) => {
      const optional = queue.model.conditionTree !== null ? "?" : "";
      const what = queue.model.role === "transmit" ? "Takes what the driver sends" : "Serves requests";
      // A property and not a method: a method could be given a handler that takes fewer variants than there are.
      const note = `${what}; complete each one, now or later. One without a handler is given back empty.`;
      return code`${docComment({ doc: queue.model.doc, spec: queue.model.spec }, optional === "" ? "" : note)}readonly ${queue.name}${optional}: (${queue.struct === undefined ? "request" : "buffer"}: ${queue.request?.typeName ?? ""}) => ${runtimeType("HandlerResult")};`;
    });
  const writable = configFields(scope).filter(isWritable);
  const written =
    writable.length === 0
      ? nothing
      : code`/** Called after the driver wrote a field of the configuration. */
        readonly configWritten?: {
          ${writable.map((field) => code`${fieldDoc(field, scope, undefined, writtenNote(field, scope))}${propertyName(field)}?(value: ${typeOf(shapeOf(field, scope), field, `${scope.prefix}Config`, scope)}): void;`)}
        };`;
  const init = hasInit(scope)
    ? code`readonly config${needsInit(scope) ? "" : "?"}: ${configInitName(scope)};`
    : nothing;
  return code`/** What a {@link ${scope.prefix}Device} is made from. */
    export interface ${scope.prefix}DeviceOptions extends ${runtimeType("VirtioDeviceOptions")}<${queueNameName(scope)}> {
      /** Features to offer, besides those of the ring, which are always offered. */
      readonly features?: readonly ${featureNames(scope)}[];
      ${init}
      ${handlers}
      ${windowOption(scope)}
      ${written}
      /** Told of what the driver does wrong, and of handlers that fail. */
      readonly onProtocolError?: (error: Error) => void;
    }`;
}

function writtenNote(field: FieldModel, scope: DeviceScope): string {
  const note = clearsNote(field, scope);
  return note === "" ? "" : `${note} Called with those ones, when they have cleared them.`;
}

/** What a window shows is the author's to say. */
function windowOption(scope: DeviceScope): Code {
  const selectors = configFields(scope).filter((field) => isSelector(field, scope));
  if (selectors.length === 0) return nothing;
  const properties = selectors.map(
    (field) =>
      code`${fieldDoc(field, scope)}readonly ${propertyName(field)}: ${typeOf(shapeOf(field, scope), field, "", scope)};`,
  );
  return code`/** What the window of the configuration shows when the driver has selected this; undefined for nothing. */
    readonly configWindow: (selected: { ${properties} }) => ${answersName(scope)} | undefined;`;
}

function deviceBody(queues: readonly QueueShape[], scope: DeviceScope): Code {
  const usesOptions = queues.some((queue) => queue.direction === "toDevice") || configFields(scope).some(isWritable);
  const name = `${scope.prefix}Device`;
  const bytes = hasInit(scope)
    ? code`${configBytesFunction(scope)}(options.config${needsInit(scope) ? "" : " ?? {}"})`
    : code`new Uint8Array(${scope.constantPrefix}_CONFIG_SIZE)`;
  return code`${docComment({ doc: scope.device.doc, spec: scope.device.spec }, "The device side.")}export class ${name} extends ${runtime("VirtioDevice")} {
      ${
        hasConfig(scope) &&
        code`/** The configuration space, as the device sees it. */
      readonly config: ${scope.prefix}DeviceConfig;`
      }
      ${queues.map((queue) => queueFields(queue, scope))}
      ${usesOptions && code`readonly #options: ${scope.prefix}DeviceOptions;`}

      constructor(options: ${scope.prefix}DeviceOptions) {
        ${hasConfig(scope) && code`const bytes = ${bytes};`}
        super(${definitionName(scope)}, options.features ?? [], ${hasConfig(scope) ? "bytes" : "new Uint8Array(0)"}, options);
        ${usesOptions && "this.#options = options;"}
        this.onProtocolError = options.onProtocolError;
        ${hasConfig(scope) && code`this.config = new ${scope.prefix}DeviceConfig(bytes, () => this.configChanged());`}
        ${hasChecks(scope) && code`const problem = check${scope.prefix}Config(this.config, this.offered); if (problem !== undefined) throw new ${runtime("DeviceOptionsError")}(problem);`}
        ${queues.map((queue) => queueInit(queue))}
      }

      ${paragraphs([
        ...queues
          .filter((queue) => queue.model.many && queue.direction === "toDriver")
          .map((queue) => pluralGetter(queue, scope)),
        planMethod(queues, scope),
        configWrittenMethod(scope),
        resetMethod(scope),
        ...queues.map((queue) => factory(queue, scope)),
      ])}
    }`;
}

export function hasChecks(scope: DeviceScope): boolean {
  return configFields(scope).some((field) => isChecked(field, scope));
}

/** The class that serves a queue on the device side. */
function handlerType(queue: QueueShape, scope: DeviceScope): Code {
  if (queue.direction === "toDriver")
    return code`${runtimeType("MessageSender")}<${scope.typeName(scope.requireStruct(queue.struct ?? ""))}>`;
  return code`${runtimeType("RequestServer")}<${queue.request === undefined ? "" : slotName(queue.request)}>`;
}

function queueFields(queue: QueueShape, scope: DeviceScope): Code {
  const type = handlerType(queue, scope);
  if (queue.direction === "toDevice") {
    return queue.model.many
      ? code`readonly #${queue.plural}: ${type}[] = [];`
      : code`readonly #${queue.name}: ${type};`;
  }
  const doc = docComment({ doc: queue.model.doc, spec: queue.model.spec }, queue.model.many ? "The first one." : "");
  const first = code`${doc}readonly ${queue.name}: ${type};`;
  return queue.model.many ? code`${first} readonly #${queue.plural}: ${type}[];` : first;
}

function queueInit(queue: QueueShape): Code {
  const make = code`this.#new${capital(queue.name)}(0)`;
  if (queue.direction === "toDevice") return queue.model.many ? nothing : code`this.#${queue.name} = ${make};`;
  return queue.model.many
    ? code`this.${queue.name} = ${make}; this.#${queue.plural} = [this.${queue.name}];`
    : code`this.${queue.name} = ${make};`;
}

/** Queues that there are with the features offered and the configuration at hand. */
function pluralGetter(queue: QueueShape, scope: DeviceScope): Code {
  return code`/** All queues \`${queue.name}\`, as many as there can be with the present configuration. */
    get ${queue.plural}(): readonly ${handlerType(queue, scope)}[] {
      this.queuePlan(this.offered);
      return this.#${queue.plural};
    }`;
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function planMethod(queues: readonly QueueShape[], scope: DeviceScope): Code {
  const config = hasConfig(scope) ? code`this.config` : code`undefined`;
  const context = queueContext(scope, config, true);
  const isStatic = queues.every((queue) => !queue.model.many && queue.model.conditionTree === null);
  const entry = (queue: QueueShape, position: Code, index: Code): Code => {
    const handler = queue.direction === "toDevice" ? code`this.#${queue.name}` : code`this.${queue.name}`;
    return code`{ name: "${queue.name}", index: ${index}, position: ${position}, handler: ${handler} }`;
  };
  if (isStatic) {
    const usesFeatures = queues.some((queue) => JSON.stringify(queue.model.indexTree).includes('"op":"feature"'));
    return code`protected override queuePlan(${usesFeatures && code`features: ${runtimeType("FeatureSet")}`}): readonly ${runtimeType("QueuePlan")}[] {
      return [${queues.map((queue) => code`${entry(queue, code`0`, count(queue.model.indexTree, context))},`)}];
    }`;
  }
  const statements = queues.map((queue) =>
    planStatements(queue, context, (position, index) => {
      if (!queue.model.many) return code`plan.push(${entry(queue, position, index)});`;
      return code`const handler = (this.#${queue.plural}[k] ??= this.#new${capital(queue.name)}(k));
        plan.push({ name: "${queue.name}", index: ${index}, position: k, handler });`;
    }),
  );
  return code`protected override queuePlan(${usesFeatures(queues) && code`features: ${runtimeType("FeatureSet")}`}): readonly ${runtimeType("QueuePlan")}[] {
    const plan: ${runtimeType("QueuePlan")}[] = [];
    ${statements}
    return ${queues.length > 1 ? "plan.sort((left, right) => left.index - right.index)" : "plan"};
  }`;
}

function usesFeatures(queues: readonly QueueShape[]): boolean {
  return queues.some(({ model }) =>
    JSON.stringify([model.indexTree, model.countTree, model.conditionTree]).includes('"op":"feature"'),
  );
}

/** Makes what serves the queue of position k. */
function factory(queue: QueueShape, scope: DeviceScope): Code {
  const head = code`#new${capital(queue.name)}(position: number): ${handlerType(queue, scope)}`;
  if (queue.direction === "toDriver")
    return code`${head} { return new ${runtime("MessageSender")}(${senderOptions(queue, scope)}); }`;
  const { request } = queue;
  if (request === undefined) throw new EmitError("a queue without a message", queue.name);
  const handle = code`this.#options.${queue.name}(request${needsCast(request, scope) && code` as ${request.typeName}`})`;
  const guarded =
    queue.model.conditionTree === null
      ? handle
      : code`this.#options.${queue.name} === undefined ? request.abandon() : ${handle}`;
  return code`${head} {
    return new ${runtime("RequestServer")}({
      createSlot: (host, slot) => new ${slotName(request)}(host, slot${usesConfig(request, scope) && ", this.config"}),
      handle: (request) => ${guarded},
      report: (error) => this.report(error),
      position,
    });
  }`;
}

function senderOptions(queue: QueueShape, scope: DeviceScope): Code {
  const struct = scope.requireStruct(queue.struct ?? "");
  const name = scope.typeName(struct);
  const place = `${scope.device.name}.${queue.model.name}`;
  const features = (): Code => code`features`;
  const config = (): Code => code`this.config`;
  const formulas = formulaContext(scope, place, { features, config, wholeConfig: true });
  const context: CodecContext = { scope, place, owner: name, features, config, formulas };
  const more = codecArguments(struct, [], context);
  const fixed = fixedSize({ kind: "struct", struct, arguments: [] });
  const offset = mergedOffset(queue, scope);
  const { merged } = queue.model;
  const needsFeatures = scope.needs(struct).features;
  const sizeExpression = sizeOfShape({ kind: "struct", struct, arguments: [] }, code`message`, context);
  const size =
    fixed === null
      ? code`(${parameterNames(["message", "features"], sizeExpression)}) => ${sizeExpression}`
      : code`() => ${constantCase(name)}_SIZE`;
  const gate = merged?.conditionTree ?? null;
  const active = gate === null ? code`() => true` : code`(features) => ${condition(gate, context.formulas)}`;
  return code`{
    size: ${size},
    encode: (message, writer${needsFeatures ? ", features" : ""}) => write${name}(writer, message${more}),
    ${offset !== undefined && code`merged: { offset: ${offset}, active: ${active} },`}
    report: (error) => this.report(error),
    position,
  }`;
}

function configWrittenMethod(scope: DeviceScope): Code {
  const fields = configFields(scope).filter(isWritable);
  if (fields.length === 0) return nothing;
  const calls = fields.map((field) => {
    const start = configOffset(field, scope);
    const end = start + configFieldSize(field, scope);
    // Where ones clear bits, what is there now are not the ones that were written.
    const config =
      clearedField(field, scope) === undefined
        ? code`this.config`
        : code`new ${scope.prefix}DeviceConfig(written, () => undefined)`;
    return code`if (offset < ${end} && offset + length > ${start}) listeners?.${propertyName(field)}?.(${config}.${configMember(field)});`;
  });
  const selectors = configFields(scope).filter((field) => isSelector(field, scope));
  const touched = selectors.map((field) => {
    const start = configOffset(field, scope);
    return code`(offset < ${start + configFieldSize(field, scope)} && offset + length > ${start})`;
  });
  const selected = joined(
    selectors.map((field) => code`${propertyName(field)}: this.config.${configMember(field)}`),
    ", ",
  );
  const answer =
    selectors.length === 0
      ? nothing
      : code`if (${joined(touched, " || ")}) this.config.answer(this.#options.configWindow({ ${selected} }));`;
  const written = fields.some((field) => clearedField(field, scope) !== undefined) ? ", written: Uint8Array" : "";
  return code`protected override configWritten(offset: number, length: number${written}): void {
    ${answer}
    const listeners = this.#options.configWritten;
    ${calls}
  }`;
}

/** Fields with a value after reset get it; those that persist keep theirs. */
function resetMethod(scope: DeviceScope): Code {
  const fields = configFields(scope).filter(
    (field) => field.default !== null && !field.persists && field.access !== "ro" && field.access !== "wo",
  );
  if (fields.length === 0) return nothing;
  return code`protected override deviceReset(): void {
    ${fields.map((field) => code`this.config.${configMember(field)} = ${initialValue(field, scope)};`)}
  }`;
}
