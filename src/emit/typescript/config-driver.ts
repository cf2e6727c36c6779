import type { FieldModel } from "../../model/device-model.js";
import { code, joined, nothing, paragraphs, usesVariable, type Code } from "./code.js";
import type { CodecContext } from "./codec-parameters.js";
import { nothingOf, settableType } from "./config-device.js";
import {
  configContext,
  configFields,
  configSizeName,
  configWord,
  isReadable,
  isSelector,
  isWritable,
  plainField,
  referredConfig,
} from "./config-fields.js";
import { configFieldSize, configOffset } from "./config-places.js";
import type { DeviceScope } from "./device-scope.js";
import { condition } from "./formulas.js";
import { runtime, runtimeType } from "./imports.js";
import { localName } from "./names.js";
import { localOf, readFields } from "./read-fields.js";
import { shapeOf, type Shape } from "./shapes.js";
import { fieldDoc, isOptional, propertyName, typeOf } from "./struct-types.js";
import { fieldAt } from "./structs-read.js";
import { writeFields } from "./write-fields.js";

export function driverConfigName(scope: DeviceScope): string {
  return configFields(scope).some(isReadable) ? `${scope.prefix}DriverConfig` : "undefined";
}

/** The configuration as a driver reads it. */
export function driverConfig(scope: DeviceScope): Code {
  const fields = configFields(scope).filter(isReadable);
  if (fields.length === 0) return nothing;
  const name = driverConfigName(scope);
  const context = configContext(scope, code`features`, (field) => code`${localName(propertyName(field))}`);
  const referred = referredConfig(scope);
  const first = configFields(scope)
    .filter((field) => referred.has(field.name))
    .map(
      (field) => code`const ${localName(propertyName(field))} = ${readValue(field, shapeOf(field, scope), context)};`,
    );
  const reads = fields.map((field) => {
    const shape = shapeOf(field, scope);
    const gate = field.conditionTree ?? field.validTree;
    const value = referred.has(field.name) ? code`${localName(propertyName(field))}` : readValue(field, shape, context);
    return code`${propertyName(field)}: ${gate === null ? value : code`${condition(gate, context.formulas)} ? ${value} : undefined`},`;
  });
  const usesFeatures = usesVariable(code`${first} ${reads}`, "features");
  return paragraphs([
    code`/** Configuration of the device as the driver last read it. Fields of features that were not negotiated are undefined. */
    export interface ${name} {
      ${fields.map((field) => {
        const type = typeOf(shapeOf(field, scope), field, `${scope.prefix}Config`, scope);
        const gated =
          field.conditionTree !== null || field.validTree !== null || isOptional(field, shapeOf(field, scope));
        return code`${fieldDoc(field, scope)}readonly ${propertyName(field)}: ${type}${gated ? " | undefined" : ""};`;
      })}
    }`,
    code`/** Decodes the configuration space; \`bytes\` are at least ${configSizeName(scope)} of them. */
    export function read${name}(bytes: Uint8Array, ${usesFeatures ? "features" : "_features"}: ${runtimeType("FeatureSet")}): ${name} {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      ${first}
      return { ${reads} };
    }`,
  ]);
}

function readValue(field: FieldModel, shape: Shape, context: CodecContext): Code {
  const { scope } = context;
  const offset = configOffset(field, scope);
  if (shape.kind === "scalar") return fieldAt(code`view`, code`${offset}`, field, shape, scope);
  const size = configFieldSize(field, scope);
  if (shape.kind === "bytes") return code`bytes.slice(${offset}, ${offset + size})`;
  const reader = code`new ${runtime("ByteReader")}(bytes, ${offset}, ${offset + size})`;
  if (shape.kind === "struct" && shape.struct.parameters.length === 0 && !scope.needs(shape.struct).features) {
    return code`read${scope.typeName(shape.struct)}(${reader})`;
  }
  const plain = plainField(field);
  const { statements, properties } = readFields([plain], context);
  const missing = isOptional(plain, shape) ? " | undefined" : "";
  return code`((): ${typeOf(shape, field, `${scope.prefix}Config`, scope)}${missing} => { const reader = ${reader}; ${statements} return ${localOf(properties[0])}; })()`;
}

