import type { FieldModel } from "../../model/device-model.js";
import {
  code,
  hexadecimal,
  joined,
  mentions,
  nothing,
  paragraphs,
  quoted,
  render,
  usesVariable,
  type Code,
} from "./code.js";
import { formulaContext } from "./codec-parameters.js";
import {
  clearedField,
  configContext,
  configFields,
  configSizeName,
  configWord,
  isAnswer,
  isChangeable,
  isReadable,
  isSelector,
  isWritable,
  plainField,
} from "./config-fields.js";
import { configFieldSize, configOffset } from "./config-places.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { memberOf, writeType } from "./enums.js";
import { condition, type FormulaContext } from "./formulas.js";
import { runtime, runtimeType } from "./imports.js";
import { localName, memberName } from "./names.js";
import { isWide, shapeOf, type Shape } from "./shapes.js";
import { fieldDoc, isOptional, matchTypes, propertyName, typeOf } from "./struct-types.js";
import { fieldAt } from "./structs-read.js";
import { valueAtPath } from "./field-paths.js";
import { writeFields } from "./write-fields.js";
import { localOf, readFields } from "./read-fields.js";

const METHODS: ReadonlySet<string> = new Set(["update", "answer"]);

/** A field as a member of the device's configuration. */
export function configMember(field: FieldModel): string {
  return memberName(propertyName(field), METHODS);
}

/** What the device's author gives as configuration, the bytes that come of it, and the fields as the device sees them. */
export function deviceConfig(scope: DeviceScope): Code {
  if (configFields(scope).length === 0) return nothing;
  const matches = matchTypes(configFields(scope), `${scope.prefix}Config`, scope);
  const init = hasInit(scope) ? [initType(scope), initFunction(scope)] : [];
  return paragraphs([...matches, ...init, answersType(scope), configClass(scope)]);
}

/** Does it have to be given? What is gated, has a value after reset, or can be written by the driver does not. */
function isRequired(field: FieldModel): boolean {
  const always = field.conditionTree === null && field.validTree === null && !field.overlaps;
  return always && field.default === null && field.access === "ro";
}

/** Is there anything that the author gives as configuration when the device is made? */
export function hasInit(scope: DeviceScope): boolean {
  return initFields(scope).length > 0;
}

function initFields(scope: DeviceScope): readonly FieldModel[] {
  return configFields(scope).filter(
    (field) => isReadable(field) && !isAnswer(field, scope) && !isSelector(field, scope),
  );
}

/** Type that a field may be set to: of a closed enum, only members. */
export function settableType(field: FieldModel, shape: Shape, scope: DeviceScope): Code {
  if (shape.kind === "scalar" && shape.meaning.kind === "enum") return writeType(shape.meaning.enum, scope);
  return typeOf(shape, field, `${scope.prefix}Config`, scope);
}

export function configInitName(scope: DeviceScope): string {
  return `${scope.prefix}ConfigInit`;
}

function initType(scope: DeviceScope): Code {
  const properties = initFields(scope).map((field) => {
    const shape = shapeOf(field, scope);
    const type = settableType(field, shape, scope);
    const notes = field.default === null ? [] : [`\`${render(initialValue(field, scope)).text}\` if it is left out.`];
    const doc = fieldDoc(field, scope, scope.device.since, ...notes);
    return code`${doc}readonly ${propertyName(field)}${isRequired(field) ? "" : "?"}: ${type};`;
  });
  const hasDefaults = initFields(scope).some((field) => field.default !== null);
  const missing = hasDefaults
    ? "What is left out is 0, unless its own line says another value"
    : "What is left out is 0";
  return code`/** Configuration of a new ${scope.prefix}Device. ${missing}. */
    export interface ${configInitName(scope)} { ${properties} }`;
}

/** Does the author have to give any of it? */
export function needsInit(scope: DeviceScope): boolean {
  return initFields(scope).some(isRequired);
}

export function configBytesFunction(scope: DeviceScope): string {
  return `${scope.prefix.charAt(0).toLowerCase()}${scope.prefix.slice(1)}ConfigBytes`;
}

/** A field's value after a reset, as its setter and the author give it. */
export function initialValue(field: FieldModel, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  const number = field.default ?? 0;
  if (shape.kind !== "scalar") throw new EmitError("a default of something that is no number", field.name);
  if (shape.meaning.kind === "boolean") return code`${number === 0 ? "false" : "true"}`;
  const member = shape.meaning.kind === "enum" ? memberOf(shape.meaning.enum, number) : undefined;
  if (member !== undefined) return quoted(member.name);
  return isWide(shape, field) ? code`${BigInt(number)}` : code`${number}`;
}

/** What the author gives for a field; zero, or its value after a reset, where that may be nothing. */
function initValue(field: FieldModel, scope: DeviceScope): Code {
  const value = code`init.${propertyName(field)}`;
  if (field.default !== null) return code`(${value} ?? ${initialValue(field, scope)})`;
  return field.bits === null || isRequired(field) ? value : code`(${value} ?? ${nothingOf(field, scope)})`;
}

/** What an absent number is written as. */
export function nothingOf(field: FieldModel, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  if (shape.kind !== "scalar") throw new EmitError("bits of something that is no number", field.name);
  if (shape.meaning.kind === "boolean") return code`false`;
  return isWide(shape, field) ? code`0n` : code`0`;
}

function initFunction(scope: DeviceScope): Code {
  const context = configContext(scope, code`features`, (field) => code`init.${propertyName(field)}`);
  const writes = initFields(scope).flatMap((field, index, all) => {
    const value = initValue(field, scope);
    if (field.bits !== null) {
      // All the bits of an integer at once.
      const word = configWord(field, scope);
      if (all.slice(0, index).some((earlier) => word.includes(earlier))) return [];
      const access = (each: FieldModel): Code => {
        const given = all.find(({ name }) => name === each.name);
        return given === undefined ? nothingOf(each, scope) : initValue(given, scope);
      };
      return [
        code`writer.offset = ${configOffset(field, scope)}; ${writeFields(word.map(plainField), access, context)}`,
      ];
    }
    const plain = plainField(field);
    const isGiven = isRequired(field) || field.default !== null;
    const write = code`writer.offset = ${configOffset(field, scope)}; ${writeFields([plain], () => value, context)}`;
    return [isGiven ? write : code`if (${value} !== undefined) { ${write} }`];
  });
  return code`/** The configuration space with these values. Throws a CodecError if one does not fit its field. */
    export function ${configBytesFunction(scope)}(init: ${configInitName(scope)}): Uint8Array {
      const bytes = new Uint8Array(${configSizeName(scope)});
      const writer = new ${runtime("ByteWriter")}(bytes);
      ${writes}
      if (writer.error !== undefined) throw writer.error;
      return bytes;
    }`;
}

/** Getters for all fields, setters for those that may change while a driver uses the device. */
function configClass(scope: DeviceScope): Code {
  const fields = configFields(scope);
  const changeable = fields.filter(isChangeable);
  const name = `${scope.prefix}DeviceConfig`;
  const members = paragraphs([
    ...fields.map((field) => accessors(field, scope)),
    changeable.length > 1 ? updateMethod(changeable, scope) : nothing,
    answerMethod(scope),
  ]);
  const needsBytes = mentions(members, "#bytes") || changeable.length > 0;
  const needsView = mentions(members, "#view");
  return code`/** Configuration space of a {@link ${scope.prefix}Device}. Setting a field tells the driver. */
    export class ${name} {
      ${needsBytes && "readonly #bytes: Uint8Array;"}
      ${needsView && "readonly #view: DataView;"}
      ${changeable.length > 0 && "readonly #changed: () => void;"}

      /** \`changed\` is called after each change. */
      constructor(bytes: Uint8Array, ${changeable.length > 0 ? "changed" : "_changed"}: () => void) {
        ${needsBytes && "this.#bytes = bytes;"}
        ${needsView && "this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);"}
        ${changeable.length > 0 && "this.#changed = changed;"}
      }

      ${members}

      ${changeable.length > 0 && writeMethod()}
    }`;
}

export function answersName(scope: DeviceScope): string {
  return `${scope.prefix}ConfigAnswers`;
}

function answerFields(scope: DeviceScope): readonly FieldModel[] {
  return configFields(scope).filter((field) => isAnswer(field, scope));
}

/** What a window shows for what is selected. */
function answersType(scope: DeviceScope): Code {
  const fields = answerFields(scope);
  if (fields.length === 0) return nothing;
  const properties = fields.map((field) => {
    const shape = shapeOf(field, scope);
    const optional = isOptional(field, shape);
    return code`${fieldDoc(field, scope)}readonly ${propertyName(field)}${optional ? "?" : ""}: ${settableType(field, shape, scope)}${optional ? " | undefined" : ""};`;
  });
  return code`/** What the window of the configuration shows for what the driver has selected. */
    export interface ${answersName(scope)} { ${properties} }`;
}