/** Method of the driver that writes fields. */
export function writeConfigMethod(scope: DeviceScope): Code {
  const fields = configFields(scope).filter(isWritable);
  if (fields.length === 0) return nothing;
  return paragraphs([writeMethod(fields, scope), queryMethod(scope)]);
}

/** Writes the selectors of a window and reads what it shows then. */
function queryMethod(scope: DeviceScope): Code {
  const { window } = scope.device.config ?? { window: null };
  if (window === null) return nothing;
  const selectors = configFields(scope).filter((field) => isSelector(field, scope));
  const properties = selectors.map((field) => {
    const shape = shapeOf(field, scope);
    return code`readonly ${propertyName(field)}: ${settableType(field, shape, scope)};`;
  });
  return code`/** Selects what the window of the configuration is to show, and gives what it shows. One at a time. */
    queryConfig(selected: { ${joined(properties, "\n")} }): Promise<${driverConfigName(scope)}> {
      const query = this.#queries.then(async () => {
        await this.writeConfig(selected);
        return this.config;
      });
      this.#queries = query.catch(() => undefined);
      return query;
    }`;
}

/** State of the driver for {@link queryMethod}. */
export function queryField(scope: DeviceScope): Code {
  return (scope.device.config?.window ?? null) === null
    ? nothing
    : code`#queries: Promise<unknown> = Promise.resolve();`;
}

/** Bits that are not given keep the value that was read last, or are not cleared. */
function wordAccess(scope: DeviceScope): (field: FieldModel) => Code {
  return (field) => {
    const name = propertyName(field);
    const original = configFields(scope).find((each) => each.name === field.name);
    const sources =
      original === undefined
        ? []
        : [original].flatMap((each) => [
            ...(isWritable(each) ? [code`fields.${name}`] : []),
            // Ones that were read would clear bits.
            ...(isReadable(each) && each.access !== "w1c" ? [code`this.config.${name}`] : []),
          ]);
    return code`(${joined([...sources, nothingOf(field, scope)], " ?? ")})`;
  };
}

function writeMethod(fields: readonly FieldModel[], scope: DeviceScope): Code {
  const context = configContext(scope, code`this.negotiated`);
  const properties = fields.map((field) => {
    const shape = shapeOf(field, scope);
    const type = settableType(field, shape, scope);
    return code`${fieldDoc(field, scope)}readonly ${propertyName(field)}?: ${type};`;
  });
  const writes = fields.flatMap((field, index) => {
    const word = configWord(field, scope);
    if (fields.slice(0, index).some((earlier) => field.bits !== null && word.includes(earlier))) return [];
    const given = fields.filter((each) => word.includes(each)).map((each) => code`fields.${propertyName(each)}`);
    const access = (each: FieldModel): Code => code`fields.${propertyName(each)}`;
    const writes = writeFields(word.map(plainField), field.bits === null ? access : wordAccess(scope), context);
    return [
      code`if (${joined(
        given.map((value) => code`${value} !== undefined`),
        " || ",
      )}) {
      const bytes = new Uint8Array(${configFieldSize(field, scope)});
      const writer = new ${runtime("ByteWriter")}(bytes);
      ${writes}
      if (writer.error !== undefined) throw writer.error;
      await this.writeConfigBytes(${configOffset(field, scope)}, bytes);
    }`,
    ];
  });
  return code`/** Writes the fields that are given; done when the configuration has been read again. */
    async writeConfig(fields: { ${joined(properties, "\n")} }): Promise<void> {
      ${writes}
      await this.refreshConfig();
    }`;
}