/** Puts an answer into the window. */
function answerMethod(scope: DeviceScope): Code {
  const fields = answerFields(scope);
  if (fields.length === 0) return nothing;
  const context = configContext(scope, code``, (field) =>
    isAnswer(field, scope) ? code`answers.${propertyName(field)}` : code`this.${propertyName(field)}`,
  );
  const places = fields.map((field) => {
    const start = configOffset(field, scope);
    return { field, start, end: start + configFieldSize(field, scope) };
  });
  const writes = places.map(({ field, start }) => {
    const plain = plainField(field);
    const write = writeFields([plain], (each) => code`answers.${propertyName(each)}`, context);
    return code`writer.offset = ${start}; ${write}`;
  });
  return code`/** Shows an answer in the window, or zeroes without one. Throws a CodecError if it does not fit. */
    answer(answers: ${answersName(scope)} | undefined): void {
      ${places.map(({ start, end }) => code`this.#bytes.fill(0, ${start}, ${end});`)}
      if (answers === undefined) return;
      const bytes = this.#bytes.slice();
      const writer = new ${runtime("ByteWriter")}(bytes);
      ${writes}
      if (writer.error !== undefined) throw writer.error;
      this.#bytes.set(bytes);
    }`;
}

/** Writes at a place in the bytes. */
function writeMethod(): Code {
  return code`#write(offset: number, encode: (writer: ${runtimeType("ByteWriter")}) => void): void {
    const writer = new ${runtime("ByteWriter")}(this.#bytes, offset);
    encode(writer);
    if (writer.error !== undefined) throw writer.error;
  }`;
}

function accessors(field: FieldModel, scope: DeviceScope): Code {
  const shape = shapeOf(field, scope);
  const name = configMember(field);
  const note = accessNote(field, scope);
  const missing = shape.kind === "match" && isOptional({ ...field, conditionTree: null }, shape) ? " | undefined" : "";
  const getter = code`${fieldDoc(field, scope, undefined, note)}get ${name}(): ${typeOf(shape, field, `${scope.prefix}Config`, scope)}${missing} { ${getterBody(field, shape, scope)} }`;
  if (!isChangeable(field)) return getter;
  return code`${getter}
    set ${name}(value: ${settableType(field, shape, scope)}) {
      ${writeCall(field, code`value`, scope)}
      this.#changed();
    }`;
}

function accessNote(field: FieldModel, scope: DeviceScope): string {
  switch (field.access) {
    case "ro":
      return "";
    case "wo":
      return "Written by the driver.";
    case "rw":
      return "The driver may write it.";
    case "w1c":
      return clearsNote(field, scope);
  }
}

/** What ones do that the driver writes. */
export function clearsNote(field: FieldModel, scope: DeviceScope): string {
  const clears = clearedField(field, scope);
  if (clears === undefined) return "";
  const what = clears === field ? "its bits" : `bits of \`${propertyName(clears)}\``;
  return `Ones that the driver writes clear ${what}.`;
}

function getterBody(field: FieldModel, shape: Shape, scope: DeviceScope): Code {
  const offset = configOffset(field, scope);
  if (shape.kind === "scalar") return code`return ${fieldAt(code`this.#view`, code`${offset}`, field, shape, scope)};`;
  const size = configFieldSize(field, scope);
  if (shape.kind === "bytes") return code`return this.#bytes.slice(${offset}, ${offset + size});`;
  const reader = code`new ${runtime("ByteReader")}(this.#bytes, ${offset}, ${offset + size})`;
  if (shape.kind === "struct" && shape.struct.parameters.length === 0 && !scope.needs(shape.struct).features) {
    return code`return read${scope.typeName(shape.struct)}(${reader});`;
  }
  const plain = plainField(field);
  const access = (each: FieldModel): Code => code`this.${configMember(each)}`;
  const { statements, properties } = readFields([plain], configContext(scope, code``, access));
  return code`const reader = ${reader};
    ${statements}
    return ${localOf(properties[0])};`;
}

/** Writes a value into the bytes, if it fits. */
function writeCall(field: FieldModel, value: Code, scope: DeviceScope): Code {
  const access = (each: FieldModel): Code => (each.name === field.name ? value : code`this.${configMember(each)}`);
  const writes = writeFields(configWord(field, scope).map(plainField), access, configContext(scope, code``));
  return code`this.#write(${configOffset(field, scope)}, (writer) => { ${writes} });`;
}

/** Several fields with one notification. */
function updateMethod(fields: readonly FieldModel[], scope: DeviceScope): Code {
  const properties = fields.map(
    (field) => code`readonly ${propertyName(field)}?: ${settableType(field, shapeOf(field, scope), scope)};`,
  );
  const variable = (field: FieldModel): string => localName(propertyName(field), new Set(["values"]));
  const given = fields.map((field) => {
    const name = propertyName(field);
    return name === variable(field) ? name : `${name}: ${variable(field)}`;
  });
  const writes = fields.map(
    (field) => code`if (${variable(field)} !== undefined) { ${writeCall(field, code`${variable(field)}`, scope)} }`,
  );
  return code`/** Changes several fields and tells the driver once. */
    update(values: { ${properties} }): void {
      const { ${given.join(", ")} } = values;
      ${writes}
      this.#changed();
    }`;
}

/** Ranges that the driver may write, for the definition. */
export function writableConfig(scope: DeviceScope): Code {
  const context = formulaContext(scope, `${scope.device.name}.config`, {
    features: () => code`features`,
    config: () => nothing,
  });
  const ranges = configFields(scope)
    .filter(isWritable)
    .map((field) => {
      const size = configFieldSize(field, scope);
      const gate = field.conditionTree ?? field.validTree;
      const allowed = gate === null ? code`() => true` : code`(features) => ${condition(gate, context)}`;
      const mask = field.bits === null ? nothing : code`mask: [${joined(bitMask(field, size), ", ")}], `;
      const clears = clearedField(field, scope);
      const cleared = clears === undefined ? nothing : code`clears: ${configOffset(clears, scope)}, `;
      return code`{ offset: ${configOffset(field, scope)}, size: ${size}, ${mask}${cleared}phase: "${field.phase ?? "features_ok"}", allowed: ${allowed} },`;
    });
  return code`[${ranges}]`;
}

/** The bits of a bit-field, in the order of its bytes. */
function bitMask({ type, bits }: FieldModel, size: number): Code[] {
  const { shift, width } = bits ?? { shift: 0, width: 0 };
  const word = ((1n << BigInt(width)) - 1n) << BigInt(shift);
  const bytes = Array.from({ length: size }, (_, i) => hexadecimal(Number((word >> BigInt(8 * i)) & 0xffn)));
  return typeof type === "string" && type.startsWith("be") ? bytes.reverse() : bytes;
}

/** Is there a rule that a new configuration has to meet? */
export function isChecked(field: FieldModel, scope: DeviceScope): boolean {
  return field.constraintTree !== null && field.access !== "wo" && !isAnswer(field, scope) && !isSelector(field, scope);
}

/** Checks of the \`where\` clauses, for what the features make visible. */
export function configChecks(scope: DeviceScope): Code {
  const place = `${scope.device.name}.config`;
  const base = formulaContext(scope, place, {
    features: () => code`features`,
    config: () => code`config`,
    wholeConfig: true,
  });
  const access = (field: FieldModel): Code => code`config.${configMember(field)}`;
  // The device sees all of its configuration, whatever was negotiated.
  const fields = (scope.device.config?.fields ?? []).map(plainField);
  const formulas: FormulaContext = {
    ...base,
    field: (_, path) => valueAtPath(fields, path, access, scope, place),
    config: (path) => valueAtPath(fields, path, access, scope, place),
  };
  const checks = configFields(scope).flatMap((field) => {
    if (!isChecked(field, scope) || field.constraintTree === null || field.constraint === null) return [];
    const broken = code`!(${condition(field.constraintTree, formulas)})`;
    const gate = field.conditionTree ?? field.validTree;
    const test = gate === null ? broken : code`${condition(gate, formulas)} && ${broken}`;
    return [code`if (${test}) { return ${JSON.stringify(`config: ${field.constraint} does not hold`)}; }`];
  });
  if (checks.length === 0) return nothing;
  const features = usesVariable(code`${checks}`, "features") ? "features" : "_features";
  return code`/** What is wrong with a configuration under these features, if anything is. */
    export function check${scope.prefix}Config(config: ${scope.prefix}DeviceConfig, ${features}: ${runtimeType("FeatureSet")}): string | undefined {
      ${checks}
      return undefined;
    }`;
}
